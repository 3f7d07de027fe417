"""Tiny ONNX classifiers that the runtime opens like exported ones, made in milliseconds without TensorFlow."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edgecnn_runtime.golden import golden_images
from edgecnn_runtime.manifest import ONNX_KEY, Colour, GoldenCheck, InputSpec, Manifest, Scheme

GREY_8 = InputSpec(8, 8, Colour.GREY)


def tiny_onnx(
    path: Path,
    *,
    labels: Sequence[str] = ("dark", "bright"),
    spec: InputSpec = GREY_8,
    scheme: Scheme = Scheme.FLOAT32,
    layers: int = 0,
    manifest: bool = True,
    golden: bool = False,
) -> Path:
    """Write a classifier that names an image by its mean: class 0 for the darkest, the last for the brightest.

    The graph is that of an exported file: `pixels` float32 `(N, height, width, channels)`, 0…255, in,
    `probabilities` `(N, classes)` out.

    Args:
        path: the `.onnx` file.
        labels: class names, two or more.
        spec: the image it takes.
        scheme: what the manifest says; the weights are float32 all the same.
        layers: dense layers that change nothing, each as wide as the image, to make it slower and larger.
        manifest: whether the file carries one.
        golden: whether the manifest carries a golden check.
    """
    count, values = len(labels), int(np.prod(spec.shape))
    # Class k answers (k + ½)/count·mean·2 - ((k + ½)/count)², in which the nearest (k + ½)/count wins.
    centres = (np.arange(count) + 0.5) / count
    weights = {
        "scale": np.array(1 / 255, np.float32),
        "shape": np.array([-1, values], np.int64),
        "mean_to_class": np.tile(200 * centres / values, (values, 1)).astype(np.float32),
        "offset": (-100 * centres**2).astype(np.float32),
    }
    nodes = [
        helper.make_node("Mul", ["pixels", "scale"], ["scaled"]),
        helper.make_node("Reshape", ["scaled", "shape"], ["hidden_0"]),
    ]
    for layer in range(layers):
        weights[f"identity_{layer}"] = np.eye(values, dtype=np.float32)
        nodes.append(helper.make_node("MatMul", [f"hidden_{layer}", f"identity_{layer}"], [f"hidden_{layer + 1}"]))
    nodes += [
        helper.make_node("Gemm", [f"hidden_{layers}", "mean_to_class", "offset"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        path.stem,
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["N", *spec.shape])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", count])],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    if manifest:
        check = GoldenCheck(tuple(map(tuple, _computed(model, golden_images(spec)))), 0.01) if golden else None
        content = Manifest(name=path.stem, labels=tuple(labels), input=spec, scheme=scheme, golden=check)
        helper.set_model_props(model, {ONNX_KEY: content.to_json()})
    onnx.save(model, path)
    return path


def _computed(model: onnx.ModelProto, pixels: NDArray[np.uint8]) -> list[list[float]]:
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (probabilities,) = session.run(None, {"pixels": pixels.astype(np.float32)})
    return probabilities.tolist()
