"""Class names as the fonts at hand can draw them: Chinese characters, not boxes.

Matplotlib's own font has no Chinese, Japanese, Korean or Devanagari. The numerals of Chinese MNIST come with edgecnn
(`fonts/`, under the SIL Open Font License). Where an installed font has what else is missing, it is used; where none
has, the part of a label that can be drawn replaces it ("1" for "犬 1").
"""

import contextlib
import functools
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import matplotlib
from matplotlib import font_manager

_OWN_FAMILY = "DejaVu Sans"  # comes with Matplotlib
_NUMERALS = Path(__file__).parent / "fonts" / "edgecnn_numerals.otf"  # 零 to 亿, of Noto Sans CJK SC

# Tried first where several fonts would do, because they are made for text on a screen: the usual ones of Linux,
# Windows and macOS.
_PREFERRED = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans SC",
    "Source Han Sans SC",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Microsoft YaHei",
    "SimHei",
    "PingFang SC",
    "Hiragino Sans GB",
    "Heiti TC",
    "Arial Unicode MS",
    "Droid Sans Fallback",
)
# It has a glyph for every character: a box that names the script.
_LAST_RESORT = "Last Resort"

# A longer label is shortened in its middle: beginnings and endings distinguish classes.
_LONGEST = 28

_log = logging.getLogger(__name__)
_font_log = logging.getLogger("matplotlib.font_manager")


@dataclass(frozen=True)
class DrawableLabels:
    """Labels that can be drawn, and the fonts to draw them with."""

    labels: tuple[str, ...]
    families: tuple[str, ...]

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """Make texts with these fonts while the block runs; a `$` in a label is a dollar, not a formula."""
        # It would say that a font has no bold; bold is only asked for numbers, which the first font has.
        level = _font_log.level
        _font_log.setLevel(logging.ERROR)
        try:
            with matplotlib.rc_context({"font.family": list(self.families), "text.parse_math": False}):
                yield
        finally:
            _font_log.setLevel(level)


@functools.cache
def drawable(labels: tuple[str, ...]) -> DrawableLabels:
    """Bring labels into a form that can be drawn; say so, once, where that is not their own.

    >>> drawable(("crack", "in  order")).labels
    ('crack', 'in order')
    """
    labels = tuple(" ".join(label.split()) for label in labels)
    characters = {ord(character) for label in labels for character in label if character != " "}
    missing = characters - _characters(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"))
    families = [_OWN_FAMILY]
    if missing and (found := _family_with(frozenset(missing))) is not None:
        families.append(found)
        missing = set()
    if missing:
        labels = _without(labels, missing)
        _log.warning(
            "figures: no installed font has %s; labels are drawn as %s. Install one that has "
            "(for Chinese: Noto Sans CJK or WenQuanYi) and run the command again",
            " ".join(chr(character) for character in sorted(missing)[:10]),
            ", ".join(labels[:4]),
        )
    return DrawableLabels(tuple(_shortened(label) for label in labels), tuple(families))


def _family_with(characters: frozenset[int]) -> str | None:
    """Return a family that has all these characters, that which comes with edgecnn before installed ones, or None."""
    if characters <= _characters(str(_NUMERALS)):
        font_manager.fontManager.addfont(_NUMERALS)
        return str(font_manager.get_font(_NUMERALS).family_name)
    # Matplotlib lists the fonts once and keeps the list on disk; one that was installed since is not in it.
    listed = {entry.fname for entry in font_manager.fontManager.ttflist}
    for path in font_manager.findSystemFonts():
        if path not in listed:
            with contextlib.suppress(RuntimeError, OSError):  # damaged, or of a kind that FreeType does not read
                font_manager.fontManager.addfont(path)
    entries = sorted(
        font_manager.fontManager.ttflist,
        key=lambda entry: _PREFERRED.index(entry.name) if entry.name in _PREFERRED else len(_PREFERRED),
    )
    for entry in entries:
        upright = entry.style == "normal" and entry.variant == "normal"
        if upright and not entry.name.startswith(_LAST_RESORT) and characters <= _characters(entry.fname):
            return entry.name
    return None


@functools.cache
def _characters(path: str) -> frozenset[int]:
    """Return the characters of a font file; none where it cannot be read."""
    try:
        return frozenset(font_manager.get_font(path).get_charmap())
    except (RuntimeError, OSError):
        return frozenset()


def _without(labels: tuple[str, ...], missing: set[int]) -> tuple[str, ...]:
    """Leave out what cannot be drawn, if the labels still differ; else write it as code points, `U+96F6`."""
    kept = tuple(
        " ".join("".join(character for character in label if ord(character) not in missing).split()) for label in labels
    )
    if all(kept) and len(set(kept)) == len(kept):
        return kept
    return tuple(
        "".join(f"U+{ord(character):04X}" if ord(character) in missing else character for character in label)
        for label in labels
    )


def _shortened(label: str) -> str:
    half = (_LONGEST - 1) // 2
    return label if len(label) <= _LONGEST else f"{label[:half]}…{label[-half:]}"
