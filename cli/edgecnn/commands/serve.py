"""`edgecnn serve MODEL`: a page and an HTTP interface for one model, on this device."""

import os
import socket
import warnings
from pathlib import Path
from typing import Annotated

import typer

from edgecnn.console import Console, JsonOption, QuietOption
from edgecnn.options.model_options import ModelOptions, takes_model_options

# A token shorter than this can be guessed by trying.
_TOKEN_LENGTH = 16


@takes_model_options
def serve(
    model_options: ModelOptions,
    model: Annotated[Path, typer.Argument(help="A .tflite or .onnx file, of edgecnn or of anybody.")],
    source: Annotated[
        str | None,
        typer.Option(help="A camera to watch: 0, /dev/video0, picamera, rtsp://…, http://…, or a video file."),
    ] = None,
    host: Annotated[
        str, typer.Option(help="The address to listen at. Another than this machine's own needs a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 finds a free one.")] = 8000,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="EDGECNN_TOKEN", help="What clients must show; the variable keeps it out of the process list."
        ),
    ] = None,
    no_auth: Annotated[bool, typer.Option("--no-auth", help="Let the whole network in without a token.")] = False,
    allow_host: Annotated[
        list[str] | None, typer.Option(help="One more name by which clients call this machine; repeat for others.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Interpreters; default and most: the processors this process may use.")
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, help="Requests under way at once; more are told to wait.")] = 32,
    max_body: Annotated[int, typer.Option(min=1, help="Megabytes of one request.")] = 16,
    max_pixels: Annotated[float, typer.Option(help="Megapixels of one image.")] = 50,
    max_images: Annotated[int, typer.Option(min=1, help="Images of one request.")] = 32,
    timeout: Annotated[float, typer.Option(help="Seconds to receive a request, and again to answer it.")] = 20,
    window: Annotated[int, typer.Option(min=1, help="Of the camera's answers: how many of the latest vote.")] = 5,
    min_count: Annotated[
        int | None, typer.Option(min=1, help="Votes that a label needs; default: more than half of the window.")
    ] = None,
    threshold: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Probability below which an answer votes for nothing.")
    ] = 0.0,
    hold: Annotated[float, typer.Option(min=0.0, help="Seconds that a label stays after it lost its votes.")] = 0.0,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Serve a page and an HTTP interface on this machine: the camera's live picture, or images that are sent."""
    # OpenCV and its FFmpeg print to the screen what our own messages say; they ask for this when they are loaded.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    from edgecnn_runtime.errors import InputError
    from edgecnn_runtime.server.serving import check_installed, listen, make_service, run, url_of
    from edgecnn_runtime.video.smoothing import Smoothing

    console = Console(json=json, quiet=quiet)
    check_installed()
    from PIL import Image

    from edgecnn_runtime.server.access import Access, is_loopback
    from edgecnn_runtime.server.limits import MEBIBYTE, RequestLimits

    # The client is told of it, with 422.
    warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
    if token is not None and no_auth:
        raise InputError("expected --token or --no-auth, got both")
    if token is None and not no_auth and not is_loopback(host):
        raise InputError(
            f"--host {host}: expected a token, since others can reach this address; set EDGECNN_TOKEN, or give "
            "--token, or let everybody in with --no-auth"
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
    smoothing = Smoothing(window, window // 2 + 1 if min_count is None else min_count, threshold, hold)
    classifier = model_options.open(console, model, threads=1)
    with listen(host, port) as listener:
        service = make_service(
            classifier, source=source, smoothing=smoothing, workers=workers, limits=limits, access=access
        )
        url = url_of(listener)
        fragment = "#token=<your token>" if token else ""

        def tell() -> None:
            console.document({"url": url, "model": classifier.manifest.name, "camera": source is not None})
            console.say(f"{classifier.manifest.name}: {url}{fragment}  (Ctrl-C ends it)")
            if host in ("0.0.0.0", "::"):
                port_shown = listener.getsockname()[1]
                console.say(f"from other machines: http://{socket.gethostname()}:{port_shown}/{fragment}")

        run(service, listener, ready=tell)
    console.say("ended")
