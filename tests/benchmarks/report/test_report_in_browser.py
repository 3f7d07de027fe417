"""The report in a browser: columns sort, charts tell their figures, nothing is loaded, phone and paper hold it."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Browser, Page, running_browser
from made_bench import made_result

from edgecnn_benchmarks.report.page import write_report

PAPER = {"light": "rgb(246, 247, 249)", "dark": "rgb(15, 18, 23)"}
TIP = "(() => { const tip = document.getElementById('tip'); return tip.hidden ? null : tip.innerText; })()"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with running_browser(tmp_path_factory.mktemp("profile")) as running:
        yield running


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    write_report(made_result(folder, with_keras=True), folder / "report.html")
    return folder / "report.html"


def opened(browser: Browser, report: Path, *, width: int = 1200, dark: bool = False) -> Page:
    tab = browser.new_page()
    tab.look(width=width, height=900, dark=dark)
    tab.open(report.as_uri())
    return tab


def nothing_leaves(tab: Page, report: Path) -> None:
    assert {url for url in tab.requests if not url.startswith("data:image/png;base64,")} == {report.as_uri()}
    assert tab.complaints == []


def first_column(tab: Page) -> list[str]:
    cells = tab.evaluate("[...document.querySelectorAll('table.sortable tbody th')].map((cell) => cell.dataset.key)")
    assert isinstance(cells, list)
    return cells


def test_columns_sort_by_value_both_ways(browser: Browser, report: Path) -> None:
    tab = opened(browser, report)
    result = made_result(report.parent, with_keras=True)
    assert first_column(tab) == [row.name for row in result.rows]
    size = "[...document.querySelectorAll('th button')].find((button) => button.innerText.startsWith('Size'))"
    by_size = [row.name for row in sorted(result.rows, key=lambda row: row.size_bytes)]
    tab.evaluate(f"{size}.focus()")
    tab.press("Enter", 13)
    assert first_column(tab) == by_size
    assert tab.evaluate(f"{size}.parentElement.getAttribute('aria-sort')") == "ascending"
    tab.evaluate(f"{size}.click()")
    assert first_column(tab) == by_size[::-1]
    assert tab.evaluate("document.querySelectorAll('th[aria-sort=descending]').length") == 1
    nothing_leaves(tab, report)


def test_pointer_and_keyboard_show_the_figures(browser: Browser, report: Path) -> None:
    tab = opened(browser, report)
    assert tab.evaluate(TIP) is None
    x, y = tab.evaluate(
        "(() => { const chart = document.querySelector('.wide .chart'); chart.scrollIntoView();"
        " const box = chart.querySelector('[data-tip^=\"mnist_int8.onnx\"]').getBoundingClientRect();"
        " return [box.x + box.width / 2, box.y + box.height / 2]; })()"
    )
    tab.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
    tab.wait_for(TIP)
    name, latency, *_ = tab.evaluate(TIP).splitlines()
    assert name == "mnist_int8.onnx"
    assert latency.startswith("latency 512 µs (95 %: ")
    tab.call("Input.dispatchMouseEvent", type="mouseMoved", x=1, y=1)
    assert tab.evaluate(TIP) is None

    matrix = "document.querySelector('.confusion')"
    assert tab.evaluate(f"{matrix}.querySelectorAll('[tabindex=\"0\"]').length") == 1
    tab.evaluate(f"{matrix}.querySelector('[tabindex=\"0\"]').focus()")
    assert tab.evaluate(TIP).startswith("is 0, answer 0")
    tab.press("ArrowRight", 39)
    assert tab.evaluate(TIP).startswith("is 0, answer 7")
    tab.press("ArrowDown", 40)
    assert tab.evaluate(TIP).startswith("is 5, answer 7")
    tab.press("End", 35)
    assert tab.evaluate(TIP).startswith("is 9, answer 9")
    tab.press("Escape", 27)
    assert tab.evaluate(TIP) is None
    nothing_leaves(tab, report)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1200])
def test_page_fits_and_follows_the_scheme(browser: Browser, report: Path, scheme: str, width: int) -> None:
    tab = opened(browser, report, width=width, dark=scheme == "dark")
    assert tab.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == PAPER[scheme]
    shown = "[...document.querySelectorAll('.wide, .narrow')].map((form) => getComputedStyle(form).display)"
    assert tab.evaluate(shown) == ["block" if (width < 760) == narrow else "none" for narrow in (False, True) * 2]
    assert tab.evaluate("[...document.images].every((image) => image.complete && image.naturalWidth > 0)")
    nothing_leaves(tab, report)


def test_it_prints_on_paper_in_black_on_white(browser: Browser, report: Path) -> None:
    tab = opened(browser, report, dark=True)
    printed = tab.call("Page.printToPDF", printBackground=True, preferCSSPageSize=True)
    pdf = base64.b64decode(printed["data"])
    assert pdf.startswith(b"%PDF")
    assert 2 <= pdf.count(b"/Type /Page\n") <= 8
    tab.call("Emulation.setEmulatedMedia", media="print", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    # All columns of the table stand on the sheet: A4 in landscape, 273 mm between its margins.
    tab.call("Emulation.setDeviceMetricsOverride", width=1031, height=700, deviceScaleFactor=1, mobile=False)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 1031
    nothing_leaves(tab, report)
