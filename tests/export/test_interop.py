"""Every exported file opens in the interpreters of others, older ones among them, and gives the same labels there."""

import dataclasses
from pathlib import Path
from typing import Any

import needs
import numpy as np
import pytest
from format_content import content_of
from needs import Need
from numpy.typing import NDArray

from edgecnn_export.formats import FORMATS, INT8_TFLITE, Io
from edgecnn_export.tflite import quantize
from edgecnn_runtime.system.native_output import native_output_kept
from edgecnn_runtime.workstation.run_folder import RunFolder, open_run_data

INTEROP = Path(__file__).parents[2] / "benchmarks" / "peers" / "interop"
# Engines round in their own ways: the label is asked for where the winner leads by two steps of int8 at least.
CLEAR = 2 / 256
# Integers throughout; the 16-bit last layer of `--io int8` needs LiteRT 2.1.3, OpenVINO or TFLite-Micro.
EIGHT_BITS = dataclasses.replace(INT8_TFLITE, io=Io.EDGE_TPU)

with pytest.MonkeyPatch.context() as patch:
    patch.syspath_prepend(INTEROP)
    import ask
    import engines
    import environments


@pytest.fixture(scope="module")
def images(exported_run: RunFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fifty test images."""
    path = tmp_path_factory.mktemp("images") / "images.npy"
    np.save(path, np.asarray(open_run_data(exported_run.read_record()).split("test").images[::20]))
    return path


@pytest.fixture(scope="module")
def files(exported_run: RunFolder, images: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A file of every format, by its name, and int8 with the last layer of a network of many classes."""
    import keras

    folder = tmp_path_factory.mktemp("more")
    integers, wide = folder / "digits_int8-edgetpu.tflite", folder / "digits_int8-wide.tflite"
    with native_output_kept(), pytest.MonkeyPatch.context() as patch:
        network = exported_run.load_model(keras)
        integers.write_bytes(content_of(network, EIGHT_BITS, np.load(images)))
        patch.setattr(quantize, "_MANY_WEIGHTS", 0)
        wide.write_bytes(content_of(network, INT8_TFLITE, np.load(images)))
    exported = {fmt.name: exported_run.exported(fmt.form, fmt.suffix) for fmt in FORMATS.values()}
    return {**exported, EIGHT_BITS.name: integers, "tflite-int8-wide": wide}


@pytest.fixture(scope="module")
def expected(files: dict[str, Path], images: Path) -> dict[str, NDArray[np.float32]]:
    """The probabilities of our own engines, of today."""
    from edgecnn_runtime.backends import open_backend

    return {name: open_backend(path).infer(np.load(images)) for name, path in files.items()}


def _id(row: Any) -> str:
    return str(row.name if isinstance(row, engines.Engine) else row.version)


@pytest.mark.parametrize(("engine", "release"), engines.ci_releases(), ids=_id)
def test_every_file_opens_with_the_same_labels(
    engine: Any,
    release: Any,
    files: dict[str, Path],
    images: Path,
    expected: dict[str, NDArray[np.float32]],
    tmp_path: Path,
) -> None:
    if environments.version(engine, release) is None:
        needs.skip(Need.PACKAGE, "make interop-ci")
    names = [name for name, path in files.items() if path.suffix in engine.suffixes]
    requests = [ask.Request(files[name], images, tmp_path / f"{name}.npy") for name in names]
    answers = dict(zip(names, ask.ask(engine, release, requests), strict=True))
    assert {name: answer["error"] for name, answer in answers.items() if answer["error"]} == {}
    for name, request in zip(names, requests, strict=True):
        right, found = expected[name], np.load(request.probabilities)
        second, first = np.sort(right, axis=1)[:, -2:].T
        clear = first - second >= CLEAR
        assert clear.mean() > 0.9
        np.testing.assert_array_equal(found.argmax(axis=1)[clear], right.argmax(axis=1)[clear], err_msg=name)
