"""`GET /v1/stream`: the answers about the camera as server-sent events."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from starlette.types import Receive, Scope, Send

from edgecnn_runtime.server.classify import TOP_K, milliseconds, top_document
from edgecnn_runtime.server.live import Live, Shown
from edgecnn_runtime.server.metrics import Metrics

# Seconds without news after which a comment is sent, so that proxies and viewers keep the connection.
_KEEP_ALIVE = 10.0
# Seconds in which a viewer must take what was sent; the buffers between hold some hundred events.
_TAKE_WITHIN = 20.0


class EventStream:
    """An answer that ends when the viewer leaves, reads too slowly, or the server closes.

    Whoever reads slower than the camera gives gets the newest, not the next.
    """

    def __init__(self, live: Live, metrics: Metrics) -> None:
        self._live, self._metrics = live, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until one of the three happens."""
        del scope
        self._metrics.streams += 1
        talk, leave = asyncio.create_task(self._talk(send)), asyncio.create_task(_wait_for_disconnect(receive))
        try:
            await asyncio.wait({talk, leave}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._metrics.streams -= 1
            for task in (talk, leave):
                task.cancel()
            await asyncio.gather(talk, leave, return_exceptions=True)

    async def _talk(self, send: Send) -> None:
        head = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"x-accel-buffering", b"no")]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        async for text in self._texts():
            async with asyncio.timeout(_TAKE_WITHIN):
                await send({"type": "http.response.body", "body": text.encode(), "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _texts(self) -> AsyncIterator[str]:
        """Yield events, from the newest that is known on."""
        serial = 0
        while True:
            try:
                shown = await asyncio.wait_for(self._live.next(serial), _KEEP_ALIVE)
            except TimeoutError:
                yield ": still here\n\n"
                continue
            if shown is None:
                return
            serial = shown.serial
            name = "camera" if shown.result is None else "result"
            yield f"id: {serial}\nevent: {name}\ndata: {json.dumps(event_document(shown))}\n\n"


def event_document(shown: Shown) -> dict[str, Any]:
    """Return the data of an event: of `camera` its state only, of `result` the answer about a frame too."""
    camera = {"camera": str(shown.state), "text": shown.text}
    result = shown.result
    if result is None or result.frame is None or result.prediction is None or result.latency is None:
        return camera
    answer = top_document(result.prediction, TOP_K)
    return {
        **camera,
        "frame": result.frame.number,
        # What smoothing lets through; null while no label has its votes. The frame's own is the first of `top`.
        "label": result.label,
        "probability": answer["probability"],
        "top": answer["top"],
        "age_ms": milliseconds(result.age or 0.0),
        "wait_ms": milliseconds(result.latency.wait),
        "preprocess_ms": milliseconds(result.latency.preprocess),
        "inference_ms": milliseconds(result.latency.inference),
        "frames_per_second": round(shown.frames_per_second, 2),
        "dropped": result.dropped,
    }


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
