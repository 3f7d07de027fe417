import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
from tiny_models import tiny_onnx

from edgecnn_benchmarks.measuring.candidates import name_candidates, read_subject
from edgecnn_benchmarks.measuring.labelled_images import FolderImages, PreparedImages
from edgecnn_runtime.errors import DataError, InputError
from edgecnn_runtime.workstation.run_folder import RunFolder


@pytest.mark.parametrize(
    ("paths", "names", "labels"),
    [
        (["r/m_int8.tflite"], ["m_int8.tflite"], ["int8.tflite"]),
        (["r/m_int8.tflite", "r/m_int8.onnx"], ["m_int8.tflite", "m_int8.onnx"], ["int8.tflite", "int8.onnx"]),
        (
            ["r/m_int8.tflite", "r/m_pruned_qat_int8.tflite"],
            ["m_int8.tflite", "m_pruned_qat_int8.tflite"],
            ["int8.tflite", "pruned_qat_int8.tflite"],
        ),
        (["a.tflite", "b_int8.tflite"], ["a.tflite", "b_int8.tflite"], ["a.tflite", "b_int8.tflite"]),
        (["/x/m.onnx", "/y/m.onnx"], ["x/m.onnx", "y/m.onnx"], ["x/m.onnx", "y/m.onnx"]),
        (["/x/m.onnx", "/x/m.onnx"], ["x/m.onnx", "x/m.onnx #2"], ["x/m.onnx", "x/m.onnx #2"]),
    ],
)
def test_names_are_unlike_and_labels_short(paths: list[str], names: list[str], labels: list[str]) -> None:
    candidates = name_candidates([Path(path) for path in paths])
    assert [candidate.name for candidate in candidates] == names
    assert [candidate.label for candidate in candidates] == labels


def test_run_brings_its_files_its_images_and_the_keras_answers(tiny_run: RunFolder) -> None:
    (tiny_run.export / "labels.txt").write_text("dark\nbright\n")
    subject = read_subject([tiny_run.path], data=None)
    assert [candidate.label for candidate in subject.candidates] == ["float16.onnx", "float32.onnx", "int8.onnx"]
    assert subject.folder == tiny_run.bench
    assert isinstance(subject.images, PreparedImages)
    assert subject.images.keras_probabilities is not None
    assert subject.images.keras_probabilities.shape == (100, 2)


def test_other_data_bring_no_keras_answers(tiny_run: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "dark").mkdir()
    subject = read_subject([tiny_run.path], data=tmp_path)
    assert subject.images == FolderImages(tmp_path)
    assert subject.images.keras_probabilities is None


def copy_of(run: RunFolder, folder: Path) -> RunFolder:
    shutil.copytree(run.path, folder)
    return RunFolder(folder)


def test_changed_data_are_refused(tiny_run: RunFolder, tmp_path: Path) -> None:
    run = copy_of(tiny_run, tmp_path / "run")
    run.write_record(dataclasses.replace(run.read_record(), data_fingerprint="0" * 64))
    with pytest.raises(DataError, match="fingerprint 000000000000"):
        read_subject([run.path], data=None)


def test_keras_answers_of_another_set_are_refused(tiny_run: RunFolder, tmp_path: Path) -> None:
    run = copy_of(tiny_run, tmp_path / "run")
    np.save(run.test_probabilities, np.zeros((7, 2), np.float32))
    with pytest.raises(InputError, match=r"expected probabilities \(100, 2\), got \(7, 2\)"):
        read_subject([run.path], data=None)


def test_damaged_keras_answers_are_refused(tiny_run: RunFolder, tmp_path: Path) -> None:
    run = copy_of(tiny_run, tmp_path / "run")
    run.test_probabilities.write_bytes(b"\x93NUMPY")
    with pytest.raises(InputError, match="got a damaged file"):
        read_subject([run.path], data=None)


def test_what_cannot_be_measured(tiny_run: RunFolder, tmp_path: Path) -> None:
    model = tiny_onnx(tmp_path / "m.onnx")
    picture = tmp_path / "picture.png"
    picture.touch()
    for targets, data, message in (
        ([], None, "got nothing"),
        ([tmp_path, model], None, "expected one run folder or model files"),
        ([tmp_path / "absent.onnx"], None, "not found; expected a run folder"),
        ([picture], None, "got .png"),
        ([tmp_path], None, "expected a run folder with run.json, got none"),
        ([model], tmp_path / "absent", "not found; expected a prepared set"),
    ):
        with pytest.raises(InputError, match=message):
            read_subject(targets, data=data)


def test_run_without_exported_files(tiny_run: RunFolder, tmp_path: Path) -> None:
    run = copy_of(tiny_run, tmp_path / "run")
    shutil.rmtree(run.export)
    with pytest.raises(InputError, match="edgecnn export"):
        read_subject([run.path], data=None)
