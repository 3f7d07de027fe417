import dataclasses
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from edgecnn_benchmarks.quantities import microseconds, percent, size, three_digits, times
from edgecnn_benchmarks.report import render, write_report
from edgecnn_benchmarks.result import BenchResult, Failure

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
            self.data += data
        elif "style" not in self.open:
            self.text += data
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data


def test_table_shows_the_figures_of_bench_json(tiny_result: BenchResult) -> None:
    document = json.loads((tiny_result.folder / "bench.json").read_text())
    page = Page((tiny_result.folder / "report.html").read_text())
    assert json.loads(page.data) == document
    assert len(page.rows) == 1 + len(document["rows"])
    for cells, row in zip(page.rows[1:], document["rows"], strict=True):
        assert cells[0].strip() == row["name"]
        assert cells[1:] == [
            microseconds(row["latency_us"]["p50"]["value"]),
            microseconds(row["latency_us"]["p90"]["value"]),
            microseconds(row["latency_us"]["p99"]["value"]),
            three_digits(row["images_per_s"]["value"]),
            times(row["speedup"]["value"]) if row["speedup"] else "reference",
            percent(row["accuracy"]["value"]),
            percent(row["agreement"]),
            f"{row['cold_start_s']['value']:.2f} s",
            size(row["peak_memory_bytes"]),
            size(row["size_bytes"]),
        ]


def test_report_needs_nothing_from_elsewhere(tiny_result: BenchResult) -> None:
    text = render(tiny_result)
    page = Page(text)
    names = {name for _, name, _ in page.attributes}
    assert names.isdisjoint({"src", "href", "srcset", "style", "action", "onload", "onclick"})
    assert {tag for tag, _, _ in page.attributes}.isdisjoint({"link", "img", "iframe", "form"})
    assert re.findall(r"url\(|@import|https?:", text) == []
    assert "default-src 'none'" in text


def test_hostile_names_are_only_text(tiny_result: BenchResult) -> None:
    hostile = "</script><script>alert(1)</script>\"'&$name"
    row = dataclasses.replace(tiny_result.rows[0], name=hostile, label=hostile)
    result = dataclasses.replace(
        tiny_result,
        name=hostile,
        rows=(row, *tiny_result.rows[1:]),
        recommended=hostile,
        verdict=f"Ship {hostile}: {hostile}.",
        reference=tiny_result.rows[1].name,
        failures=(Failure(hostile, hostile, hostile),),
        notes=(hostile,),
        command=hostile,
    )
    text = render(result)
    assert text.count("<script") == text.count("</script") == 1
    page = Page(text)
    assert json.loads(page.data)["name"] == hostile
    assert page.text.count(hostile) >= 6


def test_report_without_labelled_images_and_with_less_known(tiny_result: BenchResult) -> None:
    rows = tuple(
        dataclasses.replace(row, accuracy=None, agreement=None, cold_start_s=None, peak_memory_bytes=None)
        for row in tiny_result.rows
    )
    page = Page(render(dataclasses.replace(tiny_result, rows=rows, data=None, keras_accuracy=None, command=None)))
    assert "Latency against accuracy" not in page.text
    assert "Median latency" in page.text
    assert page.rows[1][6:10] == ["–"] * 4


def test_points_of_the_chart_tell_their_figures(tiny_result: BenchResult) -> None:
    page = Page(render(tiny_result))
    for row in tiny_result.rows:
        assert row.accuracy is not None
        assert f"{row.name}\nlatency {microseconds(row.latency_us.p50.value)}" in page.text
        assert page.text.count(row.label) >= 6  # both charts, the bars


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_browser_shows_it(scheme: str, tiny_result: BenchResult, tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("needs a browser: chromium or google-chrome on the PATH")
    report, picture = tmp_path / "report.html", tmp_path / "report.png"
    write_report(tiny_result, report)
    flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--enable-logging=stderr",
        f"--user-data-dir={tmp_path / 'profile'}",
        f"--blink-settings=preferredColorScheme={int(scheme == 'light')}",
        "--window-size=1200,900",
        f"--screenshot={picture}",
    ]
    done = subprocess.run([browser, *flags, report.as_uri()], capture_output=True, text=True, timeout=120, check=True)
    # The page's own complaints, such as a style sheet that its security policy refuses.
    assert [line for line in done.stderr.splitlines() if ":CONSOLE" in line] == []
    from PIL import Image

    with Image.open(picture) as image:
        paper, verdict = image.convert("RGB").getpixel((5, 5)), image.convert("RGB").getpixel((600, 200))
    assert paper == {"light": (246, 247, 249), "dark": (15, 18, 23)}[scheme]
    assert verdict != paper
