"""The files that are opened: five recipes in every form that is exported, and the plain converters' beside them."""

import dataclasses
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from engines import ONNX, TFLITE
from environments import BUILD
from numpy.typing import NDArray

from edgecnn_export.formats import ALL_INTEGER, FORMATS, INT8_TFLITE, Format, Io
from edgecnn_export.int8.calibration import choose_calibration
from edgecnn_runtime.system import atomic_files
from edgecnn_runtime.workstation.run_folder import RunFolder, open_run_data

ROOT = Path(__file__).parents[3]
IMAGES = 100
EDGE_TPU = dataclasses.replace(INT8_TFLITE, io=Io.EDGE_TPU)
ALL_FORMATS = (*FORMATS.values(), ALL_INTEGER, EDGE_TPU)
# In the order of the page's columns.
FORMS = {
    TFLITE: ("float32", "float16", "dynamic", "int8", "int8-signed", "int8-edgetpu", "int16x8"),
    ONNX: ("float32", "float16", "int8"),
}

# A short training gives labels that mean something; whether a file opens does not depend on it.
TRAINING = {
    "mnist": ("mnist", "--epochs", "2"),
    "signs": ("signs", "--epochs", "20"),
    "casting-mobilenetv2": ("casting-mobilenetv2", "--epochs", "1"),
    "chinese-mnist": ("chinese-mnist", "--epochs", "2"),  # the one with a wide last layer
    "small-cnn": ("small-cnn", "--data", "$EDGECNN_DATA/casting", "--epochs", "6"),
}


@dataclass(frozen=True)
class File:
    """One file that engines open."""

    recipe: str
    suffix: str
    form: str
    control: bool  # whether the plain converter made it
    path: Path

    @property
    def name(self) -> str:
        """Some words for a log."""
        return f"{self.recipe} {self.suffix} {self.form}{' (control)' if self.control else ''}"

    @cached_property
    def digest(self) -> str:
        """SHA-256 of its content, or "" where there is none."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest() if self.path.exists() else ""


class Subject:
    """One recipe: its run, its exported files, its images."""

    def __init__(self, recipe: str) -> None:
        self.recipe = recipe
        self.run = RunFolder(BUILD / "runs" / recipe)
        self.images = self.run.path / "interop_images.npy"
        self.keras_labels = self.run.path / "interop_labels.npy"
        self._made = self.run.path / "interop_made.json"

    def make(self, *, fresh: bool = False) -> None:
        """Train, export and convert what is missing; export again where the exporter has changed."""
        if not self.run.record.exists():
            words = (os.path.expandvars(word) for word in TRAINING[self.recipe])
            _edgecnn("train", *words, "--overwrite", "--output", self.run.path)
        made = json.loads(self._made.read_text()) if self._made.exists() and not fresh else {}
        export_code = _digest((ROOT / "export").rglob("*.py"))
        if made.get("export") != export_code:
            # Whatever int8 loses: it is compared with other engines, not judged.
            export = ("export", self.run.path, "--max-drop", "100")
            _edgecnn(*export, "--all")
            for io in ("int8", "edgetpu"):
                _edgecnn(*export, "--format", "tflite-int8", "--io", io)
            self._keep_images()
        script = Path(__file__).with_name("control.py")
        control_code = _digest([script])
        if made.get("control") != control_code:
            subprocess.run([sys.executable, str(script), self.recipe], check=True)
        atomic_files.write_json(self._made, {"export": export_code, "control": control_code})

    def files(self) -> list[File]:
        """Return ours and the controls, ours first."""
        return [
            self._file(fmt, control=control)
            for control in (False, True)
            for suffix, forms in FORMS.items()
            for form in forms
            for fmt in ALL_FORMATS
            if (fmt.suffix, fmt.form) == (suffix, form)
        ]

    def control(self, fmt: Format) -> Path:
        """Return the path of what the plain converter makes of a format."""
        return self.run.path / "control" / f"{self.recipe}_{fmt.form}{fmt.suffix}"

    def calibration_images(self) -> NDArray[np.uint8]:
        """Return the images that our int8 files are calibrated on."""
        record = self.run.read_record()
        image_set = open_run_data(record)
        training, _ = record.division_of(image_set).divide(image_set)
        return choose_calibration(training, images=None, seed=0).images

    def _file(self, fmt: Format, *, control: bool) -> File:
        path = self.control(fmt) if control else self.run.exported(fmt.form, fmt.suffix)
        return File(self.recipe, fmt.suffix, fmt.form, control, path)

    def _keep_images(self) -> None:
        test = open_run_data(self.run.read_record()).split("test")
        chosen = np.unique(np.linspace(0, len(test) - 1, IMAGES).astype(int))
        np.save(self.images, np.asarray(test.images[chosen]))
        np.save(self.keras_labels, np.load(self.run.test_probabilities)[chosen].argmax(axis=1))


def with_metadata(file: File) -> Path:
    """Copy a control and put labels and metadata inside, without which some engines open no file."""
    from edgecnn_export.tflite.manifest import embed_in_tflite
    from edgecnn_runtime import Classifier

    target = file.path.with_name(f"{file.path.stem}_metadata{file.path.suffix}")
    ours = RunFolder(BUILD / "runs" / file.recipe).exported("float32", TFLITE)
    target.write_bytes(embed_in_tflite(file.path.read_bytes(), Classifier.open(ours).manifest))
    return target


def _edgecnn(*words: str | Path) -> None:
    command = [sys.executable, "-m", "edgecnn", *map(str, words), "--quiet"]
    subprocess.run(command, check=True, cwd=ROOT)


def _digest(code: Iterable[Path]) -> str:
    """Return the SHA-256 of the code that makes some files."""
    digest = hashlib.sha256()
    for path in sorted(code):
        digest.update(path.read_bytes())
    return digest.hexdigest()
