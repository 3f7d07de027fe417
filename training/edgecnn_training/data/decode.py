"""The images of a source on all cores: read in order, decoded in threads, handed on in order."""

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from edgecnn_runtime.preprocess import ImageSource
from edgecnn_runtime.system.cpu import available_cpus

T = TypeVar("T")

# Images a thread takes at a time.
_CHUNK = 32
# Chunks under way for each thread: one in work, the others waiting for their turn to be handed on.
_CHUNKS_PER_THREAD = 3


def map_images(function: Callable[[ImageSource], T], images: Iterable[ImageSource]) -> Iterator[T]:
    """Apply `function` to each image on all cores; the results come in the order of the images.

    Threads, because Pillow releases the GIL while it decodes and resizes: on 2 cores, photos of 300x300 decode 1.4
    times as fast as in one thread and twice as fast as in processes, which send their pixels back through a pipe.
    Only some hundreds of images are in memory, however many there are.

    Args:
        function: must be fit for several threads, and return an error that is to be kept instead of raising it.
        images: read in the calling thread.
    """
    threads = available_cpus()
    unread = iter(images)
    under_way: deque[Future[list[T]]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="edgecnn-decode")
    try:
        while True:
            while len(under_way) < threads * _CHUNKS_PER_THREAD:
                chunk = tuple(itertools.islice(unread, _CHUNK))
                if not chunk:
                    break
                under_way.append(pool.submit(_apply, function, chunk))
            if not under_way:
                return
            yield from under_way.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _apply(function: Callable[[ImageSource], T], chunk: Sequence[ImageSource]) -> list[T]:
    return [function(image) for image in chunk]
