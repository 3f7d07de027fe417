"""The network of a TFLite file and nothing else, as a microcontroller's flash should hold it."""

from typing import Any

from edgecnn_export.tflite.flatbuffer import pack, unpack


def bare_network(content: bytes) -> bytes:
    """Return a TFLite model that computes the same, without names, metadata, signatures and appended files.

    A tensor without contents of its own needs no entry in the table of buffers either. TensorFlow's `strip_strings`
    removes the names likewise; in the smallest networks all this is half of the file.
    """
    model = unpack(content)
    model.description = model.metadata = model.metadataBuffer = model.signatureDefs = None
    buffers = [model.buffers[0]]  # the first one is empty: the schema says so
    for subgraph in model.subgraphs:
        subgraph.name = None
        for tensor in subgraph.tensors:
            tensor.name = None
            buffer = model.buffers[tensor.buffer]
            if _is_empty(buffer):
                tensor.buffer = 0
            else:
                tensor.buffer = len(buffers)
                buffers.append(buffer)
    model.buffers = buffers
    return pack(model)


def _is_empty(buffer: Any) -> bool:
    return buffer.data is None or len(buffer.data) == 0
