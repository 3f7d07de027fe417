"""Measure the figures edgecnn is judged by on this machine and write them to `benchmarks/RESULTS.md`.

    make results                                       # trains and exports runs/mnist first where it is missing
    python benchmarks/peers/record.py folder camera    # these sections only; the others stay as they are

Each ratio is taken within one run, round by round, with the 95 % interval of its median; a bare time says little on
a shared machine. The page is written after each section.
"""

import argparse
import csv
import datetime
import json
import os
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import install_size
import numpy as np
from bench_repeats import measure_bench_quality, quality_table
from camera_age import SPEED, measure_age_of_peer, measure_camera_age
from cold_start import measure_cold_start
from export_cost import measure_export
from folder_limit import FILES, SIZE, measure_folder, write_jpegs
from goals import judged
from int8_speed import measure_int8_speed
from large_photos import MODELS, enlarge, large_photos_table, measure_large_photos
from numpy.typing import NDArray
from PIL import Image
from predict_overhead import measure_overhead
from server_load import measure_server
from steadiness import WORK, measure_steadiness

from edgecnn_benchmarks.machine.description import Machine, describe_machine
from edgecnn_benchmarks.statistics.quantities import figure, percent, size
from edgecnn_runtime import Classifier
from edgecnn_runtime.accuracy import Accuracy
from edgecnn_runtime.json_dataclasses import read_dataclass
from edgecnn_runtime.system import atomic_files
from edgecnn_runtime.system.cpu import available_cpus
from edgecnn_runtime.workstation.image_set import Split
from edgecnn_runtime.workstation.run_folder import RunFolder, open_run_data

RESULTS = Path(__file__).parents[1] / "RESULTS.md"


@dataclass(frozen=True)
class Subject:
    """What is measured: the exported files of a run, and its test images."""

    run: RunFolder
    test: Split

    @property
    def images(self) -> NDArray[np.uint8]:
        """Some of the test images, `(64, height, width, channels)`."""
        return np.asarray(self.test.images[:64])

    @property
    def float32(self) -> Path:
        """The float32 TFLite file."""
        return self.run.exported("float32", ".tflite")

    @property
    def int8(self) -> Path:
        """The int8 TFLite file."""
        return self.run.exported("int8", ".tflite")

    @property
    def int8_onnx(self) -> Path:
        """The int8 ONNX file."""
        return self.run.exported("int8", ".onnx")


def main() -> None:
    """Measure the sections named, or all, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(SECTIONS)}; default: all")
    parser.add_argument("--run", type=Path, default=Path("runs/mnist"), help="a finished run of the mnist recipe")
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    if unknown := set(arguments.sections) - set(SECTIONS):
        parser.error(f"expected sections of {', '.join(SECTIONS)}, got {', '.join(sorted(unknown))}")
    run = RunFolder(arguments.run)
    subject = Subject(run, open_run_data(run.read_record()).split("test"))
    page = read_sections(arguments.output) if arguments.sections else {}
    for name in arguments.sections or SECTIONS:
        print(f"{name} …", flush=True)
        load = os.getloadavg()[0]
        date = datetime.datetime.now(tz=datetime.UTC).date()
        page[name] = [*SECTIONS[name](subject), "", f"Measured {date}; load average before: {load:.1f}."]
        lines = head("Measured results", "results", Path(__file__), describe_machine())
        for section in (section for section in SECTIONS if section in page):
            lines += ["", f"<!-- {section} -->", *page[section]]
        atomic_files.write_text(arguments.output, "\n".join(lines) + "\n")
    print(f"written: {arguments.output}")


def read_sections(page: Path) -> dict[str, list[str]]:
    """Read the sections of a page by their names; none where there is no page yet."""
    if not page.exists():
        return {}
    parts = re.split(r"\n<!-- (\w+) -->\n", page.read_text(encoding="utf-8"))
    return {name: text.rstrip().splitlines() for name, text in zip(parts[1::2], parts[2::2], strict=True)}


def head(title: str, target: str, script: Path, machine: Machine) -> list[str]:
    """Return the first lines of a page of results: what wrote it, how the figures are meant, on which machine."""
    packages = ", ".join(f"{name} {version}" for name, version in machine.packages.items())
    memory = f", {machine.memory_bytes / 2**30:.1f} GiB" if machine.memory_bytes else ""
    return [
        f"# {title}",
        "",
        f"Written by `make {target}` (`benchmarks/peers/{script.name}`); do not edit by hand. Times are medians, in",
        "brackets the 95 % interval of the median. Ratios are taken round by round within one run, the ways in random",
        "order, so that a slow moment of a shared machine hits all alike.",
        "",
        f"Machine: {machine.cpu}, {machine.architecture}, {machine.available_cpus} processors{memory}; "
        f"{', '.join(machine.cpu_features or ())}; {machine.system}, Python {machine.python}.",
        f"Versions: {packages}.",
        f"Date: {datetime.datetime.now(tz=datetime.UTC).date()}.",
    ]


def _training(subject: Subject) -> list[str]:
    run, record = subject.run, subject.run.read_record()
    metrics = json.loads(run.metrics.read_text())
    accuracy = read_dataclass(Accuracy, metrics["accuracy"], name="accuracy")
    settings = record.recipe
    with run.history.open(newline="") as file:
        epochs = [float(epoch["seconds"]) for epoch in csv.DictReader(file)]
    low, high = accuracy.interval
    return [
        "## Training: `edgecnn train mnist`",
        "",
        "| recipe | data | settings | test accuracy | goal | seconds an epoch |",
        "|---|---|---|---|---|---|",
        f"| {record.recipe['name']} | {record.data_name} | {settings['epochs']} epochs, {settings['optimizer']} "
        f"{settings['learning_rate']:g}, batch {settings['batch_size']}, seed {settings['seed']} | "
        f"{accuracy.value:.4f} ({low:.4f}…{high:.4f}) | ≥ 0.990 | {np.median(epochs):.1f} |",
        "",
        "One run. Test is read once, after the best epoch was chosen on a tenth of the training images; the notebook",
        "validated on the test images and printed 0.9860 (SGD) and 0.9915.",
        *judged({"0.990 of the test images": accuracy.value >= 0.990}),
    ]


def _export(subject: Subject) -> list[str]:
    cost = measure_export(subject.run.path)
    return [
        "## Export: `edgecnn export runs/mnist --all`",
        "",
        f"All formats, each compared with Keras on the whole test split: {cost.seconds:.0f} s, peak memory "
        f"{cost.megabytes:,.0f} MB. One run.",
    ]


def _int8(subject: Subject) -> list[str]:
    speed = measure_int8_speed(subject.float32, subject.int8, subject.test)
    f32, i8 = speed.float32_accuracy, speed.int8_accuracy
    return [
        f"## int8 against float32: TFLite, LiteRT, one thread, batch 1, {f32.total:,} test images",
        "",
        "| | float32 | int8 | int8 is | goal |",
        "|---|---|---|---|---|",
        f"| latency, µs | {figure(speed.float32)} | {figure(speed.int8)} | "
        f"{figure(speed.faster)} times as fast | ≥ 3 |",
        f"| size | {size(speed.float32_size)} | {size(speed.int8_size)} | "
        f"{speed.float32_size / speed.int8_size:.2f} times smaller | ≥ 3.9 |",
        f"| accuracy | {percent(f32.value)} | {percent(i8.value)} | "
        f"{100 * (f32.value - i8.value):.2f} points less accurate | ≤ 0.1 |",
        *judged(
            {
                "3 times as fast": speed.faster.value >= 3,
                "3.9 times smaller": speed.float32_size / speed.int8_size >= 3.9,
                "0.1 points": 100 * (f32.value - i8.value) <= 0.1,
            }
        ),
    ]


def _overhead(subject: Subject) -> list[str]:
    overheads = [measure_overhead(model, subject.images) for model in (subject.float32, subject.int8)]
    rows = [
        f"| `{item.file}` | {figure(item.raw)} | {figure(item.ours)} | {figure(item.ratio)} | {figure(item.added)} |"
        for item in overheads
    ]
    return [
        "## One image: `Classifier.predict_proba` beside the bare LiteRT loop",
        "",
        "The bare loop (set_tensor, invoke, get_tensor) gets ready-made tensors, `predict_proba` the camera's bytes.",
        "Goal: at most 1.10 times for float32, at most 8 µs more for int8.",
        "",
        "| file | bare loop, µs | predict_proba, µs | ratio | added, µs |",
        "|---|---|---|---|---|",
        *rows,
        *judged(
            {
                "1.10 times for float32": overheads[0].ratio.value <= 1.10,
                "8 µs more for int8": overheads[1].added.value <= 8,
            }
        ),
    ]


def _folder(subject: Subject) -> list[str]:
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as scratch:
        paths = write_jpegs(Path(scratch), subject.images)
        models = (subject.int8, subject.int8_onnx)
        rates = [measure_folder(model, paths, threads=available_cpus()) for model in models]
    rows = [
        f"| `{item.file}` | {item.threads} | {figure(item.decoding)} | {figure(item.inference)} | "
        f"{figure(item.plain_loop)} | {figure(item.predict_many)} | **{figure(item.of_the_limit)}** | "
        f"{figure(item.of_the_plain_loop)} |"
        for item in rates
    ]
    return [
        f"## A folder: `predict_many` on {FILES:,} JPEGs of {SIZE}x{SIZE}",
        "",
        "Images a second. The limit is 1 / (1/D + 1/I), from the rates of decoding alone (D) and of inference alone",
        "(I) on as many threads in the same round. Goal: at least 0.9 of it.",
        "",
        "| file | threads | decoding | inference | plain loop | predict_many | of the limit | of the plain loop |",
        "|---|---|---|---|---|---|---|---|",
        *rows,
        *judged({f"0.9 of the limit with {item.file}": item.of_the_limit.value >= 0.9 for item in rates}),
    ]


def _large_photos(subject: Subject) -> list[str]:
    del subject
    folder = Path(os.environ.get("EDGECNN_DATA", "")) / MODELS
    models = sorted(folder.glob("*.tflite"))
    if not models:
        return [
            "## Large photos",
            "",
            f"Not measured: expected the model files of {MODELS} in $EDGECNN_DATA, got none.",
        ]
    photos = [enlarge(path) for path in sorted(folder.iterdir()) if path.suffix in (".jpg", ".png")]
    return large_photos_table({path.name: measure_large_photos(Classifier.open(path), photos) for path in models})


def _cold_start(subject: Subject) -> list[str]:
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as scratch:
        picture = Path(scratch) / "digit.png"
        Image.fromarray(subject.images[0, :, :, 0]).save(picture)
        cold = measure_cold_start(litert=subject.int8, onnx=subject.int8_onnx, keras=subject.run.model, picture=picture)
    rows = [f"| {name} | {figure(cold.seconds[name])} | {figure(cold.megabytes[name])} |" for name in cold.seconds]
    return [
        "## Cold start: process start to the first label",
        "",
        "Python, imports, opening the model, decoding one PNG. Goal: at most 0.2 s, 90 MB and 1.2 times the time of a",
        "bare script with LiteRT, at least 10 times faster and 8 times less memory than through Keras.",
        "",
        "| through | seconds | peak memory, MB |",
        "|---|---|---|",
        *rows,
        "",
        f"LiteRT takes {figure(cold.litert_to_bare_seconds)} times as long as a bare script for it. "
        f"Keras takes {figure(cold.keras_to_litert_seconds)} times as long as LiteRT and "
        f"{figure(cold.keras_to_litert_memory)} times the memory.",
        *judged(
            {
                "0.2 s": cold.seconds["LiteRT"].value <= 0.2,
                "90 MB": cold.megabytes["LiteRT"].value <= 90,
                "1.2 times a bare script": cold.litert_to_bare_seconds.value <= 1.2,
                "10 times faster than through Keras": cold.keras_to_litert_seconds.value >= 10,
                "8 times less memory than through Keras": cold.keras_to_litert_memory.value >= 8,
            }
        ),
    ]


def _installation(subject: Subject) -> list[str]:
    del subject
    return install_size.installs_table(install_size.measure_installs(install_size.WAYS))


def _camera(subject: Subject) -> list[str]:
    peer, age = measure_age_of_peer(subject.int8), measure_camera_age(subject.int8)
    return [
        "## Camera: how old the answer is when the model is slower than the camera",
        "",
        "Milliseconds from a picture's due time to its answer; a camera of 30 frames/s, 640x480, the model made to",
        "take about 2.2 frames' time. The plain loop reads a driver that keeps four pictures, as V4L2 does.",
        "",
        "| stream() | plain loop | the plain loop's answer is |",
        "|---|---|---|",
        f"| {figure(peer.ours)} | {figure(peer.plain_loop)} | {figure(peer.plain_loop_is_older)} times as old |",
        "",
        f"An hour's {age.frames:,} frames, {SPEED:g} times as fast ({age.rate:g} frames/s, an answer in "
        f"{1000 * age.inference:.1f} ms). Age in inference times of the same answer; goal: below 2.",
        "",
        "| answers | median | first tenth | last tenth | 999 of 1,000 below | 2 or more | oldest, ms |",
        "|---|---|---|---|---|---|---|",
        f"| {age.answers:,} | {age.median_times:.2f} | {age.first_tenth_times:.2f} | {age.last_tenth_times:.2f} | "
        f"{age.times_of_1000:.2f} | {age.late} | {1000 * age.longest:.0f} |",
        *judged({"below 2": not age.late}),
    ]


def _server(subject: Subject) -> list[str]:
    load = measure_server(subject.int8, subject.images)
    rows = [
        f"| {item.clients} | {figure(item.rate)} | {figure(item.of_the_interpreter)} | {figure(item.median)} | "
        f"{figure(item.p99)} | {item.errors} of {item.requests:,} |"
        for item in load.loads
    ]
    over = load.overload
    return [
        "## Server: `edgecnn serve` on the loopback",
        "",
        f"Each client posts one PNG of a digit after the other on a connection of its own; `{load.file}`. The clients",
        "share the processors with the server. The bare LiteRT loop, which decodes nothing and speaks no HTTP, makes",
        f"{figure(load.interpreter)} images a second on one thread. Goal: no error below the limit, 429 above it.",
        "",
        "| clients | requests/s | of the bare loop | median, ms | p99, ms | errors |",
        "|---|---|---|---|---|---|",
        *rows,
        "",
        f"{over.clients} clients against the default limit of {over.limit} requests under way: {over.answered:,} "
        f"answered, {over.told_to_wait:,} told to wait (429), {over.other} other answers.",
        *judged(
            {
                "no error below the limit": not any(item.errors for item in load.loads),
                "429 above it": bool(over.told_to_wait) and not over.other,
            }
        ),
    ]


def _memory(subject: Subject) -> list[str]:
    models = (subject.int8, subject.int8_onnx)
    figures = [measure_steadiness(model, work) for model in models for work in WORK]
    rows = [
        f"| `{item.file}` | {item.count:,} {'frames' if item.work == 'frames' else 'calls of `predict`'} | "
        f"{item.begin:.1f} | {item.growth:+.2f} | {item.highest:+.2f} |"
        for item in figures
    ]
    return [
        "## Memory over a long time",
        "",
        "Resident memory in MB, each row a process of its own: frames of a Motion-JPEG video through OpenCV that ends",
        "and is opened again every 1,000, or calls of `predict` on JPEG files. Growth is the median of the last tenth",
        "less that of the first, after a warm-up. Goal: less than 2 MB.",
        "",
        "| file | work | begin | growth | highest sample |",
        "|---|---|---|---|---|",
        *rows,
        *judged({f"2 MB with {item.file}, {item.work}": item.growth < 2 for item in figures}),
    ]


SECTIONS: Mapping[str, Callable[[Subject], list[str]]] = {
    "training": _training,
    "export": _export,
    "int8": _int8,
    "overhead": _overhead,
    "folder": _folder,
    "large_photos": _large_photos,
    "cold_start": _cold_start,
    "installation": _installation,
    "camera": _camera,
    "server": _server,
    "memory": _memory,
    "bench": lambda subject: quality_table(measure_bench_quality(subject.run.path)),
}


if __name__ == "__main__":
    main()
