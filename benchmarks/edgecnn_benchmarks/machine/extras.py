"""Which extras of edgecnn are installed, read from the metadata of the distribution, so that it cannot go stale."""

import importlib.metadata
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from edgecnn_benchmarks.machine.description import installed_versions
from edgecnn_runtime.backends.engines import ENGINES, engine_packages

# `tensorflow[and-cuda]<2.22,>=2.19; extra == 'all-gpu'`, as the metadata spells it.
_REQUIREMENT = re.compile(
    r"""(?P<package>[\w.-]+) (\[[^\]]*\])? \s*
        ([^;]*?>=\s*(?P<minimum>[\d.]+))? [^;]*
        (;.*extra\s*==\s*['"](?P<extra>[\w-]+)['"])?""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class Requirement:
    """A package that edgecnn needs, and the version of it that is installed, if any."""

    package: str
    minimum: str | None
    installed: str | None

    @property
    def too_old(self) -> bool:
        """Whether it is installed in a version below the minimum."""
        if self.installed is None or self.minimum is None:
            return False
        return _release(self.installed) < _release(self.minimum)


@dataclass(frozen=True)
class Extra:
    """An extra of edgecnn; "" names the base, which is always needed."""

    name: str
    requirements: tuple[Requirement, ...]
    # Installed packages that must go before the missing ones can come.
    rivals: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        """The packages of it that are not installed."""
        return tuple(needed.package for needed in self.requirements if needed.installed is None)

    @property
    def pip_line(self) -> str:
        """What installs it."""
        install = f'pip install "edgecnn[{self.name}]"' if self.name else "pip install edgecnn"
        return f"pip uninstall -y {' '.join(self.rivals)} && {install}" if self.rivals else install


def installed_extras() -> tuple[Extra, ...]:
    """Return the base and each extra of the installed edgecnn; nothing where it runs without being installed."""
    try:
        lines = importlib.metadata.requires("edgecnn") or []
    except importlib.metadata.PackageNotFoundError:
        return ()
    names = {package for package, _, _ in map(parse_requirement, lines)}
    return extras_of(lines, installed_versions({*names, *engine_packages()}))


def extras_of(lines: Iterable[str], versions: Mapping[str, str]) -> tuple[Extra, ...]:
    """Group requirement lines by extra, the base first, then by name; `versions` are those installed."""
    grouped: dict[str, list[Requirement]] = {"": []}
    for package, minimum, extra in map(parse_requirement, lines):
        requirement = Requirement(package, minimum, versions.get(package))
        if requirement not in grouped.setdefault(extra, []):
            grouped[extra].append(requirement)
    return tuple(Extra(name, tuple(needed), _rivals(needed, versions)) for name, needed in sorted(grouped.items()))


def _rivals(needed: Iterable[Requirement], versions: Mapping[str, str]) -> tuple[str, ...]:
    missing = [requirement.package for requirement in needed if requirement.installed is None]
    rivals = (rival for engine in ENGINES.values() for package in missing for rival in engine.rivals(package))
    return tuple(rival for rival in rivals if rival in versions)


def parse_requirement(line: str) -> tuple[str, str | None, str]:
    """Take a requirement line apart: package, minimum version or None, extra or "".

    >>> parse_requirement("tensorflow[and-cuda]<2.22,>=2.19; extra == 'all-gpu'")
    ('tensorflow', '2.19', 'all-gpu')
    >>> parse_requirement("numpy>=1.26")
    ('numpy', '1.26', '')
    """
    match = _REQUIREMENT.match(line)
    if match is None:
        raise ValueError(f"requirement: expected a package name first, got {line!r}")
    return match["package"], match["minimum"], match["extra"] or ""


def _release(version: str) -> tuple[int, ...]:
    """Return the numbers of a version, without what follows them (`2.21.0rc1` is `2.21.0`), and no trailing zeros."""
    numbers = re.match(r"\d+(\.\d+)*", version)
    release = [int(number) for number in numbers[0].split(".")] if numbers else [0]
    while release and not release[-1]:
        release.pop()
    return tuple(release)
