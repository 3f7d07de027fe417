"""What runs on the other machine, in the environment made there: the same benchmark, on the files that were sent.

python -m edgecnn_benchmarks.remote.measure_there JOB_FOLDER
"""

import json
import signal
import sys
from pathlib import Path
from typing import Any

from edgecnn_benchmarks.bench import bench
from edgecnn_benchmarks.measuring.device_estimates import FileEstimate
from edgecnn_benchmarks.measuring.result_file import decode
from edgecnn_benchmarks.settings import BenchSettings
from edgecnn_runtime.errors import EdgecnnError
from edgecnn_runtime.third_party.opening import Opening


def measure(folder: Path) -> None:
    """Run the benchmark that `job.json` describes; its files go to the folder `out`, its progress to a file."""
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    settings: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in job["settings"].items()
    }
    estimates = tuple(decode(FileEstimate, item) for item in job["device_estimates"])
    settings["opening"] = Opening.from_document(job["settings"]["opening"])
    with (folder / "progress.jsonl").open("a", encoding="utf-8") as file:

        def progress(percent: int, text: str) -> None:
            file.write(json.dumps({"percent": percent, "text": text}) + "\n")
            file.flush()

        bench(
            [folder / target for target in job["targets"]],
            data=None if job["data"] is None else folder / job["data"],
            output=folder / "out",
            settings=BenchSettings(**settings),
            command=job["command"],
            host=job["host"],
            estimate=lambda _: estimates,
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
