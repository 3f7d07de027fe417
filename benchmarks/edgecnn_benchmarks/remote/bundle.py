"""Everything that goes to the other machine, and how to measure there.

The files are laid out so that the benchmark there reads its subject as it would here: a run folder with its exported
files, or model files, and of the labelled images only those that are measured.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgecnn_benchmarks.measuring.candidates import Subject, read_subject
from edgecnn_benchmarks.settings import BenchSettings
from edgecnn_runtime.backends.engines import ENGINES, engines_of
from edgecnn_runtime.errors import InputError
from edgecnn_runtime.model_formats import format_of, model_parts


@dataclass(frozen=True)
class Bundle:
    """What is sent, and the benchmark that is asked for."""

    subject: Subject
    # By the path that they have there, the files and their SHA-256.
    files: Mapping[str, Path]
    sha256: Mapping[str, str]
    # What `edgecnn bench` is given there, as paths within the job's folder.
    targets: tuple[str, ...]
    data: str | None
    settings: BenchSettings

    @property
    def extras(self) -> dict[str, tuple[str, ...]]:
        """The extras of edgecnn for the engines that measure here, each with the modules of which one suffices."""
        candidates = self.subject.candidates
        used = {one.engine or engines_of(format_of(one.path).name)[0].name for one in candidates}
        engines = [engine for engine in ENGINES.values() if engine.name in used]
        provider = self.settings.opening.provider
        return {engine.extra(provider): tuple(dict.fromkeys(engine.packages.values())) for engine in engines}

    @property
    def name(self) -> str:
        """Name the benchmark by all that it measures and how: the same command finds it again."""
        settings = dataclasses.asdict(self.settings)
        content = [sorted(self.sha256.items()), self.targets, self.data, settings, list(self.extras)]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]

    def adding(self, files: Mapping[str, Path]) -> "Bundle":
        """Return the same with other files that the machine there needs, by the path that they have there."""
        return dataclasses.replace(self, files={**self.files, **files}, sha256={**self.sha256, **_hashes(files)})

    def job(self, **more: Any) -> dict[str, Any]:
        """Return the description that `far_side` takes, with what else it must know."""
        return {
            "name": self.name,
            "files": dict(self.sha256),
            "targets": self.targets,
            "data": self.data,
            "settings": dataclasses.asdict(self.settings),
            "extras": self.extras,
            **more,
        }


def pack(targets: Sequence[Path], *, data: Path | None, settings: BenchSettings, scratch: Path) -> Bundle:
    """Find out what to measure, and lay out what is sent.

    Args:
        targets: one run folder, or model files.
        data: labelled images in place of the run's own.
        settings: how to measure.
        scratch: an empty folder for what is written on the way.

    Raises:
        InputError: as for a benchmark here, before anything is sent.
    """
    if settings.with_keras:
        raise InputError("--with-keras: expected a benchmark on this machine, where Keras is; leave it out or --host")
    subject = read_subject(targets, data=data, opening=settings.opening)
    files: dict[str, Path] = {}
    run = subject.run
    if run is not None:
        files |= {f"run/{run.name}/{run.record.name}": run.record}
        files |= {
            f"run/{run.name}/{run.export.name}/{candidate.path.name}": candidate.path
            for candidate in subject.candidates
        }
        if subject.images.keras_probabilities is not None:
            files[f"run/{run.name}/{run.test_probabilities.name}"] = run.test_probabilities
        there: tuple[str, ...] = (f"run/{run.name}",)
    else:
        # The name of the file's folder may be part of its name in the results.
        paths = {
            f"models/{number}/{candidate.path.resolve().parent.name or 'root'}/{candidate.path.name}": candidate.path
            for number, candidate in enumerate(one for one in subject.candidates if not one.is_additional)
        }
        for name, path in paths.items():
            files |= {
                (Path(name).parent / part.relative_to(path.parent)).as_posix(): part for part in model_parts(path)
            }
        there = tuple(paths)
    data_there, images = subject.images.files(scratch)
    files |= {f"{data_there}/{name}": path for name, path in images.items()}
    return Bundle(subject, files, _hashes(files), there, data_there, settings)


def _hashes(files: Mapping[str, Path]) -> dict[str, str]:
    hashes = {}
    for name, path in files.items():
        try:
            with path.open("rb") as file:
                hashes[name] = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise InputError(f"{path}: expected a file that can be read, got {error.strerror}") from error
    return hashes
