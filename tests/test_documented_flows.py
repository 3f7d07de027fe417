"""The documented flows of several commands, run as they are written, in an empty folder.

The commands come out of the pages, so that page and test cannot drift apart. A flow runs on small stand-ins for a
reader's data, with options behind each command that make it short.
"""

import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import needs
import numpy as np
import pytest
from conftest import edgecnn_here, without_openvino
from free_ports import free_ports
from made_bench import made_result
from numpy.typing import NDArray
from PIL import Image

ROOT = Path(__file__).parents[1]
PAGES = [page.read_text(encoding="utf-8") for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))]
BLOCKS = [block for page in PAGES for block in re.findall(r"```(?:sh|console)\n(.*?)```", page, re.DOTALL)]
INLINE = [command for page in PAGES for command in re.findall(r"`(edgecnn [^`]+)`", page)]

# What makes commands short; of two equal options the last counts.
SHORT = {
    "train": ("--epochs", "1", "--folds", "0"),
    "train transfer": (
        "--epochs",
        "1",
        "--folds",
        "0",
        "--fine-tune-epochs",
        "1",
        "--weights",
        "none",
        "--imgsz",
        "32",
    ),
    "export": ("--max-drop", "100"),  # a network of one epoch is not worth a search
    "bench": ("--max-secs", "1", "--starts", "1"),
    "bench recommend": (),
    "bench compare": (),
}

# Blocks of several commands, by the first: what runs them, or why none of them needs another.
BLOCKS_OF_SEVERAL = {
    "edgecnn data prepare mnist --from": "test_from_a_file_of_digits_to_a_report",
    "edgecnn data check my_folder #": "test_images_of_your_own",
    "edgecnn verify mnist_int8.tflite": "test_on_the_device",
    "edgecnn data check my_folder --strict": "test_networks_for_images_of_your_own",
    "edgecnn train casting --epochs": "test_what_a_run_contains",
    "edgecnn train casting --augment": "alternatives; tests/cli/test_train_command.py",
    "edgecnn train small-cnn --alpha": "alternatives; tests/cli/test_train_command.py",
    "edgecnn search": "alternatives; tests/cli/test_search_command.py",
    "edgecnn data prepare mnist-5000": "test_two_workers_train_on_the_set_that_was_prepared",
    "edgecnn bench recommend": "test_which_file_to_ship",
    "edgecnn inspect": "test_where_it_runs",
    "edgecnn train mnist # on all": "alternatives, most of which need a GPU",
    "edgecnn export flowers.keras": "alternatives; tests/cli/test_import_command.py",
    "edgecnn bench runs/mnist --host": "alternatives; tests/benchmarks/remote",
    "edgecnn stream": "alternatives; tests/cli/test_stream_command.py",
    "edgecnn serve": "alternatives; tests/cli/test_serve_command.py",
    "edgecnn predict mobilenet_quant.tflite": "alternatives; tests/runtime/third_party_models",
    "edgecnn predict mnist_int8.tflite s3:": "alternatives; tests/runtime/jobs/test_ray_engine.py",
}


def block_that_begins(begin: str) -> str:
    """Return the only block that begins so, its first line with single spaces."""
    (found,) = (block for block in BLOCKS if " ".join(block.split("\n")[0].split()).startswith(begin))
    return found


def run_block(begin: str) -> list[str]:
    """Run the commands of a block; return what each printed."""
    lines = block_that_begins(begin).splitlines()
    return [run(words) for words in (shlex.split(line, comments=True) for line in lines) if words]


def run_inline(begin: str) -> str:
    """Run the only command in the running text that begins so."""
    (command,) = (command for command in INLINE if command.startswith(begin))
    return run(shlex.split(command))


def run(words: list[str]) -> str:
    assert words[0] == "edgecnn", words
    short = SHORT.get(" ".join(words[1:3]), SHORT.get(words[1], ()))
    return edgecnn_here(*words[1:], *short)


def prepared_sets() -> list[str]:
    return sorted(path.name for path in (Path(os.environ["EDGECNN_HOME"]) / "sets").iterdir())


@pytest.fixture(scope="module")
def in_empty_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty folder to work in, with an EDGECNN_HOME of its own and without EDGECNN_DATA."""
    folder = tmp_path_factory.mktemp("reader")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGECNN_HOME", str(tmp_path_factory.mktemp("home")))
        patch.delenv("EDGECNN_DATA", raising=False)
        # Figures take most of the time of a short training, and have tests of their own.
        patch.setattr("edgecnn_training.figures.draw_all", lambda *arguments, **options: None)
        without_openvino(patch)
        patch.chdir(folder)
        yield folder


@pytest.fixture
def reader(in_empty_folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The same with nothing in it, and nothing prepared."""
    monkeypatch.setenv("EDGECNN_HOME", str(tmp_path / "home"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


@pytest.fixture(scope="module")
def mnist_run(in_empty_folder: Path, digits: tuple[NDArray[np.uint8], NDArray[np.int64]]) -> Path:
    """The flow of the README, from a file of digits to the benchmark; return the folder it ran in."""
    images, labels = digits[0][..., 0], digits[1].astype(np.uint8)
    train, test = np.arange(0, 5000, 25), np.arange(7, 5000, 50)
    np.savez("mnist.npz", x_train=images[train], y_train=labels[train], x_test=images[test], y_test=labels[test])
    run_block("edgecnn data prepare mnist --from")
    return in_empty_folder


def write_class_folders(folder: Path, classes: tuple[str, ...], *, count: int = 10, side: int = 40) -> None:
    generator = np.random.default_rng(0)
    for number, label in enumerate(classes):
        (folder / label).mkdir(parents=True)
        for index in range(count):
            pixels = generator.integers(0, 128, (side, side, 3), np.uint8) + np.uint8(64 * number)
            Image.fromarray(pixels).save(folder / label / f"{label}{index}.png")


def test_every_block_of_several_commands_is_known() -> None:
    several = [block for block in BLOCKS if len(re.findall(r"\bedgecnn [a-z]", re.sub("#.*", "", block))) > 1]
    assert sorted(several) == sorted(block_that_begins(begin) for begin in BLOCKS_OF_SEVERAL)
    tests = [test for test in BLOCKS_OF_SEVERAL.values() if test.startswith("test_")]
    assert [test for test in tests if test not in globals()] == []


def test_from_a_file_of_digits_to_a_report(mnist_run: Path) -> None:
    assert prepared_sets() == ["mnist"]
    assert sorted(path.name for path in (mnist_run / "runs/mnist/export").glob("*_int8.*")) == [
        "mnist_int8.onnx",
        "mnist_int8.tflite",
    ]
    assert (mnist_run / "runs/mnist/bench/report.html").is_file()
    assert "Ship mnist_" in run(["edgecnn", "bench", "recommend", "runs/mnist", "--max-drop", "100"])


def test_on_the_device(mnist_run: Path, reader: Path, digit_files: list[Path]) -> None:
    shutil.copy(mnist_run / "runs/mnist/export/mnist_int8.tflite", reader)
    for folder in ("shots", "archive/monday"):
        (reader / folder).mkdir(parents=True)
        for file in digit_files[:5]:
            shutil.copy(file, reader / folder)
    verified, shown, *_ = run_block("edgecnn verify mnist_int8.tflite")
    assert "mnist_int8.tflite" in verified
    assert shown.count(".png") == 5
    assert len((reader / "results.csv").read_text().splitlines()) == 1 + 5


def test_which_file_to_ship(mnist_run: Path, reader: Path) -> None:
    """On benchmarks that are made up: a limit on speed wants many rounds, and a quiet machine."""
    (reader / "runs/mnist/export").mkdir(parents=True)
    for row in made_result(reader).rows:
        shutil.copy(
            mnist_run / f"runs/mnist/export/mnist_int8{Path(row.file).suffix}", reader / "runs/mnist/export" / row.file
        )
    for seed, name in enumerate(("runs/mnist", "runs/mnist-2")):
        folder = reader / name / "bench"
        folder.mkdir(parents=True)
        (folder / "bench.json").write_text(json.dumps(made_result(folder, seed=seed).to_document()))
    shutil.copy(reader / "runs/mnist/bench/bench.json", reader / "before.json")
    shutil.copy(reader / "runs/mnist-2/bench/bench.json", reader / "after.json")
    recommended, within_limits, _, compared = run_block("edgecnn bench recommend")
    assert recommended.startswith("Ship mnist_")
    assert within_limits.startswith("Ship mnist_int8.tflite ")
    assert compared.rstrip().endswith("Within the limits.")


def test_where_it_runs(mnist_run: Path, reader: Path) -> None:
    needs.package("ethosu.vela", "edgecnn[ethos-u]")
    shutil.copy(mnist_run / "runs/mnist/export/mnist_int8.tflite", reader)
    verdicts = run_block("edgecnn inspect")
    assert len(verdicts) == 4
    assert "raspberry-pi-pico" in verdicts[1]


@pytest.mark.slow
def test_images_of_your_own(reader: Path) -> None:
    write_class_folders(reader / "my_folder", ("bolt", "nut"))
    run_block("edgecnn data check my_folder #")
    assert (reader / "runs/my_folder/bench/report.html").is_file()


@pytest.mark.slow
def test_networks_for_images_of_your_own(reader: Path) -> None:
    write_class_folders(reader / "my_folder", ("bolt", "nut"))
    checked, shown, *_ = run_block("edgecnn data check my_folder --strict")
    assert "No problems found." in checked
    assert "my_folder_train.png" in shown
    assert (reader / "runs/my_folder/candidates.json").is_file()
    sets = prepared_sets()
    assert {"32x32", "96x96"} <= {name.removeprefix("my_folder-").partition("-")[0] for name in sets}
    run(["edgecnn", "data", "prepare", "my_folder", "--imgsz", "96"])
    run(["edgecnn", "evaluate", "runs/small-cnn", "--data", "my_folder"])
    assert prepared_sets() == sets


def test_images_with_a_csv(reader: Path) -> None:
    write_class_folders(reader / "photos", ("bolt", "nut"))
    files = sorted((reader / "photos").rglob("*.png"))
    for file in files:
        file.rename(reader / "photos" / file.name)
    (reader / "my_labels.csv").write_text("file,label\n" + "".join(f"{f.name},{f.parent.name}\n" for f in files))
    shutil.make_archive("photos", "zip", "photos")
    run_inline("edgecnn data prepare photos.zip")
    run(["edgecnn", "train", "small-cnn", "--data", "mine"])
    run(["edgecnn", "evaluate", "runs/small-cnn", "--data", "mine"])
    run(["edgecnn", "export", "runs/small-cnn", "--data", "mine", "-f", "onnx-float32"])
    run(["edgecnn", "bench", "runs/small-cnn", "--data", "mine"])
    assert prepared_sets() == ["mine"]


@pytest.mark.slow
def test_what_a_run_contains(reader: Path) -> None:
    write_class_folders(reader / "my_folder", ("def_front", "ok_front"), side=300)
    shutil.copy(reader / "my_folder/ok_front/ok_front0.png", reader / "part.jpg")
    run(["edgecnn", "data", "prepare", "casting", "--from", "my_folder"])
    *_, resumed, evaluated, _ = run_block("edgecnn train casting --epochs")
    assert "was finished before" in resumed
    assert "20 images" in evaluated
    assert sorted(path.name for path in (reader / "runs").iterdir()) == ["casting", "casting-2"]
    assert prepared_sets() == ["casting"]


@pytest.mark.slow
def test_two_workers_train_on_the_set_that_was_prepared(reader: Path, tmp_path: Path) -> None:
    """In a shell, since the block is a script: `edgecnn` is this interpreter's, and the ports are free ones."""
    command = tmp_path / "bin/edgecnn"
    command.parent.mkdir()
    short = shlex.join([*SHORT["train"], "--batch-size", "1200"])  # the workers wait for each other at each step
    command.write_text(
        f'#!/bin/sh\n[ "$1" = train ] && set -- "$@" {short}\nexec {shlex.quote(sys.executable)} -m edgecnn "$@"\n'
    )
    command.chmod(0o755)
    script = block_that_begins("edgecnn data prepare mnist-5000")
    for documented, free in zip(("23451", "23452"), free_ports(2), strict=True):
        assert documented in script
        script = script.replace(documented, str(free))
    with subprocess.Popen(
        ["bash", "-euc", f"{script}\nwait $!"],
        env={**os.environ, "PATH": f"{command.parent}{os.pathsep}{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as shell:
        try:
            out, err = shell.communicate(timeout=600)
        finally:
            # The workers too, where one waits for the other.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGKILL)
    assert shell.returncode == 0, out + err
    assert "Worker 1 of 2 is done" in out
    assert "Preparing" not in out
    assert prepared_sets() == ["mnist-5000"]
    assert (reader / "runs/mnist/run.json").is_file()
