"""Videos and an MJPEG server on the loopback, made of pictures whose brightness says their number."""

import contextlib
import itertools
import threading
from collections.abc import Iterable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def red(value: int) -> NDArray[np.uint8]:
    """Return a picture 64x48 that is `value` in red and 0 in green and blue, uint8 `(48, 64, 3)` RGB."""
    pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[..., 0] = value
    return pixels


def write_video(path: Path, pictures: Sequence[NDArray[np.uint8]], *, rate: float = 30.0) -> Path:
    """Write pictures `(h, w, 3)` RGB as Motion-JPEG in an AVI, as cheap cameras record."""
    import cv2

    height, width, _ = pictures[0].shape
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), rate, (width, height))
    assert writer.isOpened()
    for pixels in pictures:
        writer.write(np.ascontiguousarray(pixels[:, :, ::-1]))
    writer.release()
    return path


def damage_frames(path: Path, numbers: Iterable[int]) -> Path:
    """Zero the bytes of these frames, 1 for the first, of a video that `write_video` wrote."""
    content = bytearray(path.read_bytes())
    position = content.index(b"movi") + 4
    starts = []
    while content[position : position + 4] == b"00dc":
        size = int.from_bytes(content[position + 4 : position + 8], "little")
        starts.append((position + 8, size))
        position += 8 + size + size % 2
    for number in numbers:
        start, size = starts[number - 1]
        content[start : start + size] = bytes(size)
    path.write_bytes(content)
    return path


class MjpegServer:
    """What a network camera serves: `multipart/x-mixed-replace` JPEGs, once a connection or again and again.

    `silent_after` keeps the connection open when the pictures have ended, as a camera that hangs does.
    """

    def __init__(
        self, pictures: Sequence[NDArray[np.uint8]], *, endless: bool = False, silent_after: bool = False
    ) -> None:
        self.parts = [_jpeg(pixels) for pixels in pictures]
        self.connections = 0
        self.down = False
        self.stopping = threading.Event()
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                camera.connections += 1
                if camera.down:
                    self.send_error(503)
                    return
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
                self.end_headers()
                with contextlib.suppress(ConnectionError):  # the reader has gone
                    for part in itertools.cycle(camera.parts) if endless else camera.parts:
                        head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(part)}\r\n\r\n"
                        self.wfile.write(head.encode() + part + b"\r\n")
                        if endless and camera.stopping.wait(0.01):
                            return
                    if silent_after:
                        camera.stopping.wait()

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}/video"

    @contextlib.contextmanager
    def running(self) -> Iterator["MjpegServer"]:
        """Serve until the block ends."""
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield self
        finally:
            self.stopping.set()
            self._server.shutdown()
            thread.join()
            self._server.server_close()


def _jpeg(pixels: NDArray[np.uint8]) -> bytes:
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()
