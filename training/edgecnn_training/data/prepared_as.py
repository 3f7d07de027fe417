"""What a set is prepared as, and in which folder: every command asks here, so that no two of them disagree."""

import dataclasses
from pathlib import Path

from edgecnn_runtime.choices import did_you_mean
from edgecnn_runtime.errors import DataError
from edgecnn_runtime.manifest import Colour, Decode, InputSpec, Interpolation, Resize
from edgecnn_runtime.workstation.image_set import DATASET_FILE
from edgecnn_training.data.home import prepared_sets, set_folder
from edgecnn_training.data.known_sets import KNOWN_SETS, KnownSet
from edgecnn_training.data.readers.labels_csv import Columns
from edgecnn_training.data.readers.own_images import OwnImages, state_of
from edgecnn_training.data.readers.source import RawImageSet
from edgecnn_training.data.write_set import ARRAYS


def find_images(
    data: str, *, labels: Path | None = None, columns: Columns | None = None
) -> KnownSet | Path | OwnImages:
    """Find what a user names.

    Args:
        data: the name of a known or prepared set, or the path of a prepared set, of class folders (a folder or zip)
            or of a CSV of labels. A name goes first: `./mnist` is a path, `mnist` the known set.
        labels: of a user's own images that are no class folders, the CSV.
        columns: of the CSV.

    Returns:
        A known set, the folder of a prepared one, or a user's own images.

    Raises:
        DataError: none of these.
    """
    known = KNOWN_SETS.get(data)
    if known is not None:
        return known
    folder = prepared_sets().get(data) or Path(data)
    if (folder / DATASET_FILE).exists() or any(folder.glob(ARRAYS)):
        return folder
    images = OwnImages.at(data, labels=labels, columns=columns)
    if images is None:
        raise unknown_set(data)
    return images


def unknown_set(data: str) -> DataError:
    """Return the error for what is neither the name of a set nor the path of images."""
    near = did_you_mean(data, (*KNOWN_SETS, *prepared_sets())) or "; see 'edgecnn data list'"
    return DataError(
        f"{data}: {'not an image set' if Path(data).exists() else 'not found'}; expected the name of a known set "
        f"({', '.join(KNOWN_SETS)}) or of a prepared one, a folder or zip with one sub-folder "
        f"per class, or a CSV of labels beside its images{near}"
    )


def known_input(known: KnownSet, shape: tuple[int, int, int] | None = None) -> InputSpec:
    """Return what a known set is prepared as: as documented for it, but for the shape that is asked for."""
    height, width, channels = shape or known.input.shape
    colour = Colour.GREY if channels == 1 else Colour.RGB
    return dataclasses.replace(known.input, height=height, width=width, colour=colour)


def own_input(shape: tuple[int, int, int]) -> InputSpec:
    """Return what a user's images of `(height, width, channels)` are prepared as, where nothing else is asked for."""
    height, width, channels = shape
    return InputSpec(height, width, Colour.GREY if channels == 1 else Colour.RGB, decode=Decode.SCALED)


def known_folder(known: KnownSet, spec: InputSpec) -> Path:
    """Return the default folder of a known set: by its name, and by its input where that is not the documented one."""
    return set_folder(known.name if spec == known.input else f"{known.name}-{_input_name(spec)}")


def own_folder(images: OwnImages, source: RawImageSet, spec: InputSpec) -> Path:
    """Return the default folder of a user's prepared images: another as soon as a file is added, removed or changed.

    The former one stays, because a run that was trained on it is exported and measured on it.
    """
    return set_folder(f"{images.name}-{_input_name(spec)}-{state_of(images.path, source)[:8]}")


def named_folder(name: str) -> Path:
    """Return the folder of a set to which a user gives a name.

    Raises:
        DataError: a known set has the name, or no folder can.
    """
    if name in KNOWN_SETS:
        raise DataError(f"--name {name}: expected a name that no known set has; add something to it")
    if not name or Path(name).name != name or name.startswith("."):
        raise DataError(f"--name {name}: expected one name without folders, not hidden")
    return set_folder(name)


def _input_name(spec: InputSpec) -> str:
    """Name an input, "96x96-rgb-crop", so that sets of different inputs have different folders."""
    parts = [f"{spec.height}x{spec.width}", spec.colour.value]
    if spec.resize is not Resize.SQUASH:
        parts.append(spec.resize.value + ("" if spec.resize_size is None else f"-{spec.resize_size}"))
    if spec.interpolation is not Interpolation.BILINEAR:
        parts.append(spec.interpolation.value)
    if spec.background != (255, 255, 255):
        parts.append(bytes(spec.background).hex())
    if spec.decode is not Decode.FULL:
        parts.append(spec.decode.value)
    return "-".join(parts)
