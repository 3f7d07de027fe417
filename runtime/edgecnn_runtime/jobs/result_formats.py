r"""How the result of one image is written: as a JSON line, or as a row of a CSV file.

Both are UTF-8. A file name that is not stays itself in JSON (a lone surrogate, as Python's `os.fsencode` reads back)
and is shown with `\xff` in CSV, which has no such escape.

Programs read a CSV file as it is. A spreadsheet takes a file without a byte order mark for another encoding than UTF-8,
and a cell that begins like a formula for one; `excel` writes for these.
"""

import codecs
import csv
import io
import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from edgecnn_runtime.pipeline import Item
from edgecnn_runtime.system.screen_text import utf8_text


@dataclass(frozen=True, slots=True)
class Record:
    """What a results file says of one image, and how many bytes it takes there."""

    image: str
    failed: bool
    size: int


class ResultFormat(Protocol):
    """One way to write results."""

    def head(self) -> bytes:
        """Return what comes before the first result."""

    def record(self, item: Item) -> bytes:
        """Return one result, with the end of its line."""

    def records(self, lines: Iterable[bytes]) -> Iterator[Record]:
        """Read whole results up to the first that is cut short or damaged; `lines` are those behind the head."""

    def image(self, source: str) -> str:
        """Return a file's name as `records` gives it."""


def json_document(item: Item, top_k: int) -> dict[str, object]:
    """Return the result of one image for JSON."""
    if item.prediction is None:
        return {"image": item.source, "error": str(item.error)}
    top = [{"label": label, "probability": _json_number(value)} for label, value in item.prediction.top(top_k)]
    return {"image": item.source, **top[0], "top": top}


def error_text(item: Item) -> str:
    """Return why an image could not be read, without its name in front."""
    return str(item.error).removeprefix(f"{item.source}: ")


class JsonLines:
    """One JSON object a line: `image`, `label`, `probability` and `top`, or `image` and `error`."""

    def __init__(self, top_k: int) -> None:
        self._top_k = top_k

    def head(self) -> bytes:
        """Return nothing: every line is a result."""
        return b""

    def record(self, item: Item) -> bytes:
        """Return one line, readable as UTF-8 whatever the file's name."""
        document = json_document(item, self._top_k)
        line = json.dumps(document, ensure_ascii=False)
        try:
            return line.encode() + b"\n"
        except UnicodeEncodeError:
            return json.dumps(document).encode() + b"\n"

    def records(self, lines: Iterable[bytes]) -> Iterator[Record]:
        """Read whole lines up to the first that is cut short or damaged."""
        for line in lines:
            if not line.endswith(b"\n"):
                return
            try:
                document = json.loads(line)
                image, failed = document["image"], "error" in document
            except (ValueError, TypeError, KeyError, RecursionError):
                return
            yield Record(image, failed, len(line))

    def image(self, source: str) -> str:
        """Return the name itself."""
        return source


# What begins a formula, half and full width, and what a spreadsheet may drop in front of one. The list is OWASP's:
# https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")


class CsvRows:
    """A table with a header: `image,label,probability,error`, and `label_2,probability_2` … for `--top-k`.

    With `excel` it begins with a byte order mark, and a cell that a spreadsheet would take for a formula with `'`.
    """

    def __init__(self, top_k: int, *, excel: bool = False) -> None:
        self._top_k, self._excel = top_k, excel

    def head(self) -> bytes:
        """Return the header line."""
        more = [f"{name}_{rank}" for rank in range(2, self._top_k + 1) for name in ("label", "probability")]
        head = _csv_line(["image", "label", "probability", "error", *more])
        return codecs.BOM_UTF8 + head if self._excel else head

    def record(self, item: Item) -> bytes:
        """Return one row, which takes several lines where the name has line breaks."""
        image = self._cell(item.source)
        if item.prediction is None:
            return _csv_line([image, "", "", self._cell(error_text(item)), *[""] * (2 * (self._top_k - 1))])
        (label, probability), *others = item.prediction.top(self._top_k)
        more = [cell for name, value in others for cell in (self._cell(name), f"{value:.6g}")]
        return _csv_line([image, self._cell(label), f"{probability:.6g}", "", *more])

    def records(self, lines: Iterable[bytes]) -> Iterator[Record]:
        """Read whole rows up to the first that is cut short or damaged."""
        gathered = b""
        for line in lines:
            gathered += line
            # Within an open quotation the row goes on in the next line; quotes inside one are doubled.
            if gathered.count(b'"') % 2:
                continue
            if not gathered.endswith(b"\n"):
                return
            try:
                ((image, _, _, error, *_),) = csv.reader(io.StringIO(gathered.decode(), newline=""), strict=True)
            except (ValueError, csv.Error):
                return
            yield Record(image, bool(error), len(gathered))
            gathered = b""

    def image(self, source: str) -> str:
        """Return the name as the table has it."""
        return self._cell(source)

    def _cell(self, text: str) -> str:
        return f"'{utf8_text(text)}" if self._excel and text.startswith(_FORMULA) else utf8_text(text)


_SPECIAL = frozenset('",\r\n')


def _csv_line(cells: list[str]) -> bytes:
    # csv.writer leaves a lone carriage return without quotes, which readers then take for the end of the row.
    quoted = [f'"{cell.replace(chr(34), 2 * chr(34))}"' if _SPECIAL.intersection(cell) else cell for cell in cells]
    return (",".join(quoted) + "\n").encode()


def _json_number(value: float) -> float | None:
    """JSON has no NaN."""
    return value if math.isfinite(value) else None
