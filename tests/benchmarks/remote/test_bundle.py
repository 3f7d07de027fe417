import json
import shutil
from pathlib import Path

import onnx
import pytest
from PIL import Image
from tiny_models import tiny_onnx

from edgecnn_benchmarks.measuring.candidates import Candidate, read_subject
from edgecnn_benchmarks.measuring.labelled_images import SPLIT, FolderImages, PreparedImages
from edgecnn_benchmarks.remote.bundle import Bundle, pack
from edgecnn_benchmarks.settings import BenchSettings
from edgecnn_runtime.backends import open_backend
from edgecnn_runtime.errors import DataError
from edgecnn_runtime.workstation.run_folder import RunFolder

_SETTINGS = BenchSettings()


def _unpack(bundle: Bundle, folder: Path) -> Path:
    """Lay the files out as the other machine does."""
    for name, path in bundle.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, folder / name)
    return folder


def test_a_run_reads_there_as_it_does_here(tiny_run: RunFolder, tmp_path: Path) -> None:
    bundle = pack([tiny_run.path], data=None, settings=_SETTINGS, scratch=tmp_path)
    there = _unpack(bundle, tmp_path / "there")
    subject = read_subject([there / target for target in bundle.targets], data=there / (bundle.data or ""))
    here = read_subject([tiny_run.path], data=None)
    assert subject.name == here.name
    assert [item.name for item in subject.candidates] == [item.name for item in here.candidates]
    assert isinstance(subject.images, PreparedImages)
    assert isinstance(here.images, PreparedImages)
    sent, kept = subject.images.prepared, here.images.prepared
    assert sent.fingerprint == kept.fingerprint
    assert list(sent.splits) == [SPLIT]
    assert (sent.split(SPLIT).images == kept.split(SPLIT).images).all()
    assert subject.images.keras_probabilities is not None
    assert bundle.extras == {"onnx": ("onnxruntime",)}


def test_model_files_keep_the_names_that_tell_them_apart(tmp_path: Path) -> None:
    models = []
    for folder in ("a", "b c"):
        (tmp_path / folder).mkdir()
        models.append(tiny_onnx(tmp_path / folder / "same.onnx"))
    for label in ("dark", "bright"):
        (tmp_path / "images" / label).mkdir(parents=True)
        Image.new("L", (9, 9)).save(tmp_path / "images" / label / "ü 1.png")
        (tmp_path / "images" / label / "notes.txt").write_text("not an image")
    bundle = pack(models, data=tmp_path / "images", settings=_SETTINGS, scratch=tmp_path)
    there = _unpack(bundle, tmp_path / "there")
    subject = read_subject([there / target for target in bundle.targets], data=there / (bundle.data or ""))
    assert [item.name for item in subject.candidates] == ["a/same.onnx", "b c/same.onnx"]
    assert isinstance(subject.images, FolderImages)
    sent = {path.name for path in subject.images.folder.rglob("*.*")}
    assert sent == {"ü 1.png"}


def test_weights_beside_a_model_go_with_it(tmp_path: Path) -> None:
    model = tiny_onnx(tmp_path / "m.onnx")
    onnx.save(onnx.load(model), model, save_as_external_data=True, location="m.onnx.data", size_threshold=64)
    bundle = pack([model], data=None, settings=_SETTINGS, scratch=tmp_path)
    there = _unpack(bundle, tmp_path / "there")
    (item,) = read_subject([there / target for target in bundle.targets], data=None).candidates
    assert item.size_bytes == model.stat().st_size + (tmp_path / "m.onnx.data").stat().st_size
    assert item.gzip_bytes > Candidate(tmp_path / "m.onnx.data", "weights", "weights", "weights").gzip_bytes
    open_backend(item.path)


def test_its_name_tells_what_is_measured_and_how(tiny_run: RunFolder, tmp_path: Path) -> None:
    def name(**settings: int) -> str:
        return pack([tiny_run.path], data=None, settings=BenchSettings(**settings), scratch=tmp_path).name

    assert name() == name()
    assert name() != name(runs=51)
    (tmp_path / "wheel").write_text("code")
    bundle = pack([tiny_run.path], data=None, settings=_SETTINGS, scratch=tmp_path)
    assert bundle.adding({"wheel/edgecnn.whl": tmp_path / "wheel"}).name != bundle.name
    json.dumps(bundle.job(host="pi"))


def test_what_cannot_be_measured_is_found_before_anything_is_sent(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not found; expected a prepared set"):
        pack([tiny_onnx(tmp_path / "a.onnx")], data=tmp_path / "absent", settings=_SETTINGS, scratch=tmp_path)
