"""`POST /v1/classify`: images in, labels, probabilities and timings out."""

import asyncio
import math
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from starlette.requests import Request

from edgecnn_runtime.errors import ImageError
from edgecnn_runtime.manifest import Manifest
from edgecnn_runtime.prediction import Prediction
from edgecnn_runtime.server.limits import RequestLimits
from edgecnn_runtime.server.metrics import Metrics
from edgecnn_runtime.server.pool import InterpreterPool, PooledAnswer, classify_upload
from edgecnn_runtime.server.problem import HTTPProblem
from edgecnn_runtime.server.uploads import Budget, Upload, read_uploads

TOP_K = 5


class ClassifyRoute:
    """Runs uploads through the pool, and turns away what is more than the device can take on."""

    def __init__(self, pool: InterpreterPool, manifest: Manifest, limits: RequestLimits, metrics: Metrics) -> None:
        self._pool, self._manifest, self._limits, self._metrics = pool, manifest, limits, metrics
        self._budget = Budget(limits.bytes_under_way)
        self.requests = 0  # that are being received or answered
        self._threads = ThreadPoolExecutor(pool.size, thread_name_prefix="edgecnn-serve")

    def close(self) -> None:
        """End the threads; what waits is given up."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    async def answer(self, request: Request) -> dict[str, Any]:
        """Return the answer's document.

        Raises:
            Problem: a request that is refused, with its status.
        """
        metrics, top_k = self._metrics, _top_k(request, len(self._manifest.labels))
        self.requests += 1
        try:
            self._check_room()
            started = time.perf_counter()
            with self._budget.share() as take:
                uploads = await read_uploads(request, self._limits, take)
                received = time.perf_counter()
                # Only now, so that a client that sends slowly takes nobody's place.
                self._check_room()
                metrics.under_way += 1
                try:
                    outcomes = await self._classify(uploads)
                finally:
                    metrics.under_way -= 1
                finished = time.perf_counter()
        finally:
            self.requests -= 1
        for outcome in outcomes:
            self._count(outcome)
        if isinstance(outcomes[0], ImageError) and not _is_form(request):
            raise HTTPProblem(422, str(outcomes[0]))
        metrics.request_seconds.observe(finished - started)
        return {
            "model": self._manifest.name,
            "results": [_item(upload, outcome, top_k) for upload, outcome in zip(uploads, outcomes, strict=True)],
            "timings": {
                "receive_ms": milliseconds(received - started),
                "classify_ms": milliseconds(finished - received),
            },
        }

    def _check_room(self) -> None:
        if self._metrics.under_way >= self._limits.concurrency:
            raise HTTPProblem(
                429,
                f"expected at most {self._limits.concurrency} requests under way, got one more; send it again later",
                headers={"Retry-After": str(self._seconds_to_wait())},
            )

    async def _classify(self, uploads: list[Upload]) -> "list[PooledAnswer | ImageError]":
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._limits.seconds):
                return await asyncio.gather(
                    *(loop.run_in_executor(self._threads, self._classify_one, upload.content) for upload in uploads)
                )
        except TimeoutError:
            raise HTTPProblem(
                503,
                f"expected an answer within {self._limits.seconds:g} s, the device took longer; send less at once",
                headers={"Retry-After": str(self._seconds_to_wait())},
            ) from None

    def _classify_one(self, content: bytes) -> "PooledAnswer | ImageError":
        try:
            return classify_upload(content, self._pool, self._manifest, max_pixels=self._limits.pixels)
        except ImageError as error:
            return error
        except MemoryError:
            return ImageError("image: expected memory for an inference, got none; send it again later")

    def _count(self, outcome: "PooledAnswer | ImageError") -> None:
        if isinstance(outcome, ImageError):
            self._metrics.images["refused"] += 1
            return
        self._metrics.images["classified"] += 1
        self._metrics.decode_seconds.observe(outcome.decode_seconds)
        self._metrics.infer_seconds.observe(outcome.infer_seconds)

    def _seconds_to_wait(self) -> int:
        """Estimate in how many seconds those under way will be done, at least 1: what Retry-After can say."""
        seen = self._metrics.request_seconds
        mean = seen.sum / seen.count if seen.count else 0.0
        return max(1, min(60, math.ceil(mean)))


def top_document(prediction: Prediction, k: int) -> dict[str, Any]:
    """Return the label, its probability and the `k` best labels, as every answer gives them."""
    top = [{"label": label, "probability": _finite(value)} for label, value in prediction.top(k)]
    return {**top[0], "top": top}


def _finite(value: float) -> float | None:
    """Round a probability; None for the NaN of a broken model, which JSON cannot hold."""
    return round(value, 6) if math.isfinite(value) else None


def _item(upload: Upload, outcome: "PooledAnswer | ImageError", k: int) -> dict[str, Any]:
    if isinstance(outcome, ImageError):
        return {"name": upload.name, "error": str(outcome)}
    return {
        "name": upload.name,
        **top_document(outcome.prediction, k),
        "decode_ms": milliseconds(outcome.decode_seconds),
        "inference_ms": milliseconds(outcome.infer_seconds),
    }


def milliseconds(seconds: float) -> float:
    """Return seconds as an answer gives them.

    >>> milliseconds(0.00123456)
    1.235
    """
    return round(1000 * seconds, 3)


def _is_form(request: Request) -> bool:
    return request.headers.get("content-type", "").lower().startswith("multipart/")


def _top_k(request: Request, classes: int) -> int:
    """Read how many labels are wanted: `?top_k=3`.

    Raises:
        Problem: not a whole number from 1 on.
    """
    text = request.query_params.get("top_k", str(TOP_K))
    if not (text.isascii() and text.isdigit() and int(text[:9]) >= 1):
        raise HTTPProblem(400, f"top_k: expected a whole number from 1 on, got {text[:20]!r}")
    return min(int(text[:9]), classes)
