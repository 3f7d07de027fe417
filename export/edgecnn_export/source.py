"""What every file of one export starts from: the model, its images, and which of them it was trained on."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgecnn_export.formats import Format
from edgecnn_export.int8.accuracy_search import SearchImages
from edgecnn_export.int8.calibration import CalibrationImages, choose_calibration
from edgecnn_export.keras_on_tensorflow import import_keras
from edgecnn_export.optimized.optimize import Optimized, ReportEpoch, optimize
from edgecnn_export.optimized.plan import Plan
from edgecnn_export.proof.parity import KerasReference
from edgecnn_runtime.errors import EdgecnnError, GateError, InputError, MissingExtraError
from edgecnn_runtime.golden import golden_images
from edgecnn_runtime.manifest import Optimization
from edgecnn_runtime.system.native_output import native_output_kept
from edgecnn_runtime.workstation.division import Portion
from edgecnn_runtime.workstation.image_set import ImageSet
from edgecnn_runtime.workstation.run_folder import RunFolder, RunRecord

if TYPE_CHECKING:
    import keras

# Images to measure each candidate on: validation images, and where these are fewer training images as well.
_MEASURED_ON = 1000
# Images that Keras answers at a time; 256 of 224 x 224 took 5 GB for MobileNetV2's activations.
_PREDICTED_AT_ONCE = 32
# What the accuracy search tries last.
_QAT = Optimization(quantization_aware=True, epochs=3)


@dataclass(frozen=True)
class ExportSource:
    """What every format of one export starts from.

    Whatever is converted, the files are compared with the model as trained: by `test` on the test split, by
    `search_images` on validation images, and on training images where those are few.
    """

    run: RunFolder
    record: RunRecord
    as_trained: "keras.Model"
    test: KerasReference
    golden_images: NDArray[np.uint8]
    training: Portion
    validation: Portion  # the training images again where none were kept back
    labelled_by_model: bool = False  # whether the images came without labels
    optimized: Optimized | None = None
    calibration: CalibrationImages | None = None  # where a format needs some

    @property
    def none_kept_back(self) -> bool:
        """Whether the network was trained on the validation images too."""
        return self.record.division is not None and bool(self.record.division.joined)

    @property
    def model(self) -> "keras.Model":
        """The model that is converted: as trained, or optimized."""
        return self.optimized.model if self.optimized else self.as_trained

    @property
    def variant(self) -> str:
        """How the model was optimized, as the files' names say; empty where it was not."""
        return self.optimized.outcome.optimization.variant if self.optimized else ""

    @property
    def biases_learnt(self) -> bool:
        """Whether its weights come from quantization-aware training."""
        return self.optimized is not None and self.optimized.outcome.optimization.quantization_aware

    def target(self, fmt: Format, *, mixed: bool = False) -> Path:
        """Return the path of a format's file; `mixed` where some of its operators stay float32."""
        form = f"{fmt.form}-mixed" if mixed else fmt.form
        return self.run.exported(form, fmt.suffix, variant=self.variant)

    @cached_property
    def search_images(self) -> SearchImages:
        """The images for the accuracy search; there has to be a `calibration`."""
        if self.calibration is None:
            raise ValueError("expected calibration images, got none")
        count = min(max(0, _MEASURED_ON - len(self.validation)), len(self.training))
        if self.none_kept_back:
            count = 0
        portions = self.validation, self.training.sample(count, seed=0)
        images = np.concatenate([portion.images for portion in portions])
        labels = np.concatenate([portion.labels for portion in portions])
        keras = _predict(self.as_trained, images)
        changed = _predict(self.optimized.model, images) if self.optimized else None
        if self.none_kept_back:
            # It knows the labels by heart, and its own answers say as much.
            labels = keras.argmax(axis=1)
        measured = KerasReference(images, labels, keras, self.none_kept_back or self.labelled_by_model)
        return SearchImages(self.training, self.calibration, measured, len(self.validation), changed)

    def calibrated(self, *, images: int | None, seed: int) -> "ExportSource":
        """Return the source with calibration images; see `choose_calibration`."""
        return replace(self, calibration=choose_calibration(self.training, images=images, seed=seed))

    def after(self, plan: Plan, report: ReportEpoch) -> "ExportSource":
        """Return the source with the weights that the steps of a plan leave; it is compared with the old ones."""
        optimized = optimize(self.as_trained, self.training, self.validation, plan, report=report)
        accuracy = self.test.parity(_predict(optimized.model, self.test.images)).accuracy
        return replace(self, optimized=replace(optimized, outcome=replace(optimized.outcome, accuracy=accuracy)))

    def after_qat(self) -> "ExportSource":
        """Return the source with the network after quantization-aware training, which is done once.

        Raises:
            InputError: it cannot be trained so, or was trained on already.
            MissingExtraError: the toolkit is not installed.
            GateError: the process that trains died, or its training diverged.
        """
        if isinstance(self._after_qat, EdgecnnError):
            raise self._after_qat
        return replace(self, optimized=self._after_qat)

    @cached_property
    def _after_qat(self) -> Optimized | EdgecnnError:
        if self.labelled_by_model:
            return InputError("expected images with labels to learn from, got none")
        if self.optimized is not None:
            if self.biases_learnt:
                return InputError("the weights come from it already")
            return InputError("expected weights as trained, got new ones; add --qat to train all in one")
        plan = Plan(_QAT, batch_size=int(self.record.recipe.get("batch_size", 32)))
        try:
            return optimize(self.as_trained, self.training, self.validation, plan)
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
    if image_set.labels != record.labels or image_set.input != record.input:
        raise InputError(
            f"data: expected the labels and the input of the run ({len(record.labels)} labels, "
            f"{record.input.shape}), got {image_set.name} ({len(image_set.labels)}, {image_set.input.shape})"
        )
    if "train" in image_set.splits:
        division = record.division_of(image_set)
        training, validation = division.divide(image_set)
        test, seen = division.reference(image_set), division.trains_on_test
    else:
        # Of an imported model without images, a few generated ones: to compare on, not to calibrate or learn from.
        test, seen = image_set.split("test"), False
        training = validation = Portion(test, np.empty(0, np.int64))
    model = run.load_model(import_keras())
    keras = _predict(model, test.images)
    # On images that the network was trained on its labels say more than the images' own, which it knows by heart.
    numbers = keras.argmax(axis=1) if seen else test.labels
    reference = KerasReference(test.images, numbers, keras, seen or image_set.labelled_by_model)
    golden = golden_images(image_set.input)
    labelled_by_model = image_set.labelled_by_model
    return ExportSource(run, record, model, reference, golden, training, validation, labelled_by_model)


def _predict(model: "keras.Model", images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return what a Keras model gives for many images, `(N, classes)`."""
    with native_output_kept():  # TensorFlow warns of a second model's tracing
        probabilities: NDArray[np.float32] = model.predict(images, batch_size=_PREDICTED_AT_ONCE, verbose=0)
    return probabilities
