"""An environment of its own for each release of each engine, under `build/interop/`.

make interop-ci     # those that the ordinary tests open files in
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

from engines import Engine, Release, ci_releases

BUILD = Path(__file__).parents[3] / "build" / "interop"


class MissingError(Exception):
    """What an environment cannot be made of here."""


def folder(engine: Engine, release: Release) -> Path:
    """Return where a release is installed."""
    return BUILD / "engines" / re.sub(r"[^a-z0-9.]+", "-", f"{engine.name} {release.version}".lower())


def python(engine: Engine, release: Release) -> Path:
    """Return the Python that runs the adapter: ours for what runs in a browser."""
    return folder(engine, release) / "bin" / "python" if engine.registry == "pip" else Path(sys.executable)


def version(engine: Engine, release: Release) -> str | None:
    """Return the version that is installed, or None where nothing is."""
    marker = folder(engine, release) / "installed.json"
    return str(json.loads(marker.read_text())["version"]) if marker.exists() else None


def make(engine: Engine, release: Release) -> None:
    """Install a release, once.

    Raises:
        MissingError: This machine lacks the Python or the program for it, or the registry refuses.
    """
    if version(engine, release) is not None:
        return
    where = folder(engine, release)
    shutil.rmtree(where, ignore_errors=True)
    where.mkdir(parents=True)
    found = _with_npm(release, where) if engine.registry == "npm" else _with_pip(release, where)
    (where / "installed.json").write_text(json.dumps({"version": found}))


def _with_pip(release: Release, where: Path) -> str:
    _run([_base_python(release.python), "-m", "venv", "--without-pip", where])
    pip = [sys.executable, "-m", "pip", "--python", where / "bin" / "python"]
    install = [*pip, "install", "--quiet", "--disable-pip-version-check"]
    _run([*install, *release.packages])
    if release.without_dependencies:
        _run([*install, "--no-deps", *release.without_dependencies])
    listed = json.loads(_run([*pip, "list", "--format", "json", "--disable-pip-version-check"]))
    name = re.split("[=<>]", (release.without_dependencies or release.packages)[0])[0].lower()
    return next(package["version"] for package in listed if package["name"].lower().replace("_", "-") == name)


def _with_npm(release: Release, where: Path) -> str:
    npm = shutil.which("npm")
    if npm is None:
        raise MissingError("npm is not installed")
    (where / "package.json").write_text("{}")
    _run([npm, "install", "--silent", "--prefix", where, *release.packages])
    return str(json.loads((where / "node_modules" / release.packages[0] / "package.json").read_text())["version"])


def _base_python(wanted: str) -> str:
    """Return a Python of a version: this one, one on the path, or one of pyenv's."""
    if wanted == f"{sys.version_info.major}.{sys.version_info.minor}":
        return sys.executable
    candidates = [shutil.which(f"python{wanted}")]
    candidates += sorted(map(str, Path.home().glob(f".pyenv/versions/{wanted}.*/bin/python")))
    for candidate in filter(None, candidates):
        if subprocess.run([candidate, "-c", "import venv"], capture_output=True, check=False).returncode == 0:
            return candidate
    raise MissingError(f"Python {wanted} is not installed")


def _run(command: list[str | Path]) -> str:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise MissingError(next(iter(reversed((done.stderr or done.stdout).strip().splitlines())), "no reason given"))
    return done.stdout


if __name__ == "__main__":
    for engine, release in ci_releases():
        try:
            make(engine, release)
        except MissingError as problem:
            sys.exit(f"{engine.name} {release.version}: {problem}")
