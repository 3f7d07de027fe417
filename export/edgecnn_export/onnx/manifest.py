"""Put the manifest inside an ONNX file: `metadata_props`."""

import dataclasses

import onnx

from edgecnn_runtime.manifest import ONNX_KEY, Manifest
from edgecnn_runtime.model_files.onnx_file import crc_of_onnx
from edgecnn_runtime.model_files.whole import sealed


def embed_in_onnx(content: bytes, manifest: Manifest) -> bytes:
    """Return the ONNX file with the manifest and, for other readers, the labels as a comma-separated list."""
    model = onnx.load_from_string(content)
    onnx.helper.set_model_props(model, {"labels": ",".join(manifest.labels)})
    model.producer_name = "edgecnn"
    model.producer_version = manifest.versions.get("edgecnn", "")
    manifest = dataclasses.replace(manifest, content_crc32=None)
    model.metadata_props.add(key=ONNX_KEY, value=sealed(manifest, crc_of_onnx(model.SerializeToString())))
    embedded: bytes = model.SerializeToString()
    return embedded
