"""HTTP/1.1 over one connection, with a limit on the time in which a client sends its request."""

import asyncio
import socket
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

# Seconds from the opening of a connection, or from its last answer, to the end of the next request's head. Between two
# requests uvicorn's own limit, `timeout_keep_alive`, ends an idle connection sooner.
HEAD_WITHIN = 15.0


class PatientProtocol(H11Protocol):
    """Uvicorn's protocol on h11, which waits without limit once a request has begun.

    h11 rather than the faster httptools: it is pure Python, and installs wherever Python does.
    """

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock, and let small answers go at once.

        asyncio sets TCP_NODELAY on sockets that say they speak TCP, and those of `socket.create_server` do not say so;
        without it an answer waits some 40 ms for the client's acknowledgement of its head.
        """
        super().connection_made(transport)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._start_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop it."""
        self._stop_clock()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """Stop it when a whole head has come; the body's time is the route's to limit."""
        before: Any = self.cycle
        super().handle_events()
        if self.cycle is not before:
            self._stop_clock()

    def on_response_complete(self) -> None:
        """Start it again for the next request, and for what is left of this one's body."""
        self._start_clock()
        super().on_response_complete()

    def _start_clock(self) -> None:
        self._stop_clock()
        self._deadline = self.loop.call_later(HEAD_WITHIN, self.transport.close)

    def _stop_clock(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
