"""The seconds of each epoch of a notebook's loop."""

import statistics
import time

import keras


class EpochClock(keras.callbacks.Callback):  # type: ignore[misc]
    """Takes the time of each epoch with its validation, which is what Keras prints; put it last in the callbacks."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    @property
    def median(self) -> float:
        """Of the epochs so far, in seconds."""
        return statistics.median(self.seconds)

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Start the clock."""
        del epoch, logs
        self._started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Keep the time."""
        del epoch, logs
        self.seconds.append(time.perf_counter() - self._started)
