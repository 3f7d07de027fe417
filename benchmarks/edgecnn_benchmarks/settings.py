"""How a benchmark measures."""

from dataclasses import dataclass, field

from edgecnn_runtime.errors import InputError
from edgecnn_runtime.opening import Opening


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a user can set; the same settings on the same machine give comparable figures."""

    # Threads within one inference.
    threads: int = 1
    # Timed inferences a round, at least; a round also lasts `ROUND_SECS`.
    runs: int = 50
    # Untimed inferences before them, at least; the warm-up also lasts `WARMUP_SECS`.
    warmup: int = 10
    # Rounds a model; each starts a fresh process.
    rounds: int = 12
    # Seconds for all rounds of all models; `MIN_ROUNDS` rounds are measured whatever they take.
    max_secs: float = 60.0
    # Cold starts a model.
    starts: int = 7
    # Seconds without an answer after which a model counts as hanging.
    timeout: float = 60.0
    # The scheme or the file name of the model that the others are compared with.
    reference: str = "float32"
    # Of the order in which the models take their turns.
    seed: int = 0
    # How the files are opened: where they run, and what the user says about those that others made.
    opening: Opening = field(default_factory=lambda: Opening(only_strangers=True))

    def __post_init__(self) -> None:
        for name, value, least in (
            ("threads", self.threads, 1),
            ("runs", self.runs, 1),
            ("warmup", self.warmup, 0),
            ("rounds", self.rounds, 1),
            ("starts", self.starts, 1),
        ):
            if value < least:
                raise InputError(f"{name}: at least {least} expected, got {value}")
        if not (self.max_secs > 0 and self.timeout > 0):
            raise InputError(f"seconds above 0 expected, got max_secs {self.max_secs:g} and timeout {self.timeout:g}")
