"""From an opened model and an address to a running server, and to its end."""

import asyncio
import contextlib
import errno
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from edgecnn_runtime.classifier import Classifier
from edgecnn_runtime.errors import InputError, MissingExtraError
from edgecnn_runtime.system.cpu import available_cpus
from edgecnn_runtime.video.smoothing import Smoothing

if TYPE_CHECKING:
    import uvicorn

    from edgecnn_runtime.server.access import Access
    from edgecnn_runtime.server.app import Service
    from edgecnn_runtime.server.limits import RequestLimits

# Seconds for what is left when the server is told to end and no more images are at work, such as viewers that do not
# read; then it is cut off.
_GRACE = 5
_LOOK_EVERY = 0.02


def check_installed() -> None:
    """Make sure that the extra `serve` is there.

    Raises:
        MissingExtraError: it is not.
    """
    for package, module in (
        ("starlette", "starlette"),
        ("uvicorn", "uvicorn"),
        ("python-multipart", "python_multipart"),
    ):
        try:
            __import__(module)
        except ImportError as error:
            raise MissingExtraError("The server", package=package, extra="serve") from error


def make_service(
    classifier: Classifier,
    *,
    source: str | None = None,
    smoothing: Smoothing | None = None,
    workers: int | None = None,
    limits: "RequestLimits | None" = None,
    access: "Access | None" = None,
) -> "Service":
    """Put a server together, and open its camera.

    Args:
        classifier: an opened model, single-threaded.
        source: a camera, address or video file, as `stream` takes it; a file is played at its own pace.
        smoothing: of the camera's labels.
        workers: interpreters; default and most: the processors this process may use.
        limits: what a client may ask.
        access: who may ask.

    Raises:
        InputError: more workers than processors, or a source that cannot be opened.
        MissingExtraError: the extra `serve` is missing, or that for the source.
    """
    check_installed()
    from edgecnn_runtime.server.app import Service
    from edgecnn_runtime.server.live import Live
    from edgecnn_runtime.server.pool import InterpreterPool
    from edgecnn_runtime.video.capture import open_capture

    processors = available_cpus()
    if not 1 <= (workers or processors) <= processors:
        raise InputError(f"workers: expected 1 … {processors} (the processors), got {workers}")
    pool = InterpreterPool(classifier.backend, workers or processors)
    pool.warm_up()
    live = None
    if source is not None:
        wanted: str = source
        live = Live(
            Classifier(pool, classifier.manifest, classifier.contract),
            open_capture(wanted, realtime=True),
            lambda: open_capture(wanted, realtime=True),
            smoothing,
        )
    assumed = classifier.contract.assumed
    return Service(pool, classifier.manifest, assumed=assumed, live=live, limits=limits, access=access)


def listen(host: str, port: int) -> socket.socket:
    """Open the port, so that nothing else has to be started for one that is in use.

    Raises:
        InputError: in use, not this machine's, or not allowed; it says what to do.
    """
    # SO_REUSEADDR, which lets a port be opened again at once, would let two servers share it on Windows.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except (OSError, OverflowError) as error:
        raise InputError(f"{host}:{port}: {_why_not(error)}") from error


def _why_not(error: OSError | OverflowError) -> str:
    code = error.errno if isinstance(error, OSError) else None
    if isinstance(error, OverflowError):
        return "expected a port 0 … 65535"
    if code == errno.EADDRINUSE:
        return "expected a free port, got one in use; choose another with --port (0 finds one)"
    if code == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror):
        return "expected an address or name of this machine; 0.0.0.0 means all of them"
    if code in (errno.EACCES, errno.EPERM):
        return "expected a port that this user may open; choose one from 1024 on with --port"
    return f"expected an address to listen at; {error}"


def url_of(listener: socket.socket) -> str:
    """Return where a browser on this machine finds the server."""
    host, port = listener.getsockname()[:2]
    if host in ("0.0.0.0", "::"):
        host = "127.0.0.1"
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


def run(service: "Service", listener: socket.socket, *, ready: Callable[[], None]) -> None:
    """Serve until SIGTERM or Ctrl-C: then finish what is under way.

    Args:
        service: from `make_service`.
        listener: from `listen`; closed at the end.
        ready: called when requests are answered.
    """
    make_server(service, ready=ready).run(sockets=[listener])


def make_server(service: "Service", *, ready: Callable[[], None]) -> "uvicorn.Server":
    """Return uvicorn's server for a service; `should_exit = True` ends it from any thread."""
    import uvicorn

    from edgecnn_runtime.server.protocol import PatientProtocol

    class Server(uvicorn.Server):
        """Uvicorn's, which by itself would wait for event streams to end, and die of the signal that ended it."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            ready()

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            service.begin_shutdown()
            for server in self.servers:
                server.close()
            for connection in list(self.server_state.connections):
                connection.shutdown()
            while service.at_work and not self.force_exit:
                await asyncio.sleep(_LOOK_EVERY)
            await super().shutdown(sockets)

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            if threading.current_thread() is not threading.main_thread():
                yield
                return

            before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
            try:
                yield
            finally:
                for number, handler in before.items():
                    signal.signal(number, handler)

    return Server(
        uvicorn.Config(
            service.app,
            http=PatientProtocol,
            ws="none",
            loop="asyncio",
            lifespan="on",
            log_config=None,
            log_level="error",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=service.limits.connections,
            timeout_graceful_shutdown=_GRACE,
        )
    )
