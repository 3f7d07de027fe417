"""`edgecnn train` and `edgecnn recipes` in processes of their own: killed, interrupted, repeated."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import edgecnn_here, hear_interrupts

from edgecnn_runtime.workstation.image_set import ImageSet
from edgecnn_runtime.workstation.run_folder import RunFolder
from edgecnn_training.settings import settings_described

# `edgecnn` with arguments, but killed by itself, as the kernel would, after the first step of epoch 2.
KILLED = """
import os, signal, sys
from edgecnn.app import main
from edgecnn_training import fit

def killed(self, step, logs, finished=None):
    if self._epoch == 1 and finished is None:
        os.kill(os.getpid(), signal.SIGKILL)
    return progress(self, step, logs, finished)

progress, fit._Keeper._progress = fit._Keeper._progress, killed
main()
"""


@pytest.fixture(autouse=True)
def _without_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """They take longer than the trainings in this process; those in processes of their own draw them."""
    monkeypatch.setattr("edgecnn_training.figures.draw_all", lambda *arguments, **options: None)


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "edgecnn", *map(str, arguments)]


def run(*arguments: str | Path, code: int = 0, cwd: Path | None = None) -> str:
    done = subprocess.run(command(*arguments), capture_output=True, text=True, check=False, timeout=300, cwd=cwd)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if code == 0 else done.stderr


def options(small_set: ImageSet, output: Path) -> list[str]:
    assert small_set.folder is not None
    values = (
        "--epochs 3 --batch-size 32 --optimizer adamw --averaged-weights --label-smoothing 0.1 --warmup-epochs 1 "
        "--augmentation shift=0.05,noise=0.05,mixup=0.2 "
        f"--threads 2 --deterministic --data {small_set.folder}"
    )
    return ["train", "mnist", *values.split(), "--output", str(output)]


def weights(folder: Path) -> list[np.ndarray]:
    import keras

    model = keras.models.load_model(RunFolder(folder).model, safe_mode=True)
    return [np.asarray(weight) for weight in model.get_weights()]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory, small_set: ImageSet) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "whole"
    document: dict[str, Any] = json.loads(run(*options(small_set, folder), "--json"))
    assert document["run"] == str(folder)
    assert document["metrics"]["accuracy"]["total"] == 50
    assert document["timings"]["to_first_step"] > 0
    return folder


def test_a_killed_run_ends_as_an_uninterrupted_one(uninterrupted: Path, small_set: ImageSet, tmp_path: Path) -> None:
    folder = tmp_path / "killed"
    done = subprocess.run(
        [sys.executable, "-c", KILLED, *options(small_set, folder)], capture_output=True, check=False, timeout=300
    )
    assert done.returncode == -signal.SIGKILL
    assert RunFolder(folder).last_checkpoint.exists()
    assert not RunFolder(folder).record.exists()

    assert "give --resume" in edgecnn_here("train", "mnist", "--output", folder, code=2)
    # The settings and the data are those of the checkpoint where they are not given.
    out = run("train", "mnist", "--resume", "--output", folder)
    assert "epoch 1/3" not in out
    assert "epoch 3/3  loss " in out
    assert "Test accuracy " in out
    assert f"Next: edgecnn export {folder} --int8" in out
    assert len(RunFolder(folder).history.read_text().splitlines()) == 4
    assert not RunFolder(folder).checkpoints.exists()
    for expected, got in zip(weights(uninterrupted), weights(folder), strict=True):
        np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(
        np.load(RunFolder(folder).test_probabilities), np.load(RunFolder(uninterrupted).test_probabilities)
    )


def test_ctrl_c_tells_the_command_that_goes_on(small_set: ImageSet, tmp_path: Path) -> None:
    folder = tmp_path / "stopped run"
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command(*options(small_set, folder)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        preexec_fn=hear_interrupts,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("epoch 1/3"):
                process.send_signal(signal.SIGINT)
                break
        _, err = process.communicate(timeout=300)
    assert process.returncode == 130
    assert f"go on with: edgecnn train mnist --output '{folder}' --resume" in err
    assert "Traceback" not in err
    assert sorted(path.name for path in folder.rglob("*")) == [
        "checkpoints",
        "history.csv",
        "last.npz",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["minst"], "recipe: expected one of small-cnn, "),
        (["mnist", "--epochs", "0"], "epochs: expected at least 1, got 0"),
        (
            ["mnist", "--optimizer", "adma"],
            "optimizer: expected one of sgd, adam, adamw, rmsprop, adadelta, got 'adma'; did you mean adam?",
        ),
        (["mnist", "--augmentation", "rotatoin=0.1"], "got 'rotatoin'; did you mean rotation?"),
        (["mnist", "--augmentation", "rotation=-1"], "augmentation: rotation: expected 0…1, got -1"),
        (["mnist", "--no-augment", "--augmentation", "blur=1"], "augmentation: expected --augment with it"),
        (["mnist", "--data", "no/such/set"], "no/such/set"),
        (["mnist", "--batch-size", "many"], "--batch-size"),
        (["mnist", "--imgsz", "32"], "imgsz: mnist takes images of 28x28 only, got 32"),
        (["mnist", "--backbone", "VGG16"], "backbone: expected the recipe transfer, got mnist"),
        (["mnist", "--alpha", "0.5"], "alpha: expected a recipe of several widths (small-cnn, "),
        (["mnist", "--params", "30k"], "alpha: expected a recipe of several widths (small-cnn, "),
        (["small-cnn", "--alpha", "nan"], "alpha: expected 0.05…10, got nan"),
        (["small-cnn", "--params", "much"], "params: expected a number of parameters such as 30k"),
        (["small-cnn", "--params", "30k", "--alpha", "0.5"], "params: expected no --alpha beside it, got 0.5"),
        (["transfer", "--backbone", "VGG16", "--alpha", "0.5"], "of several widths"),
        (["--data", "here", "--alpha", "0.5"], "alpha: expected the name of a recipe beside it"),
        (["--data", "here", "--teacher", "run"], "teacher: expected the name of a recipe beside it"),
        (["mnist", "--temperature", "0"], "temperature: expected a finite number above 0, got 0"),
        (["mnist", "--teacher-weight", "1.5"], "teacher weight: expected a share above 0, at most 1, got 1.5"),
        (["mnist", "--config", "no.toml"], "no.toml: not found; expected a TOML file"),
        (["small-cnn"], "data: expected a folder with one sub-folder per class for small-cnn"),
        (["transfer", "--backbone", "VGG17", "--data", "here"], "backbone: expected one of VGG16"),
        ([], "recipe: expected a name, --data with your images or --config"),
        (["mnist", "--device", "tpu"], "device: expected cpu, gpu, or numbers as in gpu:0 or gpu:0,1, got 'tpu'"),
    ],
)
def test_wrong_usage_is_exit_code_2(arguments: list[str], message: str, tmp_path: Path) -> None:
    err = edgecnn_here("train", *arguments, code=2, cwd=tmp_path)
    assert message in err
    assert "Traceback" not in err


def test_every_setting_is_an_option() -> None:
    shown = edgecnn_here("train", "--help")
    for name, setting in settings_described().items():
        assert f"--{name.replace('_', '-')}" in shown
        assert setting.help.split(maxsplit=1)[0] in shown


def test_a_run_can_be_repeated_from_its_record(uninterrupted: Path, tmp_path: Path) -> None:
    run("train", "--config", RunFolder(uninterrupted).record, "--output", tmp_path / "again")
    assert RunFolder(tmp_path / "again").read_record().recipe == RunFolder(uninterrupted).read_record().recipe
    for expected, got in zip(weights(uninterrupted), weights(tmp_path / "again"), strict=True):
        np.testing.assert_array_equal(got, expected)


def in_class_folders(digit_files: list[Path], root: Path) -> None:
    for file in digit_files:
        target = root / file.stem.partition("_")[2] / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(file)


def test_images_of_the_user(digit_files: list[Path], tmp_path: Path) -> None:
    """Class folders, any size, options from a file; fifty digits, ten of which become the test split."""
    in_class_folders(digit_files, tmp_path / "digits")
    (tmp_path / "short.toml").write_text('recipe = "small-cnn"\nepochs = 9\nimgsz = 24\naugment = true\nfolds = 0\n')
    options = ("--config", tmp_path / "short.toml", "--epochs", "1", "--data", "digits", "--output", "run")
    document = json.loads(edgecnn_here("train", *options, "--json", cwd=tmp_path))
    assert document["metrics"]["images"] == 10
    record = RunFolder(tmp_path / "run").read_record()
    assert record.input.shape == (24, 24, 3)
    assert (record.recipe["epochs"], record.recipe["augment"]) == (1, True)
    assert record.recipe["augmentation"]["zoom_in"] == 0.1


def test_a_base_is_fine_tuned(digit_files: list[Path], tmp_path: Path) -> None:
    in_class_folders(digit_files, tmp_path / "digits")
    options = (
        "--backbone MobileNet --weights none --data digits --imgsz 32 --epochs 1 --folds 0 --unfreeze 3 "
        "--fine-tune-epochs 1"
    )
    out = edgecnn_here("train", "transfer", *options.split(), "--output", "run", "--tensorboard", cwd=tmp_path)
    assert "the top 3 layers of MobileNet are trained too: epochs 1, learning rate 1e-05" in out
    assert "epoch 2/2  loss " in out
    folder = RunFolder(tmp_path / "run")
    assert [line.rpartition(",")[2] for line in folder.history.read_text().splitlines()] == ["stage", "1", "2"]
    assert len(list(folder.tensorboard.rglob("*.v2"))) == 2


def test_a_narrow_network_learns_from_a_wide_one(digit_files: list[Path], tmp_path: Path) -> None:
    """From options and from a file, to int8 and a label."""
    in_class_folders(digit_files, tmp_path / "digits")
    common = ("small-cnn", "--data", "digits", "--imgsz", "24", "--epochs", "1", "--folds", "0")
    edgecnn_here("train", *common, "--alpha", "0.5", cwd=tmp_path)
    teacher = tmp_path / "runs" / "small-cnn-0.5"
    assert RunFolder(teacher).read_record().recipe["name"] == "small-cnn@0.5"

    (tmp_path / "small.toml").write_text('recipe = "small-cnn"\nparams = 3000\nteacher = "runs/small-cnn-0.5"\n')
    small = ("--config", "small.toml", *common[1:], "--augment")
    out = edgecnn_here("train", *small, cwd=tmp_path)
    assert "small-cnn@0.15 has 2,334 of at most 3,000 parameters (--alpha 0.15)" in out
    assert "Its loss is to 50% the difference from the answers of runs/small-cnn-0.5" in out
    folder = RunFolder(tmp_path / "runs" / "small-cnn-3000")
    record = folder.read_record()
    assert (record.recipe["name"], record.recipe["teacher"]) == ("small-cnn@0.15", str(teacher))
    assert "was finished before" in edgecnn_here("train", *small, "--resume", cwd=tmp_path)
    edgecnn_here("export", "runs/small-cnn-3000", "--int8", cwd=tmp_path)
    label = edgecnn_here(
        "predict", "runs/small-cnn-3000/export/small-cnn-3000_int8.tflite", digit_files[0], cwd=tmp_path
    )
    assert str(digit_files[0]) in label


def test_widths_without_imagenet_weights_are_named(digit_files: list[Path], tmp_path: Path) -> None:
    in_class_folders(digit_files, tmp_path / "digits")
    options = "transfer --alpha 0.4 --data digits --imgsz 32 --epochs 1"
    err = edgecnn_here("train", *options.split(), code=2, cwd=tmp_path)
    assert "alpha: expected one of 0.35, 0.5, 0.75, 1, 1.3, 1.4, the widths of MobileNetV2 with ImageNet weights" in err
    assert "got 0.4; give one of them, or --weights FILE or --weights none" in err


def test_recipes_are_listed() -> None:
    out = edgecnn_here("recipes")
    assert [line.split()[0] for line in out.splitlines()[2:5]] == ["small-cnn", "resnet8", "transfer"]
    assert "1,199,882 parameters" in out
    assert [line.split()[0] for line in edgecnn_here("recipes", "mnist*").splitlines()[2:4]] == ["mnist-plus", "mnist"]
    assert "expected one of small-cnn, " in edgecnn_here("recipes", "minst*", code=2)


def test_recipes_as_json_are_counted() -> None:
    (listed,) = json.loads(edgecnn_here("recipes", "*-mobilenetv2", "--json"))
    assert (listed["name"], listed["input_shape"], listed["classes"]) == ("casting-mobilenetv2", [224, 224, 3], 2)
    assert (listed["parameters"], listed["trainable"]) == (2_260_546, 2_562)
    assert listed["multiply_accumulates"] == 299_496_832
    assert listed["settings"]["epochs"] == 50


def test_recipes_without_json_load_no_keras() -> None:
    program = "import sys; from edgecnn.commands.recipes import recipes; recipes(); print('keras' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


@pytest.mark.parametrize("package", ["keras", "sklearn", "matplotlib"])
def test_a_missing_package_is_said_before_anything_is_prepared(package: str, tmp_path: Path) -> None:
    """In a process where the package cannot be found, as where it is not installed."""
    hidden = f"import sys; sys.modules[{package!r}] = None; from edgecnn.app import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", hidden, "train", "mnist", "--data", "mnist-5000"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "EDGECNN_HOME": str(tmp_path / "home")},
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: edgecnn train needs the package ")
    assert 'pip install "edgecnn[train]"' in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_gpu_that_is_not_there_leaves_the_earlier_run(uninterrupted: Path, small_set: ImageSet) -> None:
    err = edgecnn_here(*options(small_set, uninterrupted), "--overwrite", "--device", "gpu:97", code=2)
    assert "got gpu:97; give another --device, or none; 'edgecnn doctor' shows" in err
    assert RunFolder(uninterrupted).record.exists()


def test_a_broken_tf_config_leaves_the_earlier_run(
    uninterrupted: Path, small_set: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TF_CONFIG", '{"cluster": {}}')
    assert "error: TF_CONFIG: " in edgecnn_here(*options(small_set, uninterrupted), "--overwrite", code=2)
    assert RunFolder(uninterrupted).record.exists()
