"""A run that may not skip tests in silence: what it allows, what makes it fail, what it says then."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from needs import ALLOWED, Need, gpus, listed_gpus, posix, read_allowed, reason, unexpected

TESTS = Path(__file__).parent
CONFTEST = "from needs import pytest_configure, pytest_sessionfinish, pytest_terminal_summary\n"
GPU = "import needs\ndef test_a():\n    needs.skip(needs.Need.GPU, 'an accelerator')\n"
FILE = "import needs\nneeds.package('no_such_module', 'no-such-package')\ndef test_a(): pass\n"
BARE = "import pytest\n@pytest.mark.skip(reason='too slow')\ndef test_a(): pass\n"
EXPECTED_FAILURE = "import pytest\n@pytest.mark.xfail\ndef test_a(): assert False\n"
PASSES = "def test_b(): pass\n"


def run(folder: Path, *programs: str, allowed: str | None, processes: int = 0) -> subprocess.CompletedProcess[str]:
    """Run these files of tests in pytest's own process, or on several, as CI does."""
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "pytest.ini").write_text("[pytest]\n")
    for number, text in enumerate((PASSES, *programs)):
        (folder / f"test_{number}.py").write_text(text)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "EDGECNN"))}
    environment |= {"PYTHONPATH": str(TESTS)} | ({} if allowed is None else {ALLOWED: allowed})
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-n", str(processes), "-p", "no:cacheprovider", folder],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("programs", "allowed", "told"),
    [
        ((GPU, BARE), None, []),
        ((GPU, EXPECTED_FAILURE), "gpu,data", []),
        ((GPU,), "", ["missing gpu: an accelerator"]),
        ((GPU, FILE, BARE), "gpu,data", ["missing package: pip install 'no-such-package'", "too slow"]),
    ],
    ids=["not on CI", "allowed", "nothing allowed", "a whole file and one without a need"],
)
def test_a_run_fails_by_the_skips_that_are_not_allowed(
    tmp_path: Path, programs: tuple[str, ...], allowed: str | None, told: list[str]
) -> None:
    done = run(tmp_path, *programs, allowed=allowed, processes=2 if FILE in programs else 0)
    assert done.returncode == (1 if told else 0), done.stdout + done.stderr
    _, _, summary = done.stdout.partition("unexpected skips")
    assert re.findall(r"^  (?:Skipped: )?(.+)$", summary, re.MULTILINE) == told


def test_an_unknown_need_ends_the_run_before_it_begins(tmp_path: Path) -> None:
    done = run(tmp_path, allowed="gpus")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert f"{ALLOWED}: expected some of package, program, system, network, data, gpu, got gpus" in done.stderr


@pytest.mark.parametrize("need", Need)
def test_each_need_allows_its_own_reasons_only(need: Need) -> None:
    reasons = [f"Skipped: {reason(other, 'x')}" for other in Need]
    assert unexpected(reasons, read_allowed(f" {need}, ")) == sorted(why for why in reasons if f" {need}:" not in why)


def test_every_skip_goes_through_the_vocabulary() -> None:
    elsewhere = re.compile(r"pytest\.skip\(|importorskip|mark\.skip|unittest\.skip|SkipTest")
    by_hand = [
        f"{path.relative_to(TESTS)}: {line.strip()}"
        for path in sorted(TESTS.rglob("*.py"))
        if path.name not in ("needs.py", Path(__file__).name)
        for line in path.read_text().splitlines()
        if elsewhere.search(line)
    ]
    assert by_hand == []


@posix
@pytest.mark.parametrize(
    ("listed", "skips"),
    [
        (None, [True, True]),
        ("Failed to initialize NVML: Driver/library version mismatch", [True, True]),
        ("GPU 0: NVIDIA H200 (UUID: GPU-1)", [False, True]),
        ("GPU 0: NVIDIA A2 (UUID: GPU-1)\nGPU 1: NVIDIA A2 (UUID: GPU-2)", [False, False]),
    ],
)
def test_gpus_are_those_that_the_driver_lists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listed: str | None, skips: list[bool]
) -> None:
    if listed is not None:
        program = tmp_path / "nvidia-smi"
        program.write_text(f"#!{sys.executable}\nprint({listed!r})\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    listed_gpus.cache_clear()
    try:
        assert [gpus(count).args[0] for count in (1, 2)] == skips
    finally:
        listed_gpus.cache_clear()
