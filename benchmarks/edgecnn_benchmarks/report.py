"""`report.html`: one file that needs no network, for a colleague, a slide or a sheet of paper."""

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from html import escape
from importlib import resources
from pathlib import Path
from string import Template

from edgecnn_benchmarks.bars import Bar, bars
from edgecnn_benchmarks.intervals import Estimate
from edgecnn_benchmarks.machine import Machine
from edgecnn_benchmarks.quantities import microseconds, percent, size, span, three_digits, times
from edgecnn_benchmarks.result import BenchResult, Row
from edgecnn_benchmarks.rounds import ROUND_SECS, WARMUP_SECS
from edgecnn_benchmarks.scatter import scatter
from edgecnn_runtime import whole_files

_GLYPHS = {"tflite": "●", "onnx": "◆"}


def write_report(result: BenchResult, path: Path) -> None:
    """Write the report, whole or not at all."""
    whole_files.write_text(path, render(result))


def render(result: BenchResult) -> str:
    """Return the report as one HTML document; whatever came from file names or labels is escaped."""
    package = resources.files("edgecnn_benchmarks")
    style = package.joinpath("report.css").read_text(encoding="utf-8")
    template = Template(package.joinpath("report.html.template").read_text(encoding="utf-8"))
    # The browser then applies this style sheet and no other, runs no script and loads nothing.
    style_hash = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    recommended = result.row(result.recommended)
    return template.substitute(
        style=style,
        style_hash=style_hash,
        name=escape(result.name),
        subtitle=escape(_subtitle(result)),
        recommended=escape(recommended.name),
        verdict=escape(result.verdict.removeprefix(f"Ship {recommended.name}: ")),
        tiles="".join(_tiles(result, recommended)),
        scatter=_scatter_figure(result),
        bars="".join(_bar_figures(result)),
        table=_table(result),
        failures=_failures(result),
        notes="".join(f"<li>{escape(note)}</li>" for note in result.notes),
        notes_class="notes" if result.notes else "hidden",
        machine="".join(_definitions(_machine(result.machine))),
        versions="".join(_definitions(result.machine.packages.items())),
        method="".join(f"<li>{escape(sentence)}</li>" for sentence in _method(result)),
        command=f"<pre>{escape(result.command)}</pre>" if result.command else "",
        # A closing tag within a text would end the element.
        data=json.dumps(result.to_document(), ensure_ascii=False).replace("<", "\\u003c"),
    )


def _subtitle(result: BenchResult) -> str:
    day = datetime.fromisoformat(result.created).strftime("%-d %B %Y, %H:%M UTC")
    numbers = result.settings.threads
    threads = f"{' and '.join(map(str, numbers))} thread{'s' if numbers != (1,) else ''}"
    images = f"{result.data.images:,} test images of {result.data.name}" if result.data else "no labelled images"
    return f"{len(result.rows)} files · {images} · {threads} · {result.machine.cpu} · {day}"


def _tiles(result: BenchResult, row: Row) -> Iterator[str]:
    """Say the verdict again in large figures."""
    reference = result.row(result.reference)
    latency = row.latency_us.p50
    yield _tile(microseconds(latency.value), "an image, median", f"95 %: {span(latency)}")
    if row.speedup is not None:
        yield _tile(times(row.speedup.value), f"as fast as {reference.label}", f"95 %: {span(row.speedup)}")
        smaller = reference.size_bytes >= row.size_bytes
        ratio = reference.size_bytes / row.size_bytes if smaller else row.size_bytes / reference.size_bytes
        yield _tile(
            times(ratio),
            "smaller" if smaller else "larger",
            f"{size(row.size_bytes)}, was {size(reference.size_bytes)}",
        )
    else:
        yield _tile(size(row.size_bytes), "file size", "")
    if row.accuracy is not None:
        low, high = row.accuracy.interval
        yield _tile(percent(row.accuracy.value), "accurate", f"95 %: {low * 100:.2f}…{high * 100:.2f}")
    elif row.cold_start_s is not None:
        yield _tile(f"{row.cold_start_s.value:.2f} s", "cold start", "")


def _tile(figure: str, what: str, detail: str) -> str:
    return f'<div class="tile"><b>{escape(figure)}</b><span>{escape(what)}</span><small>{escape(detail)}</small></div>'


def _scatter_figure(result: BenchResult) -> str:
    if all(row.accuracy is None for row in result.rows):
        return ""
    wide = scatter(result.rows, recommended=result.recommended, width=960, height=440)
    narrow = scatter(result.rows, recommended=result.recommended, width=400, height=400)
    keras = ""
    if result.keras_accuracy is not None:
        keras = f"<span>The Keras model itself: {percent(result.keras_accuracy.value)}</span>"
    return (
        "<section><h2>Latency against accuracy</h2><figure>"
        f'<div class="wide">{wide}</div><div class="narrow">{narrow}</div>'
        '<figcaption class="legend"><span><i class="tflite">●</i> TFLite, LiteRT</span>'
        '<span><i class="onnx">◆</i> ONNX, ONNX Runtime</span><span><i class="front">┅</i> Pareto front</span>'
        f"<span><i>├┤</i> 95 % interval</span>{keras}</figcaption></figure></section>"
    )


def _bar_figures(result: BenchResult) -> Iterator[str]:
    def bar(row: Row, value: float, text: str, interval: Estimate | None = None) -> Bar:
        return Bar(
            label=row.label,
            kind=row.format,
            value=value,
            text=text,
            low=None if interval is None else interval.low,
            high=None if interval is None else interval.high,
            recommended=row.name == result.recommended,
        )

    def figure(title: str, rows: list[Bar]) -> str:
        caption = f"<figcaption>{escape(title)}</figcaption>"
        return f'<figure class="bars">{caption}{bars(rows, title=title)}</figure>' if rows else ""

    latencies = [(row, row.latency_us.p50) for row in result.rows]
    starts = [(row, row.cold_start_s) for row in result.rows if row.cold_start_s is not None]
    peaks = [(row, row.peak_memory_bytes) for row in result.rows if row.peak_memory_bytes is not None]
    yield figure(
        "Median latency of one image", [bar(row, p50.value, microseconds(p50.value), p50) for row, p50 in latencies]
    )
    yield figure("File size", [bar(row, row.size_bytes, size(row.size_bytes)) for row in result.rows])
    yield figure(
        "Cold start: process start to first result",
        [bar(row, start.value, f"{start.value:.2f} s", start) for row, start in starts],
    )
    yield figure("Peak memory of the process", [bar(row, peak, size(peak)) for row, peak in peaks])


_HEADS = (
    ("File", ""),
    ("Latency p50", "95 % interval"),
    ("p90", ""),
    ("p99", ""),
    ("Images/s", ""),
    ("Speed-up", "95 % interval"),
    ("Accuracy", "95 % interval"),
    ("Agreement", "with Keras"),
    ("Cold start", "95 % interval"),
    ("Memory", "peak"),
    ("Size", ""),
)


def _table(result: BenchResult) -> str:
    heads = "".join(f'<th scope="col">{head}<small>{detail}</small></th>' for head, detail in _HEADS)
    body = "".join(_table_row(row, result) for row in result.rows)
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"


def _table_row(row: Row, result: BenchResult) -> str:
    latency = row.latency_us
    accuracy = ("–", "")
    if row.accuracy is not None:
        low, high = row.accuracy.interval
        accuracy = (percent(row.accuracy.value), f"{low * 100:.2f}…{high * 100:.2f}")
    cells = [
        (microseconds(latency.p50.value), span(latency.p50)),
        (microseconds(latency.p90.value), ""),
        (microseconds(latency.p99.value), ""),
        (three_digits(row.images_per_s.value), ""),
        ("reference", "") if row.speedup is None else (times(row.speedup.value), span(row.speedup)),
        accuracy,
        ("–" if row.agreement is None else percent(row.agreement), ""),
        ("–", "") if row.cold_start_s is None else (f"{row.cold_start_s.value:.2f} s", span(row.cold_start_s)),
        ("–" if row.peak_memory_bytes is None else size(row.peak_memory_bytes), ""),
        (size(row.size_bytes), ""),
    ]
    ship = row.name == result.recommended
    head = (
        f'<th scope="row"><i class="{row.format}">{_GLYPHS[row.format]}</i>&nbsp;{escape(row.name)}'
        f"{' <em>ship</em>' if ship else ''}</th>"
    )
    body = "".join(f"<td>{escape(text)}<small>{escape(detail)}</small></td>" for text, detail in cells)
    return f'<tr class="{"ship" if ship else "other"}">{head}{body}</tr>'


def _failures(result: BenchResult) -> str:
    if not result.failures:
        return ""
    items = "".join(
        f"<li><b>{escape(failure.name)}</b>, {escape(failure.stage)}: {escape(failure.reason)}</li>"
        for failure in result.failures
    )
    return f'<section class="failures"><h2>Not measured</h2><ul>{items}</ul></section>'


def _machine(machine: Machine) -> Iterator[tuple[str, str]]:
    yield "Processor", f"{machine.cpu}, {machine.architecture}"
    cores = "" if machine.physical_cores is None else f", {machine.physical_cores} cores"
    yield "Available", f"{machine.available_cpus} of {machine.online_cpus} processors{cores}"
    if machine.cpu_features is not None:
        yield "Instructions", ", ".join(machine.cpu_features) or "none that speed up int8"
    if machine.governor is not None:
        yield "Governor", machine.governor
    if machine.memory_bytes is not None:
        yield "Memory", size(machine.memory_bytes)
    if machine.load_average is not None:
        yield "Load at the start", f"{machine.load_average[0]:.2f} over the last minute"
    yield "System", f"{machine.system}, kernel {machine.kernel}"
    yield "Python", machine.python


def _definitions(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    return (f"<dt>{escape(term)}</dt><dd>{escape(text)}</dd>" for term, text in pairs)


def _method(result: BenchResult) -> Iterator[str]:
    settings, rounds = result.settings, len(result.rows[0].rounds)
    pictures = "the test images" if result.data else "generated images"
    yield (
        f"Latency: {rounds} rounds. In each, every file gets one turn in random order, alone, in a fresh process: "
        f"at least {settings.warmup} inferences and {WARMUP_SECS:g} s of warm-up, then at least {settings.runs} "
        f"timed ones and {ROUND_SECS:g} s, garbage collection off. Timed is what a program sees: "
        f"Classifier.predict_proba of one of {pictures} of the model's size, copying and scaling included."
    )
    yield (
        "Percentiles are taken within a round; shown is their median over the rounds, with the distribution-free "
        "interval of that median (order statistics). The speed-up is the ratio of the p50 within one round, where both "
        "files met the same disturbance; above 1 is faster than the reference."
    )
    yield (
        "Cold start: from starting a Python process to its printed label of one PNG file, "
        f"{settings.starts} starts a file in random order, file cache warm."
    )
    yield "Peak memory: the largest resident set of a fresh process that opened the file and classified 100 images."
    if result.data:
        fingerprint = f", fingerprint {result.data.fingerprint[:12]}" if result.data.fingerprint else ""
        labelled = any(row.accuracy is not None for row in result.rows)
        measured = "Accuracy: top-1" if labelled else "Same top-1 as the Keras model (the images have no labels):"
        yield (
            f"{measured} on the {result.data.images:,} test images of {result.data.name}{fingerprint}"
            + (", with the Wilson interval." if labelled else ".")
        )
    yield "Ship: the fastest file within 1 point of the best accuracy; the smaller where two are equally fast."
