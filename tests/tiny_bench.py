"""A run folder in miniature: three tiny models, a prepared set, what the Keras model would have said."""

import json
from pathlib import Path

import numpy as np
import pytest
from tiny_models import GREY_8, tiny_onnx
from tiny_runs import tiny_record

from edgecnn_benchmarks.bench import bench
from edgecnn_benchmarks.measuring.result import BenchResult
from edgecnn_benchmarks.settings import BenchSettings
from edgecnn_runtime.manifest import Scheme
from edgecnn_runtime.third_party_models.opening import Opening
from edgecnn_runtime.workstation.image_set import ImageSet, Split, describe, fingerprint
from edgecnn_runtime.workstation.run_folder import RunFolder

LABELS = ("dark", "bright")
# As quick as a benchmark can be: the tests look at what is measured, never at how long it took.
# Other engines that may be installed are left out.
QUICK = BenchSettings(
    runs=3, warmup=1, rounds=2, starts=2, opening=Opening(third_party_only=True, engine="onnxruntime")
)


def write_prepared_set(folder: Path, *, labels: tuple[str, ...] = LABELS) -> ImageSet:
    """Write a set whose images are dark or bright noise; one in ten is labelled wrongly, so that 0.9 is right."""
    random = np.random.default_rng(0)
    classes = np.arange(100, dtype=np.int64) % 2
    images = random.integers(0, 90, (100, *GREY_8.shape)).astype(np.uint8) + (
        160 * classes[:, None, None, None]
    ).astype(np.uint8)
    split = Split(images, np.where(np.arange(100) % 10 == 0, 1 - classes, classes), tuple(map(str, range(100))))
    splits = {"test": split}
    image_set = ImageSet(
        "noise", labels, GREY_8, splits, fingerprint(labels, splits), source="generated", folder=folder
    )
    folder.mkdir(parents=True)
    np.save(folder / "test.images.npy", split.images)
    np.save(folder / "test.labels.npy", split.labels)
    (folder / "test.files.txt").write_text("\n".join(split.files) + "\n")
    (folder / "dataset.json").write_text(json.dumps(describe(image_set)))
    return image_set


def write_run(folder: Path, image_set: ImageSet) -> RunFolder:
    """Write a run with three exported files, of which the second is larger and slower."""
    run = RunFolder(folder)
    run.export.mkdir(parents=True)
    tiny_onnx(run.exported("int8", ".onnx"), scheme=Scheme.INT8)
    tiny_onnx(run.exported("float32", ".onnx"), layers=40)
    tiny_onnx(run.exported("float16", ".onnx"), scheme=Scheme.FLOAT16, layers=1)
    bright = image_set.split("test").images.mean(axis=(1, 2, 3)) > 127
    np.save(run.test_probabilities, np.stack([~bright, bright], axis=1).astype(np.float32))
    run.write_record(tiny_record(run, image_set))
    return run


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run folder that can be benchmarked; not to be changed."""
    folder = tmp_path_factory.mktemp("bench")
    return write_run(folder / "tiny", write_prepared_set(folder / "noise"))


@pytest.fixture(scope="session")
def tiny_result(tiny_run: RunFolder) -> BenchResult:
    """The benchmark of that run, its files written to the run's bench folder."""
    return bench([tiny_run.path], settings=QUICK, command="edgecnn bench tiny")
