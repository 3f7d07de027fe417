"""What runs on the other machine, in the environment made there: the same benchmark, on the files that were sent.

python -m edgecnn_benchmarks.remote.measure_there JOB_FOLDER
"""

import json
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from edgecnn_benchmarks.bench import bench
from edgecnn_benchmarks.measuring.device_estimates import FileEstimate
from edgecnn_benchmarks.settings import BenchSettings
from edgecnn_runtime.errors import EdgecnnError
from edgecnn_runtime.json_dataclasses import read_dataclass, read_object


@dataclass(frozen=True)
class RemoteJob:
    """What of `job.json` is for the benchmark; the rest is for `far_side`."""

    targets: tuple[str, ...]  # below the job's folder
    data: str | None
    settings: BenchSettings
    device_estimates: tuple[FileEstimate, ...]
    command: str | None
    host: str | None


def measure(folder: Path) -> None:
    """Run the benchmark that `job.json` describes; its files go to the folder `out`, its progress to a file."""
    job = read_dataclass(RemoteJob, read_object(folder / "job.json", name="job.json"), name="job.json")
    with (folder / "progress.jsonl").open("a", encoding="utf-8") as file:

        def progress(percent: int, text: str) -> None:
            file.write(json.dumps({"percent": percent, "text": text}) + "\n")
            file.flush()

        bench(
            [folder / target for target in job.targets],
            data=None if job.data is None else folder / job.data,
            output=folder / "out",
            settings=job.settings,
            command=job.command,
            host=job.host,
            estimate=lambda _: job.device_estimates,
            progress=progress,
        )


def main() -> None:
    """Measure; an error is the last line on stderr."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        measure(Path(sys.argv[1]))
    except (EdgecnnError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("error: it was stopped before anything was measured", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
