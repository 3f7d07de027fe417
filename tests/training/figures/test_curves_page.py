"""The page is looked at by people; a test sees that it is well-formed, closed to the network, and true."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest

from edgecnn_training.figures.curves_page import curves_page
from edgecnn_training.history import Epoch

HISTORY = [Epoch(number, 2 / number, 1 - 0.5 / number, 0.9 / number, 0.9, 0.001, 61.0) for number in range(1, 101)]


class Page(HTMLParser):
    """The elements of a page with their attributes, and the texts of those that have one."""

    EMPTY = frozenset({"meta"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.mark.parametrize("epochs", [1, 2, 100])
def test_it_is_well_formed_and_holds_every_epoch(epochs: int) -> None:
    page = Page(curves_page(HISTORY[:epochs], HISTORY[epochs - 1], name="mnist"))
    assert page.open == []
    assert len(page.all("tr")) == epochs + 1
    for svg in page.all("svg"):
        points = json.loads(svg["data-epochs"] or "")
        assert [point["x"] for point in points] == sorted(point["x"] for point in points)
        assert len(points) == epochs
        assert json.loads(svg["data-best"] or "") == epochs - 1  # the loss falls from epoch to epoch
    assert "2.0000" in page.texts["td"]


def test_scores_that_stay_the_same_are_drawn_on_scales_of_what_can_be() -> None:
    epoch = Epoch(1, 0.0, 1.0, 0.0, 1.0, 0.001, 1.0)
    page = Page(curves_page([epoch], epoch, name="perfect"))
    percents = [float(text.rstrip("%")) for text in page.texts["text"] if text.endswith("%")]
    losses = [float(text) for text in page.texts["text"][: page.texts["text"].index("epoch") - 1]]
    assert (min(percents), max(percents)) == (95, 100)
    assert (min(losses), max(losses)) == (0, 0.05)
    assert "2" not in page.texts["text"], "an epoch that there is not"


def test_nothing_comes_from_elsewhere() -> None:
    text = curves_page(HISTORY, HISTORY[-1], name="mnist")
    page = Page(text)
    assert not re.search(r"https?:|//|@import|url\(", text.replace("// Point", ""))
    assert not {tag for tag, _ in page.elements} & {"link", "img", "iframe", "object", "base"}
    assert not any(attributes.keys() & {"src", "href", "style", "onclick"} for _, attributes in page.elements)
    policy = next(meta["content"] or "" for meta in page.all("meta") if "http-equiv" in meta)
    assert policy.startswith("default-src 'none'")
    for tag in ("style", "script"):
        (content,) = page.texts[tag]
        assert base64.b64encode(hashlib.sha256(content.encode()).digest()).decode() in policy


def test_a_name_is_no_markup() -> None:
    assert Page(curves_page(HISTORY, HISTORY[-1], name="<script>alert(1)</script>")).texts["h1"] == [
        "<script>alert(1)</script>"
    ]


def test_equal_values_have_an_axis() -> None:
    flat = [Epoch(number, 0.0, 1.0, 0.0, 1.0, 0.001, 0.1) for number in (1, 2)]
    assert "100.00%" in curves_page(flat, flat[0], name="done")
