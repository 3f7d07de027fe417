"""HTTP/1.1 over one connection: limits on the time in which a client sends its request, and on open connections.

Where there are too many, the client that has most of them loses the oldest that waits for it: one that is idle, or
whose request has not come whole. So nobody keeps others out by opening connections.
"""

import asyncio
import socket
from collections import Counter
from collections.abc import Iterator
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from edgecnn_runtime.server.problem import problem_response

# Seconds from the opening of a connection, or from its last answer, to the end of the next request's head. Between two
# requests uvicorn's own limit, `timeout_keep_alive`, ends an idle connection sooner.
HEAD_WITHIN = 15.0
# Answered however many connections are open: whoever watches over the server must tell a busy one from a dead one.
_HEALTH = "/healthz"


class PatientProtocol(H11Protocol):
    """Uvicorn's protocol on h11, which waits without limit once a request has begun.

    h11 rather than the faster httptools: it is pure Python, and installs wherever Python does.
    """

    _deadline: asyncio.TimerHandle | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Uvicorn would refuse every request while there are so many connections, however idle they are.
        self._most, self.limit_concurrency = self.limit_concurrency, None
        self._whole: ASGIApp = self.app
        self.app = self._admit
        self._opened = self.loop.time()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock, and let small answers go at once.

        asyncio sets TCP_NODELAY on sockets that say they speak TCP, and those of `socket.create_server` do not say so;
        without it an answer waits some 40 ms for the client's acknowledgement of its head.
        """
        super().connection_made(transport)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._start_clock()
        if self._crowded():
            self._make_room()

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

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 503 where all connections are at work and there are more of them than allowed."""
        if self._crowded() and scope["path"] != _HEALTH:
            detail = f"expected at most {self._most} connections at work, got one more; send it again later"
            answer = problem_response(503, detail, {"Retry-After": "1", "Connection": "close"})
            await answer(scope, receive, send)
        else:
            await self._whole(scope, receive, send)

    def _open(self) -> "Iterator[PatientProtocol]":
        return (each for each in self.connections if isinstance(each, PatientProtocol) and not each.closes)

    def _crowded(self) -> bool:
        return self._most is not None and sum(1 for _ in self._open()) > self._most

    def _make_room(self) -> None:
        """Close the oldest connection that waits for its client, of the client that has most of these."""
        waiting = [each for each in self._open() if each.waits and each is not self]
        if waiting:
            count = Counter(each.host for each in waiting)
            min(waiting, key=lambda each: (-count[each.host], each._opened)).transport.close()

    @property
    def host(self) -> str:
        """The address of the client."""
        return self.client[0] if self.client else ""

    @property
    def closes(self) -> bool:
        """Whether it is about to end."""
        return self.transport is None or self.transport.is_closing()

    @property
    def waits(self) -> bool:
        """Whether it is the client's turn: no request has come yet, or not the whole of it."""
        cycle: Any = self.cycle
        return cycle is None or cycle.response_complete or cycle.more_body

    def _start_clock(self) -> None:
        self._stop_clock()
        self._deadline = self.loop.call_later(HEAD_WITHIN, self.transport.close)

    def _stop_clock(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
