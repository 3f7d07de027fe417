"""The results of a long list of images in a file that survives a kill: `results.csv` or `results.jsonl`.

While the work goes on, `results.csv.partial` grows in the order of the list, and `results.csv.run.json` says of which
model and which list it is. A killed run goes on from the last whole result, since results are in order: nothing is
done twice in the file and nothing is missing. Done, `results.csv.partial` gets its name; `results.csv.run.json` stays
and says what made it.
"""

import contextlib
import hashlib
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from edgecnn_runtime.classifier import Classifier
from edgecnn_runtime.errors import InputError
from edgecnn_runtime.jobs.result_formats import CsvRows, JsonLines, ResultFormat
from edgecnn_runtime.json_dataclasses import read_dataclass, read_object
from edgecnn_runtime.model_formats import ModelFile
from edgecnn_runtime.pipeline import Item
from edgecnn_runtime.system import atomic_files

# Seconds after which results leave this process for the file; what a kill takes with it is computed again.
_FLUSH = 1.0


@dataclass(frozen=True, slots=True)
class ResultsOf:
    """What a results file is of; two runs that differ in any of it must not share a file."""

    model: str
    model_sha256: str
    contract_sha256: str  # of the labels and of what is made of pixels and outputs
    images: int
    images_sha256: str
    top_k: int
    excel: bool = False  # whether a CSV file is written for spreadsheets
    # What neither the file nor the caller says of a third-party model, in sentences.
    assumed: tuple[str, ...] = ()

    @classmethod
    def these(
        cls, model: Path | ModelFile, classifier: Classifier, images: Sequence[str], *, top_k: int, excel: bool = False
    ) -> "ResultsOf":
        """Describe a run of a model file, opened as `classifier`, over images in this order.

        Raises:
            ModelError, OSError: the model file cannot be read.
        """
        names = hashlib.sha256()
        for image in images:
            names.update(os.fsencode(image) + b"\0")
        model = ModelFile.of(model)
        content = hashlib.sha256(model.content).hexdigest()
        facts = [*classifier.labels, *(fact.value for fact in classifier.contract.facts.values())]
        contract = hashlib.sha256("\0".join(facts).encode()).hexdigest()
        assumed = classifier.contract.assumed
        return cls(model.path.name, content, contract, len(images), names.hexdigest(), top_k, excel, assumed)


def result_format(path: Path, *, top_k: int, excel: bool = False) -> ResultFormat:
    """Return the format of a results file by its suffix.

    Raises:
        InputError: neither `.csv` nor `.jsonl`; or `excel`, and not `.csv`.
    """
    match path.suffix.lower():
        case ".csv":
            return CsvRows(top_k, excel=excel)
        case ".jsonl" if not excel:
            return JsonLines(top_k)
    expected = ".csv with --excel" if excel else ".csv or .jsonl"
    raise InputError(f"{path}: expected a results file ending in {expected}, got {path.suffix or 'no suffix'}")


class ResultsFile:
    """A results file at work; it holds `done` images of the list, `failed` of them as errors."""

    def __init__(self, path: Path, of: ResultsOf, images: Sequence[str], *, resume: bool) -> None:
        """Begin a file, or go on with one.

        Args:
            path: the file, `.csv` or `.jsonl`.
            of: what it is of.
            images: the list, in the order in which `add` will be called.
            resume: go on with what an earlier run left, where there is something.

        Raises:
            InputError: there is a file and `resume` is off; or it is of another model or list, or was changed by
                somebody else; or another process writes it.
        """
        self.path = path
        self._format = result_format(path, top_k=of.top_k, excel=of.excel)
        self._partial = path.with_name(f"{path.name}.partial")
        self._header = path.with_name(f"{path.name}.run.json")
        self._images = images
        self.done = self.failed = 0
        if path.is_dir():
            raise InputError(f"{path}: expected a file to write, got a folder")
        existing = next((file for file in (path, self._partial) if file.exists() and file.stat().st_size), None)
        if existing is not None and not resume:
            raise InputError(f"{existing}: exists; go on with --resume, remove it, or name another --output")
        if existing is not None:
            self._check_same(of, existing)
        self.finished = existing == path
        if self.finished:
            with path.open("rb") as file:
                self._read_on(file)
            if self.done < len(images):
                raise self._changed()
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        # Not emptied before it is locked: another process may be writing it.
        self._file = os.fdopen(os.open(self._partial, os.O_RDWR | os.O_CREAT, 0o666), "r+b", buffering=1 << 16)
        try:
            _lock(self._file, self._partial)
            if existing is None:
                atomic_files.write_json(self._header, asdict(of))
            self._repair()
        except BaseException:
            self._file.close()
            raise
        self._flushed = time.monotonic()

    def add(self, item: Item) -> None:
        """Write the result of the next image of the list."""
        self._file.write(self._format.record(item))
        self.done += 1
        self.failed += item.error is not None
        now = time.monotonic()
        if now - self._flushed >= _FLUSH:
            self._file.flush()
            self._flushed = now

    def finish(self) -> None:
        """Give the whole file its name."""
        if self.finished:
            return
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._partial.replace(self.path)
        atomic_files.sync_folder(self.path.parent)
        self.finished = True

    def close(self) -> None:
        """Leave what was done so far for `resume`."""
        if not self.finished:
            self._file.close()

    def __enter__(self) -> "ResultsFile":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _check_same(self, of: ResultsOf, existing: Path) -> None:
        try:
            header = read_object(self._header)
            before = read_dataclass(ResultsOf, header, name=str(self._header))
        except (OSError, ValueError):
            raise InputError(
                f"{self._header}: expected the header of {existing.name}, none there or damaged; "
                f"remove {existing} to start anew"
            ) from None
        anew = f"remove {existing} to start anew"
        if before.model_sha256 != of.model_sha256:
            raise InputError(f"{existing}: begun with another model ({before.model}), got {of.model}; {anew}")
        if before.contract_sha256 != of.contract_sha256:
            raise InputError(f"{existing}: begun with other labels or pre-processing; give the same options, or {anew}")
        if before.images_sha256 != of.images_sha256:
            raise InputError(
                f"{existing}: begun with another list of images ({before.images:,}), got one of {of.images:,}; {anew}"
            )
        if before.top_k != of.top_k:
            raise InputError(f"{existing}: begun with --top-k {before.top_k}, got {of.top_k}; {anew}")
        if before.excel != of.excel:
            raise InputError(f"{existing}: begun with{'' if before.excel else 'out'} --excel; do the same, or {anew}")

    def _repair(self) -> None:
        """Cut off what a kill left half-written, and go to the end."""
        end = self._read_on(self._file)
        self._file.seek(end)
        self._file.truncate()
        if end == 0:
            self._file.write(self._format.head())

    def _read_on(self, file: BinaryIO) -> int:
        """Count the whole results of a file; return where the last one ends, in bytes, or 0 without a whole head."""
        head = self._format.head()
        begin = file.read(len(head))
        if not head.startswith(begin):
            raise self._changed()
        if begin != head:
            return 0
        end = len(head)
        for record in self._format.records(file):
            if self.done == len(self._images) or record.image != self._format.image(self._images[self.done]):
                raise self._changed()
            end += record.size
            self.done += 1
            self.failed += record.failed
        return end

    def _changed(self) -> InputError:
        return InputError(
            f"{self.path}: expected the results of the images in their order, got others from result "
            f"{self.done + 1:,} on; the file was changed: remove it to start anew"
        )


def _lock(file: BinaryIO, path: Path) -> None:
    """Keep a second process away until this one ends, where the system can (not on Windows)."""
    with contextlib.suppress(ImportError):
        import fcntl

        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"{path}: expected a file that no other process writes, got one in use; wait for it, or name another "
                "--output"
            ) from None
        except OSError:  # a file system without locks
            return
