"""`edgecnn serve MODEL`: a page and an HTTP interface for one model, on this device."""

import os
import socket
import warnings
from pathlib import Path
from typing import Annotated

import typer

from edgecnn.console import Console, JsonOption, QuietOption
from edgecnn.options.model_options import ModelOptions
from edgecnn.options.option_group import takes_options
from edgecnn.options.smoothing_options import SmoothingOptions

# A token shorter than this can be guessed by trying.
_TOKEN_LENGTH = 16


@takes_options(smoothing_options=SmoothingOptions, model_options=ModelOptions)
def serve(
    model_options: ModelOptions,
    smoothing_options: SmoothingOptions,
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="Model file, .tflite or .onnx, from edgecnn or from elsewhere.")
    ],
    source: Annotated[
        str | None,
        typer.Option(help="Camera to watch: 0, /dev/video0, picamera, rtsp://…, http://…, or a video file."),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen at; any but this machine's own needs a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen at; 0 finds a free one.")] = 8000,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="EDGECNN_TOKEN", help="Token that clients must send; the variable keeps it out of the process list."
        ),
    ] = None,
    no_auth: Annotated[bool, typer.Option("--no-auth", help="Let the whole network in without a token.")] = False,
    allow_host: Annotated[
        list[str] | None, typer.Option(help="Name by which clients call this machine; may be repeated.")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Interpreters; default and maximum: the CPUs this process may use."),
    ] = None,
    concurrency: Annotated[
        int, typer.Option(min=1, help="Requests under way at once; more clients have to wait.")
    ] = 32,
    max_body: Annotated[int, typer.Option(min=1, help="Largest request in megabytes.")] = 16,
    max_pixels: Annotated[float, typer.Option(help="Largest image in megapixels.")] = 50,
    max_images: Annotated[int, typer.Option(min=1, help="Most images per request.")] = 32,
    timeout: Annotated[float, typer.Option(help="Seconds to receive a request, and again to answer it.")] = 20,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Serve a page and an HTTP interface for one model.

    They show the live picture of a camera with its label, or classify images that are sent.
    """
    # OpenCV and its FFmpeg print what our own messages say; they read these variables when they are loaded.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    from edgecnn_runtime.errors import InputError
    from edgecnn_runtime.server.serving import check_installed, listen, make_service, run, url_of

    console = Console(json=json, quiet=quiet)
    check_installed()
    from PIL import Image

    from edgecnn_runtime.server.access import Access, is_loopback
    from edgecnn_runtime.server.limits import MEBIBYTE, RequestLimits

    # The client gets 422 for it.
    warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
    if token is not None and no_auth:
        raise InputError("expected --token or --no-auth, got both")
    if token is None and not no_auth and not is_loopback(host):
        raise InputError(
            f"--host {host}: expected a token, got none; others can reach this address: set EDGECNN_TOKEN, "
            "give --token, or let everybody in with --no-auth"
        )
    access = Access.of(token=token, hosts=allow_host or ())
    if token is not None and len(token) < _TOKEN_LENGTH:
        console.warn(f"the token has {len(token)} characters and can be guessed; {_TOKEN_LENGTH} or more are safe")
    limits = RequestLimits(
        body_bytes=max_body * MEBIBYTE,
        pixels=round(max_pixels * 1e6),
        images=max_images,
        concurrency=concurrency,
        seconds=timeout,
    )
    smoothing = smoothing_options.smoothing()
    classifier = model_options.open(console, model, threads=1)
    with listen(host, port) as listener:
        service = make_service(
            classifier, source=source, smoothing=smoothing, workers=workers, limits=limits, access=access
        )
        url = url_of(listener)
        fragment = "#token=<your token>" if token else ""

        def announce() -> None:
            console.document({"url": url, "model": classifier.manifest.name, "camera": source is not None})
            console.say(f"{classifier.manifest.name}: {url}{fragment}  (Ctrl-C ends it)")
            if host in ("0.0.0.0", "::"):
                port_shown = listener.getsockname()[1]
                console.say(f"from other machines: http://{socket.gethostname()}:{port_shown}/{fragment}")

        run(service, listener, ready=announce)
    console.say("ended")
