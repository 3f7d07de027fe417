"""The page of `make interop`: a summary, a table for each recipe, and the engines' own words where something fails."""

import datetime
import enum
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from engines import ENGINES, ONNX, REFERENCE, TFLITE, Engine
from subjects import FORMS, TRAINING, File, Subject

from edgecnn_benchmarks.machine.description import describe_machine
from edgecnn_runtime.system import atomic_files

PAGE = Path(__file__).parents[2] / "INTEROP.md"
_TITLES = {TFLITE: "TFLite", ONNX: "ONNX"}
_DETAIL = re.compile("|".join([*(name.replace("-", ".") for name in TRAINING), r"\d+"]))
_PATH = re.compile(r"(?<![\w.:])(?:/[\w.@+-]+)+/([\w.@+-]+)")


class Verdict(enum.Enum):
    """What became of a file of ours in an engine, seen beside the control."""

    SAME = "opens, the same labels"
    OTHER = "opens, other labels"
    FAILS = "fails where the control works"
    BOTH_FAIL = "fails as the control does"


@dataclass(frozen=True)
class Cell:
    """What one engine made of one file."""

    works: bool
    error: str | None
    note: str | None
    images: int = 0
    same: int | None = None  # images with the reference engine's label
    keras: int | None = None  # with Keras's
    difference: float | None = None  # the largest of a probability from the reference engine's
    microseconds: float | None = None

    @property
    def right(self) -> bool:
        """Whether it works and gives the reference engine's labels."""
        return self.works and self.same in (None, self.images)


@dataclass
class Errors:
    """The engines' words, numbered as they come; those that differ in numbers or recipes only are one."""

    texts: dict[str, str] = field(default_factory=dict)

    def number(self, error: str) -> int:
        """Return the number of an error."""
        text = _public(error)
        key = _DETAIL.sub("0", text)
        self.texts.setdefault(key, text)
        return list(self.texts).index(key) + 1


@dataclass(frozen=True)
class Row:
    """One release of an engine."""

    engine: Engine
    version: str
    results: Mapping[str, Any]  # by the name of the file

    @property
    def title(self) -> str:
        """Its name and version."""
        return f"{self.engine.name} {self.version}"


def write(page: Path, results: Mapping[tuple[str, str], Any], subjects: Sequence[Subject]) -> str:
    """Write the page from the results of `run`, by an engine's name and a release's version; return its summary."""
    rows, missing = _rows(results)
    cells = {
        (row.title, file.name): cell
        for subject in subjects
        for file in subject.files()
        for row in rows
        if (cell := _cell(row, file, subject, _reference(rows, file.suffix))) is not None
    }
    rows = [row for row in rows if any(title == row.title for title, _ in cells)]
    errors = Errors()
    tables = [line for subject in subjects for line in _recipe_lines(subject, rows, cells, errors)]
    lines = [*_head(rows, subjects, cells), *_summary_lines(subjects, rows, cells), *tables]
    lines += _error_lines(errors, missing)
    atomic_files.write_text(page, "\n".join(lines) + "\n")
    return summary(rows, subjects, cells)


def verdict(ours: Cell, control: Cell | None) -> Verdict:
    """Judge our file beside the control."""
    if not ours.works:
        return Verdict.FAILS if control is not None and control.right else Verdict.BOTH_FAIL
    return Verdict.SAME if ours.right else Verdict.OTHER


def _public(text: str) -> str:
    """Return an engine's first words on one line, without the folders of this machine."""
    return _PATH.sub(r"\1", " ".join(text.split()))[:300]


def _rows(results: Mapping[tuple[str, str], Any]) -> tuple[list[Row], dict[str, str]]:
    rows, missing = [], {}
    for engine in ENGINES:
        for release in engine.releases:
            known = results.get((engine.name, release.version), {})
            if "missing" in known:
                missing[f"{engine.name} {release.version}"] = known["missing"]
            elif known.get("files"):
                rows.append(Row(engine, known["version"], known["files"]))
    return rows, missing


def _reference(rows: Iterable[Row], suffix: str) -> Row | None:
    """Return the newest release of the engine that says what is right."""
    return next((row for row in reversed(list(rows)) if row.engine.name == REFERENCE[suffix]), None)


def _cell(row: Row, file: File, subject: Subject, reference: Row | None) -> Cell | None:
    """Return what is known of a file as it is today, or None."""
    found = row.results.get(file.name)
    if found is None or found["digest"] != file.digest:
        return None
    works = found["opened"] and not found["error"]
    cell = Cell(works, found["error"], found["note"])
    if not works or not found["images"]:
        return cell
    rows = np.load(found["probabilities"])
    if rows.shape[1] == 0 or not np.isfinite(rows).all():
        return Cell(False, "its output is empty or no number", found["note"])
    count = len(rows)
    labels = rows.argmax(axis=1)
    keras = int((labels == np.load(subject.keras_labels)[:count]).sum())
    same = difference = None
    right = reference.results.get(file.name) if reference else None
    if right and right["images"]:
        expected = np.load(right["probabilities"])
        count = min(count, len(expected))
        if expected.shape[1:] == rows.shape[1:]:
            same = int((labels[:count] == expected[:count].argmax(axis=1)).sum())
            difference = float(np.abs(rows[:count] - expected[:count]).max())
    return Cell(True, None, found["note"], count, same, keras, difference, found["microseconds"])


def _head(rows: Sequence[Row], subjects: Sequence[Subject], cells: Mapping[tuple[str, str], Cell]) -> list[str]:
    machine = describe_machine()
    packages = ", ".join(f"{name} {version}" for name, version in machine.packages.items())
    return [
        "# Our files in other engines",
        "",
        "Written by `make interop` (`benchmarks/peers/interop/`); do not edit by hand. Each recipe's file in every",
        "form is opened in every engine and release, each in an environment of its own, and classifies up to 100 test",
        "images on one thread. The *control* beside it is the same network through the plain converter: TensorFlow's",
        "(full integers by its guide to post-training quantization, with our calibration images), tf2onnx and ONNX",
        "Runtime's quantizer. What fails for both is not for our file to mend. The training was short: accuracy is",
        "not the point. Times are medians of one run on a shared machine: they tell a factor of two, not ten percent.",
        "",
        f"Machine: {machine.cpu}, {machine.architecture}; {machine.system}, Python {machine.python}.",
        f"Versions that made the files: {packages}.",
        f"Date: {datetime.datetime.now(tz=datetime.UTC).date()}.",
        "",
        f"**{summary(rows, subjects, cells)}**",
    ]


def summary(rows: Sequence[Row], subjects: Sequence[Subject], cells: Mapping[tuple[str, str], Cell]) -> str:
    """Return the page in one sentence, which the README repeats."""
    verdicts = [
        verdict(ours, control)
        for row in rows
        for subject in subjects
        for ours, control in _pairs(row, subject, cells)
        if control is not None and control.right
    ]
    opened = sum(one in (Verdict.SAME, Verdict.OTHER) for one in verdicts)
    same = sum(one is Verdict.SAME for one in verdicts)
    engines = len({row.engine.name for row in rows})
    return (
        f"Of {len(verdicts):,} pairs of a file and a release ({len(rows)} releases of {engines} engines) in which the "
        f"plain converter's file works, ours opens in {opened:,}, with the same label for every image in {same:,}."
    )


def _pairs(row: Row, subject: Subject, cells: Mapping[tuple[str, str], Cell]) -> list[tuple[Cell, Cell | None]]:
    files = {file.name: file for file in subject.files()}
    return [
        (cells[row.title, name], cells.get((row.title, f"{name} (control)")))
        for name, file in files.items()
        if not file.control and (row.title, name) in cells
    ]


def _summary_lines(
    subjects: Sequence[Subject], rows: Sequence[Row], cells: Mapping[tuple[str, str], Cell]
) -> list[str]:
    names = ", ".join(subject.recipe for subject in subjects)
    lines = [
        "",
        "## Summary",
        "",
        f"Over {names}. *yes*: opens and gives the label of the newest LiteRT or ONNX Runtime for every image; a",
        "share: opens, so many of the labels are the same; **bold**: fails, or gives other labels, where the control",
        "works; *italic*: the control does not either.",
    ]
    for suffix, forms in FORMS.items():
        lines += ["", f"| {_TITLES[suffix]} | {' | '.join(forms)} |", f"|---|{'---|' * len(forms)}"]
        for row in rows:
            if suffix in row.engine.suffixes:
                found = [_overall(row, suffix, form, subjects, cells) for form in forms]
                lines.append(f"| {row.title} | {' | '.join(found)} |")
    return lines


def _overall(
    row: Row, suffix: str, form: str, subjects: Sequence[Subject], cells: Mapping[tuple[str, str], Cell]
) -> str:
    """Return one engine's word on one form over all recipes."""
    pairs = []
    for subject in subjects:
        name = f"{subject.recipe} {suffix} {form}"
        if (row.title, name) in cells:
            pairs.append((cells[row.title, name], cells.get((row.title, f"{name} (control)"))))
    if not pairs:
        return ""
    verdicts = [verdict(*pair) for pair in pairs]
    words = []
    for one, mark in ((Verdict.FAILS, "**"), (Verdict.BOTH_FAIL, "*")):
        if fails := verdicts.count(one):
            words.append(f"{mark}fails{mark}" + ("" if fails == len(verdicts) else f" {fails} of {len(verdicts)}"))
    images = sum(ours.images for ours, _ in pairs)
    same = sum(ours.same if ours.same is not None else ours.images for ours, _ in pairs if ours.works)
    if same != images:
        ours_only = any(
            one is Verdict.OTHER and control is not None and control.right
            for one, (_, control) in zip(verdicts, pairs, strict=True)
        )
        mark = "**" if ours_only else "*"
        words.append(f"{mark}{100 * same / images:.1f} %{mark}")
    return ", ".join(words) or "yes"


def _recipe_lines(
    subject: Subject, rows: Sequence[Row], cells: Mapping[tuple[str, str], Cell], errors: Errors
) -> list[str]:
    lines = [
        "",
        f"## {subject.recipe}",
        "",
        "Labels as the newest LiteRT's or ONNX Runtime's · as Keras's · largest difference of a probability from the",
        "former's · median µs for an image. A number in brackets is the engine's error, below.",
    ]
    for suffix, forms in FORMS.items():
        lines += ["", f"| {_TITLES[suffix]} | | {' | '.join(forms)} |", f"|---|---|{'---|' * len(forms)}"]
        for row in rows:
            if suffix not in row.engine.suffixes:
                continue
            for title, control in ((row.title, ""), ("", " (control)")):
                names = [f"{subject.recipe} {suffix} {form}" for form in forms]
                found = [_shown(row.title, name, control, cells, errors) for name in names]
                lines.append(f"| {title} | {'control' if control else 'ours'} | {' | '.join(found)} |")
    return lines


def _shown(title: str, name: str, control: str, cells: Mapping[tuple[str, str], Cell], errors: Errors) -> str:
    cell = cells.get((title, name + control))
    if cell is None:
        return ""
    if not cell.works:
        ours_only = not control and verdict(cell, cells.get((title, f"{name} (control)"))) is Verdict.FAILS
        number = errors.number(cell.error or "no reason given")
        return f"**fails** [{number}]" if ours_only else f"fails [{number}]"
    if not cell.images:
        return cell.note or "opens"
    same = "–" if cell.same is None else _of(cell.same, cell.images)
    difference = "–" if cell.difference is None else f"{cell.difference:.2g}"
    words = [same, _of(cell.keras or 0, cell.images), difference, f"{cell.microseconds or 0:,.0f}"]
    return " · ".join(words)


def _of(count: int, images: int) -> str:
    return str(count) if images == 100 else f"{count}/{images}"


def _error_lines(errors: Errors, missing: Mapping[str, str]) -> list[str]:
    lines = ["", "## What the engines say", ""]
    lines += [f"{number}. {text}" for number, text in enumerate(errors.texts.values(), 1)] or ["Nothing fails."]
    if missing:
        lines += ["", "## Not run here", ""]
        lines += [f"- {name}: {_public(why)}" for name, why in missing.items()]
    return lines
