"""The Raspberry Pi's own camera through picamera2, which Raspberry Pi OS brings (`apt install python3-picamera2`)."""

from edgecnn_runtime.errors import SourceError
from edgecnn_runtime.video.capture.device import Picture

# Enough for any small classifier, and every sensor of the Pi gives it at 30 frames/s.
_SIZE = (640, 480)


class PiCameraDevice:
    """One running `Picamera2`."""

    live = True
    damaged, ending = 0, None

    def __init__(self, number: int) -> None:
        """Start a camera.

        Raises:
            SourceError: picamera2 is not installed, or there is no such camera.
        """
        try:
            from picamera2 import Picamera2
        except ImportError as error:
            raise SourceError(
                "picamera: expected the package picamera2, not installed; on Raspberry Pi OS run: "
                "sudo apt install python3-picamera2 (and make the environment with --system-site-packages)"
            ) from error
        try:
            self._camera = Picamera2(number)
            # "BGR888" is red, green, blue in memory: libcamera names the bytes of a word from the highest.
            self._camera.configure(self._camera.create_video_configuration({"size": _SIZE, "format": "BGR888"}))
            self._camera.start()
        # picamera2 raises IndexError for a camera that is not there and RuntimeError for most else.
        except Exception as error:
            raise SourceError(f"picamera:{number}: expected a camera; picamera2 says: {error}") from error

    def read(self) -> Picture | None:
        """Wait for the next picture; None: the camera is gone."""
        try:
            return Picture(self._camera.capture_array("main"))
        except Exception:
            return None

    def skip(self) -> bool:
        """Pass over the next picture."""
        return self.read() is not None

    def close(self) -> None:
        """Give the camera back."""
        self._camera.close()
