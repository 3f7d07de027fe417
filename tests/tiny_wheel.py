"""A wheel of one module, which pip installs without a network."""

import zipfile
from pathlib import Path


def tiny_wheel(folder: Path, name: str, *, size: int) -> Path:
    """Write `<name>-1.0-py3-none-any.whl` with a module `<name>` of `size` bytes."""
    info = f"{name}-1.0.dist-info"
    files = {
        f"{name}.py": "#" * (size - 1) + "\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{file},,\n" for file in [*files, f"{info}/RECORD"])
    wheel = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for file, content in files.items():
            archive.writestr(file, content)
    return wheel
