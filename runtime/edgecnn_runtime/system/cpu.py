"""How many processors this process may really use."""

import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def available_cpus(cgroup: Path = _CGROUP) -> int:
    """Count the processors this process may use: the affinity mask, and within it the cgroup's CPU quota.

    A container with `--cpus 1.5` on a machine of 64 processors gets 2 here; `os.cpu_count()` says 64.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota_cpus(cgroup)
    return allowed if quota is None else max(1, min(allowed, quota))


def _quota_cpus(cgroup: Path) -> int | None:
    """Read the quota of cgroup v2 (`cpu.max`) or v1 (`cpu.cfs_quota_us`), rounded up; None if there is none."""
    try:
        if (cgroup / "cpu.max").exists():
            quota, period = (cgroup / "cpu.max").read_text().split()
        else:
            quota = (cgroup / "cpu" / "cpu.cfs_quota_us").read_text().strip()
            period = (cgroup / "cpu" / "cpu.cfs_period_us").read_text().strip()
        if quota in ("max", "-1"):
            return None
        return -(-int(quota) // int(period))
    except (OSError, ValueError):
        return None
