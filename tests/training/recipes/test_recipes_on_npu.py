"""Every recipe's all-integer file runs on an Ethos-U55: Arm's compiler leaves no operator on the CPU.

Of the usual form it leaves the last layer, which computes in float32, and nothing else.
"""

from pathlib import Path

import needs
import numpy as np
import pytest
from needs import Need

from edgecnn_export.formats import Io
from edgecnn_export.inspection.model import inspect_model
from edgecnn_export.inspection.targets import ethos_u
from edgecnn_export.int8.activation_statistics import measure_statistics
from edgecnn_export.int8.calibration import CalibrationMethod
from edgecnn_export.tflite.convert import export_tflite
from edgecnn_export.tflite.graph import TFLiteGraph
from edgecnn_export.tflite.quantize import quantize
from edgecnn_runtime.manifest import Scheme
from edgecnn_runtime.system.native_output import native_output_kept
from edgecnn_training.recipes import get_recipe, list_recipes

# Large enough for every network, and quick.
SIDE = 64
# The network of another recipe: of casting, of small-cnn.
SAME = {"casting-augmented", *(recipe.name for recipe in list_recipes() if recipe.name.endswith("-plus"))}
SLOW = {"casting-mobilenetv2", "symbols-vgg16", "transfer"}
LEFT_ON_CPU = {
    Io.INT8: set(),
    Io.EDGE_TPU: set(),
    # A sigmoid's p becomes [1 - p, p].
    Io.UINT8: {"DEQUANTIZE", "FULLY_CONNECTED", "SOFTMAX", "LOGISTIC", "MUL", "ADD", "CONCATENATION"},
}


@needs.mark(ethos_u.vela_command() is not None, Need.PACKAGE, "pip install ethos-u-vela")
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

    from edgecnn_training.networks.network import build_network

    recipe = get_recipe(name)
    shape = (SIDE, SIDE, recipe.input_shape[-1])
    keras.utils.set_random_seed(0)
    pixels = np.random.default_rng(0).integers(0, 256, (3, *shape), np.uint8)
    path = tmp_path / f"{name}_int8.tflite"
    with native_output_kept():
        model = build_network(keras, recipe, 2, shape=shape)
        graph = TFLiteGraph(export_tflite(model, Scheme.FLOAT32))
        statistics = measure_statistics(graph, pixels, CalibrationMethod.MINMAX)
    for io, allowed in LEFT_ON_CPU.items():
        path.write_bytes(quantize(graph, statistics, io=io))
        verdict = ethos_u.judge(inspect_model(path), "ethos-u55-128")
        left = [operator.kind for obstacle in verdict.obstacles for operator in obstacle.operators]
        assert set(left) <= allowed
        assert left.count("FULLY_CONNECTED") <= 1
        assert verdict.estimate is not None
        assert verdict.estimate.cycles > 0
