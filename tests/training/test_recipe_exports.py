"""Every recipe's network, with random weights and small images, through the exporter and the runtime."""

from pathlib import Path

import numpy as np
import pytest

from edgecnn_export.onnx import export_onnx
from edgecnn_export.tflite import export_tflite
from edgecnn_runtime.backends import open_backend
from edgecnn_runtime.manifest import Scheme
from edgecnn_runtime.native_output import native_output_kept
from edgecnn_training.recipes import get_recipe, list_recipes

# Large enough for every network, and quick; casting-mobilenetv2 brings any image to 224x224.
SIDE = 64
# The network of another recipe: of casting, of small-cnn.
SAME = {"casting-augmented", *(recipe.name for recipe in list_recipes() if recipe.name.endswith("-plus"))}
SLOW = {"casting-mobilenetv2", "symbols-vgg16", "transfer"}

# Micro-controllers and NPUs have none of them.
FORBIDDEN = {"SHAPE", "STRIDED_SLICE", "PACK"}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(recipe.name, marks=pytest.mark.slow if recipe.name in SLOW else ())
        for recipe in list_recipes()
        if recipe.name not in SAME
    ],
)
def test_every_recipe_can_be_deployed(name: str, tmp_path: Path) -> None:
    import keras
    from ai_edge_litert.interpreter import Interpreter

    from edgecnn_training.network import build_network

    recipe = get_recipe(name)
    shape = (SIDE, SIDE, recipe.input_shape[-1])
    keras.utils.set_random_seed(0)
    built = build_network(keras, recipe, 2, shape=shape)
    built.save(tmp_path / "model.keras")
    model = keras.models.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    pixels = np.random.default_rng(0).integers(0, 256, (3, *shape), np.uint8)
    with native_output_kept():
        files = {
            "float32.tflite": export_tflite(model, Scheme.FLOAT32),
            "int8.tflite": export_tflite(model, Scheme.INT8, calibration=pixels),
            "float32.onnx": export_onnx(model, Scheme.FLOAT32, opset=17),
        }
    expected = np.asarray(model(pixels))
    for file, content in files.items():
        (tmp_path / file).write_bytes(content)
        probabilities = open_backend(tmp_path / file).infer(pixels)
        assert probabilities.shape == expected.shape
        # Random weights make no useful int8 ranges; that it runs and gives probabilities is all there is to see.
        if file.startswith("int8"):
            np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=0.02)
        else:
            np.testing.assert_allclose(probabilities, expected, atol=1e-4)
    operators = {
        detail["op_name"]
        for file in ("float32.tflite", "int8.tflite")
        for detail in Interpreter(str(tmp_path / file))._get_ops_details()
    }
    assert operators & FORBIDDEN == set()
