"""How a benchmark measures."""

from dataclasses import dataclass, field

from edgecnn_runtime.errors import InputError
from edgecnn_runtime.third_party_models.opening import Opening


@dataclass(frozen=True, kw_only=True)
class BenchSettings:
    """What a user can set; the same settings on the same machine give comparable figures."""

    # Threads within one inference; several are a sweep. The first is also that of accuracy, start and memory.
    threads: tuple[int, ...] = (1,)
    # Images per call; several are a sweep.
    batch: tuple[int, ...] = (1,)
    # Timed calls per round, at least; a round also lasts `ROUND_SECS`.
    runs: int = 50
    # Untimed calls before them, at least; the warm-up also lasts `WARMUP_SECS` and until the latency is stable.
    warmup: int = 10
    # Rounds per row, each in a fresh process; None: until every interval is within `precision`.
    rounds: int | None = None
    # Half the interval of a median or a ratio that is precise enough, as a share of it.
    precision: float = 0.02
    # Seconds for all rounds of all rows; `MIN_ROUNDS` rounds are measured whatever they take.
    max_secs: float = 60.0
    # Cold starts per model.
    starts: int = 7
    # Seconds without an answer after which a model counts as hanging.
    timeout: float = 60.0
    # The scheme or the file name of the model that the others are compared with.
    reference: str = "float32"
    # Whether the Keras model of the run is measured too.
    with_keras: bool = False
    # Seed of the order in which the rows take their turns.
    seed: int = 0
    # How the files are opened: where they run, and what the user says about third-party models.
    opening: Opening = field(default_factory=lambda: Opening(third_party_only=True))

    def __post_init__(self) -> None:
        for name, value, least in (
            ("runs", self.runs, 1),
            ("warmup", self.warmup, 0),
            ("rounds", 1 if self.rounds is None else self.rounds, 1),
            ("starts", self.starts, 1),
        ):
            if value < least:
                raise InputError(f"{name}: expected at least {least}, got {value}")
        for name, values in (("threads", self.threads), ("batch", self.batch)):
            if not values or min(values) < 1 or len(set(values)) < len(values):
                got = ",".join(map(str, values)) or "nothing"
                raise InputError(f"{name}: expected different numbers of at least 1, got {got}")
        if not 0 < self.precision < 1:
            raise InputError(f"precision: expected a share above 0 % and below 100 %, got {self.precision * 100:g} %")
        if not (self.max_secs > 0 and self.timeout > 0):
            raise InputError(f"expected seconds above 0, got max_secs {self.max_secs:g} and timeout {self.timeout:g}")
