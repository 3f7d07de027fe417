"""As much of an RTSP camera as a client needs: Motion-JPEG in RTP (RFC 2435), interleaved in the one TCP connection."""

import contextlib
import itertools
import re
import socketserver
import struct
import threading
from collections.abc import Iterator, Sequence
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_SDP = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nt=0 0\r\nm=video 0 RTP/AVP 26\r\na=control:track1\r\n"


@contextlib.contextmanager
def rtsp_camera(pictures: Sequence[NDArray[np.uint8]]) -> Iterator[str]:
    """Serve pictures `(h, w, 3)` RGB again and again, sides multiples of 16; yield the address."""
    stopping = threading.Event()
    packets = [_rtp_jpeg(pixels) for pixels in pictures]

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(ConnectionError):
                while request := self._request():
                    self._answer(request)
                    if request.startswith("PLAY"):
                        return self._play()
            return None

        def _request(self) -> str:
            lines = list(iter(lambda: self.rfile.readline().decode(), "\r\n"))
            return "" if "" in lines[:1] else "".join(lines)

        def _answer(self, request: str) -> None:
            kinds = {
                "DESCRIBE": f"Content-Type: application/sdp\r\nContent-Length: {len(_SDP)}\r\n",
                "SETUP": "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n",
            }
            headers = kinds.get(request.split()[0], "Public: DESCRIBE, SETUP, PLAY\r\nSession: 1\r\n")
            status = "461 Unsupported Transport" if "RTP/AVP;unicast" in request else "200 OK"
            (number,) = re.findall(r"CSeq: *(\d+)", request)
            body = _SDP if request.startswith("DESCRIBE") else ""
            self.wfile.write(f"RTSP/1.0 {status}\r\nCSeq: {number}\r\n{headers}\r\n{body}".encode())

        def _play(self) -> None:
            for number, packet in enumerate(itertools.cycle(packets)):
                # Version 2; marker and type 26 (JPEG); number; time in 1/90,000 s; source
                head = struct.pack(">BBHII", 0x80, 0x80 | 26, number % 65536, number * 3000 % 2**32, 1)
                self.wfile.write(struct.pack(">cBH", b"$", 0, len(head + packet)) + head + packet)
                if stopping.wait(0.01):
                    return

    socketserver.ThreadingTCPServer.allow_reuse_address = True
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"rtsp://127.0.0.1:{server.server_address[1]}/live"
        finally:
            stopping.set()
            server.shutdown()
            thread.join()


def _rtp_jpeg(pixels: NDArray[np.uint8]) -> bytes:
    """Pack a picture as the payload of one RTP packet: headers of RFC 2435, quantization tables, scan."""
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=95, subsampling="4:2:0")
    jpeg, tables, at = buffer.getvalue(), b"", 2
    while jpeg[at + 1] != 0xDA:  # the segments before the scan
        (length,) = struct.unpack(">H", jpeg[at + 2 : at + 4])
        if jpeg[at + 1] == 0xDB:
            tables += b"".join(jpeg[start + 1 : start + 65] for start in range(at + 4, at + 2 + length, 65))
        at += 2 + length
    (length,) = struct.unpack(">H", jpeg[at + 2 : at + 4])
    scan = jpeg[at + 2 + length : -2]
    height, width, _ = pixels.shape
    # Type 1 is 4:2:0; 255: the tables follow.
    return struct.pack(">IBBBBBBH", 0, 1, 255, width // 8, height // 8, 0, 0, len(tables)) + tables + scan
