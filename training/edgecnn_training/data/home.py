"""Where edgecnn keeps prepared sets, and where it looks for their sources."""

import os
from pathlib import Path

from edgecnn_runtime.system.cache_folder import home_folder as home_folder
from edgecnn_runtime.workstation.image_set import DATASET_FILE


def set_folder(name: str) -> Path:
    """Return where the prepared set of that name stands by default."""
    return home_folder() / "sets" / name


def prepared_sets() -> dict[str, Path]:
    """Return the folders of the sets that stand prepared in edgecnn's home, by name."""
    # Not the hidden ones: a set that is being written stands beside the others.
    folders = (path.parent for path in sorted(home_folder().glob(f"sets/[!.]*/{DATASET_FILE}")))
    return {folder.name: folder for folder in folders}


def data_folder() -> Path | None:
    """Return `$EDGECNN_DATA`, where sources are looked for; None where it is unset."""
    chosen = os.environ.get("EDGECNN_DATA")
    return Path(chosen).expanduser() if chosen else None
