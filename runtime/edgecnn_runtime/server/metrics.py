"""What the server counts, in Prometheus's text format 0.0.4.

Written by hand: the format of a dozen counters is these hundred lines, while prometheus_client brings a registry of
process-wide state, locks and its own HTTP server, which nothing here would use.
"""

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# Seconds; from a small model on a workstation to a large photo on a small device.
_BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Histogram:
    """How many seconds something took, counted into fixed bounds."""

    def __init__(self) -> None:
        self._counts = [0] * (len(_BOUNDS) + 1)
        self.sum = 0.0

    @property
    def count(self) -> int:
        """How often something was measured."""
        return sum(self._counts)

    def observe(self, seconds: float) -> None:
        """Count one measurement; one that equals a bound lies below it."""
        self._counts[bisect_left(_BOUNDS, seconds)] += 1
        self.sum += seconds

    def lines(self, name: str) -> Iterator[str]:
        """Yield the samples: counts up to each bound, the sum, the count."""
        total = 0
        for bound, count in zip((*_BOUNDS, float("inf")), self._counts, strict=True):
            total += count
            yield f"{name}_bucket{_labels({'le': '+Inf' if bound == float('inf') else f'{bound:g}'})} {total}"
        yield f"{name}_sum {self.sum!r}"
        yield f"{name}_count {total}"


@dataclass
class Metrics:
    """The counters of one server; touched by its event loop only."""

    model: str
    scheme: str
    version: str
    workers: int
    started: float = field(default_factory=time.time)
    requests: Counter[tuple[str, str, int]] = field(default_factory=Counter)  # by route, method, status
    request_seconds: Histogram = field(default_factory=Histogram)  # of POST /v1/classify that was answered with 200
    images: Counter[str] = field(default_factory=Counter)  # by outcome: classified, refused
    decode_seconds: Histogram = field(default_factory=Histogram)
    infer_seconds: Histogram = field(default_factory=Histogram)
    under_way: int = 0
    streams: int = 0

    def render(self, camera: "CameraCounts | None") -> str:
        """Write all of it; `camera` is None for a server without one."""
        about = {"model": self.model, "scheme": self.scheme, "version": self.version}
        lines = [
            *_metric("edgecnn_model_info", "gauge", "The model that is served.", {_labels(about): 1}),
            *_metric("edgecnn_start_time_seconds", "gauge", "When the server started, Unix time.", {"": self.started}),
            *_metric("edgecnn_workers", "gauge", "Interpreters; no more work at once.", {"": self.workers}),
            *_metric(
                "edgecnn_http_requests_total",
                "counter",
                "Requests answered.",
                {
                    _labels({"route": route, "method": method, "status": str(status)}): count
                    for (route, method, status), count in sorted(self.requests.items())
                },
            ),
            *_metric(
                "edgecnn_classify_under_way", "gauge", "Requests in work or waiting for it.", {"": self.under_way}
            ),
            *_metric("edgecnn_event_streams", "gauge", "Event streams that are open.", {"": self.streams}),
            *_metric(
                "edgecnn_images_total",
                "counter",
                "Images that requests brought.",
                {_labels({"outcome": outcome}): self.images[outcome] for outcome in ("classified", "refused")},
            ),
            *_histogram("edgecnn_classify_request_seconds", "A request to classify, whole.", self.request_seconds),
            *_histogram("edgecnn_decode_seconds", "Decoding one image.", self.decode_seconds),
            *_histogram("edgecnn_inference_seconds", "Classifying one image.", self.infer_seconds),
        ]
        if camera is not None:
            lines += camera.lines()
        return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class CameraCounts:
    """What there is to count about the camera."""

    up: bool
    frames: int
    dropped: int
    gaps: int
    latency: Histogram

    def lines(self) -> Iterator[str]:
        """Yield the samples with their descriptions."""
        yield from _metric("edgecnn_camera_up", "gauge", "1 while frames come, else 0.", {"": int(self.up)})
        yield from _metric("edgecnn_camera_frames_total", "counter", "Frames classified.", {"": self.frames})
        yield from _metric(
            "edgecnn_camera_dropped_frames_total", "counter", "Frames passed over for newer ones.", {"": self.dropped}
        )
        yield from _metric("edgecnn_camera_gaps_total", "counter", "Times that frames stopped coming.", {"": self.gaps})
        yield from _histogram(
            "edgecnn_camera_latency_seconds", "From the capture of a frame to its label.", self.latency
        )


def _metric(name: str, kind: str, description: str, samples: Mapping[str, float]) -> Iterator[str]:
    yield f"# HELP {name} {description}"
    yield f"# TYPE {name} {kind}"
    for labels, value in samples.items():
        yield f"{name}{labels} {value!r}"


def _histogram(name: str, description: str, histogram: Histogram) -> Iterator[str]:
    yield f"# HELP {name} {description}"
    yield f"# TYPE {name} histogram"
    yield from histogram.lines(name)


def _labels(values: Mapping[str, str]) -> str:
    r"""Write labels as the format wants them.

    >>> print(_labels({"model": 'a "b" \\'}))
    {model="a \"b\" \\"}
    """
    escaped = (
        (name, value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")) for name, value in values.items()
    )
    return "{" + ",".join(f'{name}="{value}"' for name, value in escaped) + "}"
