"""A peer in a process of its own, so that threads, memory and libraries of one do not touch another."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from peer_software import PEERS, Files, Peer

# Seconds of calls a round, so that a figure is a mean of many where a call is short.
_ROUND = 0.3
_MOST_CALLS = 500
_WARMUP = 3


class PeerMissingError(Exception):
    """A peer cannot be run here; the message says why."""


@dataclass(frozen=True)
class Answer:
    """What one round gave."""

    seconds: float  # an image
    classes: list[int]  # one an image


class PeerProcess:
    """Runs one peer; close it, or use it in a `with` statement."""

    def __init__(self, name: str, files: Files, threads: int) -> None:
        context = get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, name, files, threads), daemon=True)
        self._process.start()
        theirs.close()
        self._answer(seconds=180)

    def one(self, images: NDArray[np.uint8]) -> Answer:
        """Classify `images` one by one, for about a third of a second; of the first few it tells the classes."""
        return self._ask(("one", images))

    def classes(self, images: NDArray[np.uint8]) -> list[int]:
        """Return the class of each image."""
        return self._ask(("classes", images)).classes

    def folder(self, paths: Sequence[Path]) -> Answer:
        """Read and classify files."""
        return self._ask(("folder", list(paths)))

    def close(self) -> None:
        """End the process."""
        self._process.terminate()
        self._process.join()

    def _ask(self, question: tuple[str, Any]) -> Answer:
        self._connection.send(question)
        return self._answer(seconds=1800)

    def _answer(self, *, seconds: float) -> Any:
        try:
            answer = self._connection.recv() if self._connection.poll(seconds) else "no answer in time"
        except EOFError:
            self._process.join()
            answer = f"its process ended with code {self._process.exitcode}"
        if isinstance(answer, str):
            self.close()
            raise PeerMissingError(answer)
        return answer


def _serve(connection: Connection, name: str, files: Files, threads: int) -> None:
    (listed,) = (peer for peer in PEERS if peer.name == name)
    try:
        peer = listed.open(files, threads)
        connection.send(True)
    except ImportError as problem:
        connection.send(f"not installed here (pip install {listed.install}): {problem}")
        return
    except Exception as problem:  # whatever somebody else's software raises is what the row says
        connection.send(f"does not open the file: {type(problem).__name__}: {problem}"[:300])
        return
    work = {"one": _one, "classes": _classes, "folder": _folder}
    while True:
        kind, images = connection.recv()
        try:
            connection.send(work[kind](peer, images))
        except Exception as problem:
            connection.send(f"failed: {type(problem).__name__}: {problem}"[:300])
            return


def _one(peer: Peer, images: NDArray[np.uint8]) -> Answer:
    warmed_up = [peer.classify(image) for image in images[:_WARMUP]]
    calls, started = 0, time.perf_counter()
    while calls < _MOST_CALLS and (calls == 0 or time.perf_counter() - started < _ROUND):
        peer.classify(images[calls % len(images)])
        calls += 1
    return Answer((time.perf_counter() - started) / calls, warmed_up)


def _classes(peer: Peer, images: NDArray[np.uint8]) -> Answer:
    started = time.perf_counter()
    classes = [peer.classify(image) for image in images]
    return Answer((time.perf_counter() - started) / len(images), classes)


def _folder(peer: Peer, paths: list[Path]) -> Answer:
    started = time.perf_counter()
    classes = peer.classify_folder(paths)
    return Answer((time.perf_counter() - started) / len(paths), classes)
