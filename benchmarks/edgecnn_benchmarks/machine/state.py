"""What of a machine changes while it measures: load, clock frequency, temperature, throttling.

From the files of the Linux kernel; where they are missing (a virtual machine shows neither frequency nor temperature)
and on other systems the fields are None.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class MachineState:
    """The machine at one moment; None where the system does not report it."""

    # Over 1, 5 and 15 minutes.
    load_average: tuple[float, float, float] | None
    # The clock of each processor.
    frequencies_mhz: tuple[float, ...] | None
    # The warmest sensor, in degrees Celsius.
    temperature_c: float | None
    # How often the processors were slowed down for heat or power since the machine started, all together.
    throttle_count: int | None
    # How often, and for how many seconds, the quota of this container has held its processes back.
    quota_throttled_count: int | None
    quota_throttled_s: float | None


def read_state(root: Path = Path("/")) -> MachineState:
    """Read the state of this machine now.

    Args:
        root: where /proc and /sys are found on Linux.
    """
    cpus = root / "sys/devices/system/cpu"
    frequencies = _numbers(cpus.glob("cpu[0-9]*/cpufreq/scaling_cur_freq"))
    temperatures = _numbers((root / "sys/class/thermal").glob("thermal_zone*/temp"))
    throttles = _numbers(cpus.glob("cpu[0-9]*/thermal_throttle/*_throttle_count"))
    quota = _cpu_stat(root / "sys/fs/cgroup")
    return MachineState(
        load_average=os.getloadavg() if hasattr(os, "getloadavg") else None,
        frequencies_mhz=tuple(kilohertz / 1000 for kilohertz in frequencies) or None,
        temperature_c=max(temperatures) / 1000 if temperatures else None,
        throttle_count=sum(throttles) if throttles else None,
        quota_throttled_count=quota.get("nr_throttled"),
        quota_throttled_s=_quota_seconds(quota),
    )


def _numbers(paths: Iterable[Path]) -> list[int]:
    found = []
    for path in sorted(paths):
        try:
            found.append(int(path.read_text()))
        except (OSError, ValueError):
            continue
    return found


def _cpu_stat(cgroup: Path) -> dict[str, int]:
    """Read `cpu.stat` of cgroup v2 or v1."""
    for path in (cgroup / "cpu.stat", cgroup / "cpu" / "cpu.stat"):
        try:
            pairs = (line.split() for line in path.read_text().splitlines())
            return {name: int(value) for name, value in pairs}
        except (OSError, ValueError):
            continue
    return {}


def _quota_seconds(quota: dict[str, int]) -> float | None:
    if "throttled_usec" in quota:  # v2
        return quota["throttled_usec"] / 1e6
    return quota["throttled_time"] / 1e9 if "throttled_time" in quota else None  # v1
