"""Answers about many images as Parquet or CSV files in a folder of this machine or of an object store.

The columns are those of a CSV file of `edgecnn predict`: `image`, `label`, `probability`, `error` (why an unreadable
image has no label), and `label_2`, `probability_2` … where more labels are asked for. The files `part-00000.parquet`,
`part-00001.parquet` … hold the images in order; pandas, polars, DuckDB and Spark read such a folder as one table.

A folder of this machine gets its name when everything is in it. An object store cannot rename: there the empty file
`_SUCCESS` is written last, as Hadoop and Spark do, and an error removes what was written.
"""

import contextlib
import enum
import os
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from edgecnn_runtime.errors import InputError, MissingExtraError
from edgecnn_runtime.jobs.object_store import StoredPlace, is_address, open_place
from edgecnn_runtime.jobs.result_formats import CsvRows, error_text
from edgecnn_runtime.pipeline import Item
from edgecnn_runtime.system.atomic_files import is_running, sync_folder
from edgecnn_runtime.system.screen_text import utf8_text

# Images of one file: some megabytes of Parquet, and as much as is held in memory.
_ROWS_PER_FILE = 100_000


class ResultsFormat(enum.StrEnum):
    """What the files of a results folder are."""

    PARQUET = "parquet"
    CSV = "csv"


class Results:
    """Writes rows into files of a folder; `new_results` makes one."""

    def __init__(self, place: StoredPlace, form: ResultsFormat, top_k: int, *, excel: bool) -> None:
        self._place, self._form = place, form
        self._write_rows: Callable[[list[Item], Any], None] = (
            partial(_write_parquet, top_k)
            if form is ResultsFormat.PARQUET
            else partial(_write_csv, CsvRows(top_k, excel=excel))
        )
        self._rows: list[Item] = []
        self._files = 0

    def add(self, item: Item) -> None:
        """Take the answer about one image."""
        self._rows.append(item)
        if len(self._rows) == _ROWS_PER_FILE:
            self._write()

    def close(self) -> None:
        """Write what is left; for no images, a file that names the columns."""
        if self._rows or not self._files:
            self._write()

    def _write(self) -> None:
        name = f"{self._place.path}/part-{self._files:05}.{self._form}"
        with self._place.system.open_output_stream(name) as file:
            self._write_rows(self._rows, file)
        self._files += 1
        self._rows = []


@contextlib.contextmanager
def new_results(output: str, form: ResultsFormat, *, top_k: int = 1, excel: bool = False) -> Iterator[Results]:
    """Yield what takes the answers; the folder is there when the block has ended, and not at all after an error.

    Args:
        output: a folder that does not exist or is empty, or an address such as `s3://bucket/results`.
        form: the files' format.
        top_k: how many labels each row names, at most as many as the model has.
        excel: whether CSV files are written for spreadsheets, see `CsvRows`.

    Raises:
        InputError: the folder holds something already.
        MissingExtraError: pyarrow is not installed.
        OSError: the folder cannot be written.
    """
    place = open_place(output) if is_address(output) else None
    if place is not None and place.scheme != "file":
        folder = _new_stored(place)
    else:
        folder = _new_local(Path(output if place is None else place.path))
    with folder as place:
        results = Results(place, form, top_k, excel=excel)
        yield results
        results.close()


@contextlib.contextmanager
def _new_local(folder: Path) -> Iterator[StoredPlace]:
    try:
        from pyarrow.fs import LocalFileSystem
    except ImportError as error:
        raise MissingExtraError("A folder of results", package="pyarrow", extra="ray") from error
    folder = Path(os.path.abspath(folder))  # noqa: PTH100 ("results/." has no name, and links stay links)
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise InputError(f"{folder}: expected a new or empty folder for the results, got one in use; name another")
    folder.parent.mkdir(parents=True, exist_ok=True)
    for orphan in folder.parent.glob(f".partial.*.{folder.name}"):
        pid = orphan.name.split(".")[2]
        if pid.isdigit() and not is_running(int(pid)):
            shutil.rmtree(orphan)
    partial = folder.with_name(f".partial.{os.getpid()}.{folder.name}")
    partial.mkdir()
    try:
        yield StoredPlace(LocalFileSystem(), str(partial), "file")
        for file in partial.iterdir():
            with file.open("rb") as written:
                os.fsync(written.fileno())
        sync_folder(partial)
        partial.replace(folder)
        sync_folder(folder.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextlib.contextmanager
def _new_stored(place: StoredPlace) -> Iterator[StoredPlace]:
    from pyarrow.fs import FileSelector

    if place.system.get_file_info(FileSelector(place.path, allow_not_found=True)):
        raise InputError(f"{place.name}: expected a new or empty folder for the results, got one in use; name another")
    place.system.create_dir(place.path)
    try:
        yield place
        with place.system.open_output_stream(f"{place.path}/_SUCCESS"):
            pass
    except BaseException:
        place.system.delete_dir(place.path)
        raise


def _write_csv(rows: CsvRows, items: list[Item], file: Any) -> None:
    file.write(rows.head())
    for item in items:
        file.write(rows.record(item))


def _write_parquet(top_k: int, items: list[Item], file: Any) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    tops = [item.prediction.top(top_k) if item.prediction else [(None, None)] * top_k for item in items]
    columns: dict[str, Any] = {"image": pa.array([utf8_text(item.source) for item in items], pa.string())}
    for rank in range(top_k):
        suffix = f"_{rank + 1}" if rank else ""
        columns[f"label{suffix}"] = pa.array([top[rank][0] for top in tops], pa.string())
        columns[f"probability{suffix}"] = pa.array([top[rank][1] for top in tops], pa.float32())
        if not rank:
            errors = [None if item.error is None else utf8_text(error_text(item)) for item in items]
            columns["error"] = pa.array(errors, pa.string())
    parquet.write_table(pa.table(columns), file)
