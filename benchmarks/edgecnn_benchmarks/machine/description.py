"""The machine a measurement was taken on: a latency says little without it.

Nothing heavy is imported: versions come from the metadata of the installed packages.
"""

import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from edgecnn_runtime.backends.engines import engine_packages
from edgecnn_runtime.system.cpu import available_cpus

# The instructions that decide how fast int8 runs, as Linux names them in /proc/cpuinfo.
X86_FEATURES = ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "amx_int8")
ARM_FEATURES = ("asimddp", "i8mm", "sve")

# The same in the sysctl of macOS: words of `machdep.cpu.leaf7_features` on Intel, keys on ARM.
_MACOS_X86 = {"AVX2": "avx2", "AVX512F": "avx512f", "AVX512VNNI": "avx512_vnni"}
_MACOS_ARM = {"hw.optional.arm.FEAT_DotProd": "asimddp", "hw.optional.arm.FEAT_I8MM": "i8mm"}

# The packages, beside those of the engines, whose version can change a measurement or a result.
_PACKAGES = ("edgecnn", "numpy", "Pillow")
_MAKING = ("tensorflow", "keras", "tf-keras", "tensorflow-model-optimization", "tf2onnx", "onnx")


@dataclass(frozen=True)
class Machine:
    """Processor, memory, system and versions; None where the system does not report it."""

    cpu: str
    architecture: str
    # What this process may use: affinity mask and container quota.
    available_cpus: int
    # What the whole machine has, with and without hyper-threads.
    online_cpus: int
    physical_cores: int | None
    # Those of `X86_FEATURES` and `ARM_FEATURES` that every processor has.
    cpu_features: tuple[str, ...] | None
    # The Linux frequency governor, for example "performance" or "ondemand".
    governor: str | None
    memory_bytes: int | None
    # Over 1, 5 and 15 minutes, at the time of the call.
    load_average: tuple[float, float, float] | None
    system: str
    kernel: str
    python: str
    packages: dict[str, str]
    # What the container may use: processors, a fraction too, and memory.
    quota_cpus: float | None = None
    memory_limit_bytes: int | None = None
    # The highest clock of the processors.
    max_frequency_mhz: float | None = None


def describe_machine(root: Path = Path("/")) -> Machine:
    """Describe the machine and the environment this process runs in.

    Args:
        root: where /proc and /sys are found on Linux.
    """
    if platform.system() == "Darwin":
        cpu, cores, features, governor = (
            _sysctl("machdep.cpu.brand_string"),
            _macos_cores(),
            _macos_features(),
            None,
        )
    else:
        cpu, cores = _linux_cpu(root), _linux_cores(root)
        features, governor = (
            _linux_features(root),
            _read(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        )
    return Machine(
        cpu=cpu or platform.processor() or platform.machine(),
        architecture=platform.machine(),
        available_cpus=available_cpus(),
        online_cpus=os.cpu_count() or 1,
        physical_cores=cores,
        cpu_features=features,
        governor=governor,
        memory_bytes=_memory_bytes(),
        load_average=os.getloadavg() if hasattr(os, "getloadavg") else None,
        system=_system_name(),
        kernel=platform.release(),
        python=platform.python_version(),
        packages=installed_versions((*_PACKAGES, *engine_packages(), *_MAKING)),
        quota_cpus=_quota_cpus(root / "sys/fs/cgroup"),
        memory_limit_bytes=_memory_limit(root / "sys/fs/cgroup"),
        max_frequency_mhz=_max_frequency(root / "sys/devices/system/cpu"),
    )


def installed_versions(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of those packages that are installed, without importing them."""
    versions = {}
    for name in packages:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def _quota_cpus(cgroup: Path) -> float | None:
    """Read the CPU quota of cgroup v2 or v1."""
    words = (_read(cgroup / "cpu.max") or "").split() or [
        _read(cgroup / "cpu/cpu.cfs_quota_us") or "",
        _read(cgroup / "cpu/cpu.cfs_period_us") or "",
    ]
    try:
        quota, period = (int(word) for word in words)
    except ValueError:  # "max", or no such file
        return None
    return quota / period if quota > 0 else None


def _memory_limit(cgroup: Path) -> int | None:
    """Read the memory limit of cgroup v2 or v1, which says "none" by a number beyond all memory."""
    text = _read(cgroup / "memory.max") or _read(cgroup / "memory/memory.limit_in_bytes") or ""
    return int(text) if text.isdigit() and int(text) < 1 << 60 else None


def _max_frequency(cpus: Path) -> float | None:
    texts = [_read(path) or "" for path in cpus.glob("cpu[0-9]*/cpufreq/cpuinfo_max_freq")]
    kilohertz = [int(text) for text in texts if text.isdigit()]
    return max(kilohertz) / 1000 if kilohertz else None


def _linux_cpu(root: Path) -> str | None:
    """Name the processor; an ARM kernel names only the board, in /proc/cpuinfo or in the device tree."""
    cpuinfo = _read(root / "proc/cpuinfo") or ""
    for key in ("model name", "Model", "Hardware"):
        for line in cpuinfo.splitlines():
            name, _, value = line.partition(":")
            if name.strip() == key and value.strip():
                return value.strip()
    return _read(root / "proc/device-tree/model")


def _linux_features(root: Path) -> tuple[str, ...] | None:
    """Read what all processors have: in a big.LITTLE chip the small cores may lack an instruction."""
    per_processor = [
        set(value.split())
        for name, _, value in (line.partition(":") for line in (_read(root / "proc/cpuinfo") or "").splitlines())
        if name.strip() in ("flags", "Features")
    ]
    if not per_processor:
        return None
    common = set.intersection(*per_processor)
    return tuple(feature for feature in X86_FEATURES + ARM_FEATURES if feature in common)


def _linux_cores(root: Path) -> int | None:
    """Count the groups of processors that share a core."""
    folders = (root / "sys/devices/system/cpu").glob("cpu[0-9]*/topology")
    siblings = {_read(folder / "thread_siblings_list") for folder in folders} - {None}
    return len(siblings) or None


def _macos_cores() -> int | None:
    cores = _sysctl("hw.physicalcpu")
    return int(cores) if cores else None


def _macos_features() -> tuple[str, ...] | None:
    if platform.machine() == "arm64":
        return tuple(feature for key, feature in _MACOS_ARM.items() if _sysctl(key) == "1")
    named = _sysctl("machdep.cpu.leaf7_features")
    if named is None:
        return None
    return tuple(feature for name, feature in _MACOS_X86.items() if name in named.split())


def _sysctl(key: str) -> str | None:
    try:
        answer = subprocess.run(["sysctl", "-n", key], capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip() or None


def _memory_bytes() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return None


def _system_name() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return f"{platform.system()} {platform.mac_ver()[0] or platform.version()}"


def _read(path: Path) -> str | None:
    """Read one of the kernel's small files; a device tree ends its strings with a zero byte."""
    try:
        return path.read_text(errors="replace").strip("\0\n ") or None
    except OSError:
        return None
