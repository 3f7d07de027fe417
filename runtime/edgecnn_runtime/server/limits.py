"""What a client may ask of the device, so that no request can bring it down."""

from dataclasses import dataclass

from edgecnn_runtime.errors import InputError
from edgecnn_runtime.image_files import MAX_PIXELS

MEBIBYTE = 2**20


@dataclass(frozen=True)
class RequestLimits:
    """The bounds of a server. What exceeds one is refused, each with its own status."""

    # Bytes of one request's body; 413 above.
    body_bytes: int = 16 * MEBIBYTE
    # Bytes of the bodies of all requests together; 429 above.
    bytes_under_way: int = 128 * MEBIBYTE
    # Pixels of one image, known before it is decoded; up to 500 MB per worker at ten bytes each.
    pixels: int = 50_000_000
    # Images of one request; 413 above.
    images: int = 32
    # Requests to classify under way at once, received and in work or waiting for their turn; 429 above.
    concurrency: int = 32
    # Event streams open at once; 429 above.
    streams: int = 16
    # Connections open at once. Above, those that wait for the busiest client are closed, the oldest first; where none
    # waits, 503.
    connections: int = 256
    # Seconds for a client to send its request, and then for the answer; 408 and 503 above.
    seconds: float = 20.0

    def __post_init__(self) -> None:
        for name in ("body_bytes", "bytes_under_way", "pixels", "images", "concurrency", "streams", "connections"):
            if getattr(self, name) < 1:
                raise InputError(f"{name.replace('_', ' ')}: expected at least 1, got {getattr(self, name)}")
        if self.pixels > MAX_PIXELS:
            raise InputError(f"pixels: expected at most {MAX_PIXELS:,}, got {self.pixels:,}")
        if not 0 < self.seconds < float("inf"):
            raise InputError(f"seconds: expected more than 0, got {self.seconds}")
