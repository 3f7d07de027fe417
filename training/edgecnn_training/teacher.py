"""A trained classifier as the teacher of a smaller one, which learns its answers beside the labels.

Knowledge distillation: G. Hinton, O. Vinyals, J. Dean, "Distilling the Knowledge in a Neural Network",
arXiv:1503.02531. How it enters the loss is in `distillation.py`.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.errors import DataError, InputError
from edgecnn_runtime.workstation.division import Portion
from edgecnn_runtime.workstation.image_set import ImageSet, open_prepared
from edgecnn_training.data.readers.split_names import TRAIN
from edgecnn_training.devices.devices import inference
from edgecnn_training.evaluation.opened_model import OpenedModel, open_model
from edgecnn_training.features import FeatureReport
from edgecnn_training.recipe import Shape

# Of red, green and blue in a grey value: ITU-R BT.601, as Pillow converts.
_GREY = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Teacher:
    """An opened classifier that knows the student's classes."""

    opened: OpenedModel
    columns: NDArray[np.int64]  # of its answer, in the order of the student's labels
    fingerprint: str  # of its file: SHA-256, hex
    # The student's images as they were prepared for the teacher, in the same order; None where there are none.
    own_images: ImageSet | None
    warnings: tuple[str, ...]
    report: FeatureReport | None = None  # called while images go through it

    def answers(self, training: Portion, *, batch_size: int) -> NDArray[np.float32]:
        """Return what it gives for training images.

        Args:
            training: the student's training images.
            batch_size: images at once.

        Returns:
            Probabilities `(M, classes)`, a row for each image of the split; 0 for those that `training` leaves out.
        """
        seen = self.own_images.split(TRAIN) if self.own_images is not None else training.split
        network = self.opened.network
        forward: Callable[[NDArray[np.uint8]], NDArray[np.float32]] = (
            self.opened.probabilities if network is None else inference(network)
        )
        answers = np.zeros((len(training.split), len(self.columns)), np.float32)
        for start in range(0, len(training), batch_size):
            positions = training.positions[start : start + batch_size]
            pixels = np.asarray(seen.images[positions])
            if pixels.shape[1:] != self.opened.input.shape:
                fitted = keras.ops.convert_to_numpy(fitted_to(self.opened.input.shape, pixels))
                pixels = np.rint(np.clip(fitted, 0, 255)).astype(np.uint8)
            answers[positions] = forward(pixels)[:, self.columns]
            if self.report:
                self.report(start + len(positions), len(training), "teacher")
        return answers

    def beside(self, network: Any) -> Any:
        """Put its answers beside those of the student, whatever the images are changed to.

        Args:
            network: the student, pixels 0…255 to probabilities `(N, classes)`.

        Returns:
            A model from the same pixels to `(N, 2 * classes)`: the student's probabilities and, while it trains, the
            teacher's; else 0.
        """
        pixels = keras.Input(network.input_shape[1:])
        return keras.Model(pixels, _AnswersBeside(self)([network(pixels), pixels]), name="taught")


class _AnswersBeside(keras.layers.Layer):  # type: ignore[misc]
    """Has no weights: the teacher's are none of what is trained, kept in checkpoints or saved."""

    def __init__(self, teacher: Teacher) -> None:
        super().__init__(dtype="float32")
        network: Any = teacher.opened.network
        shape, columns = teacher.opened.input.shape, teacher.columns

        def answers(pixels: Any) -> Any:
            return keras.ops.take(network(fitted_to(shape, pixels), training=False), columns, axis=1)

        # Keras would take over the variables of a model that is an attribute.
        self._answers = answers

    def call(self, inputs: Any, training: bool = False) -> Any:
        probabilities, pixels = inputs
        answers = self._answers(pixels) if training else keras.ops.zeros_like(probabilities)
        return keras.ops.concatenate([probabilities, keras.ops.stop_gradient(answers)], axis=-1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        (images, classes), _ = input_shape
        return images, 2 * classes


def fitted_to(shape: Shape, pixels: Any) -> Any:
    """Return images in the colour and size of a shape.

    Args:
        shape: (height, width, channels) asked for.
        pixels: 0…255, `(N, height, width, channels)`.

    Returns:
        float32 `(N, *shape)`, scaled bilinearly.
    """
    pixels = keras.ops.cast(pixels, "float32")
    height, width, channels = shape
    if channels < pixels.shape[-1]:
        pixels = keras.ops.sum(pixels * keras.ops.array(_GREY), axis=-1, keepdims=True)
    elif channels > pixels.shape[-1]:
        pixels = keras.ops.repeat(pixels, channels, axis=-1)
    if tuple(pixels.shape[1:3]) == (height, width):
        return pixels
    return keras.ops.image.resize(
        pixels, (height, width), interpolation="bilinear", antialias=True, data_format="channels_last"
    )


def open_teacher(path: Path, image_set: ImageSet, *, augment: bool, report: FeatureReport | None = None) -> Teacher:
    """Open a teacher, and find out what it has to do with the images of the student.

    Args:
        path: a run folder, its `model.keras`, or a model file of any format that the runtime reads.
        image_set: the student's images.
        augment: whether the student's images are changed at random, so that the teacher must be a Keras model.
        report: called while images go through it.

    Raises:
        InputError: there is none, it knows other classes, or it cannot see changed images.
        ModelError: a model file that cannot be read.
    """
    opened = open_model(path)
    if sorted(opened.labels) != sorted(image_set.labels):
        raise InputError(
            f"teacher: expected one that knows the classes of {image_set.name} ({_listed(image_set.labels)}), "
            f"got {path} ({_listed(opened.labels)}); train it on these classes, or give another --teacher"
        )
    if augment and opened.network is None:
        raise InputError(
            f"teacher: expected a run folder with --augment, as it answers in the graph, got {path}; give the folder, "
            "or leave --augment out"
        )
    record = opened.record
    known = record is not None and record.data_fingerprint == image_set.fingerprint
    own_images = None if known or record is None else _same_images(Path(record.data_folder), image_set)
    warnings: list[str] = []
    if not known and own_images is None:
        warnings.append(
            f"teacher {path}: not trained on {image_set.name}, so it cannot be told whether it has learnt from the "
            "test images; where it has, the test score flatters"
        )
    elif record is not None and record.division is not None and record.division.trains_on_test:
        warnings.append(
            f"teacher {path}: trained on all images of {image_set.name}, those of the split test too, so the test "
            "score flatters; train it with --folds 0"
        )
    if opened.input.shape != image_set.input.shape and (own_images is None or augment):
        warnings.append(
            f"teacher {path}: sees the images of {image_set.input.shape} scaled to {opened.input.shape}, which is not "
            "what it was trained on"
        )
    return Teacher(
        opened=opened,
        columns=np.array([opened.labels.index(label) for label in image_set.labels], np.int64),
        fingerprint=hashlib.sha256(opened.path.read_bytes()).hexdigest(),
        own_images=own_images,
        warnings=tuple(warnings),
        report=report,
    )


def _same_images(folder: Path, image_set: ImageSet) -> ImageSet | None:
    """Return the set in a folder if it holds the same images of the same source, split alike, in whatever size."""
    try:
        other = open_prepared(folder)
    except DataError:
        return None
    if (other.labels, other.source, set(other.splits)) != (image_set.labels, image_set.source, set(image_set.splits)):
        return None
    pairs = [(split, other.splits[name]) for name, split in image_set.splits.items()]
    alike = all(a.files == b.files and np.array_equal(a.labels, b.labels) for a, b in pairs)
    return other if alike else None


def _listed(labels: tuple[str, ...]) -> str:
    return ", ".join(labels[:10]) + (f" and {len(labels) - 10} more" if len(labels) > 10 else "")
