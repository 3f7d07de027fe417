"""The packages that a benchmark needs, as wheels for the machine over there, which may have no way to the internet."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgecnn_runtime.errors import InputError
from edgecnn_runtime.system.own_process import python_interpreter

# PEP 600: a wheel for an older C library runs on a newer one.
_OLDEST_GLIBC = 17


def platforms_of(machine: str, libc: str, version: str) -> list[str]:
    """Name the platforms whose wheels run on a machine, as pip does.

    >>> platforms_of("aarch64", "glibc", "2.19")
    ['manylinux_2_19_aarch64', 'manylinux_2_18_aarch64', 'manylinux_2_17_aarch64', 'manylinux2014_aarch64']
    """
    if libc == "musl":
        return [f"musllinux_1_{minor}_{machine}" for minor in (2, 1)]
    try:
        newest = int(version.split(".")[1])
    except (IndexError, ValueError):
        newest = _OLDEST_GLIBC
    names = [f"manylinux_2_{minor}_{machine}" for minor in range(newest, _OLDEST_GLIBC - 1, -1)]
    return [*names, f"manylinux2014_{machine}"]


def download_wheels(folder: Path, *, wheel: Path, extras: Sequence[str], there: Mapping[str, Any]) -> list[Path]:
    """Download what edgecnn needs on another machine, with pip; what is in the folder already is not fetched again.

    Args:
        folder: where the wheels are kept.
        wheel: of edgecnn.
        extras: of edgecnn.
        there: what `far_side` told of the machine.

    Of several extras, those are left out of which there is no wheel; the other machine then says so.

    Raises:
        InputError: there is no such wheel for that platform, or no network here.
    """
    if there["system"] != "Linux":
        raise InputError(
            f"expected wheels to be downloaded for Linux, got {there['system']}; name a folder of wheels "
            "(--host-wheels FOLDER)"
        )
    machine = {"armv8l": "armv7l"}.get(there["machine"], there["machine"])
    if machine == "aarch64" and there["bits"] == 32:
        machine = "armv7l"
    libc, version = there["libc"]
    folder.mkdir(parents=True, exist_ok=True)
    command = [python_interpreter(), "-m", "pip", "--disable-pip-version-check", "--no-input", "download", "--quiet"]
    command += ["--dest", str(folder), "--find-links", str(folder), "--only-binary=:all:", "--implementation", "cp"]
    command += ["--python-version", ".".join(map(str, there["version"][:2]))]
    for platform in platforms_of(machine, libc, version):
        command += ["--platform", platform]
    problems = _download(command, f"{wheel}[{','.join(extras)}]")
    if problems and len(extras) > 1:
        each = [_download(command, f"{wheel}[{extra}]") for extra in extras]
        problems = [] if not all(each) else problems
    if problems:
        raise InputError(
            f"expected wheels for {' '.join([machine, libc, version]).strip()} that can be downloaded here, got: "
            f"{problems[-1].removeprefix('ERROR: ')}; name a folder of wheels of your own (--host-wheels FOLDER)"
        )
    return sorted(path for path in folder.glob("*.whl") if not path.name.startswith("edgecnn-"))


def _download(command: Sequence[str], requirement: str) -> list[str]:
    """Let pip download, and return what it complained about; nothing where it did not fail."""
    done = subprocess.run([*command, requirement], capture_output=True, text=True, errors="replace", check=False)
    if not done.returncode:
        return []
    lines = done.stderr.strip().splitlines()
    return [line for line in lines if line.startswith("ERROR")] or lines[-1:] or [f"exit code {done.returncode}"]
