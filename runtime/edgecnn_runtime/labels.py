"""The names of the classes, in the order of a network's outputs."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from edgecnn_runtime.errors import InputError
from edgecnn_runtime.label_files import decode_labels, parse_labels


def read_labels(text: str | os.PathLike[str]) -> tuple[str, ...]:
    """Read labels from a file of one of the formats of `label_files`, or from the text itself, separated by commas.

    Raises:
        InputError: no such file, none of these formats, fewer than two, one twice, or one that cannot be printed.

    >>> read_labels("cat, dog")
    ('cat', 'dog')
    """
    labels = label_lines(text)
    check_labels(labels, source=os.fspath(text))
    return labels


def label_lines(text: str | os.PathLike[str]) -> tuple[str, ...]:
    """Read labels as `read_labels` does, whatever they are: in ImageNet's, two names occur twice.

    Raises:
        InputError: no such file, or none of these formats.
    """
    path = Path(text)
    if _is_file(path):
        try:
            if (size := path.stat().st_size) > _LARGEST_FILE:
                raise InputError(f"--labels {path}: expected a list of labels, got a file of {size:,} bytes")
            content = path.read_bytes()
        except OSError as error:
            raise InputError(f"--labels {path}: expected a readable file; {error.strerror}") from error
        source = f"--labels {path}"
        return parse_labels(decode_labels(content, source=source), source=source, suffix=path.suffix)
    if isinstance(text, str) and text.lstrip().startswith(("[", "{")):
        return parse_labels(text, source="--labels", suffix=".json")
    if isinstance(text, str) and "," in text:
        return tuple(part.strip() for part in text.split(","))
    raise InputError(
        f"--labels {os.fspath(text)}: not found; expected a file with one label per line, or labels as in a,b,c"
    )


# Bytes of a list of labels; that of ImageNet's 21,841 classes takes 1 MB.
_LARGEST_FILE = 1 << 24


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
