"""The loss of a network that learns from labels and from a teacher.

Softened at the temperature T, probabilities p become p^(1/T) / sum p^(1/T), which is the softmax of the logits divided
by T. The loss is (1 - w) * cross-entropy with the label + w * T² * KL(teacher softened, student softened): T² keeps the
gradients as large at any temperature (G. Hinton et al., arXiv:1503.02531, section 2.1).
"""

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray


def targets(labels: NDArray[np.int64], answers: NDArray[np.float32]) -> NDArray[np.float32]:
    """Put a teacher's answers `(N, classes)` beside one-hot labels: `(N, 2 * classes)`.

    Keras finds the class for its weight as the first largest value, which is the label's.
    """
    return np.concatenate([np.eye(answers.shape[1], dtype=np.float32)[labels], answers], axis=1)


class DistillationLoss(keras.losses.Loss):  # type: ignore[misc]
    """The loss above; where there is no teacher's answer, as in validation, the cross-entropy alone."""

    def __init__(self, *, temperature: float, weight: float, beside: bool) -> None:
        """Take where the teacher's answers are.

        Args:
            temperature: T.
            weight: w, 0…1.
            beside: whether they are beside the student's, by `Teacher.beside`, and not in `targets`.
        """
        super().__init__(name="distillation", reduction="sum_over_batch_size")
        self._temperature, self._weight, self._beside = temperature, weight, beside

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each image, `(N,)`."""
        ops = keras.ops
        numbers, student, teacher = _parts(y_true, y_pred, beside=self._beside)
        loss = keras.losses.sparse_categorical_crossentropy(numbers, student)
        if teacher is None:
            return loss
        log_teacher, log_student = self._softened(teacher), self._softened(student)
        divergence = ops.sum(ops.exp(log_teacher) * (log_teacher - log_student), axis=-1)
        taught = (1 - self._weight) * loss + self._weight * self._temperature**2 * divergence
        return ops.where(ops.any(teacher > 0, axis=-1), taught, loss)

    def _softened(self, probabilities: Any) -> Any:
        """Return the logarithms of softened probabilities."""
        logits = keras.ops.log(keras.ops.maximum(probabilities, keras.backend.epsilon()))
        return keras.ops.log_softmax(logits / self._temperature, axis=-1)


def accuracy_metric(*, beside: bool) -> Any:
    """Return the accuracy of the student's answers by the labels, for what `DistillationLoss` takes."""

    def accuracy(y_true: Any, y_pred: Any) -> Any:
        numbers, student, _ = _parts(y_true, y_pred, beside=beside)
        return keras.metrics.sparse_categorical_accuracy(numbers, student)

    return keras.metrics.MeanMetricWrapper(accuracy, name="accuracy")


def _parts(y_true: Any, y_pred: Any, *, beside: bool) -> tuple[Any, Any, Any]:
    """Return class numbers `(N,)`, the student's probabilities and the teacher's `(N, classes)`, None without one."""
    ops = keras.ops
    if beside:
        student, teacher = ops.split(y_pred, 2, axis=-1)
        return ops.reshape(y_true, (-1,)), student, teacher
    if len(y_true.shape) == 2 and y_true.shape[-1] == 2 * y_pred.shape[-1]:
        label, teacher = ops.split(y_true, 2, axis=-1)
        return ops.argmax(label, axis=-1), y_pred, teacher
    return ops.reshape(y_true, (-1,)), y_pred, None
