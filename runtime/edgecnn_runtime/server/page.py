"""The page of the server: one HTML document that loads nothing from other hosts."""

import base64
import hashlib
from dataclasses import dataclass
from importlib import resources
from string import Template


@dataclass(frozen=True)
class Page:
    """The document, and the headers that restrict it."""

    content: bytes
    headers: dict[str, str]


def page() -> Page:
    """Put the page together; only its own style sheet and script, named by their hashes, may run."""
    folder = resources.files("edgecnn_runtime.server").joinpath("page")
    style, script, template = (
        folder.joinpath(name).read_text(encoding="utf-8") for name in ("page.css", "page.js", "page.html.template")
    )
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src 'sha256-{_hash(script)}'",
            f"style-src 'sha256-{_hash(style)}'",
            "img-src blob: data:",
            "connect-src 'self'",
            "form-action 'none'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        )
    )
    content = Template(template).substitute(style=style, script=script)
    return Page(
        content.encode(),
        {
            "Content-Security-Policy": policy,
            "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
        },
    )


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
