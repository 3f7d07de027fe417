"""Rows of a benchmark that nobody measured, with the latencies a test wants."""

from edgecnn_benchmarks.measuring.result import BenchRow
from edgecnn_benchmarks.measuring.timing import Round, RowLatency, speedup, speedups
from edgecnn_benchmarks.statistics.intervals import Estimate, median_estimate, tells_apart
from edgecnn_runtime.accuracy import Accuracy

# A small disturbance of each round, the same for every model in it; and two that are not shared.
_SHARED = (0, 3, 1, 7, 2, 0, 5, 1)
_OWN = {"even": (0, 0, 0, 0, 0, 0, 0, 0), "odd": (1, -1, 1, -1, 1, -1, 1, -1)}


def row(
    name: str,
    *,
    us: float,
    correct: int | None,
    size: int = 1000,
    jitter: str = "even",
    reference: BenchRow | None = None,
) -> BenchRow:
    """A row with eight rounds around a latency."""
    rounds = tuple(
        Round(us + shared + own, us, us, us, 1e6 / us, 50) for shared, own in zip(_SHARED, _OWN[jitter], strict=True)
    )
    p50 = median_estimate([measured.p50_us for measured in rounds])
    return BenchRow(
        name=name,
        label=name,
        file=name,
        candidate=name,
        provider=None,
        threads=1,
        batch=1,
        gzip_bytes=None,
        quantiles_us=(),
        told_apart=None if reference is None else tells_apart(speedups(rounds, reference.rounds)),
        load_s=Estimate(0.1, 0.1, 0.1),
        first_us=p50,
        steady_memory_bytes=None,
        energy_mj=None,
        scheme="float32",
        backend="litert",
        size_bytes=size,
        latency_us=RowLatency(p50, p50, p50, p50),
        images_per_s=Estimate(1e6 / us, 1e6 / us, 1e6 / us),
        speedup=None if reference is None else speedup(rounds, reference.rounds),
        rounds=rounds,
        cold_start_s=None,
        peak_memory_bytes=None,
        accuracy=None if correct is None else Accuracy(correct, 1000),
        agreement=None,
    )
