"""Every recipe's full-integer file runs on an Ethos-U55 alone: Arm's compiler leaves no operator on the CPU."""

from pathlib import Path

import numpy as np
import pytest

from edgecnn_export.inspection.model import inspect_model
from edgecnn_export.inspection.targets import ethos_u
from edgecnn_export.tflite import export_tflite
from edgecnn_runtime.manifest import Scheme
from edgecnn_runtime.native_output import native_output_kept
from edgecnn_training.recipes import get_recipe, list_recipes

# Large enough for every network, and quick.
SIDE = 64
# The network of another recipe: of casting, of small-cnn.
SAME = {"casting-augmented", *(recipe.name for recipe in list_recipes() if recipe.name.endswith("-plus"))}
SLOW = {"casting-mobilenetv2", "symbols-vgg16", "transfer"}
# The notebook brings 300x300 images to the 224x224 of its base inside the network; the NPU scales by 2, 4 or 8 only.
LEFT_ON_CPU = {"casting-mobilenetv2": ["RESIZE_BILINEAR"]}


@pytest.mark.skipif(ethos_u.vela_command() is None, reason="needs Vela: pip install ethos-u-vela")
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(recipe.name, marks=pytest.mark.slow if recipe.name in SLOW else ())
        for recipe in list_recipes()
        if recipe.name not in SAME
    ],
)
def test_no_operator_of_a_recipe_is_left_on_the_cpu(name: str, tmp_path: Path) -> None:
    import keras

    from edgecnn_training.network import build_network

    recipe = get_recipe(name)
    shape = (SIDE, SIDE, recipe.input_shape[-1])
    keras.utils.set_random_seed(0)
    pixels = np.random.default_rng(0).integers(0, 256, (3, *shape), np.uint8)
    path = tmp_path / f"{name}_int8.tflite"
    with native_output_kept():
        model = build_network(keras, recipe, 2, shape=shape)
        path.write_bytes(export_tflite(model, Scheme.INT8, calibration=pixels))
    verdict = ethos_u.judge(inspect_model(path), "ethos-u55-128")
    left = [operator.kind for obstacle in verdict.obstacles for operator in obstacle.operators]
    assert left == LEFT_ON_CPU.get(name, [])
    assert verdict.estimate is not None
    assert verdict.estimate.cycles > 0
