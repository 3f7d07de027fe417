"""Estimates of model files on devices that are not here, in a result beside what was measured.

They come from whoever calls the benchmark, since a benchmark does not look into model files: `edgecnn bench` asks
`edgecnn_export.inspection`, which also holds the one table of boards.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgecnn_benchmarks.measuring.candidates import Candidate
from edgecnn_benchmarks.statistics.quantities import three_digits

# Said wherever they are shown.
CAVEAT = (
    "Estimates: nothing was measured on these devices. NPU cycles and times are those of the compiler's own model, "
    "which assumes the memories and the clock that it names; flash and RAM hold the model and its activations alone, "
    "without the program around them."
)


@dataclass(frozen=True)
class DeviceEstimate:
    """One device or interpreter for small devices: whether the file runs there, and what it would take."""

    # As `edgecnn inspect --target` names it.
    device: str
    title: str
    # "yes", "partly", "no" or "not checked".
    answer: str
    summary: str
    # What the board has, in bytes; None of what is no board.
    flash_bytes: int | None = None
    ram_bytes: int | None = None
    # Of one image on an NPU, by its compiler; None where it was not asked or does not say.
    cycles: int | None = None
    milliseconds: float | None = None
    # The memories and the clock that the compiler assumes.
    system: str | None = None

    @property
    def because(self) -> str:
        """The summary, after the cycles and the time where they are known."""
        if self.cycles is None or self.milliseconds is None:
            return self.summary
        return f"{self.cycles:,} cycles, {three_digits(self.milliseconds)} ms; {self.summary}"


@dataclass(frozen=True)
class FileEstimate:
    """One model file on all such devices."""

    # The model file's name, as in the rows.
    file: str
    # Working memory of TFLite-Micro's interpreter, in bytes; and whether it was measured with that interpreter, on a
    # PC, when the file was exported, or only summed up from the activations that live at the same time.
    arena_bytes: int | None
    arena_measured: bool
    # Each kind of operator once: what a program for TFLite-Micro registers.
    operators: tuple[str, ...]
    devices: tuple[DeviceEstimate, ...]

    @property
    def needs(self) -> str:
        """What any microcontroller must bring for it, in a sentence."""
        if self.arena_bytes is None:
            arena = "an arena of unknown size"
        else:
            how = "measured on a PC" if self.arena_measured else "at least; estimated from its activations"
            arena = f"an arena of {three_digits(self.arena_bytes / 1024)} KiB ({how})"
        return f"TFLite-Micro needs {arena} and {len(self.operators)} kinds of operators: {', '.join(self.operators)}."


# Called once with all models that are measured; returns estimates of those that it knows something about.
Estimator = Callable[[Sequence[Candidate]], tuple[FileEstimate, ...]]


def no_estimates(candidates: Sequence[Candidate]) -> tuple[FileEstimate, ...]:
    """Say nothing of any model."""
    del candidates
    return ()
