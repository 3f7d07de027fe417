"""The same trained networks through the plain converters, with nothing of ours: TensorFlow's, tf2onnx, ONNX Runtime's.

    python control.py mnist

What fails in an engine for these, too, is not for our files to mend.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from subjects import ALL_FORMATS, Subject

from edgecnn_export.formats import Format, Io
from edgecnn_runtime.manifest import Scheme
from edgecnn_runtime.system.native_output import native_output_kept

OPSET = 17


def main(recipe: str) -> None:
    """Write the controls of a recipe; say which a converter refuses."""
    with native_output_kept():
        import keras
        import tensorflow as tf

    subject = Subject(recipe)
    images = subject.calibration_images()
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as folder:
        model = subject.run.load_model(keras)
        # One image at a time for TFLite, as devices want it; ONNX as it comes.
        saved, any_batch, onnx_file = (Path(folder) / name for name in ("saved", "any_batch", "float32.onnx"))
        one = keras.InputSpec(shape=(1, *images.shape[1:]), dtype="float32")
        with native_output_kept():
            model.export(saved, input_signature=[one], verbose=False)
            model.export(any_batch, verbose=False)
        _tf2onnx(any_batch, onnx_file)
        for fmt in ALL_FORMATS:
            target = subject.control(fmt)
            target.parent.mkdir(exist_ok=True)
            target.unlink(missing_ok=True)
            try:
                with native_output_kept():
                    if fmt.suffix == ".tflite":
                        target.write_bytes(_tflite(tf, saved, fmt, images))
                    else:
                        _onnx(onnx_file, target, fmt.scheme, images)
            # Converters raise anything.
            except Exception as error:
                print(f"{target.name}: no control: {str(error).splitlines()[0]}", flush=True)


def _tflite(tf, saved: Path, fmt: Format, images: NDArray[np.uint8]) -> bytes:  # type: ignore[no-untyped-def]
    """Convert as TensorFlow's guide to post-training quantization does."""
    converter = tf.lite.TFLiteConverter.from_saved_model(str(saved))
    if fmt.scheme is not Scheme.FLOAT32:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if fmt.scheme is Scheme.FLOAT16:
        converter.target_spec.supported_types = [tf.float16]
    if fmt.needs_calibration:
        converter.representative_dataset = lambda: ([image[None].astype(np.float32)] for image in images)
        sets = tf.lite.OpsSet
        if fmt.scheme is Scheme.INT16X8:
            converter.target_spec.supported_ops = [sets.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8]
        else:
            converter.target_spec.supported_ops = [sets.TFLITE_BUILTINS_INT8]
            dtype = tf.uint8 if fmt.io is Io.UINT8 else tf.int8
            converter.inference_input_type = converter.inference_output_type = dtype
    return converter.convert()


def _tf2onnx(saved: Path, target: Path) -> None:
    """Convert in a process of its own, as its guide does."""
    import subprocess

    command = [sys.executable, "-m", "tf2onnx.convert", "--saved-model", str(saved), "--output", str(target)]
    subprocess.run([*command, "--opset", str(OPSET)], check=True, capture_output=True)


def _onnx(source: Path, target: Path, scheme: Scheme, images: NDArray[np.uint8]) -> None:
    """Copy, halve or quantize as ONNX Runtime's guides do."""
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process
    from onnxruntime.transformers.float16 import convert_float_to_float16

    model = onnx.load(source)
    if scheme is Scheme.FLOAT32:
        onnx.save(model, target)
    elif scheme is Scheme.FLOAT16:
        onnx.save(convert_float_to_float16(model, keep_io_types=True), target)
    else:
        name = model.graph.input[0].name

        class Reader(CalibrationDataReader):  # type: ignore[misc]
            def __init__(self) -> None:
                self._rest: Iterator[NDArray[np.uint8]] = iter(images)

            def get_next(self) -> dict[str, NDArray[np.float32]] | None:
                image = next(self._rest, None)
                return None if image is None else {name: image[None].astype(np.float32)}

        prepared = source.with_name("prepared.onnx")
        quant_pre_process(source, prepared)
        types = {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8}
        quantize_static(prepared, target, Reader(), quant_format=QuantFormat.QDQ, per_channel=True, **types)


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main(sys.argv[1])
