"""Every route, every status it can answer with, and that the OpenAPI description tells the same."""

import asyncio
import contextlib
import http.client
import json
import socket
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import needs
import numpy as np
import pytest
from running_server import (
    FORM_TYPE,
    LABELS,
    MANIFEST,
    Address,
    Answer,
    GatedBackend,
    a_service,
    check_schema,
    form,
    png,
    running,
)  # fmt: skip
from waiting import wait_until

from edgecnn_runtime.accuracy import Accuracy
from edgecnn_runtime.backends.fake import FakeBackend
from edgecnn_runtime.manifest import Scheme
from edgecnn_runtime.server import protocol, serving
from edgecnn_runtime.server.limits import RequestLimits
from edgecnn_runtime.server.openapi import openapi_document

UNFINISHED = b"POST /v1/classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nabc"
SMALL = RequestLimits(body_bytes=4000, pixels=10_000, images=3, concurrency=2, streams=1, seconds=10)
OPENAPI = openapi_document(SMALL)


@pytest.fixture(scope="module")
def plain() -> Iterator[Address]:
    with running(a_service(limits=SMALL)) as address:
        yield address


@pytest.fixture(scope="module")
def locked() -> Iterator[Address]:
    with running(a_service(limits=SMALL, token="long-enough-token", hosts=["scales.factory"])) as address:
        yield address


def test_one_image_as_the_body(plain: Address) -> None:
    answer = plain.classify(png(200), "?top_k=2")
    assert answer.status == 200
    document = answer.document
    assert document["model"] == "grey"
    (result,) = document["results"]
    assert result["top"] == [{"label": "white", "probability": 1.0}, {"label": "black", "probability": 0.0}]
    assert (result["label"], result["probability"]) == ("white", 1.0)
    assert 0 <= result["inference_ms"] <= document["timings"]["classify_ms"]
    assert 0 < result["decode_ms"] <= document["timings"]["classify_ms"]


def test_several_images_as_a_form_each_with_its_own_outcome(plain: Address) -> None:
    answer = plain.classify_files(("a.png", png(0)), ("b.txt", b"hello"), ("c.png", png(130)))
    assert answer.status == 200
    first, broken, last = answer.document["results"]
    assert (first["name"], first["label"]) == ("a.png", "black")
    assert broken["name"] == "b.txt"
    assert broken["error"].startswith("image: ")
    assert "JPEG" in broken["error"]
    assert set(broken) == {"name", "error"}
    assert (last["name"], last["label"]) == ("c.png", "bright")


@pytest.mark.parametrize("kind", ["image/jpeg", "application/octet-stream", "application/x-www-form-urlencoded", ""])
def test_any_of_these_types_is_the_image_itself(kind: str, plain: Address) -> None:
    answer = plain.ask("/v1/classify", "POST", body=png(10), headers={"Content-Type": kind} if kind else {})
    assert answer.document["results"][0]["label"] == "black"


def test_five_labels_are_given_unless_there_are_fewer(plain: Address) -> None:
    assert [len(plain.classify(png(1), query).document["results"][0]["top"]) for query in ("", "?top_k=99")] == [4, 4]
    many = replace(MANIFEST, labels=tuple("abcdefgh"))
    with running(a_service(manifest=many)) as address:
        assert len(address.classify(png(1)).document["results"][0]["top"]) == 5


def test_a_broken_model_that_gives_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeBackend, "infer", lambda self, pixels: np.full((len(pixels), 4), np.nan, np.float32))
    with running(a_service()) as address:
        assert address.classify(png(1)).document["results"][0]["probability"] is None


def test_what_the_model_says_about_itself(plain: Address) -> None:
    document = plain.ask("/v1/model").document
    assert document["labels"] == list(LABELS)
    assert document["input"] == {
        "height": 8,
        "width": 8,
        "colour": "grey",
        "resize": "squash",
        "resize_size": None,
        "interpolation": "bilinear",
        "background": [255, 255, 255],
    }
    assert document["camera"] is None
    assert document["limits"] == {"body_bytes": 4000, "pixels": 10_000, "images": 3, "concurrency": 2}


def test_labels_of_a_hostile_model_file_are_only_text() -> None:
    hostile = ('"</script>\n\\', "\u202e", "ü" * 500, "=cmd")
    manifest = replace(MANIFEST, name='x"\n\\', labels=hostile, accuracy=Accuracy(9, 10), scheme=Scheme.INT8)
    with running(a_service(manifest=manifest)) as address:
        assert address.classify(png(0)).document["results"][0]["label"] == hostile[0]
        assert address.ask("/v1/model").document["labels"] == list(hostile)
        assert b'model="x\\"\\n\\\\"' in address.ask("/metrics").body


# Each row: what is sent, and the status and words of the refusal.


@dataclass(frozen=True)
class Case:
    name: str
    send: Callable[[Address], Answer]
    status: int
    words: str


def bomb() -> bytes:
    """Return a PNG of some bytes that says it has 60,000 x 60,000 pixels."""
    chunks = [b"IHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0), b"IDAT" + zlib.compress(b"\0" * 9999)]
    packed = [struct.pack(">I", len(each) - 4) + each + struct.pack(">I", zlib.crc32(each)) for each in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def post(body: bytes, kind: str) -> Callable[[Address], Answer]:
    return lambda address: address.ask("/v1/classify", "POST", body=body, headers={"Content-Type": kind})


def get(path: str, method: str = "GET", **headers: str) -> Callable[[Address], Answer]:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda address: address.ask(path, method, headers=sent)


FIELD = b'--line\r\nContent-Disposition: form-data; name="image"\r\n\r\nhello\r\n--line--\r\n'

PART = b"--line\r\nHEADER\r\n\r\nhello\r\n--line--\r\n"

REFUSED = [
    Case("no body", post(b"", "image/png"), 400, "got an empty body"),
    Case("no file in the form", post(b"--line--\r\n", FORM_TYPE), 400, "with curl use -F image=@photo.jpg"),
    Case("a field instead of a file", post(FIELD, FORM_TYPE), 400, "expected only files in the form, got a field"),
    Case("no boundary", post(form(("a", png(1))), "multipart/form-data"), 400, "a whole multipart form"),
    *(
        Case(f"a part with {header[:40]!r}", post(PART.replace(b"HEADER", header), FORM_TYPE), 400, "multipart form")
        for header in (b"", b"Content-Disposition: form-data", b"Content-Disposition: ;;=;", b"no header", b"\0: \0")
    ),
    Case("another boundary", post(form(("a", png(1))), FORM_TYPE + "s"), 400, "a whole multipart form"),
    Case("top_k 0", lambda a: a.classify(png(1), "?top_k=0"), 400, "top_k: expected a whole number from 1 on, got '0'"),
    Case("top_k all", lambda a: a.classify(png(1), "?top_k=all"), 400, "top_k"),
    Case("too many bytes", post(b"x" * 4001, "image/png"), 413, "expected a body of at most 4,000 bytes"),
    Case(
        "too many bytes, of unknown length",
        lambda a: a.ask("/v1/classify", "POST", body=iter([b"x" * 1000] * 5)),
        413,
        "at most 4,000 bytes",
    ),
    Case("too many bytes in a form", post(form(("a", b"x" * 4000)), FORM_TYPE), 413, "at most 4,000 bytes"),
    Case("too many images", lambda a: a.classify_files(*[("a", png(1))] * 4), 413, "at most 3 images"),
    Case("far too many images", lambda a: a.classify_files(*[("a", b"")] * 9), 413, "at most 3 images"),
    Case("another type", post(b"{}", "application/json"), 415, "image/*, application/octet-stream or multipart"),
    Case("another form", post(b"{}", "multipart/mixed"), 415, "got multipart/mixed"),
    Case("no image", post(b"GIF99a?", "image/gif"), 422, "image: "),
    Case("half an image", lambda a: a.classify(png(9, (60, 60))[:60]), 422, "image: expected a whole"),
    Case("too many pixels", lambda a: a.classify(png(9, (200, 100))), 422, "10,000 pixels, got 200 x 100 pixels"),
    Case("a decompression bomb", lambda a: a.classify(bomb()), 422, "at most 10,000 pixels"),
    Case("PostScript", lambda a: a.classify(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"), 422, "PNG"),
    Case("no such path", get("/v2/classify"), 404, "expected one of the paths of /openapi.json, got /v2/classify"),
    Case("no camera to stream", get("/v1/stream"), 404, "--source 0"),
    Case("no camera to show", get("/v1/frame.jpg"), 404, "--source 0"),
    Case("GET of what is to be posted", get("/v1/classify"), 405, "expected POST"),
    Case("another method", get("/healthz", "DELETE"), 405, "GET"),
    Case("another host", get("/", Host="evil.example"), 421, "--allow-host"),
    Case("a host that only begins like ours", get("/", Host="localhost.evil.example"), 421, "--allow-host"),
    Case("a host with a user", get("/", Host="localhost@evil.example"), 421, "--allow-host"),
    Case("a page of another origin", get("/v1/model", Origin="http://evil.example"), 403, "another web page"),
    Case("a page of another port", get("/v1/model", Origin="http://127.0.0.1:1"), 403, "another web page"),
    Case("a page of no address", get("/v1/model", Origin="http://[::1"), 403, "another web page"),
    Case("a page of no origin", get("/v1/model", Origin="null"), 403, "another web page"),
    Case("a preflight", get("/v1/classify", "OPTIONS", Origin="http://evil.example"), 403, "another web page"),
    Case("a picture in another page", get("/v1/frame.jpg", Sec_Fetch_Site="cross-site"), 403, "another web page"),
    Case("a frame in another page", get("/", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="no-cors"), 403, "another"),
    Case("a form of another page", lambda a: a.classify(png(1), Origin="http://evil.example"), 403, "another web page"),
]  # fmt: skip


def check_problem(answer: Answer, status: int, words: str) -> None:
    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.document
    assert set(document) == {"type", "title", "status", "detail"}
    assert document["status"] == status
    assert words in document["detail"]
    assert " object at " not in document["detail"]  # the address of one of our objects


@pytest.mark.parametrize(
    "charset", ["undefined", "idna", "hex", "punycode", "utf-7", "x" * 2000, "\xff", "", '"', "unicode_escape"]
)
def test_no_character_set_of_a_form_is_a_defect_of_ours(charset: str, plain: Address) -> None:
    for name in ("a.png", "\xff", "xn--\xff-"):
        answer = post(form((name, png(200))), f"{FORM_TYPE}; charset={charset}")(plain)
        assert answer.status in (200, 400)
        if answer.status == 400:
            check_problem(answer, 400, "a whole multipart form")


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_refusals(case: Case, plain: Address) -> None:
    check_problem(case.send(plain), case.status, case.words)
    assert plain.ask("/healthz").document == {"status": "ok", "camera": None}


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "localhost:1"}, {"Host": "LOCALHOST"}, {"Host": "[::1]:80"}, {"Host": "10.1.2.3"},
        {"Host": socket.gethostname()}, {"Host": f"{socket.gethostname()}.local:8000"},
        {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
    ],
    ids=str,
)  # fmt: skip
def test_who_is_welcome(headers: dict[str, str], plain: Address) -> None:
    assert plain.ask("/", headers=headers).status == 200


def test_the_page_itself_may_classify(plain: Address) -> None:
    assert plain.classify(png(1), Origin=f"http://127.0.0.1:{plain.port}", Sec_Fetch_Site="same-origin").status == 200


@pytest.mark.parametrize(
    "shown", [None, "Bearer", "Bearer wrong", "Basic long-enough-token", "long-enough-token", "Bearer \xff"]
)
@pytest.mark.parametrize(
    ("path", "method"),
    [("/v1/classify", "POST"), *((path, "GET") for path in ("/v1/model", "/v1/stream", "/v1/frame.jpg", "/metrics"))],
)
def test_without_the_token_nothing_is_told(path: str, method: str, shown: str | None, locked: Address) -> None:
    answer = locked.ask(path, method, headers={} if shown is None else {"Authorization": shown})
    check_problem(answer, 401, "Authorization: Bearer")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_the_token_opens_everything(locked: Address) -> None:
    key = {"Authorization": "Bearer long-enough-token"}
    assert locked.ask("/v1/model", headers=key).status == 200
    assert locked.ask("/metrics", headers={"Authorization": "bearer long-enough-token"}).status == 200
    assert locked.classify(png(1), **key).status == 200
    assert locked.ask("/v1/model?token=long-enough-token").status == 401  # an address ends up in logs


@pytest.mark.parametrize("path", ["/", "/healthz", "/openapi.json"])
def test_what_holds_no_secret_is_open(path: str, locked: Address) -> None:
    answer = locked.ask(path, headers={"Host": "scales.factory:80"})
    assert answer.status == 200
    assert b"long-enough-token" not in answer.body
    assert b"grey" not in answer.body


@pytest.mark.parametrize("path", ["/", "/healthz", "/nope", "/v1/model"])
def test_headers_that_browsers_heed(path: str, locked: Address) -> None:
    headers = locked.ask(path).headers
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "access-control-allow-origin" not in headers
    assert "server" not in headers


def test_more_at_once_than_the_limit_is_told_to_wait_and_nobody_below_it() -> None:
    backend = GatedBackend()
    limits = RequestLimits(concurrency=6)
    with running(a_service(backend=backend, limits=limits)) as address, ThreadPoolExecutor(6) as pool:
        backend.gate.clear()
        waiting = [pool.submit(address.classify, png(200)) for _ in range(6)]
        backend.at_work.acquire(timeout=30)
        address.wait_for_metric("edgecnn_classify_under_way", 6)
        refused = address.classify(png(200))
        backend.gate.set()
        assert [future.result().status for future in waiting] == [200] * 6
        check_problem(refused, 429, "at most 6 requests under way")
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert address.classify(png(200)).status == 200
        assert backend.most_together == 2  # the workers
        text = address.ask("/metrics").body.decode()
    assert 'edgecnn_http_requests_total{route="/v1/classify",method="POST",status="429"} 1\n' in text
    assert "edgecnn_classify_under_way 0\n" in text


def test_the_bytes_of_all_requests_together_are_limited() -> None:
    backend = GatedBackend()
    picture = png(200)
    limits = RequestLimits(bytes_under_way=2 * len(picture) - 1)
    with running(a_service(backend=backend, limits=limits)) as address, ThreadPoolExecutor(1) as pool:
        backend.gate.clear()
        first = pool.submit(address.classify, picture)
        backend.at_work.acquire(timeout=30)
        refused = address.classify(picture)
        backend.gate.set()
        assert first.result().status == 200
        check_problem(refused, 429, f"expected at most {2 * len(picture) - 1:,} bytes under way")
        assert [address.classify(picture).status for _ in range(3)] == [200] * 3


def test_an_answer_that_takes_too_long() -> None:
    backend = GatedBackend()
    with running(a_service(backend=backend, workers=1, limits=RequestLimits(seconds=0.2))) as address:
        backend.gate.clear()
        answer = address.classify(png(200))
        backend.gate.set()
        check_problem(answer, 503, "expected an answer within 0.2 s")
        assert "retry-after" in answer.headers
        assert b"edgecnn_classify_under_way 0\n" in address.ask("/metrics").body


def test_a_body_that_never_comes() -> None:
    with running(a_service(limits=RequestLimits(seconds=0.2))) as address, raw(address) as connection:
        connection.sendall(UNFINISHED)
        said = b"".join(iter(lambda: connection.recv(65536), b""))  # until the server closes
        assert said.startswith(b"HTTP/1.1 408 ")
        assert b"expected the whole request within 0.2 s" in said
        assert b"edgecnn_classify_under_way 0\n" in address.ask("/metrics").body


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost:", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET "])
def test_a_request_that_comes_drop_by_drop_is_not_waited_for(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_WITHIN", 0.2)
    with running(a_service()) as address, raw(address) as connection:
        connection.sendall(sent)
        while connection.recv(65536):  # until the server closes
            pass


@pytest.mark.parametrize(
    "sent",
    [b"\x16\x03\x01\x02\x00", b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
     b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n"],
    ids=["TLS", "no host", "two hosts", "a long address"],
)  # fmt: skip
def test_what_is_no_request_is_refused(sent: bytes, plain: Address) -> None:
    with raw(plain) as connection:
        connection.sendall(sent)
        assert connection.recv(65536).split(b" ")[1] in (b"400", b"421")


def test_small_answers_are_not_held_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """TCP_NODELAY; without it each answer took 40 ms more."""
    options: list[int] = []
    made = protocol.PatientProtocol.connection_made

    def noting(self: protocol.PatientProtocol, transport: asyncio.Transport) -> None:
        made(self, transport)
        options.append(transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    monkeypatch.setattr(protocol.PatientProtocol, "connection_made", noting)
    with running(a_service()) as address:
        address.ask("/healthz")
    assert options
    assert all(options)


def test_a_client_that_leaves_in_the_middle_is_forgotten() -> None:
    """The three bytes that it sent keep a picture out, as long as it is there."""
    picture = png(200)
    with running(a_service(limits=RequestLimits(bytes_under_way=len(picture) + 2))) as address:
        with raw(address) as connection:
            connection.sendall(UNFINISHED)
            wait_until(lambda: address.classify(picture).status == 429, "the bytes to be counted")
        wait_until(lambda: address.classify(picture).status == 200, "the bytes to be forgotten")


def refuses(address: Address) -> bool:
    try:
        raw(address).close()
    except ConnectionRefusedError:
        return True
    return False


def raw(address: Address, host: str = "127.0.0.1") -> socket.socket:
    return socket.create_connection(("127.0.0.1", address.port), timeout=20, source_address=(host, 0))


def test_a_defect_of_ours_is_told_without_its_details(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: FakeBackend, pixels: object) -> None:
        raise RuntimeError("secret detail")

    service = a_service()
    monkeypatch.setattr(FakeBackend, "infer", fail)
    with running(service) as address:
        check_problem(address.classify(png(1)), 500, "its log says where")
        assert b'status="500"} 1\n' in address.ask("/metrics").body


@pytest.mark.parametrize(
    "sent", [b"", b"GET / HTTP/1.1\r\nHost:", UNFINISHED], ids=["idle", "half a head", "half a body"]
)
@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2"])
def test_connections_that_wait_for_their_client_keep_nobody_out(sent: bytes, host: str) -> None:
    """Of the busiest client the oldest is closed; another's stays, though it is older still."""
    with contextlib.ExitStack() as stack:
        address = stack.enter_context(running(a_service(limits=RequestLimits(connections=8, concurrency=2))))
        honest = http.client.HTTPConnection("127.0.0.1", address.port, timeout=20)
        stack.enter_context(contextlib.closing(honest))
        honest.request("GET", "/healthz")
        assert honest.getresponse().read()
        busy = []
        for _ in range(20):
            busy.append(stack.enter_context(raw(address, host)))
            busy[-1].sendall(sent)
        for _ in range(3):
            assert address.ask("/healthz").status == 200
            assert address.classify(png(200)).status == 200
        if host != "127.0.0.1":
            honest.request("GET", "/healthz")
            assert honest.getresponse().status == 200
        with contextlib.suppress(ConnectionResetError):
            assert busy[0].recv(65536) == b""  # closed


def test_where_all_connections_are_at_work_only_the_health_is_answered() -> None:
    backend = GatedBackend()
    with running(a_service(backend=backend, limits=RequestLimits(connections=2))) as address:
        with ThreadPoolExecutor(2) as pool:
            backend.gate.clear()
            waiting = [pool.submit(address.classify, png(200)) for _ in range(2)]
            for _ in waiting:
                assert backend.at_work.acquire(timeout=30)
            assert address.ask("/healthz").status == 200
            check_problem(address.classify(png(200)), 503, "expected at most 2 connections at work")
            backend.gate.set()
            assert [future.result().status for future in waiting] == [200] * 2
        assert address.classify(png(200)).status == 200


def test_requests_under_way_are_finished_when_the_server_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many wait for a worker, one of them still being sent; no further one is taken."""
    monkeypatch.setattr(serving, "_GRACE", 0)
    backend, picture, ready = GatedBackend(), png(200), threading.Event()
    with serving.listen("127.0.0.1", 0) as listener, ThreadPoolExecutor(6) as pool:
        address = Address(listener.getsockname()[1])
        server = serving.make_server(a_service(backend=backend, workers=1), ready=ready.set)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        assert ready.wait(30)
        backend.gate.clear()
        with raw(address) as uploading:
            uploading.sendall(UNFINISHED.replace(b"100", b"%d" % len(picture)).removesuffix(b"abc"))
            waiting = [pool.submit(address.classify, picture) for _ in range(6)]
            address.wait_for_metric("edgecnn_classify_under_way", 6)
            server.should_exit = True
            wait_until(lambda: refuses(address), "no further connection to be taken")
            uploading.sendall(picture)
            backend.gate.set()
            assert [future.result().status for future in waiting] == [200] * 6
            assert uploading.recv(65536).startswith(b"HTTP/1.1 200 ")
        thread.join(timeout=30)
        assert not thread.is_alive()


# The description.


def test_each_route_is_described_and_nothing_else() -> None:
    routes = {
        (route.path, method.lower())  # type: ignore[attr-defined]
        for route in a_service().app.routes
        for method in route.methods - {"HEAD"}  # type: ignore[attr-defined]
    }
    assert {(path, method) for path, operations in OPENAPI["paths"].items() for method in operations} == routes


def test_the_refusals_of_the_table_are_described() -> None:
    described = {int(status) for status in OPENAPI["components"]["responses"]}
    tested = {case.status for case in REFUSED} | {401, 408, 429, 503}
    assert described == tested - {405}
    named = {
        status
        for operations in OPENAPI["paths"].values()
        for operation in operations.values()
        for status in operation["responses"]
    }
    assert named == {"200", *map(str, described)}


def test_references_lead_somewhere() -> None:
    text = json.dumps(OPENAPI)
    for part in text.split('"$ref": "#/')[1:]:
        place = OPENAPI
        for name in part.partition('"')[0].split("/"):
            place = place[name]


def test_the_served_description_is_this_one(plain: Address) -> None:
    assert plain.ask("/openapi.json").document == OPENAPI


def test_a_validator_takes_it() -> None:
    validator = needs.package("openapi_spec_validator", "openapi-spec-validator")
    validator.validate(OPENAPI)


@pytest.mark.parametrize(
    ("path", "schema"),
    [("/v1/model", "Model"), ("/healthz", "Health"), ("/v1/classify", "Classified"), ("/no", "Problem")],
)
def test_answers_are_as_described(path: str, schema: str, plain: Address) -> None:
    answer = plain.classify_files(("a", png(1)), ("b", b"")) if path == "/v1/classify" else plain.ask(path)
    check_schema(answer.document, schema)
