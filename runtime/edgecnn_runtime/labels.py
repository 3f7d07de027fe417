"""The names of the classes, in the order of a network's outputs."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from edgecnn_runtime.errors import InputError


def read_labels(text: str | os.PathLike[str]) -> tuple[str, ...]:
    """Read labels from a file, one per line, or from the text itself, separated by commas.

    Raises:
        InputError: no such file, fewer than two, one twice, or one that cannot be printed.

    >>> read_labels("cat, dog")
    ('cat', 'dog')
    """
    labels = label_lines(text)
    check_labels(labels, source=os.fspath(text))
    return labels


def label_lines(text: str | os.PathLike[str]) -> tuple[str, ...]:
    """Read labels as `read_labels` does, whatever they are: in ImageNet's, two names occur twice.

    Raises:
        InputError: no such file, or not UTF-8.
    """
    path = Path(text)
    if _is_file(path):
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except UnicodeDecodeError as error:
            raise InputError(f"--labels {path}: expected text in UTF-8, one label per line, got other bytes") from error
        except OSError as error:
            raise InputError(f"--labels {path}: expected a readable file; {error.strerror}") from error
        return tuple(line.strip() for line in lines if line.strip())
    if isinstance(text, str) and "," in text:
        return tuple(part.strip() for part in text.split(","))
    raise InputError(
        f"--labels {os.fspath(text)}: not found; expected a file with one label per line, or labels as in a,b,c"
    )


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    # A list of labels may be longer than a file's name can be.
    except (OSError, ValueError):
        return False


def check_labels(labels: Sequence[str], *, source: str) -> None:
    """Check labels, whatever their number.

    Raises:
        InputError: fewer than two, one twice, or one that cannot be printed.
    """
    twice = sorted(label for label, count in Counter(labels).items() if count > 1)
    odd = [label for label in labels if not label or not label.isprintable()]
    if len(labels) < 2 or twice or odd:
        found = f"twice {', '.join(twice[:3])}" if twice else f"{odd[0]!r}" if odd else f"{len(labels)}"
        raise InputError(f"--labels {source}: expected two or more labels, all different and printable, got {found}")
