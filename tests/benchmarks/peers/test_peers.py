"""`make peers`: the same network in every form, a process a peer, and a line for each that is not there."""

from pathlib import Path

import needs
import numpy as np
import pytest
from PIL import Image

from edgecnn_export.onnx.manifest import embed_in_onnx
from edgecnn_export.tflite.manifest import embed_in_tflite
from edgecnn_runtime import Classifier, Colour, InputSpec, Manifest
from edgecnn_runtime.golden import golden_images
from edgecnn_runtime.manifest import Scheme

PEERS = Path(__file__).parents[3] / "benchmarks" / "peers"
SPEC = InputSpec(32, 48, Colour.RGB)
LABELS = ("crack", "dent", "whole")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small network as files and in Keras."""
    import keras

    from edgecnn_export.onnx.convert import export_onnx
    from edgecnn_export.tflite.convert import export_tflite
    from edgecnn_runtime.system.native_output import native_output_kept

    network = keras.Sequential(
        [
            keras.Input(SPEC.shape, name="pixels"),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(3, 1, strides=2, activation="relu"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    # The class is the strongest colour, so that whoever swaps red and blue is found out.
    network.set_weights([np.eye(3)[None, None], np.zeros(3), 8 * np.eye(3), np.zeros(3)])
    folder = tmp_path_factory.mktemp("peers")
    manifest = Manifest("parts", LABELS, SPEC, Scheme.FLOAT32)
    with native_output_kept():
        for scheme in (Scheme.FLOAT32, Scheme.INT8):
            content = export_tflite(network, scheme, calibration=golden_images(SPEC))
            written = embed_in_tflite(content, Manifest("parts", LABELS, SPEC, scheme))
            (folder / f"parts_{scheme}.tflite").write_bytes(written)
        (folder / "parts.onnx").write_bytes(embed_in_onnx(export_onnx(network, Scheme.FLOAT32, opset=17), manifest))
    network.save(folder / "model.keras")
    return folder


@pytest.fixture
def files(exported: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    monkeypatch.syspath_prepend(PEERS)
    from channels_first import write_channels_first
    from peer_software import Files

    first = exported / "channels_first.onnx"
    write_channels_first(exported / "parts.onnx", first, labels=LABELS, height=SPEC.height, width=SPEC.width)
    return Files(
        tflite=exported / f"parts_{Scheme.FLOAT32}.tflite",
        tflite_int8=exported / f"parts_{Scheme.INT8}.tflite",
        onnx=exported / "parts.onnx",
        onnx_channels_first=first,
        keras=exported / "model.keras",
        height=SPEC.height,
        width=SPEC.width,
    )


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    generator = np.random.default_rng(0)
    paths = [tmp_path / f"{number:02}.jpg" for number in range(6)]
    for number, path in enumerate(paths):
        coarse = generator.integers(0, 128, (3, 3, 3), np.uint8)
        coarse[..., number % 3] += 100
        Image.fromarray(coarse).resize((SPEC.width, SPEC.height), Image.Resampling.BICUBIC).save(path, quality=95)
    return paths


def test_channels_first_changes_the_input_and_nothing_else(files) -> None:  # type: ignore[no-untyped-def]
    import onnxruntime

    ours = Classifier.open(files.onnx)
    theirs = onnxruntime.InferenceSession(files.onnx_channels_first, providers=["CPUExecutionProvider"])
    (entry,) = theirs.get_inputs()
    assert (entry.name, entry.shape) == ("images", [1, 3, SPEC.height, SPEC.width])
    for pixels in golden_images(SPEC):
        (found,) = theirs.run(None, {"images": (pixels.transpose(2, 0, 1)[None] / 255).astype(np.float32)})
        np.testing.assert_allclose(found[0], ours.predict_proba(pixels), atol=1e-5)


@pytest.mark.parametrize(
    "name",
    ["edgecnn", "edgecnn, one file after the other", "LiteRT", "ONNX Runtime", "OpenCV dnn", "TFLite Micro, int8"],
)
def test_a_peer_names_the_classes_that_edgecnn_names(name: str, files, photos: list[Path]) -> None:  # type: ignore[no-untyped-def]
    from peer_software import PEERS as LISTED

    if name.startswith("TFLite Micro"):
        needs.package("tflite_micro", "tflite-micro")
    if name.startswith("OpenCV"):
        needs.package("cv2", "edgecnn[camera]")
    classifier = Classifier.open(files.tflite_int8 if "int8" in name else files.tflite)
    expected = [LABELS.index(classifier.predict(path).label) for path in photos]
    assert expected == [0, 1, 2, 0, 1, 2]
    (listed,) = (peer for peer in LISTED if peer.name == name)
    peer = listed.open(files, 1)
    assert [peer.classify(np.asarray(Image.open(path))) for path in photos] == expected
    if listed.folder:
        assert peer.classify_folder(photos) == expected


def test_a_process_answers_and_a_missing_package_is_named(files, photos: list[Path], monkeypatch) -> None:  # type: ignore[no-untyped-def]
    from peer_process import PeerMissingError, PeerProcess

    process = PeerProcess("LiteRT", files, 1)
    try:
        answer = process.folder(photos)
        assert answer.seconds > 0
        assert len(answer.classes) == len(photos)
        with pytest.raises(PeerMissingError, match=r"failed: FileNotFoundError"):
            process.folder([Path("none.jpg")])
    finally:
        process.close()
    # A package of that name that cannot be imported, first on the path of the new process.
    (photos[0].parent / "mediapipe.py").write_text("raise ImportError('broken here')")
    monkeypatch.syspath_prepend(photos[0].parent)
    with pytest.raises(PeerMissingError, match=r"not installed here \(pip install mediapipe\): broken here"):
        PeerProcess("MediaPipe Tasks", files, 1)


def test_the_page_has_a_line_of_each_peer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(PEERS)
    import argparse

    from compare import Table, _folder_lines, _one_lines

    one = Table(
        {"edgecnn": [0.01, 0.01], "LiteRT": [0.01, 0.012]}, {"MediaPipe Tasks": "not\ninstalled"}, {"edgecnn": 1}
    )
    text = "\n".join(_one_lines(one, "mine"))
    assert "| LiteRT | 11.0 (10.0…12.0) | 1.10 (1.00…1.20) | feeds noise |" in text
    assert "| MediaPipe Tasks | not installed | | |" in text
    rates = {"edgecnn": [95.0, 90.0], "LiteRT": [50.0, 45.0], "decoding": [200.0, 200.0], "inference": [200.0, 200.0]}
    folder = Table(rates, {}, {"edgecnn": 1.0, "LiteRT": 0.5})
    text = "\n".join(_folder_lines(folder, argparse.Namespace(files=20, threads=2, rounds=2)))
    assert "| the limit | 100 (100…100) | | | |" in text
    assert "| LiteRT | 47.5 (45.0…50.0) | 0.475 (0.450…0.500) | 1.95 (1.90…2.00) | 50.0 % |" in text


def test_a_run_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(PEERS)
    import compare

    output = tmp_path / "PEERS.md"
    monkeypatch.setattr("sys.argv", ["compare.py", "--run", str(tmp_path / "none"), "--output", str(output)])
    with pytest.raises(SystemExit, match=r"expected a finished run; train one with 'edgecnn train"):
        compare.main()
    assert not output.exists()
