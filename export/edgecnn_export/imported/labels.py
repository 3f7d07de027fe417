"""The names of the classes, in the order of a network's outputs."""

from collections.abc import Sequence

from edgecnn_runtime.errors import InputError


def check_count(labels: Sequence[str], classes: int, *, whence: str) -> None:
    """Check that there is a label for each class.

    Raises:
        InputError: another number.
    """
    if len(labels) != classes:
        raise InputError(
            f"labels: expected {classes}, as many as the model tells classes apart, got {len(labels)} in {whence}; "
            "give them in the order in which the model was trained (Keras sorts class folders by name)"
        )
