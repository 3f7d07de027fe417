"""What every file of one export starts from: the model, its images, and which of them it was trained on."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgecnn_export.converted import Converted
from edgecnn_export.formats import FULL_INTEGER, Format
from edgecnn_export.ladder import Material
from edgecnn_export.optimized.optimize import Optimized, Portion, portions, quantization_aware
from edgecnn_export.trained_model import load_trained
from edgecnn_runtime.errors import GateError, InputError, MissingExtraError
from edgecnn_runtime.image_set import ImageSet, Split
from edgecnn_runtime.native_output import native_output_kept
from edgecnn_runtime.run_folder import RunFolder, RunRecord

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Source:
    """What every format of one export starts from."""

    run: RunFolder
    record: RunRecord
    model: "keras.Model"
    converted: Converted
    test: Split
    reference: NDArray[np.float32]  # Keras on the test split, (N, classes)
    trained_on: Portion
    validated_on: Portion
    labelled_by_model: bool  # whether the labels of `test` are the model's own answers
    optimized: Optimized | None = None  # `model` is then its model

    def target(self, fmt: Format, *, mixed: bool = False) -> Path:
        """Return the path of a format's file; `mixed` where some of its operators stay float32."""
        variant = self.optimized.outcome.optimization.variant if self.optimized else ""
        return self.run.exported(fmt.form + ("-mixed" if mixed else ""), fmt.suffix, variant=variant)

    def learnt(self, fmt: Format) -> bytes | None:
        """Return the converted file where quantization-aware training has made it, with ranges that it has learnt."""
        return self.optimized.int8_tflite if self.optimized and fmt == FULL_INTEGER else None

    @cached_property
    def material(self) -> Material:
        """The images for the ladder."""
        split, positions = self.validated_on.split, self.validated_on.positions
        validation = np.asarray(split.images[positions])
        with native_output_kept():
            keras = self.model.predict(validation, batch_size=256, verbose=0)
        return Material(
            self.trained_on.split,
            self.trained_on.positions,
            validation,
            split.labels[positions],
            keras,
            self.labelled_by_model,
        )

    @cached_property
    def quantization_aware(self) -> Optimized | None:
        """The network after quantization-aware training; None where it cannot be trained so."""
        if self.optimized is not None or self.labelled_by_model:
            return None
        batch_size = int(self.record.recipe.get("batch_size", 32))
        try:
            return quantization_aware(self.model, self.trained_on, self.validated_on, batch_size=batch_size)
        except (InputError, GateError, MissingExtraError):
            # A layer that the toolkit does not know, a process that died, no toolkit: one rung less.
            return None


def open_source(run: RunFolder, image_set: ImageSet, *, opset: int) -> Source:
    """Load the model of a run, and let it answer the test images.

    Raises:
        InputError: the run, its model or its data cannot be used.
        MissingExtraError: TensorFlow is not installed.
    """
    record = run.read_record()
    _check_data(record, image_set)
    recipe = record.recipe
    trained_on, validated_on = portions(
        image_set,
        validation_fraction=float(recipe.get("validation_fraction", 0.1)),
        seed=int(recipe.get("seed", record.seed)),
    )
    model = load_trained(run.model)
    test = image_set.split("test")
    reference = model.predict(test.images, batch_size=256, verbose=0)
    return Source(
        run,
        record,
        model,
        Converted(model, opset),
        test,
        reference,
        trained_on,
        validated_on,
        image_set.labelled_by_model,
    )


def _check_data(record: RunRecord, image_set: ImageSet) -> None:
    if image_set.labels != record.labels or image_set.input != record.input:
        raise InputError(
            f"data: the labels and the input of the run expected ({len(record.labels)} labels, "
            f"{record.input.shape}), got {image_set.name} ({len(image_set.labels)}, {image_set.input.shape})"
        )
