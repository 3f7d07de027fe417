"""Results that survive a kill: every cut of a file is repaired, and what does not belong together is refused."""

import csv
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import needs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecnn_runtime.backends.fake import FakeBackend
from edgecnn_runtime.classifier import Classifier
from edgecnn_runtime.errors import ImageError, InputError
from edgecnn_runtime.jobs import results_file
from edgecnn_runtime.jobs.results_file import ResultsFile, ResultsOf
from edgecnn_runtime.manifest import Colour, InputSpec, Manifest, Scheme
from edgecnn_runtime.pipeline import Item
from edgecnn_runtime.prediction import Prediction

LABELS = ("crack, deep", 'so-called "whole"', "ümlaut")
NAMES = (
    "plain.png",
    "comma, and space.png",
    'quote".png',
    "line\nbreak.png",
    "carriage\rreturn.png",
    '"\n",\n.png',
    "caf\udce9.png",  # Latin-1 bytes in the file system
    "käse.png",
    " leading.png",
    "",
)


def items(names: Sequence[str] = NAMES) -> list[Item]:
    """A prediction for each name but every third, which could not be read."""
    found = []
    for number, name in enumerate(names):
        if number % 3 == 2:
            found.append(Item(name, error=ImageError(f'{name}: expected a whole "JPEG";\nit ends early, alas')))
        else:
            row = np.roll(np.array([0.7, 0.2, 0.1], np.float32), number)
            found.append(Item(name, Prediction.of(row, LABELS)))
    return found


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.tflite"
    path.write_bytes(b"a model")
    return path


def opened(
    path: Path,
    model: Path,
    *,
    names: Sequence[str] = NAMES,
    labels: tuple[str, ...] = LABELS,
    top_k: int = 2,
    resume: bool = False,
) -> ResultsFile:
    manifest = Manifest("three", labels, InputSpec(4, 4, Colour.GREY), Scheme.FLOAT32)
    classifier = Classifier(FakeBackend(input_shape=(4, 4, 1), classes=3), manifest)
    return ResultsFile(path, ResultsOf.these(model, classifier, names, top_k=top_k), names, resume=resume)


def written(path: Path, model: Path, *, top_k: int = 2) -> bytes:
    with opened(path, model, top_k=top_k) as results:
        for item in items():
            results.add(item)
        results.finish()
    return path.read_bytes()


def test_csv_is_read_by_anybody(tmp_path: Path, model: Path) -> None:
    written(tmp_path / "results.csv", model)
    with (tmp_path / "results.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["image", "label", "probability", "error", "label_2", "probability_2"]
    assert [row["image"] for row in rows] == [name.replace("\udce9", "\\xe9") for name in NAMES]
    assert [bool(row["error"]) for row in rows] == [number % 3 == 2 for number in range(len(NAMES))]
    assert rows[2]["error"] == 'expected a whole "JPEG";\nit ends early, alas'
    assert (rows[1]["label"], rows[1]["probability"]) == (LABELS[1], "0.7")
    assert (rows[1]["label_2"], rows[1]["probability_2"]) == (LABELS[2], "0.2")


def test_json_lines_give_every_name_back(tmp_path: Path, model: Path) -> None:
    content = written(tmp_path / "results.jsonl", model)
    lines = [json.loads(line) for line in content.decode().splitlines()]
    assert [line["image"] for line in lines] == list(NAMES)
    assert os.fsencode(lines[6]["image"]) == b"caf\xe9.png"
    assert [set(line) for line in lines[1:3]] == [{"image", "label", "probability", "top"}, {"image", "error"}]
    assert [label["label"] for label in lines[1]["top"]] == list(LABELS[1:])


@pytest.mark.parametrize("name", ["results.csv", "results.jsonl"])
def test_a_file_cut_anywhere_is_repaired_and_gone_on_with(
    tmp_path: Path, model: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # some 2,000 files
    whole = written(tmp_path / name, model)
    path = tmp_path / "again" / name
    for cut in range(len(whole) + 1):
        path.parent.mkdir(exist_ok=True)
        path.with_name(f"{name}.partial").write_bytes(whole[:cut])
        path.with_name(f"{name}.run.json").write_bytes((tmp_path / f"{name}.run.json").read_bytes())
        with opened(path, model, resume=True) as results:
            assert whole.startswith(path.with_name(f"{name}.partial").read_bytes())
            for item in items()[results.done :]:
                results.add(item)
            assert results.failed == 3
            results.finish()
        assert path.read_bytes() == whole
        assert not path.with_name(f"{name}.partial").exists()
        path.unlink()


def test_zeros_that_a_power_cut_left_are_cut_off(tmp_path: Path, model: Path) -> None:
    path = tmp_path / "results.csv"
    with opened(path, model) as results:
        for item in items()[:4]:
            results.add(item)
    partial = tmp_path / "results.csv.partial"
    partial.write_bytes(partial.read_bytes() + bytes(512))
    with opened(path, model, resume=True) as results:
        assert results.done == 4


def test_a_finished_file_is_left_as_it_is(tmp_path: Path, model: Path) -> None:
    path = tmp_path / "results.csv"
    whole = written(path, model)
    with opened(path, model, resume=True) as results:
        assert (results.finished, results.done, results.failed) == (True, len(NAMES), 3)
        results.finish()
    assert path.read_bytes() == whole


def test_resuming_nothing_begins(tmp_path: Path, model: Path) -> None:
    with opened(tmp_path / "new" / "results.csv", model, resume=True) as results:
        assert results.done == 0


@pytest.mark.parametrize("finished", [True, False])
def test_what_exists_is_not_overwritten(tmp_path: Path, model: Path, finished: bool) -> None:
    path = tmp_path / "results.csv"
    with opened(path, model) as results:
        for item in items():
            results.add(item)
        if finished:
            results.finish()
    with pytest.raises(InputError, match="exists; go on with --resume, remove it, or name another --output"):
        opened(path, model)


def test_another_model_list_or_option_is_refused(tmp_path: Path, model: Path) -> None:
    path = tmp_path / "results.csv"
    with opened(path, model) as results:
        results.add(items()[0])
    before = (tmp_path / "results.csv.partial").read_bytes()
    with pytest.raises(InputError, match=r"begun with another list of images \(10\), got one of 9"):
        opened(path, model, names=NAMES[:-1], resume=True)
    with pytest.raises(InputError, match="begun with another list of images"):
        opened(path, model, names=NAMES[::-1], resume=True)
    with pytest.raises(InputError, match="begun with --top-k 2, got 1"):
        opened(path, model, top_k=1, resume=True)
    with pytest.raises(InputError, match="begun with other labels or pre-processing"):
        opened(path, model, labels=LABELS[::-1], resume=True)
    model.write_bytes(b"another model")
    with pytest.raises(InputError, match=r"begun with another model \(model\.tflite\)"):
        opened(path, model, resume=True)
    assert (tmp_path / "results.csv.partial").read_bytes() == before


@pytest.mark.parametrize("header", [None, b"", b"{}", b"[1]", b'{"model": 1}'])
def test_without_its_header_nothing_is_resumed(tmp_path: Path, model: Path, header: bytes | None) -> None:
    path = tmp_path / "results.csv"
    with opened(path, model) as results:
        results.add(items()[0])
    side = tmp_path / "results.csv.run.json"
    side.unlink()
    if header is not None:
        side.write_bytes(header)
    with pytest.raises(InputError, match=r"expected the header of results\.csv\.partial, none there or damaged"):
        opened(path, model, resume=True)


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.replace(b"plain", b"other"),
        lambda content: content.replace(b"image,label", b"image;label"),
        lambda content: content + b"one more,a,0.5,,b,0.1\n",
    ],
    ids=["another name", "another header", "a row too many"],
)
def test_a_file_that_somebody_changed_is_left_alone(tmp_path: Path, model: Path, change: object) -> None:
    path = tmp_path / "results.csv"
    written(path, model)
    changed = change(path.read_bytes())  # type: ignore[operator]
    path.rename(tmp_path / "results.csv.partial").write_bytes(changed)
    with pytest.raises(InputError, match="the file was changed"):
        opened(path, model, resume=True)
    assert (tmp_path / "results.csv.partial").read_bytes() == changed


@needs.posix
def test_two_processes_do_not_write_one_file(tmp_path: Path, model: Path) -> None:
    path = tmp_path / "results.csv"
    with opened(path, model) as results:
        results.add(items()[0])
        with pytest.raises(InputError, match="expected a file that no other process writes"):
            opened(path, model, resume=True)


@pytest.mark.parametrize("name", ["results.txt", "results", "results.parquet"])
def test_another_suffix_is_refused(tmp_path: Path, model: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"expected a results file ending in \.csv or \.jsonl"):
        opened(tmp_path / name, model)


def test_a_folder_of_that_name_is_refused(tmp_path: Path, model: Path) -> None:
    (tmp_path / "results.csv").mkdir()
    with pytest.raises(InputError, match="expected a file to write, got a folder"):
        opened(tmp_path / "results.csv", model)


@pytest.mark.parametrize("name", ["results.csv", "results.jsonl"])
def test_a_finished_file_that_lacks_results_is_not_finished(tmp_path: Path, model: Path, name: str) -> None:
    path = tmp_path / name
    with opened(path, model) as results:
        for item in items()[:-1]:
            results.add(item)
        results.finish()
    with pytest.raises(InputError, match="from result 10 on; the file was changed"):
        opened(path, model, resume=True)


def test_results_leave_the_process_once_a_second(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock:
        now = 50.0

        def monotonic(self) -> float:
            return self.now

    clock = Clock()
    monkeypatch.setattr(results_file, "time", clock)
    partial = tmp_path / "results.csv.partial"
    sizes = []
    with opened(tmp_path / "results.csv", model) as results:
        for item, second in zip(items(), (50.0, 50.9, 51.0, 51.5, 51.9, 52.0), strict=False):
            clock.now = second
            results.add(item)
            sizes.append(partial.stat().st_size)
    assert sizes[0] == sizes[1] == 0 < sizes[2] == sizes[3] == sizes[4] < sizes[5]


@given(
    names=st.lists(st.binary(max_size=8).map(os.fsdecode), max_size=5),
    suffix=st.sampled_from([".csv", ".jsonl"]),
    kill=st.floats(0, 1),
)
def test_any_names_survive_a_kill_at_any_point(names: list[str], suffix: str, kill: float) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        model, path = Path(folder) / "model.tflite", Path(folder) / f"results{suffix}"
        model.write_bytes(b"a model")
        with opened(path, model, names=names) as results:
            for item in items(names):
                results.add(item)
            results.finish()
        whole = path.read_bytes()
        path.unlink()
        path.with_name(f"{path.name}.partial").write_bytes(whole[: round(kill * len(whole))])
        with opened(path, model, names=names, resume=True) as results:
            assert results.done <= len(names)
            for item in items(names)[results.done :]:
                results.add(item)
            assert (results.done, results.failed, results.finished) == (len(names), len(names) // 3, False)
            results.finish()
            assert results.finished
        assert path.read_bytes() == whole
        if suffix == ".jsonl":
            lines = whole.decode().splitlines() if names else []
            assert [json.loads(line)["image"] for line in lines] == names
