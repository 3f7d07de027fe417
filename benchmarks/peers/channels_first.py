"""The same ONNX network behind the input that other software feeds: float32 `(1, 3, height, width)`, 0…1."""

from pathlib import Path

import onnx
from onnx import TensorProto, helper


def write_channels_first(model: Path, output: Path, *, labels: tuple[str, ...], height: int, width: int) -> None:
    """Put two nodes in front of an exported file: times 255, and the channels last.

    Weights and all else stay as they are. The metadata is what Ultralytics reads of a classifier.

    Args:
        model: an exported ONNX file, which takes `pixels` `(N, height, width, 3)`, 0…255.
        output: the file to write.
        labels: of the classes.
        height: of the images, in pixels.
        width: of the images, in pixels.
    """
    proto = onnx.load(model)
    graph, (entry,) = proto.graph, proto.graph.input
    # The numbers are as the importer of OpenCV wants them: fixed, with a batch of one.
    pixels = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, height, width])
    graph.initializer.append(helper.make_tensor("to_bytes", TensorProto.FLOAT, [], [255.0]))
    graph.node.insert(0, helper.make_node("Mul", ["images", "to_bytes"], ["images_255"]))
    graph.node.insert(1, helper.make_node("Transpose", ["images_255"], [entry.name], perm=[0, 2, 3, 1]))
    graph.input.remove(entry)
    graph.input.insert(0, pixels)
    graph.output[0].type.tensor_type.shape.dim[0].dim_value = 1
    del graph.value_info[:]
    del proto.metadata_props[:]
    names = dict(enumerate(labels))
    known = {"task": "classify", "names": names, "imgsz": [height, width], "stride": 1, "batch": 1, "channels": 3}
    helper.set_model_props(proto, {key: str(value) for key, value in known.items()})
    onnx.checker.check_model(proto)
    onnx.save(proto, output)
