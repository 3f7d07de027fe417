import json
from pathlib import Path

import numpy as np
import pytest
from conftest import edgecnn, edgecnn_here
from PIL import Image
from tiny_models import tiny_onnx
from tiny_runs import tiny_run

from edgecnn_runtime.errors import ImageError, InputError
from edgecnn_runtime.manifest import Colour, InputSpec
from edgecnn_runtime.workstation.image_set import ImageSet
from edgecnn_runtime.workstation.run_folder import RunFolder
from edgecnn_training.evaluation.opened_model import open_model
from edgecnn_training.explain.explanation import explain_kernel, explain_prediction
from edgecnn_training.explain.sliding_window import parse_kernel
from edgecnn_training.explain.window import Window

SOBEL = "-1,-2,-1;0,0,0;1,2,1"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, small_set: ImageSet) -> RunFolder:
    return tiny_run(tmp_path_factory.mktemp("runs") / "tiny", small_set)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)).save(path)
    return path


@pytest.mark.parametrize(
    ("layer", "drawn", "files"),
    [
        (None, "conv_a", ["conv_a_kernels", "conv_a_block", "occlusion"]),
        ("head", "head", ["head_output", "occlusion"]),
    ],
)
def test_a_layer_of_a_run(
    run: RunFolder, photo: Path, tmp_path: Path, layer: str | None, drawn: str, files: list[str]
) -> None:
    told = explain_prediction(open_model(run.path), photo, layer=layer, output=tmp_path / "out")
    assert told.layer == drawn
    assert [path.stem for path in told.files] == files
    assert all(path.stat().st_size > 5_000 for path in told.files)


def test_a_model_file_tells_only_what_decided(photo: Path, tmp_path: Path) -> None:
    model = open_model(tiny_onnx(tmp_path / "tiny.onnx"))
    told = explain_prediction(model, photo, output=tmp_path / "out")
    assert [path.name for path in told.files] == ["occlusion.png"]
    assert (told.layer, told.layers) == (None, ())
    with pytest.raises(InputError, match="expected a run folder beside --layer"):
        explain_prediction(model, photo, layer="conv", output=tmp_path / "out")


@pytest.mark.parametrize("spec", [None, InputSpec(28, 20, Colour.RGB)])
def test_a_kernel_by_hand(photo: Path, tmp_path: Path, spec: InputSpec | None) -> None:
    file = explain_kernel(photo, parse_kernel(SOBEL), Window(stride=2), spec=spec, output=tmp_path / "out")
    assert file.stat().st_size > 5_000


def test_a_photo_on_its_side_keeps_its_shape(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("L", (60, 3), 128).save(tmp_path / "side.jpg", exif=exif)
    # 60 rows of 3 pixels: a kernel of four columns does not fit.
    with pytest.raises(InputError, match="at most 60x3"):
        explain_kernel(tmp_path / "side.jpg", np.ones((1, 4)), Window(), output=tmp_path)


def test_what_is_no_image(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(ImageError, match=r"text\.png"):
        explain_kernel(tmp_path / "text.png", parse_kernel(SOBEL), Window(), output=tmp_path)


def test_the_command(photo: Path, tmp_path: Path) -> None:
    model = tiny_onnx(tmp_path / "tiny.onnx")
    document = json.loads(edgecnn("explain", model, photo, "--json", cwd=tmp_path))
    assert document["label"] in ("dark", "bright")
    assert document["files"] == [str(Path("explain", "photo", "occlusion.png"))]


def test_the_command_with_a_kernel(photo: Path, tmp_path: Path) -> None:
    edgecnn_here("explain", photo, "--kernel", SOBEL, "--padding", "same", "--pool", "3", cwd=tmp_path)
    assert (tmp_path / "explain" / "photo" / "sliding_window.png").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "expected an image after the run"),
        (["--kernel", "1,2;3"], "rows of equal length"),
        (["--kernel", SOBEL, "--layer", "conv"], "expected --layer or --kernel"),
    ],
)
def test_wrong_usage(photo: Path, options: list[str], message: str) -> None:
    assert message in edgecnn_here("explain", photo, *options, code=2)
