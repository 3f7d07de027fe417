"""The names of the classes, in the order of a network's outputs."""

from collections.abc import Sequence
from pathlib import Path

from edgecnn_runtime.errors import InputError


def read_labels(text: str) -> tuple[str, ...]:
    """Read labels from a file, one a line, or from the text itself, separated by commas.

    Raises:
        InputError: no such file, fewer than two, one twice, or one that cannot be printed.

    >>> read_labels("cat, dog")
    ('cat', 'dog')
    """
    path = Path(text)
    if path.is_file():
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except UnicodeDecodeError as error:
            raise InputError(f"--labels {path}: text in UTF-8, one label a line, expected, got other bytes") from error
        labels = tuple(line.strip() for line in lines if line.strip())
    elif "," in text:
        labels = tuple(part.strip() for part in text.split(","))
    else:
        raise InputError(f"--labels: a file with one label a line, or a,b,c, expected, got {text!r}, no such file")
    check_labels(labels, whence=text)
    return labels


def check_labels(labels: Sequence[str], *, whence: str) -> None:
    """Check labels, whatever their number.

    Raises:
        InputError: fewer than two, one twice, or one that cannot be printed.
    """
    twice = sorted({label for label in labels if labels.count(label) > 1})
    odd = [label for label in labels if not label or not label.isprintable()]
    if len(labels) < 2 or twice or odd:
        found = f"twice {', '.join(twice[:3])}" if twice else f"{odd[0]!r}" if odd else f"{len(labels)}"
        raise InputError(f"--labels {whence}: two or more labels, all different and printable, expected, got {found}")


def check_count(labels: Sequence[str], classes: int, *, whence: str) -> None:
    """Check that there is a label for each class.

    Raises:
        InputError: another number.
    """
    if len(labels) != classes:
        raise InputError(
            f"labels: {classes} expected, as many as the model tells classes apart, got {len(labels)} in {whence}; "
            "give them in the order in which the model was trained (Keras sorts class folders by name)"
        )
