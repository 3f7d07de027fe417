"""Who may use the server: the host name, the origin and the token of a request are checked.

Three kinds of outsiders are kept out. A machine on the network: by the token, or by listening on 127.0.0.1. A web
page of another origin, open in a browser on this machine: by the headers Origin and Sec-Fetch-Site, and because no
answer carries CORS headers. Such a page whose own name was made to point here (DNS rebinding): by the header Host,
which then holds that name. An address written in digits cannot be rebound, so every one is a good host.
"""

import hmac
import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edgecnn_runtime.errors import InputError
from edgecnn_runtime.server.problem import problem_response

# Without the token: the page, which asks for it and holds nothing else; whether the server is well; how to call it.
OPEN_PATHS = frozenset({"/", "/healthz", "/openapi.json"})
# On every answer. Images and labels stay out of caches, frames and other pages.
_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches a server that listens at an address or name.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, True, False)
    """
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address.lower() == "localhost"


@dataclass(frozen=True)
class Access:
    """The rules of a server: its token, None for none, and the names beside its own that it may be called by."""

    token: str | None = None
    hosts: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        # RFC 6750's b64token and some more; what an HTTP header carries unchanged.
        if self.token is not None and not (self.token.isascii() and self.token.isprintable() and self.token.strip()):
            raise InputError("token: expected printable ASCII characters, got none, or others")
        if self.token is not None and " " in self.token:
            raise InputError("token: expected no spaces, got at least one")

    @classmethod
    def of(cls, *, token: str | None, hosts: Iterable[str] = ()) -> "Access":
        """Make the rules, adding this machine's own names to `hosts`."""
        own = socket.gethostname().lower()
        return cls(token, frozenset({"localhost", own, f"{own}.local", *(name.lower() for name in hosts)}))

    def knows(self, host: str) -> bool:
        """Whether a Host header names this server: an address in digits, or one of its names; any port.

        >>> access = Access(hosts=frozenset({"localhost"}))
        >>> [access.knows(host) for host in ("localhost:8000", "[::1]:8000", "10.0.0.7", "evil.example", "")]
        [True, True, True, False, False]
        """
        try:
            parts = urlsplit(f"//{host}")
            name = (parts.hostname or "").rstrip(".")
            if parts.netloc != host or parts.username is not None:
                return False
        except ValueError:
            return False
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name in self.hosts
        return True

    def admits(self, authorization: str | None) -> bool:
        """Whether an Authorization header shows the token; the comparison takes the same time however much matches."""
        if self.token is None:
            return True
        scheme, _, shown = (authorization or "").partition(" ")
        same = hmac.compare_digest(shown.strip().encode("latin-1", "replace"), self.token.encode())
        return same and scheme.lower() == "bearer"


class AccessMiddleware:
    """Answers 421, 403 or 401 to whoever the rules keep out; sets the headers that browsers heed on every answer."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refusal = self._refusal(scope)
        if refusal is None:
            await self._app(scope, receive, send_with_headers)
            return
        status, detail = refusal
        await problem_response(status, detail, {"WWW-Authenticate": "Bearer"} if status == 401 else None)(
            scope, receive, send_with_headers
        )

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Return the status and reason for which a request is refused, or None."""
        headers = Headers(scope=scope)
        if len(headers.getlist("host")) != 1 or not self._access.knows(headers["host"]):
            return 421, (
                "expected a Host header with an address, localhost or this machine's name, got another; "
                "'edgecnn serve --allow-host NAME' allows one more"
            )
        if _is_cross_site(headers, scope["path"]):
            return 403, "expected a request of the server's own page or of a program, got one of another web page"
        if scope["path"] not in OPEN_PATHS and not self._access.admits(headers.get("authorization")):
            return 401, "expected the header 'Authorization: Bearer TOKEN' with this server's token"
        return None


def _is_cross_site(headers: Headers, path: str) -> bool:
    """Whether a browser says that a page of another origin sent this; programs such as curl say nothing.

    A link on another page may lead to our page.
    """
    origin = headers.get("origin")
    if origin is not None and _host_of(origin) != headers["host"]:
        return True
    if headers.get("sec-fetch-site", "none") in ("none", "same-origin"):
        return False
    return not (path == "/" and headers.get("sec-fetch-mode") == "navigate")


def _host_of(origin: str) -> str:
    """Return the host and port of an Origin header; nothing of one that is no address."""
    try:
        return urlsplit(origin).netloc if "//" in origin else ""
    except ValueError:
        return ""
