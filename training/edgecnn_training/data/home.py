"""Where edgecnn keeps prepared sets, and where it looks for their sources."""

import os
from pathlib import Path

from edgecnn_runtime.json_dataclasses import read_object
from edgecnn_runtime.system.cache_folder import home_folder as home_folder
from edgecnn_runtime.workstation.image_set import DATASET_FILE


def set_folder(name: str) -> Path:
    """Return the default folder of the prepared set of that name."""
    return home_folder() / "sets" / name


def prepared_sets() -> dict[str, Path]:
    """Return the folders of the prepared sets in edgecnn's home, by name."""
    # Not the hidden ones: a set that is being written is beside the others.
    folders = (path.parent for path in sorted(home_folder().glob(f"sets/[!.]*/{DATASET_FILE}")))
    return {folder.name: folder for folder in folders}


def prepared_folder(data: str | None) -> Path | None:
    """Return the folder of a prepared set in edgecnn's home, or else the path that `data` is."""
    return None if data is None else prepared_sets().get(data) or Path(data)


def read_before(name: str) -> Path | None:
    """Return the path that a prepared set of that name, of whatever input, was read from."""
    for folder in prepared_sets().values():
        try:
            document = read_object(folder / DATASET_FILE)
            found = document["name"] == name and document.get("read_from")
        except (OSError, ValueError, KeyError, TypeError):
            continue  # damaged: told where it is opened
        if isinstance(found, str) and Path(found).exists():
            return Path(found)
    return None


def data_folder() -> Path | None:
    """Return `$EDGECNN_DATA`, where sources are looked for; None where it is unset."""
    chosen = os.environ.get("EDGECNN_DATA")
    return Path(chosen).expanduser() if chosen else None
