"""What is measured: the model files, the labelled images and the reference that a user's arguments name."""

import os
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgecnn_benchmarks.measuring.labelled_images import SPLIT, LabelledImages, PreparedImages, open_images
from edgecnn_benchmarks.process.worker_process import KERAS_WORKER, WORKER, WorkerProcess
from edgecnn_benchmarks.settings import BenchSettings
from edgecnn_runtime.backends.engines import ENGINES, check_engine, engine_for, engines_of
from edgecnn_runtime.backends.interface import BackendOptions
from edgecnn_runtime.errors import InputError
from edgecnn_runtime.model_formats import find_format, format_of, model_bytes, model_parts
from edgecnn_runtime.third_party_models.opening import Opening
from edgecnn_runtime.workstation.image_set import ImageSet
from edgecnn_runtime.workstation.run_folder import RunFolder, RunRecord, open_run_data

# The two ways in which people call a Keras model.
KERAS_WAYS = ("call", "predict")

_CHUNK = 1 << 20  # bytes


@dataclass(frozen=True)
class Candidate:
    """One model file in one engine, to be measured."""

    path: Path
    # Unlike that of every other file: its name, where two share it with their folder's.
    file: str
    # Unlike that of every other candidate: the file's, and the engine's where that is not the first for the format.
    name: str
    # The name without what all files' names begin with, for charts and narrow tables.
    label: str
    # A name in `ENGINES`; None: that which opens the file where none is asked for.
    engine: str | None = None
    # Whether the file is measured in another engine already, so that this one need not open it.
    is_additional: bool = False
    # Of the Keras model of a run: "call" or "predict".
    keras_way: str | None = None

    @property
    def is_keras(self) -> bool:
        """Whether it is the Keras model of a run."""
        return self.keras_way is not None

    def start_worker(self, settings: BenchSettings, *, threads: int, scratch: Path) -> WorkerProcess:
        """Start the process that measures it.

        Args:
            settings: how the file is opened, and how long an answer may take.
            threads: threads within one inference.
            scratch: a working folder without files of the user's.

        Raises:
            WorkerError: the model cannot be opened, the process crashed or hung.
        """
        return WorkerProcess(
            self.path,
            threads=threads,
            timeout=settings.timeout,
            folder=scratch,
            opening=self.opening(settings),
            command=WORKER if self.keras_way is None else (*KERAS_WORKER, self.keras_way),
        )

    def opening(self, settings: BenchSettings) -> Opening:
        """Return how the file is opened."""
        return replace(settings.opening, engine=self.engine)

    @property
    def size_bytes(self) -> int:
        """The size of the file, with those beside it that hold weights of it."""
        return model_bytes(self.path)

    @property
    def gzip_bytes(self) -> int:
        """The size of the same files as gzip packs them (level 6), read piece by piece."""
        packer = zlib.compressobj(6, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
        size = 0
        for part in model_parts(self.path):
            with part.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    size += len(packer.compress(chunk))
        return size + len(packer.flush())


@dataclass(frozen=True)
class Subject:
    """Everything one benchmark is about."""

    name: str
    candidates: tuple[Candidate, ...]
    # Where the results go unless the user says otherwise.
    folder: Path
    images: LabelledImages
    # The run folder whose exported files are measured; None where model files were named.
    run: RunFolder | None = None


def read_subject(
    targets: Sequence[Path],
    *,
    data: Path | None,
    with_keras: bool = False,
    opening: Opening = Opening(),  # noqa: B008, frozen
) -> Subject:
    """Find out what to measure.

    Args:
        targets: one run folder, or model files.
        data: a prepared set or a labelled folder, in place of the run's own data.
        with_keras: whether the run's Keras model is measured as well.
        opening: how the files are opened; with an engine, of a run folder only the files that it runs.

    Raises:
        InputError: no target, a target that is neither, a run without exported files, model files and
            `with_keras`, or an engine that does not run what is named.
        DataError: labelled images that are missing, damaged or not those the run was tested on.
    """
    folders = [path for path in targets if path.is_dir()]
    if len(folders) == len(targets) == 1:
        return _read_run(RunFolder(folders[0]), data, with_keras=with_keras, opening=opening)
    if with_keras:
        raise InputError("with_keras: expected a run folder, which holds the Keras model, got model files")
    if folders or not targets:
        raise InputError(
            f"expected one run folder or model files, got {', '.join(str(path) for path in targets) or 'nothing'}"
        )
    for path in targets:
        if not path.is_file():
            raise InputError(f"{path}: not found; expected a run folder or a model file")
        model_format = format_of(path)
        if opening.engine is not None:
            engine_for(opening.engine, model_format.name, str(path))
    return Subject("models", name_candidates(targets, opening), folder=Path("bench"), images=open_images(data))


def name_candidates(
    targets: Sequence[Path],
    opening: Opening = Opening(),  # noqa: B008, frozen
) -> tuple[Candidate, ...]:
    """Give every model file in each of its engines a unique name and a short label.

    >>> files = [Path("e/mnist_int8.tflite"), Path("e/mnist_qat_int8.tflite")]
    >>> [model.label for model in name_candidates(files, Opening(engine="litert"))]
    ['int8.tflite', 'qat_int8.tflite']
    >>> [model.label for model in name_candidates(files, Opening(engine="openvino"))]
    ['int8.tflite openvino', 'qat_int8.tflite openvino']
    """
    names: list[str] = []
    count = Counter(path.name for path in targets)
    for path in targets:
        name = f"{path.resolve().parent.name}/{path.name}" if count[path.name] > 1 else path.name
        again = sum(known == name or known.startswith(f"{name} #") for known in names)
        names.append(f"{name} #{again + 1}" if again else name)
    # Exported files begin with the name of their run.
    begin, underscore, _ = os.path.commonprefix(names).rpartition("_")  # noqa: RUF071 (names, not paths)
    shared_prefix = "" if any("/" in name for name in names) else begin + underscore
    return tuple(
        Candidate(path, name, name + suffix, name.removeprefix(shared_prefix) + suffix, engine, is_additional=place > 0)
        for path, name in zip(targets, names, strict=True)
        for place, (engine, suffix) in enumerate(_engines(path, opening))
    )


def _engines(path: Path, opening: Opening) -> list[tuple[str | None, str]]:
    """Return the engines that a file is measured in, each with what it adds to the file's name.

    It is the one that was asked for, or all that are installed and take the options. Where there is none, opening the
    file says what is missing.
    """
    known = engines_of(format_of(path).name)
    if opening.engine is not None:
        names = [opening.engine]
    else:
        options = BackendOptions(provider=opening.provider, delegates=opening.delegates)
        names = [engine.name for engine in known if engine.is_installed and engine.refuses(options) is None]
    return [(name, "" if name == known[0].name else f" {name}") for name in names] or [(None, "")]


def _read_run(run: RunFolder, data: Path | None, *, with_keras: bool, opening: Opening) -> Subject:
    record = run.read_record()
    paths = sorted(run.export.glob("*")) if run.export.is_dir() else []
    paths = [path for path in paths if find_format(path) is not None and not path.name.startswith(".")]
    if not paths:
        raise InputError(
            f"{run.export}: expected exported model files, got none; make them with 'edgecnn export {run.path}'"
        )
    if opening.engine is not None:
        check_engine(opening.engine)
        runnable = [path for path in paths if format_of(path).name in ENGINES[opening.engine].formats]
        if not runnable:
            engine_for(opening.engine, format_of(paths[0]).name, str(paths[0]))
        paths = runnable
    if with_keras and not run.model.is_file():
        raise InputError(f"{run.model}: not found; expected the Keras model of the run; leave out --with-keras")
    keras = [_keras(run.model, way) for way in KERAS_WAYS]
    return Subject(
        name=run.name,
        candidates=(*name_candidates(paths, opening), *(keras if with_keras else ())),
        folder=run.bench,
        images=_run_images(run, record, data),
        run=run,
    )


def _keras(model: Path, way: str) -> Candidate:
    name = f"{model.name} {way}"
    return Candidate(model, name, name, f"keras {way}", keras_way=way)


def _run_images(run: RunFolder, record: RunRecord, data: Path | None) -> LabelledImages:
    """Open the images that the user names, else the run's own; with the Keras model's answers where it saw the same."""
    images = PreparedImages(open_run_data(record)) if data is None else open_images(data)
    if not isinstance(images, PreparedImages) or images.prepared.fingerprint != record.data_fingerprint:
        return images
    images = replace(images, trained_on=record.division_of(images.prepared).trains_on_test)
    if not run.test_probabilities.exists():
        return images
    return replace(images, keras_probabilities=_read_probabilities(run.test_probabilities, images.prepared))


def _read_probabilities(path: Path, prepared: ImageSet) -> NDArray[np.float32]:
    expected = (len(prepared.split(SPLIT)), len(prepared.labels))
    try:
        probabilities: NDArray[np.float32] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(
            f"{path}: expected probabilities {expected}, got a damaged file ({error}); train again"
        ) from error
    if probabilities.shape != expected:
        raise InputError(f"{path}: expected probabilities {expected}, got {probabilities.shape}; train again")
    return probabilities
