"""In the process of the tests TensorFlow computes already, which is when its thread count is fixed."""

import keras
import numpy as np
import pytest
from tiny_runs import tiny_network

from edgecnn_runtime.errors import InputError
from edgecnn_runtime.system.cpu import available_cpus
from edgecnn_runtime.workstation.image_set import Split
from edgecnn_training.batches import Batches
from edgecnn_training.devices.devices import chosen_gpus, feed, inference, prepare_devices


def test_a_running_thread_count_can_be_asked_for_again_but_not_changed() -> None:
    keras.ops.convert_to_tensor([1.0])
    running = prepare_devices(device=None, threads=None, deterministic=False).threads
    assert running >= 1
    with pytest.raises(InputError, match=rf"got {running + 1}; train in a fresh process"):
        prepare_devices(device=None, threads=running + 1, deterministic=False)


@pytest.mark.parametrize("asked", [{"device": "cpu"}, {"threads": 2}, {"deterministic": True}])
def test_another_backend_promises_nothing_it_cannot_keep(
    asked: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(InputError, match="expected the Keras backend tensorflow, got jax"):
        prepare_devices(**{"device": None, "threads": None, "deterministic": False, **asked})  # type: ignore[arg-type]


def test_another_backend_reads_the_batches_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    batches = Batches(
        Split(np.zeros((4, 2, 2, 1), np.uint8), np.zeros(4, np.int64), ("",) * 4), np.arange(4), batch_size=2
    )
    assert prepare_devices(device=None, threads=None, deterministic=False).threads == available_cpus()
    assert feed(batches) is batches


@pytest.mark.parametrize(
    ("listed", "name", "policy"),
    [
        (["cpu:0"], "cpu", "mixed_bfloat16"),
        (["gpu:0", "gpu:1"], "gpu:0", "mixed_float16"),
    ],
)
def test_jax_computes_on_its_first_gpu(
    listed: list[str], name: str, policy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    monkeypatch.setattr(keras.distribution, "list_devices", lambda: listed)
    devices = prepare_devices(device=None, threads=None, deterministic=False)
    assert (devices.names, devices.shares, devices.mixed_policy) == ((name,), 1, policy)


@pytest.mark.parametrize(
    ("device", "there", "numbers"),
    [
        (None, 0, []),
        ("cpu", 2, []),
        (None, 3, [0, 1, 2]),
        ("gpu", 2, [0, 1]),
        ("gpu:1", 2, [1]),
        ("gpu:1,0,1", 2, [0, 1]),
    ],
)
def test_gpus_are_chosen_by_number(device: str | None, there: int, numbers: list[int]) -> None:
    assert chosen_gpus(device, there) == numbers


@pytest.mark.parametrize(
    ("device", "there", "message"),
    [
        ("gpu", 0, r"device: expected one that TensorFlow sees \(cpu\), got gpu; give another"),
        ("gpu:0", 0, r"device: expected one that TensorFlow sees \(cpu\), got gpu:0; give another"),
        ("gpu:0,2", 2, r"device: expected one that TensorFlow sees \(gpu:0, gpu:1, cpu\), got gpu:0,2; give another"),
    ],
)
def test_a_gpu_that_is_not_there_is_refused(device: str, there: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        chosen_gpus(device, there)


def test_a_batch_is_filled_up_with_images_until_it_divides() -> None:
    images = np.arange(7, dtype=np.uint8).reshape(-1, 1, 1, 1)
    batches = Batches(Split(images, np.arange(7), ("",) * 7), np.arange(7), batch_size=4)
    read = [
        (images.ravel().tolist(), labels.tolist()) for images, labels in feed(batches, shares=4).as_numpy_iterator()
    ]
    assert read == [([0, 1, 2, 3], [0, 1, 2, 3]), ([4, 5, 6, 0], [4, 5, 6, 0])]


def test_epochs_follow_one_another_each_in_its_own_order() -> None:
    images = np.arange(5, dtype=np.uint8).reshape(-1, 1, 1, 1)
    batches = Batches(Split(images, np.arange(5), ("",) * 5), np.arange(5), batch_size=5, shuffle_seed=1)
    fed = feed(batches, epochs=range(2, 5))
    assert len(fed) == 3
    for epoch, (_, labels) in zip(range(2, 5), fed.as_numpy_iterator(), strict=True):
        batches.start_epoch(epoch)
        assert labels.tolist() == batches[0][1].tolist()


@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_inference_gives_what_the_model_gives(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_network((12, 12, 3), 4)
    images = np.random.default_rng(0).integers(0, 256, (9, 12, 12, 3)).astype(np.uint8)
    expected = model.predict(images, verbose=0)
    with monkeypatch.context() as patched:
        # Keras itself still computes with TensorFlow.
        patched.setattr("edgecnn_training.devices.devices.keras.backend.backend", lambda: backend)
        forward = inference(model)
    for count in (4, 9):
        given = forward(images[:count])
        assert given.dtype == np.float32
        np.testing.assert_allclose(given, expected[:count], atol=1e-6)
