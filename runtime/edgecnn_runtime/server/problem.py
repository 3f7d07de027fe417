"""Errors as JSON problem documents (RFC 9457), one shape for every status."""

import http
import json
from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"


class HTTPProblem(HTTPException):
    """A request that is refused: a status, and a sentence that says what was expected and what came."""


def problem_response(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return a problem document; its title is the status's own phrase."""
    content = {"type": "about:blank", "title": http.HTTPStatus(status).phrase, "status": status, "detail": detail}
    body = json.dumps(content, ensure_ascii=False).encode()
    return Response(body, status_code=status, media_type=MEDIA_TYPE, headers=headers)


async def answer_http_exception(request: Request, error: Exception) -> Response:
    """Answer what a route raised, Starlette's own 404 and 405 among it."""
    assert isinstance(error, HTTPException)
    detail = error.detail
    if error.status_code == 404 and not isinstance(error, HTTPProblem):
        detail = f"expected one of the paths of /openapi.json, got {request.url.path}"
    elif error.status_code == 405 and not isinstance(error, HTTPProblem):
        allowed = (error.headers or {}).get("Allow", "another method")
        detail = f"expected {allowed} for {request.url.path}, got {request.method}"
    return problem_response(error.status_code, detail, error.headers)


async def answer_crash(request: Request, error: Exception) -> Response:
    """Answer a defect of ours without its details, which the log has."""
    del request, error
    return problem_response(500, "the server failed; its log says where")
