"""The OpenAPI 3.1 description of the server; a test compares it with the routes and with real answers."""

from typing import Any

from edgecnn_runtime.server.classify import TOP_K
from edgecnn_runtime.server.limits import RequestLimits
from edgecnn_runtime.server.problem import MEDIA_TYPE
from edgecnn_runtime.version import __version__

_OPEN: list[dict[str, list[str]]] = [{}]
_NUMBER = {"type": "number"}
_INTEGER = {"type": "integer"}
_TEXT = {"type": "string"}
_PROBABILITY = {"type": ["number", "null"], "minimum": 0, "maximum": 1}


def openapi_document(limits: RequestLimits) -> dict[str, Any]:
    """Describe every route of a server with these limits."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "edgecnn serve",
            "version": __version__,
            "summary": "An image classifier on this device.",
            "description": "Images that are sent stay on this device and are not stored. "
            "Errors are problem documents (RFC 9457).",
        },
        "servers": [{"url": "/"}],
        # Without --token the header is not looked at.
        "security": [{"token": []}],
        "paths": {
            "/": {
                "get": _operation(
                    "getPage",
                    "The page for people: the live picture, or one that is dropped on it",
                    {"200": _answer("The page.", "text/html", _TEXT)},
                    refusals=(421, 403),
                    security=_OPEN,
                )
            },
            "/v1/classify": {"post": _classify(limits)},
            "/v1/model": {
                "get": _operation(
                    "getModel",
                    "What the model says about itself",
                    {"200": _answer("Its manifest's public facts.", "application/json", _reference("Model"))},
                )
            },
            "/v1/stream": {
                "get": _operation(
                    "streamResults",
                    "The camera's answers as server-sent events",
                    {
                        "200": _answer(
                            "Events `result` (with a frame's answer) and `camera` (without); `data` is a JSON "
                            "document `CameraEvent`. Whoever reads slowly gets the newest, not the next.",
                            "text/event-stream",
                            _TEXT,
                        )
                    },
                    refusals=(401, 403, 404, 421, 429),
                )
            },
            "/v1/frame.jpg": {
                "get": _operation(
                    "getFrame",
                    "The camera's newest picture that has an answer",
                    {
                        "200": {
                            **_answer("The picture, its longer side at most 960 pixels.", "image/jpeg", {}),
                            "headers": {
                                "X-Event-Id": {"description": "The `id` of its event.", "schema": _INTEGER},
                            },
                        }
                    },
                    refusals=(400, 401, 403, 404, 421, 503),
                    parameters=[
                        _query("after", "Wait for a picture newer than that of the event with this `id`.", 0, minimum=0)
                    ],
                )
            },
            "/healthz": {
                "get": _operation(
                    "getHealth",
                    "Whether the server works, and its camera; 503 where the camera is lost or frozen",
                    {"200": _answer("It works.", "application/json", _reference("Health"))},
                    refusals=(403, 421, 503),
                    security=_OPEN,
                )
            },
            "/metrics": {
                "get": _operation(
                    "getMetrics",
                    "What the server counts, in Prometheus's text format",
                    {"200": _answer("Text format 0.0.4.", "text/plain", _TEXT)},
                )
            },
            "/openapi.json": {
                "get": _operation(
                    "getOpenapi",
                    "This description",
                    {"200": _answer("An OpenAPI 3.1 document.", "application/json", {"type": "object"})},
                    refusals=(403, 421),
                    security=_OPEN,
                )
            },
        },
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "With --token only."}},
            "responses": {str(status): _problem(text) for status, text in _REFUSALS.items()},
            "schemas": _SCHEMAS,
        },
    }


def _classify(limits: RequestLimits) -> dict[str, Any]:
    binary: dict[str, Any] = {}
    form = {
        "type": "object",
        "description": "One file per image, under any field name.",
        "additionalProperties": {"type": "array", "items": {"type": "string", "format": "binary"}},
    }
    return {
        **_operation(
            "classify",
            "Classify one image, or several",
            {"200": _answer("One result an image, in their order.", "application/json", _reference("Classified"))},
            refusals=(400, 401, 403, 408, 413, 415, 421, 422, 429, 503),
            parameters=[_query("top_k", "How many labels to give for each image.", TOP_K, minimum=1)],
        ),
        "requestBody": {
            "required": True,
            "description": f"At most {limits.body_bytes:,} bytes, {limits.images} images of {limits.pixels:,} pixels "
            "each. An image of a form that cannot be read is a result with an `error`; as the raw body it is 422.",
            "content": {
                "image/*": {"schema": binary},
                "application/octet-stream": {"schema": binary},
                "multipart/form-data": {"schema": form},
            },
        },
    }


def _operation(
    name: str,
    summary: str,
    answers: dict[str, Any],
    *,
    refusals: tuple[int, ...] = (401, 403, 421),
    parameters: list[dict[str, Any]] | None = None,
    security: list[dict[str, list[str]]] | None = None,
) -> dict[str, Any]:
    refused = {str(status): {"$ref": f"#/components/responses/{status}"} for status in sorted(refusals)}
    operation: dict[str, Any] = {"operationId": name, "summary": summary, "responses": {**answers, **refused}}
    if parameters is not None:
        operation["parameters"] = parameters
    if security is not None:
        operation["security"] = security
    return operation


def _query(name: str, description: str, default: int, *, minimum: int) -> dict[str, Any]:
    return {
        "name": name,
        "in": "query",
        "description": description,
        "schema": {"type": "integer", "minimum": minimum, "default": default},
    }


def _answer(description: str, media_type: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {media_type: {"schema": schema}}}


def _problem(description: str) -> dict[str, Any]:
    return _answer(description, MEDIA_TYPE, _reference("Problem"))


def _reference(schema: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{schema}"}


def _object(properties: dict[str, Any], *, optional: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    return {"oneOf": [schema, {"type": "null"}]}


_REFUSALS = {
    400: "The request is damaged: no image, a broken form, a parameter out of its range.",
    401: "The token is missing or wrong.",
    403: "Another web page sent this.",
    404: "The server has no camera.",
    408: "The request came too slowly.",
    413: "Too many bytes or images.",
    415: "The body is said to be something else than images.",
    421: "The Host header names another server.",
    422: "The raw body is not an image that can be read.",
    429: "More at once than the device takes; Retry-After says when to try again.",
    503: "The answer took too long, or the camera gives no picture.",
}

_TOP = {"type": "array", "minItems": 1, "items": _object({"label": _TEXT, "probability": _PROBABILITY})}

_SCHEMAS: dict[str, Any] = {
    "Problem": _object({"type": _TEXT, "title": _TEXT, "status": _INTEGER, "detail": _TEXT}),
    "Classified": _object(
        {
            "model": _TEXT,
            "results": {
                "type": "array",
                "minItems": 1,
                "items": {"oneOf": [_reference("Result"), _reference("Failed")]},
            },
            "timings": _object({"receive_ms": _NUMBER, "classify_ms": _NUMBER}),
        }
    ),
    "Result": _object(
        {
            "name": {"type": "string", "description": "Of the file, or its place in the request."},
            "label": _TEXT,
            "probability": _PROBABILITY,
            "top": _TOP,
            "decode_ms": _NUMBER,
            "inference_ms": _NUMBER,
        }
    ),
    "Failed": _object({"name": _TEXT, "error": _TEXT}),
    "Model": _object(
        {
            "name": _TEXT,
            "labels": {"type": "array", "items": _TEXT, "minItems": 2},
            "input": _object(
                {
                    "height": _INTEGER,
                    "width": _INTEGER,
                    "colour": _TEXT,
                    "resize": _TEXT,
                    "resize_size": {"type": ["integer", "null"]},
                    "interpolation": _TEXT,
                    "background": {"type": "array", "items": _INTEGER, "minItems": 3, "maxItems": 3},
                }
            ),
            "scheme": _TEXT,
            "backend": _TEXT,
            "recipe": {"type": ["string", "null"]},
            "licence": {"type": ["string", "null"]},
            "accuracy": _nullable(_object({"correct": _INTEGER, "total": _INTEGER})),
            "assumed": {
                "type": "array",
                "items": _TEXT,
                "description": "What was assumed about a third-party model.",
            },
            "edgecnn": _TEXT,
            "camera": _nullable(_object({"source": _TEXT, "state": _reference("CameraState"), "text": _TEXT})),
            "limits": _object(
                {"body_bytes": _INTEGER, "pixels": _INTEGER, "images": _INTEGER, "concurrency": _INTEGER}
            ),
        }
    ),
    "CameraState": {"type": "string", "enum": ["starting", "live", "lost", "frozen", "ended"]},
    "CameraEvent": _object(
        {
            "camera": _reference("CameraState"),
            "text": {"type": "string", "description": "What is wrong with the camera; empty while all is well."},
            "frame": _INTEGER,
            "label": {"type": ["string", "null"], "description": "What smoothing lets through, if anything."},
            "probability": _PROBABILITY,
            "top": _TOP,
            "age_ms": {"type": "number", "description": "From the capture of the frame to its answer."},
            "wait_ms": _NUMBER,
            "preprocess_ms": _NUMBER,
            "inference_ms": _NUMBER,
            "frames_per_second": _NUMBER,
            "dropped": _INTEGER,
        },
        optional=(
            "frame",
            "label",
            "probability",
            "top",
            "age_ms",
            "wait_ms",
            "preprocess_ms",
            "inference_ms",
            "frames_per_second",
            "dropped",
        ),
    ),
    "Health": _object({"status": {"const": "ok"}, "camera": _nullable(_reference("CameraState"))}),
}
