"""Where edgecnn keeps what it need not make twice."""

import os
import sys
from pathlib import Path


def home_folder() -> Path:
    """Return `$EDGECNN_HOME`, or the folder `edgecnn` in the platform's cache folder."""
    chosen = os.environ.get("EDGECNN_HOME")
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        cache = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        cache = Path.home() / "Library" / "Caches"
    else:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "edgecnn"
