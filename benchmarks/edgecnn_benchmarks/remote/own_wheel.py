"""This installation of edgecnn as a wheel, for a machine that is to run the same code.

Packed anew from the installed packages' own files and their metadata, which is all that a wheel of pure Python is. So
it works alike for `pip install edgecnn`, for an editable installation and for a changed checkout, without a build tool,
a source tree or a network; `pip download` would fetch another state of the code than the one that runs here.
"""

import base64
import hashlib
import importlib.metadata
import importlib.util
import zipfile
from collections.abc import Iterator
from pathlib import Path

from edgecnn_runtime.errors import InputError

_PACKAGES = ("edgecnn", "edgecnn_training", "edgecnn_export", "edgecnn_runtime", "edgecnn_benchmarks")
_TAG = "py3-none-any"
# The earliest that a zip file can hold: the same files make the same wheel.
_TIME = (1980, 1, 1, 0, 0, 0)


def write_wheel(folder: Path) -> Path:
    """Write `edgecnn-<version>-py3-none-any.whl` to a folder; the same code gives the same bytes.

    Raises:
        InputError: edgecnn runs here without being installed.
    """
    try:
        distribution = importlib.metadata.distribution("edgecnn")
    except importlib.metadata.PackageNotFoundError:
        raise InputError(
            "expected an installed edgecnn, to send it along; run 'pip install edgecnn' or 'pip install -e .'"
        ) from None
    stem = f"edgecnn-{distribution.version}"
    path = folder / f"{stem}-{_TAG}.whl"
    record = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (*_package_files(), *_metadata_files(distribution, f"{stem}.dist-info")):
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            record.append(f"{name},sha256={digest},{len(content)}\n")
            _write(archive, name, content)
        name = f"{stem}.dist-info/RECORD"
        _write(archive, name, "".join([*record, f"{name},,\n"]).encode())
    return path


def _package_files() -> Iterator[tuple[str, bytes]]:
    for package in _PACKAGES:
        spec = importlib.util.find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            raise InputError(f"expected the package {package} of edgecnn, not found; install edgecnn anew")
        root = Path(next(iter(spec.submodule_search_locations)))
        for path in sorted(root.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield f"{package}/{path.relative_to(root).as_posix()}", path.read_bytes()


def _metadata_files(distribution: importlib.metadata.Distribution, folder: str) -> Iterator[tuple[str, bytes]]:
    for name in ("METADATA", "entry_points.txt"):
        yield f"{folder}/{name}", (distribution.read_text(name) or "").encode()
    wheel = f"Wheel-Version: 1.0\nGenerator: edgecnn\nRoot-Is-Purelib: true\nTag: {_TAG}\n"
    yield f"{folder}/WHEEL", wheel.encode()
    for file in distribution.files or ():
        if ".dist-info/licenses/" in file.as_posix():
            inside = file.as_posix().partition(".dist-info/")[2]
            yield f"{folder}/{inside}", Path(str(file.locate())).read_bytes()


def _write(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, _TIME)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, content)
