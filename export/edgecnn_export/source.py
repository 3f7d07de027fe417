"""What every file of one export starts from: the model, its images, and which of them it was trained on."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgecnn_export.formats import Format
from edgecnn_export.int8.accuracy_search import SearchImages
from edgecnn_export.int8.calibration import CalibrationImages
from edgecnn_export.keras_on_tensorflow import import_keras
from edgecnn_export.optimized.optimize import Optimized, quantization_aware
from edgecnn_runtime.errors import EdgecnnError, GateError, InputError, MissingExtraError
from edgecnn_runtime.system.native_output import native_output_kept
from edgecnn_runtime.workstation.division import Portion
from edgecnn_runtime.workstation.image_set import ImageSet, Split
from edgecnn_runtime.workstation.run_folder import RunFolder, RunRecord
from edgecnn_runtime.workstation.stratify import stratified_sample
from edgecnn_runtime.workstation.trained_model import load_trained

if TYPE_CHECKING:
    import keras

# Images to measure each candidate on: validation images, and where these are fewer training images as well.
_MEASURED_ON = 1000
# Images that Keras answers at a time; 256 of 224 x 224 took 5 GB for MobileNetV2's activations.
PREDICTED_AT_ONCE = 32


@dataclass(frozen=True)
class ExportSource:
    """What every format of one export starts from.

    Whatever is converted, the files are compared with the model as trained: by its `reference` on the test split, by
    the `material` on validation images, and on training images where those are few.
    """

    run: RunFolder
    record: RunRecord
    as_trained: "keras.Model"
    test: Split
    reference: NDArray[np.float32]  # Keras on the test split, (N, classes)
    training: Portion
    validation: Portion
    labelled_by_model: bool  # whether the labels of `test` are the model's own answers
    optimized: Optimized | None = None
    calibration: CalibrationImages | None = None  # where a format needs some

    @property
    def model(self) -> "keras.Model":
        """The model that is converted: as trained, or optimized."""
        return self.optimized.model if self.optimized else self.as_trained

    def target(self, fmt: Format, *, mixed: bool = False) -> Path:
        """Return the path of a format's file; `mixed` where some of its operators stay float32."""
        variant = self.optimized.outcome.optimization.variant if self.optimized else ""
        return self.run.exported(fmt.form + ("-mixed" if mixed else ""), fmt.suffix, variant=variant)

    @cached_property
    def material(self) -> SearchImages:
        """The images for the accuracy search; there has to be a `calibration`."""
        if self.calibration is None:
            raise ValueError("expected calibration images, got none")
        validated, trained = self.validation, self.training
        count = min(max(0, _MEASURED_ON - len(validated.positions)), len(trained.positions))
        more = trained.positions[stratified_sample(trained.split.labels[trained.positions], count, seed=0)]
        images = np.concatenate([validated.split.images[validated.positions], trained.split.images[more]])
        with native_output_kept():
            as_trained = self.as_trained.predict(images, batch_size=PREDICTED_AT_ONCE, verbose=0)
            changed = None
            if self.optimized is not None:
                changed = self.optimized.model.predict(images, batch_size=PREDICTED_AT_ONCE, verbose=0)
        return SearchImages(
            trained.split,
            trained.positions,
            self.calibration,
            images,
            len(validated.positions),
            np.concatenate([validated.split.labels[validated.positions], trained.split.labels[more]]),
            as_trained,
            changed,
            self.labelled_by_model,
        )

    def after_qat(self) -> Optimized:
        """Return the network after quantization-aware training, which is done once.

        Raises:
            InputError: it cannot be trained so, or was trained on already.
            MissingExtraError: the toolkit is not installed.
            GateError: the process that trains died, or its training diverged.
        """
        if isinstance(self._after_qat, EdgecnnError):
            raise self._after_qat
        return self._after_qat

    @cached_property
    def _after_qat(self) -> Optimized | EdgecnnError:
        if self.labelled_by_model:
            return InputError("expected images with labels to learn from, got none")
        if self.optimized is not None:
            if self.optimized.outcome.optimization.quantization_aware:
                return InputError("the weights come from it already")
            return InputError("expected weights as trained, got new ones; add --qat to train all in one")
        batch_size = int(self.record.recipe.get("batch_size", 32))
        try:
            return quantization_aware(self.as_trained, self.training, self.validation, batch_size=batch_size)
        except (InputError, GateError, MissingExtraError) as error:
            # A layer that the toolkit does not know, a process that died, no toolkit.
            return error


def open_source(run: RunFolder, image_set: ImageSet) -> ExportSource:
    """Load the model of a run, and let it answer the test images.

    Raises:
        InputError: the run, its model or its data cannot be used.
        MissingExtraError: TensorFlow is not installed.
    """
    record = run.read_record()
    _check_data(record, image_set)
    training, validation = record.division_of(image_set).divide(image_set)
    model = load_trained(import_keras(), run.model)
    test = image_set.split("test")
    reference = model.predict(test.images, batch_size=PREDICTED_AT_ONCE, verbose=0)
    return ExportSource(
        run,
        record,
        model,
        test,
        reference,
        training,
        validation,
        image_set.labelled_by_model,
    )


def _check_data(record: RunRecord, image_set: ImageSet) -> None:
    if image_set.labels != record.labels or image_set.input != record.input:
        raise InputError(
            f"data: expected the labels and the input of the run ({len(record.labels)} labels, "
            f"{record.input.shape}), got {image_set.name} ({len(image_set.labels)}, {image_set.input.shape})"
        )
