"""Put the manifest inside an ONNX file: `metadata_props`."""

import onnx

from edgecnn_runtime.manifest import ONNX_KEY, Manifest


def embed_in_onnx(content: bytes, manifest: Manifest) -> bytes:
    """Return the ONNX file with the manifest and, for other readers, the labels as a comma-separated list."""
    model = onnx.load_from_string(content)
    onnx.helper.set_model_props(model, {ONNX_KEY: manifest.to_json(), "labels": ",".join(manifest.labels)})
    model.producer_name = "edgecnn"
    model.producer_version = manifest.versions.get("edgecnn", "")
    embedded: bytes = model.SerializeToString()
    return embedded
