import base64
import dataclasses
import json
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest
from made_bench import made_result

from edgecnn_benchmarks.measuring.labelled_images import TestData
from edgecnn_benchmarks.measuring.result import BenchResult, Failure, Pitfall, Undecided
from edgecnn_benchmarks.report.confusion_matrix import most_confused
from edgecnn_benchmarks.report.flipped_images import MOST
from edgecnn_benchmarks.report.page import render
from edgecnn_benchmarks.statistics.intervals import Estimate
from edgecnn_benchmarks.statistics.quantities import (
    microseconds,
    microseconds_span,
    percent,
    percent_span,
    seconds,
    size,
    three_digits,
    times,
)

SCRIPTS = 2  # the figures, and what moves
_VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """Reads a page as a browser would, and notes what the tests ask about."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.rows: list[list[str]] = []
        self.data = ""
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in _VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "script" in self.open:
            self.data += data if data.startswith("{") else ""
        elif "style" not in self.open:
            self.text += data
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> BenchResult:
    return made_result(tmp_path_factory.mktemp("made"), with_keras=True)


def test_table_shows_the_figures_of_bench_json(tiny_result: BenchResult) -> None:
    document = json.loads((tiny_result.folder / "bench.json").read_text())
    page = Page((tiny_result.folder / "report.html").read_text())
    assert json.loads(page.data) == document
    assert len(document["rows"]) == 3
    for cells, row in zip(page.rows[1:4], document["rows"], strict=True):
        assert cells[0].split("\N{NO-BREAK SPACE}")[1].split()[0] == row["label"]
        assert cells[1:] == [
            microseconds(row["latency_us"]["p50"]["value"]),
            microseconds(row["latency_us"]["p95"]["value"]),
            microseconds(row["latency_us"]["p99"]["value"]),
            times(row["speedup"]["value"]) if row["speedup"] else "reference",
            percent(row["accuracy"]["value"]),
            percent(row["agreement"]),
            microseconds(row["first_us"]["value"]),
            seconds(row["cold_start_s"]["value"]),
            size(row["peak_memory_bytes"]),
            size(row["size_bytes"]),
            f"{three_digits(row['images_per_s']['value'])} /s",
            *([f"{three_digits(row['energy_mj']['value'])} mJ"] if row["energy_mj"] else []),
        ]


def test_report_needs_nothing_from_elsewhere(made: BenchResult) -> None:
    text = render(made)
    page = Page(text)
    names = {name for _, name, _ in page.attributes}
    assert names.isdisjoint({"srcset", "style", "action", "onload", "onclick"})
    assert {tag for tag, _, _ in page.attributes}.isdisjoint({"link", "iframe", "form", "object", "base"})
    links = [value for _, name, value in page.attributes if name in ("href", "src")]
    assert links
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in links)
    assert re.findall(r"url\(|@import|https?:", text) == []
    assert "default-src 'none'" in text


def test_every_interval_has_its_unit(made: BenchResult) -> None:
    small = re.findall(r"<small>([^<]*…[^<]*)</small>", render(made))
    assert len(small) > 50
    assert [text for text in small if not text.endswith((" µs", " ms", " s", " %", "×", " /s"))] == []


def test_hostile_names_are_only_text(made: BenchResult) -> None:
    hostile = "</script><script>alert(1)</script>\"'&$name<img src=x onerror=alert(2)>"
    classes = tuple(f"{hostile}{number}" for number in range(10))
    labelled = made_result(made.folder, labels=classes)
    rows = tuple(dataclasses.replace(row, label=hostile + row.label, name=hostile + row.name) for row in labelled.rows)
    flips = [flip for own in labelled.answers if own.against for flip in own.against.flips]
    result = dataclasses.replace(
        labelled,
        name=hostile,
        rows=tuple(
            dataclasses.replace(row, file=hostile + row.file, candidate=hostile + row.candidate) for row in rows
        ),
        answers=tuple(dataclasses.replace(own, candidate=hostile + own.candidate) for own in labelled.answers),
        recommended=hostile + labelled.recommended,
        reference=hostile + labelled.reference,
        verdict=f"Ship {hostile}: {hostile}.",
        pitfalls=(Pitfall(hostile, hostile, (rows[0].name,)),),
        failures=(Failure(hostile, hostile, hostile),),
        notes=(hostile,),
        partial=hostile,
        energy_absent=hostile,
        command=hostile,
        machine=dataclasses.replace(labelled.machine, cpu=hostile, packages={hostile: hostile}),
        data=TestData(hostile, 2000, hostile),
    )
    assert flips
    text = render(result)
    assert text.count("<script") == text.count("</script") == SCRIPTS
    page = Page(text)
    assert {name for _, name, _ in page.attributes}.isdisjoint({"onerror"})
    assert [value for tag, name, value in page.attributes if (tag, name) == ("img", "src") and value == "x"] == []
    assert json.loads(page.data)["name"] == hostile
    assert page.text.count(hostile) >= 15


def test_report_without_labelled_images_and_with_less_known(made: BenchResult) -> None:
    rows = tuple(
        dataclasses.replace(row, accuracy=None, agreement=None, cold_start_s=None, peak_memory_bytes=None)
        for row in made.rows
    )
    bare = dataclasses.replace(
        made,
        rows=rows,
        answers=(),
        pictures={},
        pitfalls=(),
        device_estimates=(),
        data=None,
        keras_accuracy=None,
        command=None,
    )
    page = Page(render(bare))
    for absent in ("Latency, accuracy and size", "Confusion", "Flipped", "Known pitfalls", "Accuracy", "–"):
        assert absent not in page.text
    for present in ("Distribution of the latencies", "File size", "291 µs"):
        assert present in page.text
    assert len(page.rows) == 1 + len(rows)


def test_points_of_the_charts_tell_their_figures(made: BenchResult) -> None:
    tips = [value for _, name, value in Page(render(made)).attributes if name == "data-tip"]
    for row in made.rows:
        assert row.accuracy is not None
        p50, accuracy = row.latency_us.p50, row.accuracy
        assert (
            f"{row.name}\nlatency {microseconds(p50.value)} (95 %: {microseconds_span(p50)})\n"
            f"accuracy {percent(accuracy.value)} (95 %: {percent_span(*accuracy.interval)})\n"
            f"size {size(row.size_bytes)}"
        ) in tips
        assert sum(tip.startswith(f"{row.name}\n") for tip in tips) == 2 + 2 + 3  # two forms of two charts, three bars


def test_confusion_of_the_reference_and_of_the_recommended_file(made: BenchResult) -> None:
    tips = [value for _, name, value in Page(render(made)).attributes if name == "data-tip"]
    shown = [made.answers[0], next(own for own in made.answers if own.candidate == made.recommended)]
    assert shown[0].against is None
    cells = Counter(tip for tip in tips if tip.startswith("is "))
    expected = Counter(
        f"is {label}, answer {answer}\n{count:,} of {sum(line):,} images, {percent(count / sum(line))}"
        for own in shown
        for label, line in zip(own.labels, own.confusion, strict=True)
        for answer, count in zip(own.labels, line, strict=True)
        if count
    )
    assert cells == expected


def test_flipped_images_show_both_answers(made: BenchResult) -> None:
    page = Page(render(made))
    own = next(own for own in made.answers if own.candidate == made.recommended)
    assert own.against is not None
    pictures = [value for tag, name, value in page.attributes if (tag, name) == ("img", "src")]
    assert pictures == [
        "data:image/png;base64," + base64.b64encode(made.pictures[flip.index]).decode() for flip in own.against.flips
    ]
    for flip in own.against.flips:
        assert (
            f"labelled {flip.label}float32.tflite says {flip.reference}, {flip.reference_probability * 100:.1f} %"
            in page.text
        )


def test_many_flips_are_counted_and_some_are_shown(made: BenchResult) -> None:
    result = dataclasses.replace(made, recommended="mnist_qat_int8.tflite")
    page = Page(render(result))
    own = next(own for own in made.answers if own.candidate == result.recommended)
    assert own.against is not None
    assert own.against.flip_count > MOST == sum(tag == "img" and name == "src" for tag, name, _ in page.attributes)
    assert f"answers {own.against.flip_count} of 2,000 images differently" in page.text


def test_estimates_are_marked_as_such(made: BenchResult) -> None:
    page = Page(render(made))
    assert "Estimates for other devices" in page.text
    assert ["Arm Ethos-U55", "yes", "812,345 cycles", "1.62 ms", "all operators; at 500 MHz"] in page.rows
    assert ["Raspberry Pi Pico", "yes", "–", "–", "58 % of the flash, 24 % of the RAM"] in page.rows
    assert "estimates" not in Page(render(dataclasses.replace(made, device_estimates=()))).text


def test_the_range_of_a_few_rounds_is_not_called_an_interval(made: BenchResult) -> None:
    few = dataclasses.replace(made, rows=tuple(dataclasses.replace(row, rounds=row.rounds[:3]) for row in made.rows))
    for result, heads in ((made, ("95 %: ", "per image, 95 %")), (few, ("range: ", "per image, range"))):
        text = Page(render(result)).text
        assert all(head in text for head in heads)
    assert "95 % interval" in Page(render(few)).text  # of the accuracies


def test_many_pairs_that_are_not_told_apart_are_one_sentence(made: BenchResult) -> None:
    pairs = tuple(Undecided("a", f"b{number}", Estimate(1, 1, 1), f"pair {number} is alike.") for number in range(4))
    page = Page(render(dataclasses.replace(made, undecided=pairs[:3])))
    assert "pair 0 is alike." in page.text
    page = Page(render(dataclasses.replace(made, undecided=pairs)))
    assert "pair 0 is alike." not in page.text
    assert "4 pairs of files cannot be told apart by speed: a from b0, b1, b2 and b3." in page.text


def test_many_classes_are_told_by_their_commonest_mistakes(tmp_path: Path) -> None:
    classes = tuple(f"class {number}" for number in range(80))
    page = Page(render(made_result(tmp_path, labels=classes)))
    assert not [value for _, name, value in page.attributes if name == "data-row"]
    assert "Labelled" in page.text
    assert len(render(made_result(tmp_path, labels=classes))) < 600_000


def test_commonest_mistakes_are_ranked() -> None:
    counts = ((50, 2, 0), (0, 40, 9), (1, 0, 30))
    assert most_confused(("a", "b", "c"), counts, most=2) == [("b", "c", 9, 49), ("a", "b", 2, 52)]
