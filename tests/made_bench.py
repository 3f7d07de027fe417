"""A benchmark as it would come out, made up from a seed: eight files and the Keras model on 2,000 images of digits."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from edgecnn_benchmarks.machine.description import Machine
from edgecnn_benchmarks.machine.state import MachineState
from edgecnn_benchmarks.measuring.answers import FileAnswers, Predictions, compare, confusion
from edgecnn_benchmarks.measuring.device_estimates import DeviceEstimate, FileEstimate
from edgecnn_benchmarks.measuring.labelled_images import TestData
from edgecnn_benchmarks.measuring.result import BenchResult, BenchRow, Pitfall
from edgecnn_benchmarks.measuring.timing import Round, RowLatency, speedup
from edgecnn_benchmarks.settings import BenchSettings
from edgecnn_benchmarks.statistics.intervals import Estimate, median_estimate
from edgecnn_runtime.accuracy import Accuracy

DIGITS = tuple(str(digit) for digit in range(10))
IMAGES = 2000

# Name, scheme, backend, bytes, microseconds, and in how many of 1,000 images it answers other than the reference.
_FILES = (
    ("mnist_int8.tflite", "int8", "litert", 1_210_432, 292.0, 4),
    ("mnist_dynamic.tflite", "dynamic", "litert", 1_213_816, 331.0, 2),
    ("mnist_float32.tflite", "float32", "litert", 4_804_000, 878.0, 0),
    ("mnist_float16.tflite", "float16", "litert", 2_406_352, 881.0, 1),
    ("mnist_int8.onnx", "int8", "onnxruntime", 1_222_000, 512.0, 6),
    ("mnist_float32.onnx", "float32", "onnxruntime", 4_806_000, 640.0, 1),
    ("mnist_qat_int8.tflite", "int8", "litert", 1_210_500, 291.0, 40),
    ("mnist_int16x8.tflite", "int16x8", "litert", 1_219_584, 9_300.0, 2),
)


def made_result(
    folder: Path,
    *,
    seed: int = 0,
    rounds: int = 12,
    slower: float = 1.0,
    labels: Sequence[str] = DIGITS,
    with_keras: bool = False,
) -> BenchResult:
    """Make a benchmark up; `slower` stretches every latency."""
    random = np.random.default_rng(seed)
    # The same images and much the same answers whatever the seed of the latencies.
    images = np.random.default_rng(7)
    truth = images.integers(0, len(labels), IMAGES)
    reference = _answers(images, truth, len(labels), share_wrong=0.008)
    files = (
        _FILES if not with_keras else (*_FILES, ("keras predict", "float32", "keras predict", 4_900_000, 42_000.0, 0))
    )
    answered = {
        name: reference if not per_mille else _flipped(images, reference, len(labels), per_mille / 1000)
        for name, _, _, _, _, per_mille in files
    }
    names = [f"digit-{number:05d}.png" for number in range(IMAGES)]
    answers = tuple(
        FileAnswers(
            candidate=name,
            labels=tuple(labels),
            confusion=confusion(labels, truth, own.classes),
            wrong=tuple(np.flatnonzero(own.classes != truth).tolist()),
            against=None if own is reference else compare(labels, truth, names, reference=reference, own=own),
        )
        for name, own in answered.items()
    )
    weather = [float(random.lognormal(0, 0.03)) for _ in range(rounds)]  # what all files of a round meet
    turns = {
        name: [_round(random, middle * slower * disturbed) for disturbed in weather] for name, *_, middle, _ in files
    }
    reference_name = "mnist_float32.tflite"
    rows = [
        _row(
            file, turns[file[0]], None if file[0] == reference_name else turns[reference_name], answered[file[0]], truth
        )
        for file in files
    ]
    flipped = {flip.index for own in answers if own.against for flip in own.against.flips}
    state = MachineState((0.4, 0.3, 0.2), (3600.0, 3600.0), 51.0, 0, None, None)
    return BenchResult(
        name="mnist",
        created="2026-11-21T20:00:00+00:00",
        seconds=93.0,
        command="edgecnn bench runs/mnist",
        settings=BenchSettings(rounds=rounds),
        machine=_machine(),
        start=state,
        end=state,
        data=TestData("mnist", IMAGES, "0123456789abcdef"),
        keras_accuracy=_accuracy(reference, truth),
        rows=tuple(sorted(rows, key=lambda row: row.latency_us.p50.value)),
        answers=tuple(sorted(answers, key=lambda own: own.against is not None)),
        failures=(),
        reference=reference_name,
        recommended="mnist_int8.tflite",
        verdict="Ship mnist_int8.tflite with LiteRT: 3.01× as fast as mnist_float32.tflite, 3.97× smaller and "
        "99.10 % accurate.",
        pitfalls=(
            Pitfall(
                "int16x8-reference-kernels",
                "int16x8 runs on reference kernels on this processor: it is for microcontrollers and NPUs.",
                ("mnist_int16x8.tflite",),
            ),
        ),
        undecided=(),
        energy_absent="this system has no energy counters (RAPL)",
        partial=None,
        notes=("Made up.",),
        folder=folder,
        device_estimates=(
            FileEstimate(
                file="mnist_int8.tflite",
                arena_bytes=64_000,
                arena_measured=True,
                operators=("CONV_2D", "FULLY_CONNECTED"),
                devices=(
                    DeviceEstimate("pico", "Raspberry Pi Pico", "yes", "58 % of the flash, 24 % of the RAM"),
                    DeviceEstimate(
                        "ethos-u55-128",
                        "Arm Ethos-U55",
                        "yes",
                        "all operators",
                        None,
                        None,
                        812_345,
                        1.62,
                        "at 500 MHz",
                    ),
                ),
            ),
        ),
        pictures={index: _picture(index, int(truth[index])) for index in sorted(flipped)},
    )


def _answers(random: np.random.Generator, truth: np.ndarray, classes: int, *, share_wrong: float) -> Predictions:
    wrong = random.random(len(truth)) < share_wrong
    shift = random.integers(1, classes, len(truth))
    probabilities = (1 - random.random(len(truth)) ** 3 * 0.6).astype(np.float32)
    return Predictions(np.where(wrong, (truth + shift) % classes, truth), probabilities)


def _flipped(random: np.random.Generator, reference: Predictions, classes: int, share: float) -> Predictions:
    flips = random.random(len(reference.classes)) < share
    shift = random.integers(1, classes, len(flips))
    other = np.where(flips, (reference.classes + shift) % classes, reference.classes)
    return Predictions(other, (reference.probabilities * 0.9).astype(np.float32))


def _round(random: np.random.Generator, middle: float) -> Round:
    middle *= float(random.lognormal(0, 0.008))
    return Round(
        p50_us=middle,
        p90_us=middle * 1.05,
        p95_us=middle * 1.09,
        p99_us=middle * 1.3,
        images_per_s=0.97e6 / middle,
        runs=300,
        load_s=0.02,
        first_us=middle * 4,
        warmup_runs=20,
    )


def _accuracy(own: Predictions, truth: np.ndarray) -> Accuracy:
    return Accuracy(int(np.count_nonzero(own.classes == truth)), len(truth))


def _row(
    file: tuple[str, str, str, int, float, int],
    rounds: list[Round],
    reference: list[Round] | None,
    own: Predictions,
    truth: np.ndarray,
) -> BenchRow:
    name, scheme, backend, size, _, per_mille = file
    middle = median_estimate([measured.p50_us for measured in rounds])
    ratio = None if reference is None else speedup(rounds, reference)
    tail = np.concatenate([np.linspace(0.93, 1.0, 51), 1 + np.linspace(0, 1, 50) ** 4 * 0.9 + np.linspace(0, 0.05, 50)])
    return BenchRow(
        name=name,
        label=name.removeprefix("mnist_"),
        file=name,
        candidate=name,
        scheme=scheme,
        backend=backend,
        provider=None,
        threads=1,
        batch=1,
        size_bytes=size,
        gzip_bytes=int(size * 0.8),
        latency_us=RowLatency(
            p50=middle,
            p90=median_estimate([measured.p90_us for measured in rounds]),
            p95=median_estimate([measured.p95_us for measured in rounds]),
            p99=median_estimate([measured.p99_us for measured in rounds]),
        ),
        quantiles_us=tuple((tail * middle.value).tolist()),
        images_per_s=median_estimate([measured.images_per_s for measured in rounds]),
        speedup=ratio,
        told_apart=None if ratio is None else not ratio.includes(1.0),
        rounds=tuple(rounds),
        load_s=Estimate(0.02, 0.018, 0.023),
        first_us=Estimate(middle.value * 4, middle.value * 3.7, middle.value * 4.4),
        cold_start_s=Estimate(0.12, 0.11, 0.13),
        steady_memory_bytes=38_000_000,
        peak_memory_bytes=41_000_000,
        energy_mj=None,
        accuracy=_accuracy(own, truth),
        agreement=1 - per_mille / 1000,
    )


def _machine() -> Machine:
    return Machine(
        cpu="Made-up CPU @ 3.6 GHz",
        architecture="x86_64",
        available_cpus=2,
        online_cpus=4,
        physical_cores=2,
        cpu_features=("avx2", "avx512_vnni"),
        governor="performance",
        memory_bytes=8_000_000_000,
        load_average=(0.4, 0.3, 0.2),
        system="Debian GNU/Linux 13 (trixie)",
        kernel="6.12.0",
        python="3.11.9",
        packages={"edgecnn": "0.1.0", "numpy": "2.4.0", "ai-edge-litert": "2.3.0", "onnxruntime": "1.31.0"},
    )


def _picture(index: int, digit: int) -> bytes:
    """Draw a small grey picture as PNG."""
    noise = np.random.default_rng(index).integers(0, 60, (28, 28)).astype(np.uint8)
    noise[6:22, 4 + digit : 10 + digit] += 150
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "PNG")
    return file.getvalue()
