import subprocess
import sys
import zipfile
from pathlib import Path

import edgecnn_benchmarks
from edgecnn_benchmarks.remote.own_wheel import write_wheel


def test_the_same_code_makes_the_same_wheel_and_pip_installs_it(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    one, two = write_wheel(tmp_path / "one"), write_wheel(tmp_path / "two")
    assert one.read_bytes() == two.read_bytes()
    target = tmp_path / "site"
    # pip checks every file against RECORD.
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--no-index",
            "--target",
            str(target),
            str(one),
        ],
        check=True,
        capture_output=True,
    )
    package = Path(edgecnn_benchmarks.__file__).parent
    files = [path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert len(files) > 20
    for path in files:
        assert (target / "edgecnn_benchmarks" / path.relative_to(package)).read_bytes() == path.read_bytes()
    program = "import importlib.metadata as m, edgecnn.app; print(m.version('edgecnn'), m.requires('edgecnn')[0])"
    done = subprocess.run(
        [sys.executable, "-P", "-c", f"import sys; sys.path.insert(0, {str(target)!r}); {program}"],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.stdout.split()[0] == one.name.split("-")[1]


def test_no_compiled_file_of_this_machine_travels(tmp_path: Path) -> None:
    names = zipfile.ZipFile(write_wheel(tmp_path)).namelist()
    assert not [name for name in names if name.endswith((".pyc", ".so"))]
    assert sum(name.endswith(".dist-info/RECORD") for name in names) == 1
