"""The images of a request: one as the raw body, or several as the files of a multipart form."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

from python_multipart.exceptions import FormParserError
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from edgecnn_runtime.server.limits import RequestLimits
from edgecnn_runtime.server.problem import HTTPProblem

_NAME_LENGTH = 255  # of a file name that is given back
_FORM_TYPE = "multipart/form-data"
# Takes a number of bytes from the budget, or raises an HTTPProblem with 429.
Take: TypeAlias = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Upload:
    """One image as it came: the name of its file, or where there is none its place in the request; its bytes."""

    name: str
    content: bytes


class Budget:
    """How many bytes the bodies of all requests may hold together."""

    def __init__(self, size: int) -> None:
        self.size, self.taken = size, 0

    @contextmanager
    def share(self) -> Iterator[Take]:
        """Give a request a function that takes some bytes; at the end of the block all are given back."""
        mine = 0

        def take(count: int) -> None:
            nonlocal mine
            if self.taken + count > self.size:
                detail = f"expected at most {self.size:,} bytes under way, got more; send it again later"
                raise HTTPProblem(429, detail, headers={"Retry-After": "1"})
            self.taken += count
            mine += count

        try:
            yield take
        finally:
            self.taken -= mine


async def read_uploads(request: Request, limits: RequestLimits, take: Take) -> list[Upload]:
    """Read the images of a request.

    Raises:
        HTTPProblem: 400 no image or a damaged form, 408 too slow, 413 too large or too many, 415 a body that is no
            image, 429 too many bytes of all requests.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        async with asyncio.timeout(limits.seconds):
            if kind == _FORM_TYPE:
                return await _read_form(request, limits, take)
            _check_raw_kind(kind)
            content = b"".join([chunk async for chunk in _limited(request, limits, take)])
    except TimeoutError:
        raise HTTPProblem(
            408, f"expected the whole request within {limits.seconds:g} s", headers={"Connection": "close"}
        ) from None
    except ClientDisconnect:
        raise HTTPProblem(400, "expected the whole body; the connection ended before it") from None
    if not content:
        raise HTTPProblem(
            400,
            "expected the bytes of an image, or a multipart form with files, got an empty body; with curl use "
            "--data-binary @photo.jpg",
        )
    return [Upload("image", content)]


def _check_raw_kind(kind: str) -> None:
    """Refuse what is plainly something else; the second of these types is what `curl --data-binary` says by itself."""
    if kind not in ("", "application/x-www-form-urlencoded", "application/octet-stream") and kind[:6] != "image/":
        raise HTTPProblem(415, f"expected image/*, application/octet-stream or {_FORM_TYPE}, got {kind}")


async def _limited(request: Request, limits: RequestLimits, take: Take) -> AsyncGenerator[bytes, None]:
    """Yield the body's chunks; end with 413 where there are too many, at once where the length is declared."""
    too_large = HTTPProblem(413, f"expected a body of at most {limits.body_bytes:,} bytes, got more")
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared[:20]) > limits.body_bytes:
        raise too_large
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limits.body_bytes:
            raise too_large
        take(len(chunk))
        yield chunk


class _InMemory(MultiPartParser):
    """Starlette's parser, which would write files above 1 MB to the disk: a device's card wears out of that."""

    def __init__(self, request: Request, stream: AsyncGenerator[bytes, None], limits: RequestLimits) -> None:
        self.spool_max_size = limits.body_bytes + 1
        # One file more than allowed is read, so that too many are distinguished from a damaged form.
        super().__init__(request.headers, stream, max_files=limits.images + 1, max_fields=limits.images)


async def _read_form(request: Request, limits: RequestLimits, take: Take) -> list[Upload]:
    try:
        form = await _InMemory(request, _limited(request, limits, take), limits).parse()
    # Of a header that says an impossible character set or parameter, the standard library's own errors.
    except (MultiPartException, FormParserError, KeyError, ValueError, LookupError) as error:
        if "Too many files" in str(error):
            raise _too_many(limits) from None
        raise HTTPProblem(400, f"expected a whole multipart form with one file per image; {error}") from None
    try:
        uploads = [upload async for upload in _files([value for _, value in form.multi_items()])]
    finally:
        await form.close()
    if len(uploads) > limits.images:
        raise _too_many(limits)
    if not uploads:
        raise HTTPProblem(400, "expected a form with one file per image, got none; with curl use -F image=@photo.jpg")
    return uploads


async def _files(values: list[UploadFile | str]) -> AsyncIterator[Upload]:
    for number, value in enumerate(values):
        if isinstance(value, str):
            raise HTTPProblem(400, "expected only files in the form, got a field; with curl use -F image=@photo.jpg")
        yield Upload((value.filename or f"image {number}")[:_NAME_LENGTH], await value.read())


def _too_many(limits: RequestLimits) -> HTTPProblem:
    return HTTPProblem(413, f"expected at most {limits.images} images per request, got more; send them in several")
