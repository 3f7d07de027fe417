"""The routes of the server."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edgecnn_runtime.manifest import Manifest
from edgecnn_runtime.server.access import Access, AccessMiddleware
from edgecnn_runtime.server.classify import ClassifyRoute
from edgecnn_runtime.server.events import EventStream
from edgecnn_runtime.server.limits import RequestLimits
from edgecnn_runtime.server.live import CameraState, Live
from edgecnn_runtime.server.metrics import CONTENT_TYPE, Metrics
from edgecnn_runtime.server.openapi import openapi_document
from edgecnn_runtime.server.page import page
from edgecnn_runtime.server.pool import InterpreterPool
from edgecnn_runtime.server.problem import HTTPProblem, answer_crash, answer_http_exception
from edgecnn_runtime.version import __version__

# Seconds that a viewer waits for a frame newer than the one it has.
_FRAME_WAIT = 10.0
_METHODS = frozenset({"GET", "HEAD", "POST"})


class Service:
    """One model behind HTTP, with or without a camera."""

    def __init__(
        self,
        pool: InterpreterPool,
        manifest: Manifest,
        *,
        assumed: Sequence[str] = (),
        live: Live | None = None,
        limits: RequestLimits | None = None,
        access: Access | None = None,
    ) -> None:
        """Join the parts.

        Args:
            pool: the interpreters.
            manifest: of their model.
            assumed: what was assumed about a third-party model.
            live: the camera.
            limits: default: those of `RequestLimits`.
            access: default: no token, this machine's names.
        """
        self.manifest, self.live, self.limits = manifest, live, limits or RequestLimits()
        self.metrics = Metrics(manifest.name, str(manifest.scheme), __version__, workers=pool.size)
        self._backend, self._assumed = pool.name, tuple(assumed)
        self._classify = ClassifyRoute(pool, manifest, self.limits, self.metrics)
        self._page = page()
        self._openapi = openapi_document(self.limits)
        self.app = Starlette(
            routes=[
                Route("/", self._get_page),
                Route("/v1/classify", self._post_classify, methods=["POST"]),
                Route("/v1/model", self._get_model),
                Route("/v1/stream", self._get_stream),
                Route("/v1/frame.jpg", self._get_frame),
                Route("/healthz", self._get_health),
                Route("/metrics", self._get_metrics),
                Route("/openapi.json", self._get_openapi),
            ],
            middleware=[
                Middleware(_CountMiddleware, metrics=self.metrics, paths=frozenset(self._openapi["paths"])),
                Middleware(AccessMiddleware, access=access or Access.of(token=None)),
            ],
            exception_handlers={HTTPException: answer_http_exception, Exception: answer_crash},
            lifespan=self._lifespan,
        )

    def begin_shutdown(self) -> None:
        """Let go of the viewers, whose answers would never end; from within the event loop."""
        if self.live is not None:
            self.live.close()

    @property
    def at_work(self) -> bool:
        """Whether images are being received or classified; each ends within its time."""
        return self._classify.requests > 0

    @asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        del app
        if self.live is not None:
            self.live.start()
        yield
        self.begin_shutdown()
        if self.live is not None:
            await asyncio.to_thread(self.live.join)
        await asyncio.to_thread(self._classify.close)

    async def _get_page(self, request: Request) -> Response:
        del request
        return Response(self._page.content, media_type="text/html", headers=self._page.headers)

    async def _post_classify(self, request: Request) -> Response:
        return _json(await self._classify.answer(request))

    async def _get_model(self, request: Request) -> Response:
        del request
        return _json(_model_document(self.manifest, self._backend, self._assumed, self.limits, self.live))

    async def _get_stream(self, request: Request) -> EventStream:
        del request
        live = self._camera()
        if self.metrics.streams >= self.limits.streams:
            raise HTTPProblem(
                429, f"expected at most {self.limits.streams} open event streams, got one more", {"Retry-After": "5"}
            )
        return EventStream(live, self.metrics)

    async def _get_frame(self, request: Request) -> Response:
        live = self._camera()
        text = request.query_params.get("after", "0")
        if not (text.isascii() and text.isdigit()):
            raise HTTPProblem(400, f"after: expected the number of an event, got {text[:20]!r}")
        try:
            shown = await asyncio.wait_for(live.next(int(text[:18]), framed=True), _FRAME_WAIT)
        except TimeoutError:
            shown = None
        if shown is None:
            raise HTTPProblem(503, f"expected a newer frame within {_FRAME_WAIT:g} s; {_camera_detail(live)}")
        return Response(await live.jpeg(shown), media_type="image/jpeg", headers={"X-Event-Id": str(shown.serial)})

    async def _get_health(self, request: Request) -> Response:
        del request
        if self.live is None:
            return _json({"status": "ok", "camera": None})
        state = self.live.state
        if state in (CameraState.LOST, CameraState.FROZEN):
            # Whoever has no token learns no more than this.
            raise HTTPProblem(503, f"expected a live camera, this one is {state}")
        return _json({"status": "ok", "camera": str(state)})

    async def _get_metrics(self, request: Request) -> Response:
        del request
        text = self.metrics.render(None if self.live is None else self.live.counts())
        return Response(text.encode("utf-8", "replace"), media_type=CONTENT_TYPE)

    async def _get_openapi(self, request: Request) -> Response:
        del request
        return _json(self._openapi)

    def _camera(self) -> Live:
        if self.live is None:
            raise HTTPProblem(404, "expected a server with a camera; start it with 'edgecnn serve MODEL --source 0'")
        return self.live


def _json(document: dict[str, Any]) -> Response:
    # In ASCII, so that nothing in an untrusted label is left that cannot be encoded.
    return Response(json.dumps(document, allow_nan=False), media_type="application/json")


def _camera_detail(live: Live) -> str:
    return live.text or f"the camera is {live.state}"


def _model_document(
    manifest: Manifest, backend: str, assumed: Sequence[str], limits: RequestLimits, live: Live | None
) -> dict[str, Any]:
    """Return what every client that may classify may know."""
    accuracy = manifest.accuracy
    return {
        "name": manifest.name,
        "labels": list(manifest.labels),
        "input": {
            "height": manifest.input.height,
            "width": manifest.input.width,
            "colour": str(manifest.input.colour),
            "resize": str(manifest.input.resize),
            "resize_size": manifest.input.resize_size,
            "interpolation": str(manifest.input.interpolation),
            "background": list(manifest.input.background),
        },
        "scheme": str(manifest.scheme),
        "backend": backend,
        "recipe": manifest.recipe,
        "licence": manifest.licence,
        "accuracy": None if accuracy is None else {"correct": accuracy.correct, "total": accuracy.total},
        "assumed": list(assumed),
        "edgecnn": __version__,
        "camera": None if live is None else {"source": live.name, "state": str(live.state), "text": live.text},
        "limits": {
            "body_bytes": limits.body_bytes,
            "pixels": limits.pixels,
            "images": limits.images,
            "concurrency": limits.concurrency,
        },
    }


class _CountMiddleware:
    """Counts each answer by route, method and status; unknown routes and methods count as `other`."""

    def __init__(self, app: ASGIApp, metrics: Metrics, paths: frozenset[str]) -> None:
        self._app, self._metrics, self._paths = app, metrics, paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        route = scope["path"] if scope["path"] in self._paths else "other"
        method = scope["method"] if scope["method"] in _METHODS else "other"
        answered = False

        async def send_counted(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = True
                self._metrics.requests[route, method, message["status"]] += 1
            await send(message)

        try:
            await self._app(scope, receive, send_counted)
        except Exception:
            if not answered:
                self._metrics.requests[route, method, 500] += 1
            raise
