"""A user's own images: class folders or a CSV of labels, in a folder or zip."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from edgecnn_runtime.errors import DataError
from edgecnn_training.data.readers.class_folders import read_class_folders
from edgecnn_training.data.readers.labels_csv import SUFFIXES, Columns, LabelsCsv, read_labels_csv
from edgecnn_training.data.readers.members import ZippedImages
from edgecnn_training.data.readers.source import RawImageSet


@dataclass(frozen=True)
class OwnImages:
    """Where a user's images and their labels are."""

    # A folder or zip, or the CSV.
    path: Path
    # Of images that are no class folders.
    table: LabelsCsv | None = None

    @classmethod
    def at(cls, data: str, *, labels: Path | None = None, columns: Columns | None = None) -> "OwnImages | None":
        """Return what a path names, or None where nothing of that kind is there.

        Args:
            data: a folder, a zip, or a CSV beside its images.
            labels: the CSV for a folder or zip that holds no class folders.
            columns: of the CSV.

        Raises:
            DataError: two CSV files, or columns without one.
        """
        path = Path(data)
        is_table = path.is_file() and path.suffix.lower() in SUFFIXES
        if not is_table and not path.is_dir() and not (path.is_file() and path.suffix.lower() == ".zip"):
            return None
        if is_table and labels is not None:
            raise DataError(f"--labels {labels}: expected a folder or zip with images before it, got {path}")
        table = path if is_table else labels
        if table is None and columns not in (None, Columns()):
            raise DataError(f"{path}: expected --labels CSV beside the name of a column, got none")
        return cls(path, LabelsCsv(table, columns or Columns()) if table else None)

    @property
    def name(self) -> str:
        """What a set of these images is called by default."""
        path = self.path.resolve()
        return path.stem if path.is_file() else path.name

    @property
    def provenance(self) -> str:
        """Where the images came from, in words."""
        where = self.path.resolve()
        if self.table is None:
            return f"class folders in {where}"
        return f"images labelled by {self.table.path} in {where.parent if self._beside else where}"

    def read(self) -> RawImageSet:
        """Find the images and their labels, with the splits as they are given; no image is read yet.

        Raises:
            DataError: missing, damaged, or with another layout.
        """
        if self.table is None:
            return read_class_folders(self.path)
        return read_labels_csv(self.table, None if self._beside else self.path)

    @property
    def _beside(self) -> bool:
        """Whether the images are found from the CSV."""
        return self.table is not None and self.table.path == self.path


def state_of(path: Path, source: RawImageSet) -> str:
    """Hash what a source holds, without reading the images: another as soon as a file or a label changes."""
    digest = hashlib.sha256(json.dumps([str(path.resolve()), source.labels]).encode())
    for name, split in source.splits.items():
        files = [split.images.path] if isinstance(split.images, ZippedImages) else list(split.images)
        states = [file.stat() for file in files if isinstance(file, Path)]
        digest.update(json.dumps([name, split.labels.tolist(), list(split.files)]).encode())
        digest.update(json.dumps([(state.st_size, state.st_mtime_ns) for state in states]).encode())
    return digest.hexdigest()
