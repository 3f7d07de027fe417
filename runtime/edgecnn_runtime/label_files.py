"""Lists of labels as the tools of the field write them, read into the order of a network's outputs.

    lines        one label per line, `0 red` (Teachable Machine, Coral), `red,0`, `n01440764 tench` (ImageNet)
    tables       CSV and TSV, with a header or without
    JSON         a list, `id2label` and `label2id` (Hugging Face), `class_indices` (Keras), `names` (Ultralytics)
    YAML         `names:` of a data set (Ultralytics), as a list or by number; the few forms that such files have

Where numbers stand beside the labels they give the order, and they must be those of the outputs: none twice, none
left out. A label that begins with a number, such as "3 of clubs", stays as it is.
"""

import ast
import codecs
import csv
import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from edgecnn_runtime.errors import InputError

# What a file that is no text begins with.
_BINARY = {
    b"\x93NUMPY": "a NumPy array",
    b"\x80\x04": "a pickle",
    b"\x80\x05": "a pickle",
    b"\x80\x03": "a pickle",
    b"PK\x03\x04": "a zip or an Excel sheet",
    b"\x1f\x8b": "a gzip file",
    b"%PDF": "a PDF",
}
_UTF_16, _UTF_32 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE), (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)

# What lists of labels are called, the first that is there is taken: by number, by name, or in order.
_KEYS = (
    "id2label", "names", "labels", "label_names", "class_names", "classes", "categories", "idx_to_class", "label2id",
    "class_indices", "class_to_idx",
)  # fmt: skip
_NUMBER_COLUMNS = ("id", "index", "idx", "number", "class_id", "label_id", "class_index")
_NAME_COLUMNS = ("display_name", "label", "name", "class", "class_name", "label_name", "category", "title")

# "0 red", "0: red", "0,red", "0. red", "0 - red"; the number alone is a label.
_LEADING = re.compile(r"(\d{1,6})(?:\s*[:,;=\t]\s*|[.)]\s+|\s+-\s+|\s+)(\S.*)")
# "red,0", "red: 0"; after a mere space a number mostly belongs to the label.
_TRAILING = re.compile(r"(.*\S)\s*[:,;=\t]\s*(\d{1,6})")
_TRAILING_SPACE = re.compile(r"(.*\S)\s+(\d{1,6})")
# The identifiers of WordNet, with which lists of ImageNet's classes begin.
_SYNSET = re.compile(r"n\d{8}[\s,]+(\S.*)")
_LONGEST = 1000  # characters of a line that may be numbered
# Characters of a Python literal, each of which may take half a kilobyte to read; ImageNet-21k's names take 400,000.
LONGEST_LITERAL = 1 << 19
_YAML_KEY = re.compile(rf"(?m)^({'|'.join(_KEYS)})[ \t]*:(?:[ \t]+(.*))?$")


def decode_labels(content: bytes, *, source: str) -> str:
    """Decode the content of a label file.

    Raises:
        InputError: no text, or in an encoding that does not say what it is.
    """
    for mark, name in _BINARY.items():
        if content.startswith(mark):
            raise InputError(f"{source}: expected text, one label per line, got {name}")
    encoding = "utf-32" if content.startswith(_UTF_32) else "utf-16" if content.startswith(_UTF_16) else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise InputError(
            f"{source}: expected text in UTF-8, one label per line, got other bytes, as Latin-1 and Windows-1252 have "
            "them; save it as UTF-8"
        ) from error
    if "\0" in text:
        raise InputError(f"{source}: expected text in UTF-8, got UTF-16 without a byte order mark, or no text")
    return text


def parse_labels(text: str, *, source: str, suffix: str = "") -> tuple[str, ...]:
    r"""Read a list of labels, whatever its format.

    Args:
        text: the list.
        source: what an error calls it.
        suffix: of its file.

    Raises:
        InputError: a format that holds no list of labels, or numbers that are not those of the outputs.

    >>> parse_labels("1 green\n0 red\n", source="labels.txt")
    ('red', 'green')
    >>> parse_labels('{"id2label": {"0": "red", "1": "green"}}', source="config.json")
    ('red', 'green')
    """
    suffix, text = suffix.lower(), text.strip()
    if suffix == ".json" or text.startswith(('{"', "{'", '["', "['")) or re.match(r"[{\[]\s*[\n\d\"'{]", text):
        return _of_value(_literal(text, source), source)
    if suffix in (".yaml", ".yml") or _YAML_KEY.search(text):
        return _of_yaml(text, source)
    for begin, name in (("<", "XML or HTML"), ("item {", "a label map of TensorFlow's Object Detection API (pbtxt)")):
        if text.replace("{", " {").replace("  ", " ").startswith(begin):
            raise InputError(f"{source}: expected one label per line, got {name}")
    lines = [line.strip() for line in text.splitlines()]
    comments = [line for line in lines if re.match(r"#(\s|#|$)", line)]
    lines = [line for line in lines if line and (line not in comments or len(comments) == len(lines))]
    if len(lines) == 1 and "," in lines[0]:
        return tuple(cell.strip() for cell in lines[0].split(","))
    table = _table(lines, source, declared=suffix in (".csv", ".tsv"))
    return _without_synsets(table if table is not None else _of_lines(lines, source))


def _of_lines(lines: Sequence[str], source: str) -> tuple[str, ...]:
    """Order lines by their numbers, where they are numbered."""
    if any(len(line) > _LONGEST for line in lines):
        return tuple(lines)
    for pattern, number, name in ((_LEADING, 1, 2), (_TRAILING, 2, 1), (_TRAILING_SPACE, 2, 1)):
        found = [pattern.fullmatch(line) for line in lines]
        if lines and all(found):
            numbers, names = ([match[group] for match in found if match] for group in (number, name))
            if _are_numbers(numbers, names, strict=pattern is _TRAILING_SPACE):
                return _ordered([int(text) for text in numbers], names, source)
    return tuple(lines)


def _are_numbers(numbers: Sequence[str], names: Sequence[str], *, strict: bool) -> bool:
    """Tell numbers of outputs from numbers that belong to the labels: "3 of clubs", "2 fingers", "zone 1"."""
    values = sorted(int(number) for number in numbers)
    if strict:
        return values == list(range(len(values))) and len(set(names)) == len(names)
    # Of ImageNet's thousand names two occur twice.
    differ = len(set(names)) >= 0.9 * len(names)
    return differ and values[0] <= 1 and values[-1] <= 2 * len(values)


def _ordered(numbers: Sequence[int], names: Sequence[str], source: str) -> tuple[str, ...]:
    """Put names in the order of their numbers, which count from 0 or 1.

    Raises:
        InputError: one is there twice, or left out.
    """
    by_number = dict(zip(numbers, names, strict=True))
    if len(by_number) < len(numbers):
        twice = next(number for number in numbers if numbers.count(number) > 1)
        raise InputError(f"{source}: expected each number once, got {twice} twice")
    first = min(by_number, default=0)
    missing = next((number for number in range(first, first + len(numbers)) if number not in by_number), None)
    if missing is not None or first not in (0, 1):
        raise InputError(
            f"{source}: expected the numbers 0…{len(numbers) - 1} of the outputs, got {first}…{max(by_number)}"
            + (f" without {missing}" if missing is not None else "")
            + "; number all outputs, or leave the numbers out"
        )
    return tuple(by_number[number] for number in sorted(by_number))


def _table(lines: Sequence[str], source: str, *, declared: bool) -> tuple[str, ...] | None:
    """Read a table with columns of numbers and names; None where the lines are none.

    Args:
        lines: without blank ones.
        source: what an error calls it.
        declared: whether the file's name says that it is a table.
    """
    delimiter = next((mark for mark in "\t;," if lines and all(mark in line for line in lines)), None)
    if delimiter is None:
        single = declared and lines and lines[0].lower() in _NAME_COLUMNS
        return tuple(line.strip('"') for line in lines[1:]) if single else None
    try:
        rows = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=delimiter)]
    except csv.Error as error:
        raise InputError(f"{source}: expected a table of labels, got one that cannot be read: {error}") from error
    width = len(rows[0]) if rows else 0
    header = [cell.lower() for cell in next(iter(rows), [])]
    has_header = any(cell in (*_NUMBER_COLUMNS, *_NAME_COLUMNS) for cell in header)
    body = rows[1:] if has_header else rows
    if width < 2 or not body or any(len(row) != width for row in rows):
        if declared:
            raise InputError(f"{source}: expected a table of rows of the same length, as id,label")
        return None
    columns = list(zip(*body, strict=True))
    counted = [n for n, column in enumerate(columns) if all(cell.isdecimal() and len(cell) < 7 for cell in column)]
    named = [n for n in range(width) if n not in counted] or counted[1:]
    if has_header:
        by_header = {cell: n for n, cell in enumerate(header)}
        counted = [by_header[name] for name in _NUMBER_COLUMNS if by_header.get(name) in counted] or counted
        named = [by_header[name] for name in _NAME_COLUMNS if name in by_header and by_header[name] not in counted[:1]
                 ] or named  # fmt: skip
    elif len(counted) == 1 and width == 2 and not declared:
        return None  # numbered lines
    if not counted or not named:
        if declared or has_header:
            raise InputError(f"{source}: expected columns of numbers and of names, as id,label, got {width} others")
        return None
    return _ordered([int(cell) for cell in columns[counted[0]]], columns[named[0]], source)


def _without_synsets(labels: tuple[str, ...]) -> tuple[str, ...]:
    found = [_SYNSET.fullmatch(label) for label in labels]
    return tuple(match[1] for match in found if match) if labels and all(found) else labels


def _literal(text: str, source: str) -> Any:
    """Read JSON, or the dictionary or list as Python prints it."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        if twice := next((key for key in keys if keys.count(key) > 1), None) if len(set(keys)) < len(keys) else None:
            raise InputError(f"{source}: expected each key once, got {twice!r} twice")
        return dict(pairs)

    readers: list[Callable[[str], Any]] = [partial(json.loads, object_pairs_hook=once)]
    if len(text) <= LONGEST_LITERAL:
        readers.append(ast.literal_eval)
    for read in readers:
        try:
            return read(text)
        except InputError:
            raise
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
    raise InputError(f"{source}: expected JSON with a list of labels or id2label, got a text that is no JSON")


def labels_of_properties(properties: Mapping[str, str]) -> tuple[str, ...] | None:
    """Read the labels among the properties that a model file carries; None where there are none, or damaged ones."""
    if text := properties.get("character"):  # of PaddleOCR, one per line, whatever they are
        return tuple(text.removesuffix("\n").split("\n"))
    text = next((properties[key] for key in _KEYS if properties.get(key)), "")
    try:
        return parse_labels(text, source="labels") or None
    except InputError:
        return None


def _of_value(value: Any, source: str) -> tuple[str, ...]:
    """Take the labels of a list, of a dictionary by number or by name, or of a configuration that holds one."""
    if isinstance(value, dict):
        inner = next((value[key] for key in _KEYS if isinstance(value.get(key), dict | list) and value[key]), None)
        if inner is not None:
            return _of_value(inner, source)
        if value and all(map(_is_number, value)) and not all(map(_is_integer, value.values())):
            return _without_synsets(_ordered([int(key) for key in value], [*map(_name, value.values())], source))
        if value and all(map(_is_number, value.values())):
            return _ordered([int(number) for number in value.values()], [*map(str, value)], source)
    elif isinstance(value, list | tuple) and value:
        if all(isinstance(entry, dict) for entry in value):
            numbers, names = ([next((entry[key] for key in keys if key in entry), None) for entry in value]
                              for keys in (_NUMBER_COLUMNS, _NAME_COLUMNS))  # fmt: skip
            if all(map(_is_number, numbers)) and all(isinstance(name, str) for name in names):
                return _ordered([int(str(number)) for number in numbers], [*map(str, names)], source)
            if all(isinstance(name, str) for name in names):
                return tuple(map(str, names))
        elif all(isinstance(entry, str | int) for entry in value):
            return tuple(map(str, value))
    found = f"the keys {', '.join(map(str, list(value)[:4]))}" if isinstance(value, dict) else "another structure"
    raise InputError(
        f"{source}: expected a list of labels, id2label, label2id or class_indices in JSON or YAML, got {found}"
    )


def _name(value: Any) -> str:
    """Return a label; Keras has ["n01440764", "tench"] for ImageNet."""
    is_pair = isinstance(value, list | tuple) and len(value) == 2
    return str(value[1] if is_pair else value)


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return _is_integer(value) or (isinstance(value, str) and value.isdecimal() and len(value) < 7)


def _of_yaml(text: str, source: str) -> tuple[str, ...]:
    """Read the list of labels in a YAML file, without a parser for all of YAML."""
    found = _YAML_KEY.search(text)
    block = text[found.end() :] if found else text
    inline = _scalar(found[2]) if found and found[2] else ""
    if inline.startswith(("[", "{")):
        return _of_value(_flow(text[text.index(inline[0], found.start(2) if found else 0) :], source), source)
    entries: list[tuple[str | None, str]] = []
    for line in block.splitlines():
        if not line.strip() or line.lstrip().startswith("#") or line.strip() in ("---", "..."):
            continue
        match = re.fullmatch(r"\s*(?:-\s+|(\d{1,6}|'\d+'|\"\d+\")\s*:\s+)(.+)", line)
        if match is None:
            if not line[0].isspace() and found:
                break  # the next key
            raise InputError(f"{source}: expected a YAML list of labels, or labels by number, got {line.strip()!r}")
        entries.append((match[1] and match[1].strip("'\""), _scalar(match[2])))
    if not entries or inline:
        raise InputError(f"{source}: expected a YAML file with a list of labels called names, got none")
    if all(number is None for number, _ in entries):
        return tuple(name for _, name in entries)
    if any(number is None for number, _ in entries):
        raise InputError(f"{source}: expected a YAML list of labels, or labels by number, got a mixture")
    return _ordered([int(number or 0) for number, _ in entries], [name for _, name in entries], source)


def _scalar(text: str) -> str:
    """Return a value of YAML without its quotes and the comment behind it."""
    text = text.strip()
    quoted = re.match(r"'((?:[^']|'')*)'|\"((?:[^\"\\]|\\.)*)\"", text)
    if quoted is None:
        return re.sub(r"\s+#.*$", "", text).strip()
    return quoted[1].replace("''", "'") if quoted[1] is not None else str(json.loads(f'"{quoted[2]}"'))


def _flow(text: str, source: str) -> Any:
    """Read [a, b] or {0: a, 1: b}, quoted or not, over one line or several."""
    closing = {"[": "]", "{": "}"}[text[0]]
    # Of the comments and line breaks nothing is left.
    joined = " ".join(re.sub(r"\s#.*$", "", line) for line in text.splitlines())
    end = joined.find(closing)
    if end < 0:
        raise InputError(f"{source}: expected {closing} at the end of a YAML list, got none")
    try:
        return ast.literal_eval(joined[: end + 1])
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        cells = [cell.strip() for cell in joined[1:end].split(",") if cell.strip()]
    if closing == "]":
        return [_scalar(cell) for cell in cells]
    pairs = [cell.partition(":") for cell in cells]
    return {_scalar(number): _scalar(name) for number, _, name in pairs}
