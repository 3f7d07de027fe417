"""Mixed precision: what computes in 16 bits, and that nothing of it is left in what is saved."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from tiny_base import TINY

from edgecnn_runtime.errors import InputError
from edgecnn_runtime.workstation.image_set import ImageSet
from edgecnn_runtime.workstation.run_folder import RunFolder
from edgecnn_training.devices.precision import layers_computing_in
from edgecnn_training.fit import Progress, compile_network
from edgecnn_training.networks.network import build_network, core
from edgecnn_training.recipes import RECIPES
from edgecnn_training.settings import TrainingSettings
from edgecnn_training.train import train

MIXED = dataclasses.replace(TINY.settings, epochs=3, mixed_precision=True)


def layers_of(model: Any) -> list[Any]:
    return [
        layer for outer in model.layers for layer in (outer, *(layers_of(outer) if hasattr(outer, "layers") else ()))
    ]


@pytest.mark.parametrize("name", [name for name, recipe in RECIPES.items() if not recipe.base])
def test_only_pixels_and_probabilities_are_computed_in_float32(name: str) -> None:
    recipe = RECIPES[name]
    with layers_computing_in("mixed_bfloat16", keras):
        network = build_network(keras, recipe, 2)
    assert {variable.dtype for variable in network.weights} == {"float32"}
    last = core(network).layers[-1]
    assert [layer.compute_dtype for layer in (network.get_layer("scaling"), last)] == ["float32"] * 2
    assert network.output.dtype == "float32"
    assert core(network).layers[0].compute_dtype == "bfloat16"


def test_the_policy_before_holds_again_after_an_error() -> None:
    within: list[str] = []

    def interrupted() -> None:
        with layers_computing_in("mixed_float16", keras):
            within.append(keras.mixed_precision.global_policy().name)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert within == ["mixed_float16"]
    assert keras.mixed_precision.global_policy().name == "float32"


def test_float16_gets_its_loss_scaled() -> None:
    with layers_computing_in("mixed_float16", keras):
        network = build_network(keras, TINY, 10)
    compile_network(keras, network, MIXED)
    assert isinstance(network.optimizer, keras.mixed_precision.LossScaleOptimizer)
    network.optimizer.learning_rate = 0.25
    assert float(network.optimizer.inner_optimizer.learning_rate) == 0.25


@pytest.mark.parametrize(
    ("recipe", "settings"),
    [
        (TINY, dataclasses.replace(MIXED, epochs=2, unfreeze=3, fine_tune_epochs=2, fine_tune_rate=0.002)),
        (TINY, dataclasses.replace(MIXED, augment=True)),
    ],
    ids=["head and whole", "augmented"],
)
def test_a_mixed_run_leaves_a_float32_network_with_much_the_same_scores(
    recipe: Any, settings: TrainingSettings, tmp_path: Path, small_set: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped and resumed on the way."""
    monkeypatch.setattr("edgecnn_training.figures.draw_all", lambda *arguments, **options: None)

    def stop(progress: Progress) -> None:
        if progress.epoch == 2 and progress.finished is None:
            raise KeyboardInterrupt

    full, mixed = RunFolder(tmp_path / "full"), RunFolder(tmp_path / "mixed")
    train(recipe, small_set, full, dataclasses.replace(settings, mixed_precision=False))
    with pytest.raises(KeyboardInterrupt):
        train(recipe, small_set, mixed, settings, report=stop)
    with pytest.raises(InputError, match="mixed precision False instead of True"):
        train(recipe, small_set, mixed, dataclasses.replace(settings, mixed_precision=False), resume=True)
    record = train(recipe, small_set, mixed, settings, resume=True)

    assert record is not None
    assert record.recipe["mixed_precision"] is True
    assert keras.mixed_precision.global_policy().name == "float32"
    model = keras.models.load_model(mixed.model, safe_mode=True)
    assert {layer.dtype_policy.name for layer in layers_of(model)} == {"float32"}
    assert {weight.dtype for weight in model.weights} == {"float32"}
    losses = [json.loads(folder.metrics.read_text())["loss"] for folder in (full, mixed)]
    assert losses[0] != losses[1]
    np.testing.assert_allclose(losses[1], losses[0], rtol=0.05)
