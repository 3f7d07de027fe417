"""More images than one machine takes: the same classifier on Ray Data (the extra `ray`).

Ray (Apache-2.0) keeps a pool of processes on one machine or on a cluster; each is one classifier with one thread. The
names of the images are cut into chunks, and a chunk is the unit of work: a process that dies is started again with the
chunk it had, so that no image is lost and, because a chunk's answers are taken whole or not at all, none counts twice.
Answers come back to the process that asked, in the order of the images: it needs no folder that all machines share.

Nothing is sent to third parties: Ray's usage statistics are off, it shows no dashboard, and what it starts on this
machine listens on the loopback address only, behind a token made for the one run. A cluster that runs already has
the rules of those who started it.
"""

import contextlib
import logging
import os
import platform
import secrets
import socket
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecnn_runtime.classifier import Classifier
from edgecnn_runtime.errors import EdgecnnError, GateError, ImageError, InputError, MissingExtraError
from edgecnn_runtime.jobs.object_store import StoredPlace, is_address, open_place, read_stored, stored_images
from edgecnn_runtime.model_formats import ModelFile, model_parts
from edgecnn_runtime.pipeline import Item
from edgecnn_runtime.prediction import Prediction
from edgecnn_runtime.sources import expand_sources
from edgecnn_runtime.system.cpu import available_cpus
from edgecnn_runtime.system.own_process import python_interpreter
from edgecnn_runtime.system.scratch import scratch_folder
from edgecnn_runtime.version import __version__

if TYPE_CHECKING:
    import pyarrow as pa

# Images of a chunk, at most: the milliseconds Ray takes to hand one over no longer count, and little is done again.
_CHUNK = 128
# Chunks a process gets, at least, so that all end at about the same time.
_CHUNKS_PER_WORKER = 8
# How often a chunk is begun whose process dies; an image that kills every one of them must not do so for ever.
_TRIES = 5
# How long a cluster's head may take to answer.
_ANSWER_SECONDS = 10.0


@dataclass(frozen=True)
class Images:
    """What there is to do: names of this machine's files, and paths in object stores."""

    places: tuple[StoredPlace, ...]
    paths: tuple[str, ...]
    # For each path the number of its place; -1: a file of this machine.
    place_of: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.paths)

    def name(self, number: int) -> str:
        """Return what the user knows the image by."""
        place = self.place_of[number]
        return self.paths[number] if place < 0 else self.places[place].name_of(self.paths[number])


def find_images(sources: Sequence[str], *, recursive: bool = False) -> Images:
    """List the images of files, folders and patterns, and of addresses such as `s3://bucket/prefix`.

    Raises:
        InputError: a source that does not exist, cannot be read, or has no image.
        MissingExtraError: pyarrow is needed and not installed.
    """
    places: list[StoredPlace] = []
    paths: list[str] = []
    place_of: list[int] = []
    for source in sources:
        if is_address(source):
            found = stored_images(place := open_place(source), recursive=recursive)
            place_of += [len(places)] * len(found)
            places.append(place)
        else:
            found = [os.fspath(path) for path in expand_sources([source], recursive=recursive)]
            place_of += [-1] * len(found)
        paths += found
    return Images(tuple(places), tuple(paths), tuple(place_of))


@contextlib.contextmanager
def ray_started(*, workers: int | None = None, address: str | None = None) -> Iterator[int]:
    """Start Ray on this machine, or join a cluster; yield the number of processes to use. What was started is ended.

    Args:
        workers: processes; None: the processors this process may use, or all of the cluster.
        address: None: this machine; "auto": the cluster this machine belongs to; "host:port": that of its head. Its
            machines need the same release of edgecnn with the model's interpreter, and see the files they are to read.

    Raises:
        InputError: no cluster answers at the address.
        MissingExtraError: Ray is not installed.
        FileNotFoundError: this is a frozen program, which Ray would start again and again.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    if address is None:
        python_interpreter()  # which Ray starts
        # Ray's switch for machines that must not be reached from others: everything listens on 127.0.0.1.
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
        os.environ["RAY_AUTH_MODE"], os.environ["RAY_AUTH_TOKEN"] = "token", secrets.token_hex(32)
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise MissingExtraError("The Ray engine", package="ray[data]", extra="ray") from error
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR, "include_dashboard": False}
    with contextlib.ExitStack() as stack:
        if address is None:
            # Not in /tmp/ray, which every user may read and nothing empties; a short name, because sockets lie in it.
            folder = scratch_folder(purpose="ray-", base=_short_folder())
            count = workers or available_cpus()
            start = partial(ray.init, num_cpus=count, _temp_dir=str(stack.enter_context(folder)), **quiet)
        else:
            _check_answers(address)
            start = partial(ray.init, address=address, log_to_driver=False, logging_level=logging.ERROR)
        stack.callback(ray.shutdown)
        try:
            start()
        except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
            if address is None:
                raise EdgecnnError(
                    f"Ray could not be started on this machine; it says: {_first_line(error)}"
                ) from error
            raise InputError(f"{_NO_CLUSTER.format(address)}; Ray says: {_first_line(error)}") from error
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        yield workers or max(1, int(ray.cluster_resources().get("CPU", 1)))


def classify_on_ray(
    model: Path | ModelFile,
    labels: tuple[str, ...],
    images: Images,
    *,
    workers: int,
    opener: Callable[[Path], Classifier] = Classifier.open,
) -> Iterator[Item]:
    """Classify images on `workers` processes of the Ray that is running, yielding one item each, in order.

    An image that cannot be read is an item with an `error`, as with `Classifier.predict_many`.

    Args:
        model: a model file of this machine; the others are sent its bytes, and those of the files beside it.
        labels: its labels.
        images: what `find_images` listed.
        workers: processes, one classifier with one thread each.
        opener: opens the model in each process; a function of a module, or a `functools.partial` of one.

    Raises:
        EdgecnnError: a process cannot open the model, or processes died again and again at the same images.
        GateError: Ray gave back other images than it got.
    """
    import ray
    import ray.data

    model = ModelFile.of(model)
    beside = model_parts(model.path)[1:]
    parts = {part.relative_to(model.path.parent).as_posix(): part.read_bytes() for part in beside}
    content = ray.put({f"model{model.path.suffix}": model.content, **parts})
    tries = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(_Tries).remote()
    context = ray.data.DataContext.get_current().copy()
    context.enable_progress_bars = False
    context.execution_options.preserve_order = True
    with ray.data.DataContext.current(context):
        chunks = ray.data.from_arrow_refs([ray.put(table) for table in _chunks(images, workers)])
        answers = chunks.map_batches(
            _Worker,
            batch_size=None,
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(size=workers),
            num_cpus=1,
            fn_constructor_args=([content], opener, images.places, tries, __version__),
        )
        expected = 0
        try:
            for table in answers.iter_batches(batch_size=None, batch_format="pyarrow"):
                for number, row, error in zip(*(table[name].to_pylist() for name in _ANSWER), strict=True):
                    if number != expected:
                        raise GateError(f"expected each image's answer once and in order, got {number} for {expected}")
                    expected += 1
                    name = images.name(number)
                    if error is None:
                        yield Item(name, Prediction.of(np.array(row, np.float32), labels))
                    else:
                        yield Item(name, error=ImageError(error))
        except ray.exceptions.RayError as error:
            raise EdgecnnError(_failure(error)) from error
    if expected != len(images):
        raise GateError(f"expected {len(images)} answers, got {expected}")


_ANSWER = ("number", "probabilities", "error")


def _chunks(images: Images, workers: int) -> "Iterator[pa.Table]":
    """Cut the names into tables of (number, path, place); paths are bytes, because not every file name is UTF-8."""
    import pyarrow as pa

    size = min(_CHUNK, max(1, len(images) // (_CHUNKS_PER_WORKER * workers)))
    for start in range(0, len(images), size):
        part = slice(start, min(start + size, len(images)))
        yield pa.table(
            {
                "number": pa.array(range(part.start, part.stop), pa.int64()),
                "path": pa.array([os.fsencode(path) for path in images.paths[part]], pa.binary()),
                "place": pa.array(images.place_of[part], pa.int32()),
            }
        )


class _Tries:
    """Counts how often each chunk was begun; in a separate process, because those that classify may die."""

    def __init__(self) -> None:
        self.begun: Counter[int] = Counter()

    def begin(self, first: int) -> int:
        """Count one more try of the chunk that begins with image `first`."""
        self.begun[first] += 1
        return self.begun[first]


class _Worker:
    """One process's classifier; Ray makes one in each and gives it chunk after chunk."""

    def __init__(
        self,
        model: list[Any],  # the reference of its files, in a list so that Ray passes it on as it is
        opener: Callable[[Path], Classifier],
        places: tuple[StoredPlace, ...],
        tries: Any,
        version: str,
    ) -> None:
        import ray

        if version != __version__:
            raise InputError(f"expected edgecnn {version} on every machine, got {__version__} on {platform.node()}")
        with tempfile.TemporaryDirectory(prefix="edgecnn-model-") as folder:
            files = {Path(folder, name): content for name, content in ray.get(model[0]).items()}
            for path, content in files.items():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            self.classifier = opener(next(iter(files)))
        self.places, self.tries = places, tries

    def __call__(self, chunk: "pa.Table") -> "pa.Table":
        import pyarrow as pa
        import ray

        first = chunk["number"][0].as_py()
        if ray.get(self.tries.begin.remote(first)) > _TRIES:
            raise EdgecnnError(
                f"{os.fsdecode(chunk['path'][0].as_py())} and the {len(chunk) - 1} images after it: the processes that "
                f"were to classify them died {_TRIES} times; look for a damaged one, or give them more memory"
            )
        rows: list[Any] = []
        errors: list[str | None] = []
        for path, place in zip(chunk["path"].to_pylist(), chunk["place"].to_pylist(), strict=True):
            try:
                rows.append(self._probabilities(os.fsdecode(path), place))
                errors.append(None)
            except (ImageError, MemoryError) as error:
                rows.append(None)
                errors.append(str(error) or "expected memory for an inference, got none")
        return pa.table(
            {
                "number": chunk["number"],
                "probabilities": pa.array(rows, pa.list_(pa.float32())),
                "error": pa.array(errors, pa.string()),
            }
        )

    def _probabilities(self, path: str, number: int) -> Any:
        if number < 0:
            return self.classifier.predict(path).probabilities
        place = self.places[number]
        content = read_stored(place, path)
        try:
            return self.classifier.predict(content).probabilities
        except ImageError as error:
            raise ImageError(f"{place.name_of(path)}:{str(error).removeprefix('image:')}") from error


_NO_CLUSTER = "--address {}: expected a Ray cluster that runs; start one with 'ray start --head'"


def _check_answers(address: str) -> None:
    """Try HOST:PORT for seconds where Ray would for minutes.

    Raises:
        InputError: no answer.
    """
    host, _, port = address.rpartition(":")
    if not port.isdigit():
        return
    try:
        socket.create_connection((host.rpartition("/")[2], int(port)), timeout=_ANSWER_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise InputError(f"{_NO_CLUSTER.format(address)}; no answer there: {error}") from error


def _failure(error: Exception) -> str:
    """Say in a line what Ray says in a page."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, EdgecnnError):
            return str(cause)
        cause = getattr(cause, "cause", None) or cause.__cause__
    return f"a process of the Ray engine failed; Ray says: {_first_line(error)}"


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _short_folder() -> str | None:
    return "/tmp" if Path("/tmp").is_dir() else None
