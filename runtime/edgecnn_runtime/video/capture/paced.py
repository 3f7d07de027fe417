"""A file that plays at its own pace, as if it were a camera."""

import time

from edgecnn_runtime.video.capture.device import Device, Picture


class PacedDevice:
    """Gives each picture of a file not before its time."""

    live = True

    def __init__(self, device: Device) -> None:
        """Take over an opened device; its first picture comes at once."""
        self._device = device
        self.damaged, self.ending = device.damaged, device.ending
        self._started: float | None = None

    def read(self) -> Picture | None:
        """Wait until the next picture is due."""
        picture = self._device.read()
        self.damaged, self.ending = self._device.damaged, self._device.ending
        if picture is not None and picture.position is not None:
            now = time.monotonic()
            if self._started is None:
                self._started = now - picture.position
            time.sleep(max(0.0, self._started + picture.position - now))
        return picture

    def skip(self) -> bool:
        """Pass over the next picture."""
        return self._device.skip()

    def close(self) -> None:
        """Give the file back."""
        self._device.close()
