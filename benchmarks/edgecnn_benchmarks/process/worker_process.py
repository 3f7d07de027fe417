"""The parent's side of a worker: start it, ask it, notice when it crashes or hangs."""

import contextlib
import json
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, Self

from edgecnn_runtime.image_fit import ImageFit
from edgecnn_runtime.json_dataclasses import read_dataclass
from edgecnn_runtime.manifest import InputSpec
from edgecnn_runtime.system.nameless_file import nameless_file
from edgecnn_runtime.system.own_process import describe_end
from edgecnn_runtime.third_party_models.opening import Opening

WORKER = (sys.executable, "-m", "edgecnn_benchmarks.process.worker")
KERAS_WORKER = (sys.executable, "-m", "edgecnn_benchmarks.process.keras_worker")
# Seconds an idle worker gets to leave after its stdin was closed.
_GRACE_SECS = 5.0
# In place of an answer once the worker's stdout is at its end.
_ENDED = ""


class WorkerError(RuntimeError):
    """A worker could not do what it was asked; the text is the reason that a report shows."""


@dataclass(frozen=True)
class ModelFacts:
    """What a model file said about itself when a worker opened it."""

    labels: tuple[str, ...]
    input: InputSpec
    scheme: str
    backend: str
    # What the interpreter runs on; None where it does not say.
    provider: str | None = None
    # Seconds the worker took to open it.
    load_s: float = 0.0
    # Whether others made the file, and what nobody said about it.
    third_party: bool = False
    fit: ImageFit = field(default_factory=ImageFit)  # what of its resizing is said and not assumed
    assumed: tuple[str, ...] = ()


class WorkerProcess:
    """One process that has opened one model; a context manager that ends it."""

    def __init__(
        self,
        model: Path,
        *,
        threads: int,
        timeout: float,
        folder: Path,
        opening: Opening = Opening(),  # noqa: B008, frozen
        command: Sequence[str] = WORKER,
    ) -> None:
        """Start the process and let it open the model.

        Args:
            model: the model file.
            threads: threads within one inference.
            timeout: seconds without an answer after which the process counts as hanging.
            opening: how the file is opened.
            folder: an empty working folder, where no file of the user's shadows a module.
            command: what speaks the protocol of `worker.py`.

        Raises:
            WorkerError: the model cannot be opened, the process crashed or hung.
        """
        self._timeout = timeout
        self._answers: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._stderr = nameless_file()  # closed in `close`
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            encoding="utf-8",
            cwd=folder,
        )
        # Pipes cannot be polled with a time limit everywhere; a thread that blocks on one can be waited for.
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            facts = self.ask("open", model=str(model.resolve()), threads=threads, opening=asdict(opening))
            self.facts = read_dataclass(ModelFacts, facts, name="worker")
        except BaseException:
            self.close(at_once=True)
            raise

    def ask(self, do: str, **options: Any) -> Mapping[str, Any]:
        """Send one request and wait for its answer.

        Raises:
            WorkerError: the worker reported an error, crashed or hung.
        """
        # A process that has died is noticed by its missing answer.
        with contextlib.suppress(BrokenPipeError):
            _pipe(self._process.stdin).write(json.dumps({"do": do, **options}) + "\n")
            _pipe(self._process.stdin).flush()
        try:
            line = self._answers.get(timeout=self._timeout)
        except queue.Empty:
            raise WorkerError(f"no answer within {self._timeout:g} s (while asked to {do}); stopped") from None
        if line == _ENDED:
            raise WorkerError(self._why_it_ended(do))
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise WorkerError(answer["error"])
        return answer

    def close(self, *, at_once: bool = False) -> None:
        """End the process by closing its stdin, or kill it where it must not be waited for."""
        with contextlib.suppress(BrokenPipeError):
            _pipe(self._process.stdin).close()
        try:
            self._process.wait(0 if at_once else _GRACE_SECS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        _pipe(self._process.stdout).close()
        self._stderr.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.close(at_once=kind is not None)

    def _read(self) -> None:
        for line in _pipe(self._process.stdout):
            self._answers.put(line)
        self._answers.put(_ENDED)

    def _why_it_ended(self, do: str) -> str:
        try:
            code = self._process.wait(_GRACE_SECS)
        except subprocess.TimeoutExpired:
            return f"closed its output (while asked to {do})"
        self._stderr.seek(0)
        stderr = self._stderr.read().decode(errors="replace")
        return f"{describe_end(code, stderr)} (while asked to {do})"


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None  # asked for in Popen
    return pipe
