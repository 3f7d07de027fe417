"""The Keras model of a run as two rows: called, and through `predict`."""

import json
import shutil
from pathlib import Path

import needs
import numpy as np
import pytest
from tiny_models import GREY_8, tiny_onnx

from edgecnn_benchmarks.bench import bench
from edgecnn_benchmarks.process.worker_process import KERAS_WORKER, WorkerProcess
from edgecnn_benchmarks.settings import BenchSettings
from edgecnn_runtime.errors import InputError
from edgecnn_runtime.workstation.run_folder import RunFolder

SETTINGS = BenchSettings(runs=2, warmup=1, rounds=1, starts=1, with_keras=True, batch=(1, 4))


@pytest.fixture(scope="module")
def keras_run(tiny_run: RunFolder, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """The tiny run with a Keras model that says "bright" where the mean is above 127."""
    keras = needs.package("keras", "edgecnn[train]")
    folder = tmp_path_factory.mktemp("keras") / "tiny"
    shutil.copytree(tiny_run.path, folder, ignore=shutil.ignore_patterns("bench"))
    pixels = keras.Input(GREY_8.shape)
    mean = keras.layers.GlobalAveragePooling2D()(pixels)
    dense = keras.layers.Dense(2, activation="softmax")
    model = keras.Model(pixels, dense(mean))
    dense.set_weights([np.array([[-1.0, 1.0]], np.float32), np.array([127.0, -127.0], np.float32)])
    model.save(folder / "model.keras")
    for path in (folder / "export").glob("*.onnx"):
        if "int8" not in path.name:
            path.unlink()
    return RunFolder(folder)


@pytest.mark.slow  # TensorFlow starts ten times
def test_keras_is_measured_and_never_shipped(keras_run: RunFolder, tmp_path: Path) -> None:
    result = bench([keras_run.path], output=tmp_path, settings=SETTINGS)
    assert result.failures == ()
    rows = {row.name: row for row in result.rows}
    assert set(rows) == {"tiny_int8.onnx", "tiny_int8.onnx b4", "model.keras call", "model.keras predict"}
    for way in ("call", "predict"):
        row = rows[f"model.keras {way}"]
        assert (row.backend, row.format, row.agreement) == (f"keras {way}", "keras", 1.0)
        assert row.provider is not None
        assert row.provider.startswith("tensorflow ")
        assert row.accuracy is not None
        assert row.accuracy.correct == 90
        assert row.cold_start_s is not None
    assert (result.recommended, result.reference) == ("tiny_int8.onnx", "tiny_int8.onnx")
    assert json.loads((tmp_path / "bench.json").read_text())["settings"]["with_keras"] is True


def test_its_worker_answers_what_the_model_answers(keras_run: RunFolder, tmp_path: Path) -> None:
    images = tmp_path / "images.npy"
    np.save(images, np.array([10, 250, 20], np.uint8)[:, None, None, None] * np.ones((1, *GREY_8.shape), np.uint8))
    command = (*KERAS_WORKER, "call")
    with WorkerProcess(keras_run.model, threads=1, timeout=120, folder=tmp_path, command=command) as worker:
        assert worker.ask("classify", images=str(images), start=0, end=3, secs=9)["classes"] == [0, 1, 0]


def test_only_a_run_has_a_keras_model(tiny_run: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a run folder, which holds the Keras model"):
        bench([tiny_onnx(tmp_path / "a.onnx")], output=tmp_path, settings=SETTINGS)
    with pytest.raises(InputError, match=r"model\.keras: not found; expected the Keras model of the run"):
        bench([tiny_run.path], output=tmp_path, settings=SETTINGS)
