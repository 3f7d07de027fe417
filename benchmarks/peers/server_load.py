"""`edgecnn serve` under load on the loopback: requests a second and how long they take, beside the bare LiteRT loop.

    python benchmarks/peers/server_load.py runs/mnist/export/mnist_int8.tflite      # two minutes

Each client holds one connection and posts one PNG after the other. The server is a process of its own, the clients are
one more on the same machine, so what they cost is taken from the server's share. A second server, with the default
limits, is asked by more clients than its limit: each of its answers has to be 200 or 429.
"""

import argparse
import asyncio
import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from interleaved import interleave, ratio
from numpy.typing import NDArray
from PIL import Image
from raw_litert import microseconds_a_call, raw_loop

from edgecnn_benchmarks.statistics.intervals import Estimate, median_estimate
from edgecnn_benchmarks.statistics.quantities import figure
from edgecnn_runtime import Classifier
from edgecnn_runtime.golden import golden_images
from edgecnn_runtime.server.limits import RequestLimits

CLIENTS = (1, 8, 64)
_ROUNDS = 9
_ROUND = 1.5  # seconds of asking
_OVERLOAD = 3.0  # seconds


@dataclass(frozen=True)
class Load:
    """What so many clients were answered; rates in requests a second, times in milliseconds."""

    clients: int
    requests: int
    errors: int  # answers other than 200
    rate: Estimate
    of_the_interpreter: Estimate
    median: Estimate
    p99: Estimate


@dataclass(frozen=True)
class Overload:
    """More clients than the limit: how many answers had which status."""

    clients: int
    limit: int
    answered: int
    told_to_wait: int
    other: int


@dataclass(frozen=True)
class ServerLoad:
    """One model file."""

    file: str
    interpreter: Estimate  # the bare loop on one thread, images a second
    loads: tuple[Load, ...]
    overload: Overload


def measure_server(model: Path, images: NDArray[np.uint8]) -> ServerLoad:
    """Measure one TFLite file; `images` are uint8 `(N, height, width, channels)` of its size."""
    files = [_png(image) for image in images]
    raw = raw_loop(model, images)
    asked: dict[int, list[Asked]] = {clients: [] for clients in CLIENTS}
    with _serving(model, "--concurrency", str(max(CLIENTS))) as port:

        def ask(clients: int) -> float:
            answers = asyncio.run(_ask(port, files, clients, _ROUND))
            asked[clients].append(answers)
            return answers.rate

        figures = interleave(
            {
                "raw": lambda: 1e6 / microseconds_a_call(raw, images=len(images), calls=2000),
                **{str(clients): lambda clients=clients: ask(clients) for clients in CLIENTS},  # type: ignore[misc]
            },
            rounds=_ROUNDS,
        )
    with _serving(model) as port:
        overload = asyncio.run(_ask(port, files, max(CLIENTS), _OVERLOAD))
    return ServerLoad(
        file=model.name,
        interpreter=median_estimate(figures["raw"]),
        loads=tuple(
            Load(
                clients=clients,
                requests=sum(len(answers.seconds) for answers in asked[clients]),
                errors=sum(answers.statuses.total() - answers.statuses[200] for answers in asked[clients]),
                rate=median_estimate(figures[str(clients)]),
                of_the_interpreter=ratio(figures[str(clients)], figures["raw"]),
                median=median_estimate([answers.percentile(50) for answers in asked[clients]]),
                p99=median_estimate([answers.percentile(99) for answers in asked[clients]]),
            )
            for clients in CLIENTS
        ),
        overload=Overload(
            clients=max(CLIENTS),
            limit=RequestLimits().concurrency,
            answered=overload.statuses[200],
            told_to_wait=overload.statuses[429],
            other=overload.statuses.total() - overload.statuses[200] - overload.statuses[429],
        ),
    )


@dataclass(frozen=True)
class Asked:
    """The answers of one round."""

    rate: float  # a second
    seconds: NDArray[np.float64]  # of each request
    statuses: Counter[int]

    def percentile(self, share: float) -> float:
        """Return the time that `share` percent of the requests stayed below, milliseconds."""
        return float(1000 * np.percentile(self.seconds, share))


async def _ask(port: int, files: Sequence[bytes], clients: int, seconds: float) -> Asked:
    """Let so many clients ask until the time is over; a request that was begun is waited for."""
    statuses: Counter[int] = Counter()
    times: list[float] = []
    started = time.perf_counter()
    await asyncio.gather(
        *(_client(port, files, number, started + seconds, statuses, times) for number in range(clients))
    )
    return Asked(len(times) / (time.perf_counter() - started), np.array(times), statuses)


async def _client(
    port: int, files: Sequence[bytes], number: int, until: float, statuses: Counter[int], times: list[float]
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        while (began := time.perf_counter()) < until:
            body = files[number % len(files)]
            number += 1
            writer.write(
                b"POST /v1/classify?top_k=1 HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\n"
                b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
            )
            head = await reader.readuntil(b"\r\n\r\n")
            lines = head.lower().split(b"\r\n")
            length = next(int(line[15:]) for line in lines if line.startswith(b"content-length:"))
            await reader.readexactly(length)
            times.append(time.perf_counter() - began)
            statuses[int(lines[0].split()[1])] += 1
    finally:
        writer.close()
        await writer.wait_closed()


@contextmanager
def _serving(model: Path, *options: str) -> Iterator[int]:
    """Run the command until the block ends; yield the port."""
    command = [sys.executable, "-m", "edgecnn", "serve", str(model), "--port", "0", "--json", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            text = ""
            while not text.endswith("}\n"):
                line = process.stdout.readline()
                if not line:
                    raise RuntimeError(f"{' '.join(command)}: ended before it listened")
                text += line
            yield int(json.loads(text)["url"].rstrip("/").rpartition(":")[2])
        finally:
            process.send_signal(signal.SIGTERM)


def _png(pixels: NDArray[np.uint8]) -> bytes:
    file = BytesIO()
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(file, "PNG")
    return file.getvalue()


def main() -> None:
    """Measure one file and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    model = parser.parse_args().model
    load = measure_server(model, golden_images(Classifier.open(model).manifest.input))
    print(f"{load.file}: the bare loop on one thread: {figure(load.interpreter)} images/s")
    for row in load.loads:
        times = f"median {figure(row.median)} ms, p99 {figure(row.p99)} ms"
        rate = f"{figure(row.rate)} requests/s ({figure(row.of_the_interpreter)} of the bare loop)"
        print(f"{row.clients:3} clients: {rate}, {times}; {row.errors} errors in {row.requests:,}")
    over = load.overload
    print(
        f"{over.clients} clients, limit {over.limit}: {over.answered:,} answered, "
        f"{over.told_to_wait:,} told to wait (429), {over.other} others"
    )


if __name__ == "__main__":
    main()
