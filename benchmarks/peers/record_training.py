"""Measure how fast training is, and in how much memory, and write it to `benchmarks/TRAINING.md`.

make training-results   # on the real images of EDGECNN_DATA, else on synthetic ones of the same shape
"""

import argparse
import tempfile
from pathlib import Path

from casting_photos import casting_photos
from epoch_seconds import casting_lines, measure_casting_epochs, measure_mnist_epochs, mnist_lines
from first_step import first_step_lines, measure_first_step
from frozen_base_head import head_lines, measure_frozen_base_head
from record import head
from step_precision import measure_step_precision, precision_lines
from training_memory import measure_training_memory, memory_lines

from edgecnn_benchmarks.machine.description import describe_machine
from edgecnn_runtime.system import atomic_files

PAGE = Path(__file__).parents[1] / "TRAINING.md"


def main() -> None:
    """Measure everything and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=PAGE)
    parser.add_argument(
        "--set-gb", type=float, default=6.0, help="of the larger noise set that is trained on for its memory; on disk"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as folder:
        scratch = Path(folder)
        photos = casting_photos(scratch)
        lines = []
        for what, measure in (
            ("time to the first step", lambda: first_step_lines(measure_first_step(photos, scratch))),
            ("epochs of casting", lambda: casting_lines(measure_casting_epochs(photos))),
            ("precisions", lambda: precision_lines(measure_step_precision(photos))),
            ("epochs of mnist", lambda: mnist_lines(measure_mnist_epochs())),
            ("the head on a frozen base", lambda: head_lines(measure_frozen_base_head(photos, scratch))),
        ):
            print(f"{what} …", flush=True)
            lines += measure()
    print("memory beside the size of the set …", flush=True)
    memory = [measure_training_memory(round(share * arguments.set_gb * 1e9)) for share in (0.1, 1)]
    page = [
        *head("Training: speed and memory", "training-results", Path(__file__), describe_machine()),
        *lines,
        *memory_lines(memory),
    ]
    atomic_files.write_text(arguments.output, "\n".join(page) + "\n")
    print(f"written: {arguments.output}")


if __name__ == "__main__":
    main()
