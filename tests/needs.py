"""What tests need beside the packages of `edgecnn[dev]`: one vocabulary, so that a reason to skip can be checked.

A test that lacks something is skipped with "missing KIND: WHAT". Where `EDGECNN_ALLOW_SKIPS` is set, as on CI, the run
fails when a test was skipped for want of any other kind than the ones it lists: `EDGECNN_ALLOW_SKIPS=gpu,data`.
"""

import functools
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from types import ModuleType

import pytest

ALLOWED = "EDGECNN_ALLOW_SKIPS"


class Need(StrEnum):
    """The kinds of things that a machine may lack."""

    PACKAGE = "package"  # of Python
    PROGRAM = "program"
    SYSTEM = "system"  # an operating system that has something
    NETWORK = "network"
    DATA = "data"  # real images, under EDGECNN_DATA
    GPU = "gpu"


def reason(need: Need, what: str) -> str:
    """Return the reason to skip a test; the only form that `unexpected` can read."""
    return f"missing {need}: {what}"


def skip(need: Need, what: str) -> None:
    """Skip the test that runs."""
    pytest.skip(reason(need, what))


def package(name: str, install: str | None = None) -> ModuleType:
    """Import a module, or skip the test or the whole file; `install` is what pip calls it, if not the same."""
    why = reason(Need.PACKAGE, f"pip install '{install or name}'")
    return pytest.importorskip(name, reason=why)  # type: ignore[no-any-return]


def program(*names: str, install: str | None = None) -> str:
    """Return the path of the first of these programs that is there, or skip the test; `install` is Debian's name."""
    path = next((found for name in names if (found := shutil.which(name))), None)
    return path or pytest.skip(reason(Need.PROGRAM, f"apt-get install {install or names[0]}"))


def data(*parts: str) -> Path:
    """Return a file or folder of real data under EDGECNN_DATA, or skip the test."""
    path = Path(os.environ.get("EDGECNN_DATA") or "/nowhere", *parts)
    return path if path.exists() else pytest.skip(reason(Need.DATA, "/".join(("$EDGECNN_DATA", *parts))))


def mark(there: bool, need: Need, what: str) -> pytest.MarkDecorator:
    """Return a mark that skips tests where something is not there."""
    return pytest.mark.skipif(not there, reason=reason(need, what))


def gpus(count: int) -> pytest.MarkDecorator:
    """Return a mark that skips tests where the driver lists fewer NVIDIA GPUs."""
    return mark(listed_gpus() >= count, Need.GPU, f"{count} from NVIDIA")


@functools.cache
def listed_gpus() -> int:
    """Count the NVIDIA GPUs that the driver lists."""
    if shutil.which("nvidia-smi") is None:
        return 0
    listed = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True, check=False, timeout=60)
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines())


linux = mark(sys.platform == "linux", Need.SYSTEM, "Linux")
posix = mark(os.name == "posix", Need.SYSTEM, "POSIX")


def read_allowed(text: str) -> frozenset[Need]:
    """Read a list such as "gpu,data".

    Raises:
        ValueError: A name is none of a need.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    if unknown := [name for name in names if name not in list(Need)]:
        raise ValueError(f"{ALLOWED}: expected some of {', '.join(Need)}, got {', '.join(unknown)}")
    return frozenset(map(Need, names))


def unexpected(reasons: Iterable[str], allowed: frozenset[Need]) -> list[str]:
    """Return, sorted and once each, the reasons to skip that name no need that is allowed."""
    permitted = re.compile(rf"missing ({'|'.join(allowed) or '(?!)'}): ")
    return sorted({why for why in reasons if not permitted.match(why.removeprefix("Skipped: "))})


def _unexpected_of(config: pytest.Config) -> list[str]:
    """List them for the run of this process, which collects those of its workers; nothing where all are allowed."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if ALLOWED not in os.environ or reporter is None:
        return []
    # The reason is the last of a place and its line.
    reasons = [str(report.longrepr[2]) for report in reporter.stats.get("skipped", [])]
    return unexpected(reasons, read_allowed(os.environ[ALLOWED]))


def pytest_configure(config: pytest.Config) -> None:
    """Refuse a list that cannot be read before anything runs."""
    try:
        read_allowed(os.environ.get(ALLOWED, ""))
    except ValueError as error:
        raise pytest.UsageError(str(error)) from error


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run that passed but for the tests that it skipped unexpectedly."""
    if session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED) and _unexpected_of(
        session.config
    ):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say which skips made the run fail."""
    if reasons := _unexpected_of(config):
        terminalreporter.section("unexpected skips", red=True, bold=True)
        allowed = ", ".join(sorted(read_allowed(os.environ[ALLOWED]))) or "nothing"
        terminalreporter.line(f"{ALLOWED} lets tests skip for want of {allowed}; these lacked something else:")
        for why in reasons:
            terminalreporter.line(f"  {why}")
