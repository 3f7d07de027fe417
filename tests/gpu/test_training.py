"""What only a GPU can decide of training: it is used, its memory is shared, 16 bits suffice, seeds repeat, GPUs agree.

With KERAS_BACKEND=jax the tests run that do not need TensorFlow, which is too large to bring to some machines.
"""

import dataclasses
import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import needs
import numpy as np
import pytest
from numpy.typing import NDArray
from tiny_base import CAFFE
from tiny_trainings import EDGECNN, run, scores

from edgecnn_runtime.workstation.image_set import ImageSet
from edgecnn_runtime.workstation.run_folder import RunFolder

pytestmark = needs.gpus(1)
tensorflow = needs.mark(
    os.environ.get("KERAS_BACKEND", "tensorflow") == "tensorflow", needs.Need.PACKAGE, "KERAS_BACKEND=tensorflow"
)

# Ampere and later multiply float32 matrices with 10 bits of the significand (TF32), as many as float16 has. On CPUs
# mixed precision moves these losses by 0.006 and a probability by 0.025.
ROUNDING = {"rtol": 0.02, "atol": 0.02}

# With a network that learns the digits in seconds, and nothing random in it.
PLAIN = (
    EDGECNN
    + """
from tiny_base import PLAIN
RECIPES[PLAIN.name] = PLAIN
"""
)

MEMORY = """
import json, subprocess
import tensorflow as tf
from edgecnn_training.devices.devices import prepare_devices

def used():
    answer = subprocess.run(
        ["nvidia-smi", "--query-gpu=memory.used,memory.total", "--format=csv,noheader,nounits", "--id=0"],
        capture_output=True, text=True, check=True,
    )
    return [int(number) for number in answer.stdout.split(",")]

before, total = used()
names = prepare_devices(device="gpu:0", threads=None, deterministic=False).names
tf.matmul(tf.ones((64, 64)), tf.ones((64, 64))).numpy()
grows = [tf.config.experimental.get_memory_growth(gpu) for gpu in tf.config.get_visible_devices("GPU")]
print(json.dumps({"names": names, "grows": grows, "share": (used()[0] - before) / total}))
"""


def trained(folder: Path, small_set: ImageSet, *device: str) -> tuple[RunFolder, list[str]]:
    """Train a small recipe by the command line; return the run and the digest of its weights."""
    assert small_set.folder is not None
    [(code, out, err)] = run(PLAIN, "train", "plain", "--data", small_set.folder, "--output", folder, *device)
    assert code == 0, err
    return RunFolder(folder), [line for line in out.splitlines() if line.startswith("weights ")]


@pytest.fixture(scope="module")
def on_one_gpu(tmp_path_factory: pytest.TempPathFactory, small_set: ImageSet) -> RunFolder:
    """A run on the first GPU."""
    return trained(tmp_path_factory.mktemp("runs") / "gpu", small_set, "--device", "gpu:0")[0]


@tensorflow
def test_memory_is_taken_as_it_is_needed() -> None:
    done = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert (report["names"], report["grows"]) == (["gpu:0"], [True])
    # Without growth TensorFlow takes all of it but a few per cent.
    assert report["share"] < 0.5


def test_a_run_is_on_the_gpu_unless_it_is_told_otherwise(tmp_path: Path, small_set: ImageSet) -> None:
    folder, _ = trained(tmp_path / "run", small_set)
    assert folder.read_record().versions["devices"].startswith("gpu:0")
    losses = scores(folder)[:, 0]
    assert losses[-1] < losses[0] / 2


@tensorflow
@pytest.mark.parametrize(
    "device",
    [
        ("--device", "cpu"),
        ("--device", "gpu:0", "--mixed-precision"),
        pytest.param(("--device", "gpu:0,1"), marks=needs.gpus(2)),
        pytest.param(("--device", "gpu:0,1", "--mixed-precision"), marks=needs.gpus(2)),
    ],
    ids=" ".join,
)
def test_other_devices_learn_what_one_gpu_learns(
    on_one_gpu: RunFolder, small_set: ImageSet, tmp_path: Path, device: tuple[str, ...]
) -> None:
    folder, _ = trained(tmp_path / "run", small_set, *device)
    # Losses and rates; an accuracy jumps by a whole image.
    np.testing.assert_allclose(scores(folder)[:, [0, 2, 4]], scores(on_one_gpu)[:, [0, 2, 4]], **ROUNDING)
    np.testing.assert_allclose(np.load(folder.test_probabilities), np.load(on_one_gpu.test_probabilities), atol=0.1)


@tensorflow
@pytest.mark.parametrize("more", [(), ("--mixed-precision",)], ids=" ".join)
def test_a_seed_gives_the_same_weights_to_the_bit(small_set: ImageSet, tmp_path: Path, more: tuple[str, ...]) -> None:
    first, again = (
        trained(tmp_path / name, small_set, "--device", "gpu:0", "--deterministic", *more)
        for name in ("first", "again")
    )
    assert len(first[1]) == 1
    assert first[1] == again[1]
    assert np.array_equal(np.load(first[0].test_probabilities), np.load(again[0].test_probabilities))


def test_scaled_losses_keep_pixels_of_130_within_16_bits(
    digits: tuple[NDArray[np.uint8], NDArray[np.int64]],
) -> None:
    """The scaling of VGG and ResNet gives -124…151, and a first loss and gradients that float16 does not hold."""
    import keras

    from edgecnn_training.devices.devices import prepare_devices
    from edgecnn_training.fit import compile_network
    from edgecnn_training.networks.network import build_network

    devices = prepare_devices(device=None, threads=None, deterministic=False)
    assert devices.mixed_policy == "mixed_float16"
    images, labels = np.repeat(digits[0][:4960:2], 3, axis=-1), digits[1][:4960:2]
    settings = dataclasses.replace(CAFFE.settings, learning_rate=0.0003)

    @functools.cache
    def accuracy(*, mixed: bool) -> float:
        keras.utils.set_random_seed(3)
        with devices.building(keras, mixed=mixed):
            network = build_network(keras, CAFFE, 10)
        with devices.scope():
            compile_network(keras, network, settings)
        history = network.fit(images, labels, batch_size=40, epochs=5, verbose=0).history
        assert np.isfinite(history["loss"]).all()
        assert history["loss"][-1] < history["loss"][0]
        assert all(np.isfinite(weights).all() for weights in network.get_weights())
        if mixed:
            # From 2**15 down to where the gradients fit; 512 to 4096 on a CPU.
            assert 1 <= float(network.optimizer.dynamic_scale) < 2**15
        return float(history["accuracy"][-1])

    assert accuracy(mixed=False) > 0.25
    # On a CPU 0.005 apart with TensorFlow, 0.08 with JAX.
    assert accuracy(mixed=True) > accuracy(mixed=False) - 0.15
