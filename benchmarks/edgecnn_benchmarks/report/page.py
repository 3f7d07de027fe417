"""The page itself: the order of the sections of `report.html`."""

import base64
import hashlib
import json
from collections.abc import Iterator
from datetime import datetime
from html import escape
from importlib import resources
from pathlib import Path
from string import Template

from edgecnn_benchmarks.measuring.result import BenchResult, BenchRow
from edgecnn_benchmarks.report.answers_section import answers_sections
from edgecnn_benchmarks.report.bars import Bar, bars
from edgecnn_benchmarks.report.devices_section import devices_section
from edgecnn_benchmarks.report.distribution import distribution
from edgecnn_benchmarks.report.facts import definitions, machine_facts, method
from edgecnn_benchmarks.report.figures_table import figures_table, glyph
from edgecnn_benchmarks.report.scatter import scatter
from edgecnn_benchmarks.statistics.intervals import Estimate, interval_in_words, interval_name
from edgecnn_benchmarks.statistics.quantities import (
    microseconds,
    microseconds_span,
    percent,
    percent_span,
    seconds,
    seconds_span,
    size,
    span,
    times,
)
from edgecnn_runtime.model_formats import MODEL_FORMATS
from edgecnn_runtime.system import atomic_files

# Widths of the two forms of a chart, in px: for a desk and paper, and for a phone.
_WIDE, _NARROW = 960, 400


def write_report(result: BenchResult, path: Path) -> None:
    """Write the report atomically."""
    atomic_files.write_text(path, render(result))


def render(result: BenchResult) -> str:
    """Return the report as one HTML document; whatever came from file names or labels is escaped."""
    style, script, template = (_text(f"page.{suffix}") for suffix in ("css", "js", "html.template"))
    recommended = result.row(result.recommended)
    return Template(template).substitute(
        style=style,
        script=script,
        # The browser then applies this style sheet, runs this script and no other, and loads nothing.
        style_hash=_hash(style),
        script_hash=_hash(script),
        name=escape(result.name),
        subtitle=escape(_subtitle(result)),
        partial=f'<p class="partial">⚠ {escape(result.partial)}</p>' if result.partial else "",
        recommended=escape(recommended.shipped),
        verdict=escape(result.verdict.removeprefix(f"Ship {recommended.shipped}: ")),
        tiles="".join(_tiles(result, recommended)),
        scatter=_scatter_section(result),
        table=figures_table(result),
        distribution=_distribution_section(result),
        bars="".join(_bar_figures(result)),
        answers="".join(answers_sections(result)),
        warnings=_warnings_section(result),
        devices=devices_section(result),
        machine=definitions(machine_facts(result)),
        versions=definitions(result.machine.packages.items()),
        method="".join(f"<li>{escape(sentence)}</li>" for sentence in method(result)),
        command=f"<pre>{escape(result.command)}</pre>" if result.command else "",
        # A closing tag within a text would end the element.
        data=json.dumps(result.to_document(), ensure_ascii=False).replace("<", "\\u003c"),
    )


def _text(name: str) -> str:
    return resources.files("edgecnn_benchmarks.report").joinpath(name).read_text(encoding="utf-8")


def _hash(content: str) -> str:
    return base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


def _subtitle(result: BenchResult) -> str:
    day = datetime.fromisoformat(result.created).strftime("%-d %B %Y, %H:%M UTC")
    numbers = result.settings.threads
    threads = f"{' and '.join(map(str, numbers))} thread{'s' if numbers != (1,) else ''}"
    images = f"{result.data.images:,} test images of {result.data.name}" if result.data else "no labelled images"
    files = len({row.file for row in result.rows})
    machine = result.machine.cpu if result.host is None else f"{result.host}: {result.machine.cpu}"
    return f"{files} files · {images} · {threads} · {machine} · {day}"


def _tiles(result: BenchResult, row: BenchRow) -> Iterator[str]:
    """Repeat the verdict in large figures."""
    reference = result.row(result.reference)
    latency, interval = row.latency_us.p50, interval_name(len(row.rounds))
    starts = interval_name(result.settings.starts)
    yield _tile(microseconds(latency.value), "per image, median", f"{interval}: {microseconds_span(latency)}")
    if row.speedup is not None:
        what = f"as fast as {reference.label}"
        yield _tile(times(row.speedup.value), what, f"{interval}: {span(row.speedup)}×")
        smaller = reference.size_bytes >= row.size_bytes
        ratio = reference.size_bytes / row.size_bytes if smaller else row.size_bytes / reference.size_bytes
        was = f"{size(row.size_bytes)}, {reference.label}: {size(reference.size_bytes)}"
        yield _tile(times(ratio), "smaller" if smaller else "larger", was)
    else:
        yield _tile(size(row.size_bytes), "file size", "")
    if row.accuracy is not None:
        yield _tile(percent(row.accuracy.value), "accurate", f"95 %: {percent_span(*row.accuracy.interval)}")
    elif row.cold_start_s is not None:
        yield _tile(seconds(row.cold_start_s.value), "cold start", f"{starts}: {seconds_span(row.cold_start_s)}")


def _tile(figure: str, what: str, detail: str) -> str:
    return f'<div class="tile"><b>{escape(figure)}</b><span>{escape(what)}</span><small>{escape(detail)}</small></div>'


def _base_rows(result: BenchResult) -> list[BenchRow]:
    """Return one row per candidate, of a sweep the first; otherwise a chart would show one many times."""
    return [row for row in result.rows if row.name == row.candidate]


def _scatter_section(result: BenchResult) -> str:
    rows = [row for row in _base_rows(result) if row.accuracy is not None]
    if not rows:
        return ""
    wide = scatter(rows, recommended=result.recommended, width=_WIDE, height=440)
    narrow = scatter(rows, recommended=result.recommended, width=_NARROW, height=_NARROW)
    keras = ""
    if result.keras_accuracy is not None:
        accuracy = f"{percent(result.keras_accuracy.value)} (95 %: {percent_span(*result.keras_accuracy.interval)})"
        keras = f"<span>The Keras model itself: {accuracy}</span>"
    sizes = [row.size_bytes for row in rows]
    interval = interval_in_words(min(len(row.rounds) for row in rows))
    return (
        "<section><h2>Latency, accuracy and size</h2><figure>"
        f'<div class="wide">{wide}</div><div class="narrow">{narrow}</div>'
        f'<figcaption class="legend">{_formats(rows)}<span><i class="front">┅</i> Pareto front</span>'
        f"<span><i>├┤</i> latency: {interval}, accuracy: 95 % interval</span>"
        f"<span>Area of a mark: file size, {size(min(sizes))} to {size(max(sizes))}</span>{keras}</figcaption></figure>"
        "</section>"
    )


def _formats(rows: list[BenchRow]) -> str:
    def title(kind: str) -> str:
        if kind not in MODEL_FORMATS:
            return "Keras"
        engines = {row.engine.title: None for row in rows if row.format == kind and row.engine is not None}
        return ", ".join((MODEL_FORMATS[kind].title, *engines))

    present = {row.format for row in rows}
    return "".join(
        f'<span><i class="{kind}">{glyph(kind)}</i> {escape(title(kind))}</span>'
        for kind in (*MODEL_FORMATS, "keras")
        if kind in present
    )


def _distribution_section(result: BenchResult) -> str:
    rows = [row for row in _base_rows(result) if len(row.quantiles_us) == 101]
    if not rows:
        return ""
    wide, narrow = (distribution(rows, recommended=result.recommended, width=width) for width in (_WIDE, _NARROW))
    return (
        "<section><h2>Distribution of the latencies</h2><figure>"
        f'<div class="wide">{wide}</div><div class="narrow">{narrow}</div>'
        '<figcaption class="legend"><span><i>┃</i> median</span><span><i>▆</i> half of the calls</span>'
        "<span><i>▬</i> 90 % of them</span><span><i>├┤</i> 98 %</span><span><i>▽</i> first call of a process, median"
        f"</span>{_formats(rows)}</figcaption></figure></section>"
    )


def _bar_figures(result: BenchResult) -> Iterator[str]:
    rows, starts = _base_rows(result), interval_name(result.settings.starts)

    def figure(title: str, drawn: list[Bar]) -> str:
        caption = f"<figcaption>{escape(title)}</figcaption>"
        return f'<figure class="bars">{caption}{bars(drawn, title=title)}</figure>' if drawn else ""

    def bar(row: BenchRow, value: float, text: str, interval: Estimate | None = None, span: str = "") -> Bar:
        return Bar(
            label=row.label,
            kind=row.format,
            value=value,
            text=text,
            tip=f"{row.name}\n{text}" + (f" ({starts}: {span})" if span else ""),
            low=None if interval is None else interval.low,
            high=None if interval is None else interval.high,
            recommended=row.name == result.recommended,
        )

    started = [(row, row.cold_start_s) for row in rows if row.cold_start_s is not None]
    peaks = [(row, row.peak_memory_bytes) for row in rows if row.peak_memory_bytes is not None]
    yield figure("File size", [bar(row, row.size_bytes, size(row.size_bytes)) for row in rows])
    yield figure(
        "Cold start: process start to first result",
        [bar(row, start.value, seconds(start.value), start, seconds_span(start)) for row, start in started],
    )
    yield figure("Peak memory of the process", [bar(row, peak, size(peak)) for row, peak in peaks])


def _warnings_section(result: BenchResult) -> str:
    labels = {row.name: row.label for row in result.rows}
    pitfalls = "".join(
        f'<li id="pitfall-{number}"><b>⚠{number}</b> {escape(pitfall.sentence)}'
        + (
            f"<small>{escape(', '.join(labels.get(name, name) for name in pitfall.rows))}</small>"
            if pitfall.rows
            else ""
        )
        + "</li>"
        for number, pitfall in enumerate(result.pitfalls, start=1)
    )
    failures = "".join(
        f"<li><b>✗ {escape(failure.name)}</b>, {escape(failure.stage)}: {escape(failure.reason)}</li>"
        for failure in result.failures
    )
    plain = "".join(f"<li>{escape(text)}</li>" for text in (*result.undecided_sentences, *result.notes))
    parts = (
        ("Known pitfalls in these figures", "pitfalls", pitfalls),
        ("Not measured", "failures", failures),
        ("Notes", "notes", plain),
    )
    return "".join(
        f'<section class="{kind}"><h2>{title}</h2><ul>{items}</ul></section>' for title, kind, items in parts if items
    )
