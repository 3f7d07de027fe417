"""A real server for tests, in a thread of this process, and what tests send to it."""

# ruff: noqa: E402 - the packages are looked for first

import contextlib
import http.client
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import needs
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from waiting import wait_until

for package in ("starlette", "uvicorn", "python_multipart"):
    needs.package(package, "edgecnn[serve]")

from edgecnn_runtime.backends.fake import FakeBackend
from edgecnn_runtime.classifier import Classifier
from edgecnn_runtime.manifest import Colour, InputSpec, Manifest, Scheme
from edgecnn_runtime.server.access import Access
from edgecnn_runtime.server.app import Service
from edgecnn_runtime.server.limits import RequestLimits
from edgecnn_runtime.server.live import Live
from edgecnn_runtime.server.openapi import openapi_document
from edgecnn_runtime.server.pool import InterpreterPool
from edgecnn_runtime.server.serving import listen, make_server
from edgecnn_runtime.video.capture.newest import NewestFrames

try:
    import jsonschema
except ImportError:
    jsonschema = None

LABELS = ("black", "dark", "bright", "white")
MANIFEST = Manifest("grey", LABELS, InputSpec(8, 8, Colour.GREY), Scheme.FLOAT32)


class GatedBackend(FakeBackend):
    """Answers only while its gate is open, so that requests wait as long as a test wants."""

    def __init__(self) -> None:
        super().__init__(input_shape=(8, 8, 1), classes=len(LABELS))
        self.gate = threading.Event()
        self.gate.set()
        self.at_work = threading.Semaphore(0)  # released by each inference that begins
        self.together = self.most_together = 0
        self._lock = threading.Lock()

    def infer(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        with self._lock:
            self.together += 1
            self.most_together = max(self.most_together, self.together)
        self.at_work.release()
        try:
            assert self.gate.wait(30)
            return super().infer(pixels)
        finally:
            with self._lock:
                self.together -= 1

    def another(self) -> "GatedBackend":
        return self


def a_service(
    *,
    backend: FakeBackend | None = None,
    workers: int = 2,
    capture: NewestFrames | None = None,
    reopen: Callable[[], NewestFrames] | None = None,
    limits: RequestLimits | None = None,
    token: str | None = None,
    hosts: Sequence[str] = (),
    manifest: Manifest = MANIFEST,
) -> Service:
    """Put a server together around a fake model."""
    pool = InterpreterPool(backend or FakeBackend(input_shape=(8, 8, 1), classes=len(manifest.labels)), workers)
    live = None
    if capture is not None:
        same = capture
        live = Live(Classifier(pool, manifest), capture, reopen or (lambda: same), None)
    return Service(pool, manifest, live=live, limits=limits, access=Access.of(token=token, hosts=hosts))


@dataclass(frozen=True)
class Answer:
    """What a server said."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Address:
    """Where a server listens."""

    port: int
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def ask(
        self,
        path: str,
        method: str = "GET",
        *,
        body: bytes | Iterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request on a connection of its own; an iterator goes in chunks."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            connection.request(method, path, body=body, headers={**self.headers, **(headers or {})})
            answer = connection.getresponse()
            return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())

    def wait_for_metric(self, name: str, value: int) -> None:
        """Wait until the server counts so many."""
        line = f"{name} {value}\n".encode()
        wait_until(lambda: line in self.ask("/metrics").body, f"{name} {value}")

    def classify(self, body: bytes, query: str = "", **headers: str) -> Answer:
        """Send the bytes of one image."""
        sent = {"Content-Type": "image/png", **{name.replace("_", "-"): value for name, value in headers.items()}}
        return self.ask(f"/v1/classify{query}", "POST", body=body, headers=sent)

    def classify_files(self, *files: tuple[str, bytes], query: str = "") -> Answer:
        """Send named images as a form."""
        body = form(*files)
        return self.ask(f"/v1/classify{query}", "POST", body=body, headers={"Content-Type": FORM_TYPE})


FORM_TYPE = "multipart/form-data; boundary=line"


def form(*files: tuple[str, bytes]) -> bytes:
    """Return a multipart form with the boundary that `FORM_TYPE` names."""
    parts = [
        f'--line\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n\r\n'.encode() + content
        for name, content in files
    ]
    return b"\r\n".join([*parts, b"--line--\r\n"])


def png(value: int, size: tuple[int, int] = (12, 10)) -> bytes:
    """Return a grey picture as the bytes of a PNG file."""
    file = BytesIO()
    Image.new("L", size, value).save(file, "PNG")
    return file.getvalue()


@contextlib.contextmanager
def running(service: Service) -> Iterator[Address]:
    """Serve on a free port until the block ends; the end must come by itself."""
    ready = threading.Event()
    with listen("127.0.0.1", 0) as listener:
        server = make_server(service, ready=ready.set)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            assert ready.wait(30)
            yield Address(listener.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join(timeout=30)
            assert not thread.is_alive(), "the server did not end"


def check_schema(document: object, name: str) -> None:
    """Compare an answer with the description's schema of that name, where jsonschema is installed."""
    if jsonschema is not None:
        whole = {"$ref": f"#/components/schemas/{name}", "components": openapi_document(RequestLimits())["components"]}
        jsonschema.Draft202012Validator(whole).validate(document)
