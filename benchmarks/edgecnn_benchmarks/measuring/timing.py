"""What the turns of a row say: percentiles of each turn, and their medians over all rounds with intervals."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edgecnn_benchmarks.statistics.intervals import Estimate, median_estimate, tells_apart


@dataclass(frozen=True)
class Round:
    """One row's turn, in a fresh process: percentiles of a call's latency, its rate, and how it began."""

    p50_us: float
    p90_us: float
    p95_us: float
    p99_us: float
    images_per_s: float
    # Timed calls, and images per call.
    runs: int
    batch: int = 1
    # Opening the model, its interpreter's import included; then the first call.
    load_s: float = 0.0
    first_us: float = 0.0
    # Untimed calls, and whether the latency was stable after them.
    warmup_runs: int = 0
    stable: bool = True
    # Energy of the processor package per image, idle power included; None where it cannot be read.
    energy_mj: float | None = None


@dataclass(frozen=True)
class Turn:
    """A round, and every timed call of it in nanoseconds."""

    round: Round
    latencies_ns: Sequence[int]


def sum_up(
    latencies_ns: Sequence[int],
    *,
    batch: int = 1,
    load_s: float = 0.0,
    first_ns: int = 0,
    warmup_runs: int = 0,
    stable: bool = True,
    energy_uj: int | None = None,
) -> Turn:
    """Sum up what a worker measured in one turn.

    >>> measured = sum_up([1000, 2000, 3000], batch=4).round
    >>> measured.p50_us, measured.p90_us, round(measured.images_per_s)
    (2.0, 2.8, 2000000)
    """
    p50, p90, p95, p99 = (float(value) / 1000 for value in np.percentile(latencies_ns, (50, 90, 95, 99)))
    images = len(latencies_ns) * batch
    measured = Round(
        p50_us=p50,
        p90_us=p90,
        p95_us=p95,
        p99_us=p99,
        images_per_s=images / sum(latencies_ns) * 1e9,
        runs=len(latencies_ns),
        batch=batch,
        load_s=load_s,
        first_us=first_ns / 1000,
        warmup_runs=warmup_runs,
        stable=stable,
        energy_mj=None if energy_uj is None else energy_uj / 1000 / images,
    )
    return Turn(measured, latencies_ns)


def speedup(rounds: Sequence[Round], reference: Sequence[Round]) -> Estimate:
    """Return how many times as fast a row is as another that was measured in the same rounds: above 1, faster.

    It is the time of one image that is compared, whatever the batches.
    """
    return median_estimate(speedups(rounds, reference))


def speedups(rounds: Sequence[Round], reference: Sequence[Round]) -> list[float]:
    """Return the same for each round."""
    return [
        (theirs.p50_us / theirs.batch) / (own.p50_us / own.batch) for own, theirs in zip(rounds, reference, strict=True)
    ]


@dataclass(frozen=True)
class RowLatency:
    """Of one call on `batch` images, in microseconds: medians over the rounds, with their intervals."""

    p50: Estimate
    p90: Estimate
    p95: Estimate
    p99: Estimate


@dataclass(frozen=True)
class Timing:
    """All turns of a row, beside those of the reference in the same rounds (None: it is the reference)."""

    turns: Sequence[Turn]
    reference: Sequence[Turn] | None

    @property
    def rounds(self) -> tuple[Round, ...]:
        """The figures of each turn."""
        return tuple(turn.round for turn in self.turns)

    @property
    def latency_us(self) -> RowLatency:
        """The percentiles of a call."""
        return RowLatency(
            p50=self._over_rounds(lambda measured: measured.p50_us),
            p90=self._over_rounds(lambda measured: measured.p90_us),
            p95=self._over_rounds(lambda measured: measured.p95_us),
            p99=self._over_rounds(lambda measured: measured.p99_us),
        )

    @property
    def quantiles_us(self) -> tuple[float, ...]:
        """101 percentiles, 0 to 100, of all timed calls of all rounds together."""
        calls_us = np.concatenate([np.asarray(turn.latencies_ns) for turn in self.turns]) / 1000
        return tuple(round(float(value), 3) for value in np.percentile(calls_us, range(101)))

    @property
    def images_per_s(self) -> Estimate:
        """The rate."""
        return self._over_rounds(lambda measured: measured.images_per_s)

    @property
    def load_s(self) -> Estimate:
        """Opening the model."""
        return self._over_rounds(lambda measured: measured.load_s)

    @property
    def first_us(self) -> Estimate:
        """The first call."""
        return self._over_rounds(lambda measured: measured.first_us)

    @property
    def energy_mj(self) -> Estimate | None:
        """Energy per image; None where a round has none."""
        energies = [measured.energy_mj for measured in self.rounds if measured.energy_mj is not None]
        return median_estimate(energies) if len(energies) == len(self.turns) else None

    @property
    def speedup(self) -> Estimate | None:
        """How many times as fast as the reference; None of the reference itself."""
        return None if self.reference is None else median_estimate(self._speedups(self.reference))

    @property
    def told_apart(self) -> bool | None:
        """Whether that ratio differs from 1 beyond doubt; None of the reference itself."""
        return None if self.reference is None else tells_apart(self._speedups(self.reference))

    def _over_rounds(self, figure: Callable[[Round], float]) -> Estimate:
        return median_estimate([figure(measured) for measured in self.rounds])

    def _speedups(self, reference: Sequence[Turn]) -> list[float]:
        return speedups(self.rounds, [turn.round for turn in reference])
