"""What Ultralytics writes into the models it exports, and what its own software makes of an image before them.

Read from its releases 8.0.140 to 8.4.190: `engine/exporter.py` writes the metadata (ONNX: text in `metadata_props`;
TFLite: a file `metadata.json`, before 2025 one with a Python dictionary), `data/augment.py` prepares the images.
"""

import ast
import re
from collections.abc import Mapping
from typing import Any

from edgecnn_runtime.image_fit import ImageFit
from edgecnn_runtime.label_files import LONGEST_LITERAL
from edgecnn_runtime.manifest import LARGEST_SIDE, Interpolation, Resize
from edgecnn_runtime.model_files.graph_facts import CLASSIFY, FileMetadata
from edgecnn_runtime.pixel_scaling import PixelScaling

_AUTHOR = "Ultralytics"
_TASKS = frozenset({CLASSIFY, "detect", "segment", "semantic", "depth", "pose", "obb"})
# The first release that resizes before it crops, as torchvision does; it cropped first, and resized with OpenCV.
_RESIZES_FIRST = (8, 0, 233)


def ultralytics_metadata(entries: Mapping[str, Any], *, source: str) -> FileMetadata | None:
    """Read the entries that a file holds; None where Ultralytics did not write them.

    Args:
        entries: by their keys, text or what it stands for.
        source: of the entries, in words.
    """
    task = entries.get("task")
    if not isinstance(task, str) or not (task in _TASKS or entries.get("author") == _AUTHOR):
        return None
    if task != CLASSIFY:
        return FileMetadata(task=task, source=source)
    version = tuple(int(part) for part in re.findall(r"\d+", str(entries.get("version", "")))[:3])

    def fit(height: int, width: int) -> ImageFit:
        if len(version) == 3 and version < _RESIZES_FIRST:
            return ImageFit(resize=Resize.CROP, interpolation=Interpolation.BILINEAR_NO_ANTIALIAS)
        if height != width:
            return ImageFit(resize=Resize.SQUASH, interpolation=Interpolation.BILINEAR)
        return ImageFit(resize=Resize.CROP, resize_size=height, interpolation=Interpolation.BILINEAR)

    return FileMetadata(
        labels=_names(entries.get("names")),
        scaling=PixelScaling(scale=(1 / 255,)),
        grey=False,
        source=source,
        task=task,
        imgsz=_size(entries.get("imgsz")),
        fit=fit,
    )


def parsed(entry: Any) -> Any:
    """Return what a text stands for that is a Python literal, as `str` writes it; anything else as it is."""
    if not isinstance(entry, str) or len(entry) > LONGEST_LITERAL:
        return entry
    try:
        return ast.literal_eval(entry)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return entry


def _names(entry: Any) -> tuple[str, ...] | None:
    """Read {0: "red", 1: "green"}, whose keys JSON makes text, or a list."""
    names = parsed(entry)
    try:
        pairs = enumerate(names) if isinstance(names, list | tuple) else names.items()
        numbered = {int(number): str(name) for number, name in pairs}
    except (AttributeError, TypeError, ValueError):
        return None
    if sorted(numbered) != list(range(len(numbered))):
        return None
    return tuple(numbered[number] for number in range(len(numbered)))


def _size(entry: Any) -> tuple[int, int] | None:
    """Read 224, "224", [224], "[224, 224]" or (192, 224), height first; None for anything else."""
    value = parsed(entry)
    sides = (value,) if isinstance(value, int) else value
    if not isinstance(sides, list | tuple) or len(sides) not in (1, 2):
        return None
    if not all(type(side) is int and 1 <= side <= LARGEST_SIDE for side in sides):
        return None
    return sides[0], sides[-1]
