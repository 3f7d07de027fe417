"""What a model is that classifies no images: its inputs, its outputs and its operators tell, and an error says it."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.backends.interface import TensorFacts
from edgecnn_runtime.errors import ModelError
from edgecnn_runtime.model_files.graph_facts import GraphFacts
from edgecnn_runtime.third_party_models.given import Given
from edgecnn_runtime.third_party_models.image_layout import ImageLayout

_TEXT = re.compile(r"input_ids|attention_mask|token|text|query", re.IGNORECASE)
_AUDIO = re.compile(r"mfcc|mel|spectr|audio|wave|fingerprint|sound|speech", re.IGNORECASE)
_STATE = re.compile(r"state|hidden|cell|^[hc](_?\d+|_?(in|prev))?$", re.IGNORECASE)
_EDGE_TPU = "edgetpu-custom-op"
# What makes features: pictures turned into numbers that other programs compare.
_NORMALIZING = frozenset({"L2_NORMALIZATION", "LpNormalization"})
_POOLING = frozenset(
    {"AVERAGE_POOL_2D", "MAX_POOL_2D", "MEAN", "REDUCE_MAX", "RELU", "RELU6", "GlobalAveragePool", "GlobalMaxPool",
     "AveragePool", "MaxPool", "ReduceMean", "Relu", "Clip"}
)  # fmt: skip
# What gives the best scores alone, in the order of their size.
SORTED = frozenset({"TopK", "TOPK_V2"})
# A grey picture this much higher than wide, and this narrow, is rather some coefficients over time.
_ELONGATED, _NARROW = 2.5, 16


def check_inputs(inputs: Sequence[TensorFacts], given: Given) -> None:
    """Make sure that a model takes one thing, which may be an image.

    Raises:
        ModelError: it takes several, text or sound.
    """
    names = ", ".join(tensor.name for tensor in inputs)
    kind = ""
    if any(_TEXT.search(tensor.name) for tensor in inputs) and all("int" in tensor.dtype for tensor in inputs):
        kind = ", the tokens of a text"
    elif len(inputs) > 1 and any(_STATE.search(tensor.name) for tensor in inputs):
        kind = ", with the state of a recurrent network among them"
    elif any(_AUDIO.search(tensor.name) for tensor in inputs):
        kind = ", sound"
    if len(inputs) != 1:
        raise ModelError(f"expected one input, an image, got {len(inputs)} ({names}){kind}")
    (tensor,) = inputs
    is_rows = tensor.shape is not None and len(tensor.shape) == 2 and given.imgsz is None
    if not kind and is_rows and tensor.dtype in ("int32", "int64"):
        kind = ", rows of integers, as the tokens of a text are"
    # Of a tensor of four axes with such a name, the caller may know better.
    if kind and given.colour is None:
        raise ModelError(f"expected images as input, got {names}{kind}; if they are images, add --colour")


def check_image(tensor: TensorFacts, layout: ImageLayout, given: Given) -> None:
    """Make sure that an input with the axes of an image can be one.

    Raises:
        ModelError: it has the shape of a sound's spectrum.
    """
    short, long = sorted((layout.height, layout.width))
    if layout.channels == 1 and short <= _NARROW and long >= _ELONGATED * short and given.colour is None:
        raise ModelError(
            f"input {tensor.name}: expected images, got {layout.height}x{layout.width} numbers, as the spectrum of a "
            "sound has (MFCC); if they are images, add --colour grey"
        )


def check_scores(rows: NDArray[np.float32], last: str, *, has_labels: bool) -> None:
    """Make sure that rows `(N, units)` are the scores of classes, not features of the image.

    Args:
        rows: what came out for some images.
        last: the operator that made them.
        has_labels: whether there are as many labels.

    Raises:
        ModelError: an embedding, or the end of a network without its head.
    """
    units = rows.shape[1]
    unit_length = units > 2 and np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-2) and rows.min() < 0
    advice = "if they are scores of classes, add --output-is logits"
    if last in _NORMALIZING or unit_length:
        raise ModelError(
            f"expected the scores of classes, got an embedding: {units} numbers of length 1, with which images are "
            f"compared; {advice}"
        )
    if last in _POOLING and units > 1 and not has_labels:
        raise ModelError(
            f"expected the scores of classes, got {units} features, as it ends in {last}: a network without its head, "
            f"whose numbers compare images; {advice}"
        )


def describe_outputs(
    tensors: Sequence[TensorFacts], probed: Sequence[NDArray[Any]], facts: GraphFacts, images: int
) -> str:
    """Say what outputs are, none of which is a row of scores per image."""
    if any(tensor.dtype.startswith(("seq(map", "map(")) for tensor in tensors):
        return (
            "expected output (N, classes), that of a classification, got a list of dictionaries (ZipMap); convert the "
            "model again without it, with skl2onnx by options={'zipmap': False}"
        )
    shapes = ", ".join(f"{tensor.name} {raw.shape}" for tensor, raw in zip(tensors, probed, strict=True))
    kind = _kind(tensors, probed, facts, images)
    return (
        f"expected output (N, classes), that of a classification, got {shapes}{kind}; detectors and segmenters are no "
        "classifiers"
    )


def _kind(tensors: Sequence[TensorFacts], probed: Sequence[NDArray[Any]], facts: GraphFacts, images: int) -> str:
    # The axes of what comes out for one image.
    inner = [tuple(size for size in (raw.shape[1:] if raw.shape[:1] == (images,) else raw.shape) if size != 1)
             for raw in probed]  # fmt: skip
    if any(not tensor.dtype.startswith(("float", "int", "uint")) for tensor in tensors):
        return ", text"
    if any(facts.last_operators.get(tensor.name) in SORTED for tensor in tensors):
        return ", the best scores in their order (TopK): convert the model with all of its scores as output"
    if all(axes == () for axes in inner) and all("int" in tensor.dtype for tensor in tensors):
        return ", the number of the class without its scores: convert the model with its scores as output"
    boxes = len(probed) > 1 and any(len(axes) == 2 and axes[-1] == 4 for axes in inner)
    if boxes or any(len(axes) == 2 and max(axes) >= 1000 for axes in inner):
        return ", boxes and what is in each: an object detector"
    if any(len(axes) == 3 or (len(axes) == 2 and min(axes) > 16 and len(probed) == 1 and
                              facts.last_operators.get(tensor.name) in ("Conv", "CONV_2D", "Resize", "Sigmoid"))
           for axes, tensor in zip(inner, tensors, strict=True)):  # fmt: skip
        return ", a value for each place of the image: a segmenter, or a network without its head"
    if any(len(axes) == 2 for axes in inner):
        return ", classes for each of several steps: a text recognizer (CTC)"
    return ""


def custom_operators(names: Sequence[str]) -> str | None:
    """Say what a file needs that has operators of its makers; None where it has none."""
    if _EDGE_TPU in names:
        return (
            "expected a file for the CPU, got one that is compiled for the Coral Edge TPU (edgetpu-custom-op); add "
            "--delegate libedgetpu.so.1, or take the file that it was compiled from"
        )
    flex = [name for name in names if name.startswith("Flex")]
    if flex:
        return (
            f"expected operators of TFLite, got those of TensorFlow ({', '.join(flex[:3])}); convert the model without "
            "SELECT_TF_OPS"
        )
    return f"expected a model without custom operators, got {', '.join(names[:3])}" if names else None
