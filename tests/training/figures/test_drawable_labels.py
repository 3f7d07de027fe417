"""Which characters are drawn with which font. The fonts are made here: no machine is asked what it has installed."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from edgecnn_training.data.readers.chinese_mnist import LABELS as CHINESE_MNIST
from edgecnn_training.figures import labels as figure_labels
from edgecnn_training.figures.labels import drawable


@pytest.fixture(autouse=True)
def only_the_fonts_of_matplotlib(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hide what this machine has installed, and forget afterwards what was found."""
    listed = [entry for entry in font_manager.fontManager.ttflist if "mpl-data" in entry.fname]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", listed)
    monkeypatch.setattr(font_manager, "findSystemFonts", list)
    drawable.cache_clear()
    yield
    drawable.cache_clear()
    font_manager.fontManager._findfont_cached.cache_clear()


def make_font(path: Path, family: str, characters: str) -> Path:
    """Write a font in which each character is a square."""
    pen = TTGlyphPen(None)
    pen.moveTo((100, 0))
    for point in ((100, 700), (800, 700), (800, 0)):
        pen.lineTo(point)
    pen.closePath()
    square, names = pen.glyph(), [f"u{ord(character):04X}" for character in characters]
    font = FontBuilder(1000, isTTF=True)
    font.setupGlyphOrder([".notdef", *names])
    font.setupCharacterMap({ord(character): name for character, name in zip(characters, names, strict=True)})
    font.setupGlyf(dict.fromkeys([".notdef", *names], square))
    font.setupHorizontalMetrics(dict.fromkeys([".notdef", *names], (900, 100)))
    font.setupHorizontalHeader(ascent=800, descent=-200)
    font.setupNameTable({"familyName": family, "styleName": "Regular"})
    font.setupOS2()
    font.setupPost()
    font.save(path)
    return path


def draw(labels: tuple[str, ...]) -> Figure:
    """Draw labels as the figures do; a missing glyph is a warning, and a warning is an error here."""
    made = drawable(labels)
    with made.in_use():
        figure = Figure()
        figure.subplots().set_xticks(range(len(labels)), made.labels)
    FigureCanvasAgg(figure).draw()
    return figure


def test_what_the_own_font_has_stays(caplog: pytest.LogCaptureFixture) -> None:
    labels = ("ok_front", "Größe", "naïve → β")
    assert drawable(labels).labels == labels
    assert drawable(labels).families == ("DejaVu Sans",)
    assert not caplog.records


def test_the_numerals_of_chinese_mnist_need_no_installed_font(caplog: pytest.LogCaptureFixture) -> None:
    assert drawable(CHINESE_MNIST) == figure_labels.DrawableLabels(CHINESE_MNIST, ("DejaVu Sans", "edgecnn Numerals"))
    draw(CHINESE_MNIST)
    assert not caplog.records


def test_an_installed_font_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = make_font(tmp_path / "squares.ttf", "Squares", "犬猫")
    # Installed since Matplotlib listed the fonts.
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [str(path)])
    labels = ("犬 0", "猫 100000000")
    assert drawable(labels) == figure_labels.DrawableLabels(labels, ("DejaVu Sans", "Squares"))
    draw(labels)
    assert not caplog.records


def test_a_font_that_lacks_one_character_is_not_used(tmp_path: Path) -> None:
    font_manager.fontManager.addfont(make_font(tmp_path / "half.ttf", "Half", "犬"))
    assert drawable(("犬 0", "猫 1")).families == ("DejaVu Sans",)


def test_the_usual_font_is_preferred(tmp_path: Path) -> None:
    for name in ("A Brush", "SimHei"):
        font_manager.fontManager.addfont(make_font(tmp_path / f"{name}.ttf", name, "犬猫"))
    assert drawable(("犬", "猫")).families == ("DejaVu Sans", "SimHei")


@pytest.mark.parametrize(
    ("labels", "drawn"),
    [
        (("犬 0", "猫 100000000"), ("0", "100000000")),
        (("犬", "猫"), ("U+72AC", "U+732B")),
        (("犬 a", "猫 a"), ("U+72AC a", "U+732B a")),  # else they could not be told apart
    ],
)
def test_without_a_font_no_boxes(
    labels: tuple[str, ...], drawn: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        assert drawable(labels).labels == drawn
    draw(labels)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "Noto Sans CJK" in caplog.text


def test_a_long_label_is_shortened_in_its_middle() -> None:
    (label,) = drawable(("class_" + "x" * 50 + "_front",)).labels
    assert len(label) <= 28
    assert label.startswith("class_")
    assert label.endswith("_front")
