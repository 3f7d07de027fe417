"""edgecnn beside other people's software, on the same network and images; writes `benchmarks/PEERS.md`.

    make peers                                              # installs what can be had, measures everything
    python benchmarks/peers/compare.py --run runs/casting-mobilenetv2
    python benchmarks/peers/compare.py --files 200 --rounds 3   # a quick look

Each peer is optional and a process of its own; one that is not installed is a line of the page that says so. The ways
are interleaved in random order, ratios taken round by round.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from casting_photos import casting_photos
from channels_first import write_channels_first
from folder_limit import alone, limit
from goals import judged
from interleaved import interleave, ratio
from numpy.typing import NDArray
from peer_process import PeerMissingError, PeerProcess
from peer_software import PEERS, Files
from record import head

from edgecnn_benchmarks.machine.description import describe_machine
from edgecnn_benchmarks.statistics.intervals import Estimate, median_estimate
from edgecnn_benchmarks.statistics.quantities import figure
from edgecnn_runtime import Classifier
from edgecnn_runtime.errors import EdgecnnError, InputError
from edgecnn_runtime.preprocess import read_image
from edgecnn_runtime.system import atomic_files
from edgecnn_runtime.system.cpu import available_cpus
from edgecnn_runtime.workstation.run_folder import RunFolder

PAGE = Path(__file__).parents[1] / "PEERS.md"
_OURS = PEERS[0].name
_BENCHMARK_TOOL = "LiteRT's `litert-benchmark`"
_FORMATS = ("tflite-float32", "tflite-int8", "onnx-float32")
# Of these each peer says a class before it is measured.
_PROBES = 24
# And of so many files; a peer that would need longer than this for the whole folder gets fewer files a round, since
# its rate does not depend on how many there are.
_FIRST_FILES = 200
_SECONDS = 6.0


@dataclass
class Table:
    """What was measured: a figure a round of each way, and why a way is missing."""

    rounds: dict[str, list[float]]
    missing: dict[str, str]
    agreement: dict[str, float] = field(default_factory=dict)  # share of the images with edgecnn's class


def main() -> None:
    """Measure both, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/casting-mobilenetv2"), help="a finished run on RGB")
    parser.add_argument("--files", type=int, default=2000, help="JPEGs of the folder")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=available_cpus(), help="for the folder")
    parser.add_argument("--output", type=Path, default=PAGE)
    arguments = parser.parse_args()
    if min(arguments.files, arguments.rounds, arguments.threads) < 1:
        parser.error("--files, --rounds and --threads: expected at least 1")
    try:
        with tempfile.TemporaryDirectory(prefix="edgecnn-") as scratch:
            files = _files(RunFolder(arguments.run), Path(scratch))
            paths = _photos(Path(scratch), arguments.files)
            spec = Classifier.open(files.tflite).manifest.input
            images = np.stack([read_image(path, spec) for path in paths[:_PROBES]])
            print("one image …", flush=True)
            one = measure_one(files, images, rounds=arguments.rounds)
            print("a folder …", flush=True)
            folder = measure_folder(files, paths, rounds=arguments.rounds, threads=arguments.threads)
    except EdgecnnError as problem:
        sys.exit(str(problem))
    page = [
        *head("Beside other people's software", "peers", Path(__file__), describe_machine()),
        *_versions(),
        *_one_lines(one, arguments.run.name),
        *_folder_lines(folder, arguments),
    ]
    atomic_files.write_text(arguments.output, "\n".join(page) + "\n")
    print(f"written: {arguments.output}")


def _files(run: RunFolder, scratch: Path) -> Files:
    """Export what is missing, and write the ONNX file that OpenCV and Ultralytics can feed."""
    if not run.record.exists():
        raise InputError(f"{run.path}: expected a finished run; train one with 'edgecnn train casting-mobilenetv2'")
    exported = {
        "tflite": run.exported("float32", ".tflite"),
        "tflite_int8": run.exported("int8", ".tflite"),
        "onnx": run.exported("float32", ".onnx"),
    }
    if not all(path.exists() for path in exported.values()):
        formats = [word for name in _FORMATS for word in ("--format", name)]
        # Whatever int8 loses; speed is what is measured here.
        command = [sys.executable, "-m", "edgecnn", "export", str(run.path), *formats, "--max-drop", "100", "--quiet"]
        subprocess.run(command, check=True)
    manifest = Classifier.open(exported["onnx"]).manifest
    height, width, channels = manifest.input.shape
    if channels != 3:
        raise InputError(f"{run.path}: expected a model of RGB images, which is what the peers take; got grey")
    channels_first = scratch / "channels_first.onnx"
    write_channels_first(exported["onnx"], channels_first, labels=manifest.labels, height=height, width=width)
    return Files(**exported, onnx_channels_first=channels_first, keras=run.model, height=height, width=width)


def _photos(scratch: Path, count: int) -> list[Path]:
    """Copy the casting photos into one folder, some twice, until there are `count`."""
    photos = casting_photos(scratch)
    sources = sorted(photos.folders.rglob("*.jpeg"))
    folder = scratch / "folder"
    folder.mkdir()
    paths = [folder / f"{number:04}.jpg" for number in range(count)]
    for number, path in enumerate(paths):
        shutil.copy(sources[number * 7 % len(sources)], path)
    return paths


def measure_one(files: Files, images: NDArray[np.uint8], *, rounds: int) -> Table:
    """Measure each peer on one image of the model's size, on one thread where it can be told; in seconds."""
    with ExitStack() as stack:
        processes, missing = _opened(stack, files, threads=1)
        classes = {name: process.classes(images) for name, process in processes.items()}
        ways = {name: (lambda process=process: process.one(images).seconds) for name, process in processes.items()}
        if find_spec("ai_edge_litert.tools") is not None:
            ways[_BENCHMARK_TOOL] = lambda: _benchmark_tool(files.tflite)
        else:
            missing[_BENCHMARK_TOOL] = "not in the installed ai-edge-litert"
        return Table(interleave(ways, rounds=rounds), missing, _agreement(classes))


def _benchmark_tool(model: Path) -> float:
    """Return the median that the tool tells, of as many runs as it does by default, in seconds."""
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as scratch:
        result = Path(scratch) / "result.json"
        command = [sys.executable, "-m", "ai_edge_litert.tools.benchmark_litert_model", f"--model={model}"]
        subprocess.run([*command, f"--result_json={result}"], check=True, capture_output=True)
        return float(json.loads(result.read_text())["latency"]["median_ms"]) / 1000


def measure_folder(files: Files, paths: list[Path], *, rounds: int, threads: int) -> Table:
    """Measure each peer on a folder of JPEGs, and the limit; in images a second."""
    with ExitStack() as stack:
        processes, missing = _opened(stack, files, threads=threads, folder=True)
        pool = stack.enter_context(ThreadPoolExecutor(threads))
        first = {name: process.folder(paths[:_FIRST_FILES]) for name, process in processes.items()}
        classes = {name: answer.classes for name, answer in first.items()}
        shares = {name: paths if name == _OURS else _share(paths, answer.seconds) for name, answer in first.items()}
        ways = {
            name: (lambda process=process, share=shares[name]: 1 / process.folder(share).seconds)
            for name, process in processes.items()
        }
        figures = interleave({**ways, **alone(Classifier.open(files.tflite), paths, threads, pool)}, rounds=rounds)
        return Table(figures, missing, _agreement(classes))


def _share(paths: list[Path], seconds: float) -> list[Path]:
    """Return as many of the files as a peer that takes `seconds` for one reads in `_SECONDS`, or all."""
    return paths[: max(_FIRST_FILES, round(_SECONDS / seconds))]


def _opened(
    stack: ExitStack, files: Files, *, threads: int, folder: bool = False
) -> tuple[dict[str, PeerProcess], dict[str, str]]:
    processes, missing = {}, {}
    for peer in PEERS:
        if folder and not peer.folder:
            continue
        try:
            processes[peer.name] = PeerProcess(peer.name, files, threads)
            stack.callback(processes[peer.name].close)
            processes[peer.name].one(np.zeros((1, files.height, files.width, 3), np.uint8))
        except PeerMissingError as problem:
            processes.pop(peer.name, None)
            missing[peer.name] = str(problem)
            print(f"  {peer.name}: {problem}", flush=True)
    if _OURS in missing:
        raise InputError(f"edgecnn: {missing[_OURS]}")
    return processes, missing


def _agreement(classes: Mapping[str, Sequence[int]]) -> dict[str, float]:
    ours = np.asarray(classes[_OURS])
    return {name: float((np.asarray(theirs) == ours).mean()) for name, theirs in classes.items()}


def _one_lines(table: Table, run: str) -> list[str]:
    ours = table.rounds[_OURS]
    rows = []
    for name, seconds in table.rounds.items():
        agreement = f"{100 * table.agreement[name]:.0f} %" if name in table.agreement else "feeds noise"
        faster = "" if name == _OURS else figure(ratio(seconds, ours))
        rows.append(f"| {name} | {figure(_milliseconds(seconds))} | {faster} | {agreement} |")
    return [
        "",
        "## One image",
        "",
        f"`{run}`, from pixels of the model's size to the class, on one thread; MediaPipe and Ultralytics choose their",
        "threads themselves. TFLite Micro runs the int8 file. `litert-benchmark` is a process of its own each round,",
        "and tells the median of its 50 runs.",
        "",
        "| | ms | edgecnn is so many times as fast | same class as edgecnn |",
        "|---|---|---|---|",
        *rows,
        *_missing_rows(table.missing, columns=4),
    ]


def _milliseconds(seconds: list[float]) -> Estimate:
    return median_estimate([1000 * value for value in seconds])


def _folder_lines(table: Table, arguments: argparse.Namespace) -> list[str]:
    ours, limits = table.rounds[_OURS], limit(table.rounds)
    rows = [f"| the limit | {figure(median_estimate(limits))} | | | |"]
    for name, rates in table.rounds.items():
        if name in table.agreement:
            faster = "" if name == _OURS else figure(ratio(ours, rates))
            rows.append(
                f"| {name} | {figure(median_estimate(rates))} | {figure(ratio(rates, limits))} | {faster} | "
                f"{100 * table.agreement[name]:.1f} % |"
            )
    alone_rates = " and ".join(
        f"{figure(median_estimate(table.rounds[name]))} {name}" for name in ("decoding", "inference")
    )
    return [
        "",
        f"## A folder of {arguments.files:,} JPEGs of 300x300",
        "",
        f"From files to classes on {arguments.threads} threads, {arguments.rounds} rounds. The limit is "
        f"1 / (1/D + 1/I), from the rates of decoding alone and of inference alone ({alone_rates}). Goal: edgecnn at "
        f"least at 0.9 of it, and ahead of all others. Who would need longer than {_SECONDS:.0f} s gets fewer files a "
        f"round. Classes are compared on {min(_FIRST_FILES, arguments.files)} files; where a peer reads and resizes "
        "with its own code, some differ.",
        "",
        "| | images/s | of the limit | edgecnn is so many times as fast | same class as edgecnn |",
        "|---|---|---|---|---|",
        *rows,
        *_missing_rows(table.missing, columns=5),
        *judged(
            {
                "0.9 of the limit": ratio(ours, limits).value >= 0.9,
                **{
                    f"ahead of {name}": ratio(ours, table.rounds[name]).value > 1
                    for name in table.agreement
                    if not name.startswith(_OURS)
                },
            }
        ),
    ]


def _missing_rows(missing: Mapping[str, str], *, columns: int) -> list[str]:
    return [f"| {name} | {' '.join(why.split())} |{' |' * (columns - 2)}" for name, why in missing.items()]


def _versions() -> list[str]:
    from importlib.metadata import PackageNotFoundError, version

    found = []
    for name in ("mediapipe", "opencv-python-headless", "ultralytics", "torch", "tflite-micro"):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"{name} not installed")
    return [
        f"Peers: {', '.join(found)}.",
        "OpenCV and Ultralytics want channels first and scaled pixels: they get the same network with a Mul and a",
        f"Transpose in front. Load average at the end: {os.getloadavg()[0]:.1f}; above the number of processors, bare",
        "times say little.",
    ]


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
