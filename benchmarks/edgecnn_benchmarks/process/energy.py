"""Energy that the processor package has used, from the counters of Linux's powercap (RAPL of Intel and AMD)."""

from dataclasses import dataclass
from pathlib import Path

_POWERCAP = Path("/sys/class/powercap")


@dataclass(frozen=True)
class Counter:
    """One processor package: its counter in microjoules, and where that starts anew at 0."""

    energy_uj: int
    range_uj: int


def read_counters(powercap: Path = _POWERCAP) -> tuple[Counter, ...]:
    """Read the counters of all packages; none where there are none or only root may read them."""
    try:
        zones = sorted(zone for zone in powercap.iterdir() if zone.name.count(":") == 1 and _is_package(zone))
        return tuple(
            Counter(int((zone / "energy_uj").read_text()), int((zone / "max_energy_range_uj").read_text()))
            for zone in zones
        )
    except (OSError, ValueError):
        return ()


def used_uj(before: tuple[Counter, ...], after: tuple[Counter, ...]) -> int | None:
    """Tell the microjoules between two readings; None where there were none.

    >>> used_uj((Counter(90, 100),), (Counter(5, 100),))
    15
    """
    if not before or len(before) != len(after):
        return None
    return sum((end.energy_uj - start.energy_uj) % end.range_uj for start, end in zip(before, after, strict=True))


def why_absent(powercap: Path = _POWERCAP) -> str | None:
    """Say why no energy can be told; None where it can."""
    if read_counters(powercap):
        return None
    try:
        packages = [zone for zone in powercap.iterdir() if _is_package(zone)]
    except OSError:
        packages = []
    if packages:
        return (
            f"Energy: not measured, only root may read {packages[0] / 'energy_uj'}; "
            "'sudo chmod a+r' on it allows it until the next start."
        )
    return "Energy: not measured, this machine shows no RAPL counters (a virtual machine or another processor)."


def _is_package(zone: Path) -> bool:
    try:
        return (zone / "name").read_text().startswith("package")
    except OSError:
        return False
