"""The options that say how the answers to a video are smoothed."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from edgecnn_runtime.video.smoothing import Smoothing


@dataclass(frozen=True, kw_only=True)
class SmoothingOptions:
    """How many of the latest frames vote, and what a label needs."""

    window: Annotated[int, typer.Option(min=1, help="Number of latest frames that vote on the label.")] = 5
    min_count: Annotated[
        int | None, typer.Option(min=1, help="Votes that a label needs; default: more than half of the window.")
    ] = None
    threshold: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Probability below which a frame does not vote.")
    ] = 0.0
    hold: Annotated[float, typer.Option(min=0.0, help="Seconds that a label stays after it lost its votes.")] = 0.0

    def smoothing(self) -> "Smoothing":
        """Return what the options say.

        Raises:
            InputError: more votes are needed than there are.
        """
        from edgecnn_runtime.video.smoothing import Smoothing

        needed = self.window // 2 + 1 if self.min_count is None else self.min_count
        return Smoothing(self.window, needed, self.threshold, self.hold)
