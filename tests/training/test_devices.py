"""In the process of the tests TensorFlow computes already, which is when its thread count is fixed."""

import keras
import numpy as np
import pytest
from tiny_runs import tiny_network

from edgecnn_runtime.cpu import available_cpus
from edgecnn_runtime.errors import InputError
from edgecnn_runtime.image_set import Split
from edgecnn_training.batches import Batches
from edgecnn_training.devices import feed, inference, prepare_device


def test_a_running_thread_count_can_be_asked_for_again_but_not_changed() -> None:
    keras.ops.convert_to_tensor([1.0])
    running = prepare_device(threads=None, deterministic=False)
    assert running >= 1
    with pytest.raises(InputError, match=rf"expected, got {running + 1}; train in a fresh process"):
        prepare_device(threads=running + 1, deterministic=False)


@pytest.mark.parametrize("asked", [{"threads": 2, "deterministic": False}, {"threads": None, "deterministic": True}])
def test_another_backend_promises_nothing_it_cannot_keep(
    asked: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(InputError, match="the Keras backend tensorflow expected, got jax"):
        prepare_device(**asked)  # type: ignore[arg-type]


def test_another_backend_reads_the_batches_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    batches = Batches(
        Split(np.zeros((4, 2, 2, 1), np.uint8), np.zeros(4, np.int64), ("",) * 4), np.arange(4), batch_size=2
    )
    assert prepare_device(threads=None, deterministic=False) == available_cpus()
    assert feed(batches) is batches


@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_inference_gives_what_the_model_gives(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_network((12, 12, 3), 4)
    images = np.random.default_rng(0).integers(0, 256, (9, 12, 12, 3)).astype(np.uint8)
    expected = model.predict(images, verbose=0)
    with monkeypatch.context() as patched:
        # Keras itself still computes with TensorFlow.
        patched.setattr("edgecnn_training.devices.keras.backend.backend", lambda: backend)
        forward = inference(model)
    for count in (4, 9):
        given = forward(images[:count])
        assert given.dtype == np.float32
        np.testing.assert_allclose(given, expected[:count], atol=1e-6)
