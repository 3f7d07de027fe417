"""Images and results behind addresses: this machine's files as file://, and an S3 server on the loopback address."""

import os
from pathlib import Path

import needs
import numpy as np
import pytest

pa = needs.package("pyarrow", "edgecnn[ray]")

from edgecnn_runtime.errors import ImageError, InputError  # noqa: E402
from edgecnn_runtime.jobs.object_store import open_place, read_stored, stored_images  # noqa: E402
from edgecnn_runtime.jobs.results_folder import ResultsFormat, new_results  # noqa: E402
from edgecnn_runtime.pipeline import Item  # noqa: E402
from edgecnn_runtime.prediction import Prediction  # noqa: E402
from edgecnn_runtime.sources import expand_sources  # noqa: E402

LABELS = ("crack", "whole")
NAMES = ("b.JPG", "a.png", "notes.txt", ".hidden.png", "sub/c.webp")
GOOD = Item("a.png", Prediction.of(np.array([0.25, 0.75], np.float32), LABELS))
BAD = Item("b\udcff.png", error=ImageError("b\udcff.png: not found"))


@pytest.fixture(params=["file", "s3"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """An address of an empty folder, and what must stand behind it."""
    if request.param == "file":
        return tmp_path.as_uri(), ""
    return f"s3://bucket-{os.getpid()}-{abs(hash(tmp_path))}", request.getfixturevalue("s3_server")


def fill(address: tuple[str, str]) -> None:
    place = open_place("".join(address))
    place.system.create_dir(place.path)
    for name in NAMES:
        if "/" in name:
            place.system.create_dir(f"{place.path}/{name.rpartition('/')[0]}")
        with place.system.open_output_stream(f"{place.path}/{name}") as file:
            file.write(name.encode())


@pytest.mark.parametrize("recursive", [False, True])
def test_a_place_lists_and_reads_what_a_folder_would(address: tuple[str, str], recursive: bool, tmp_path: Path) -> None:
    fill(address)
    place = open_place("".join(address))
    found = stored_images(place, recursive=recursive)
    expected = ["a.png", "b.JPG", "sub/c.webp"] if recursive else ["a.png", "b.JPG"]
    assert [path.removeprefix(place.path + "/") for path in found] == expected
    assert [read_stored(place, path).decode() for path in found] == expected
    assert place.name_of(found[0]) == f"{address[0]}/a.png"
    if address[0].startswith("file"):
        assert found == [str(path) for path in expand_sources([tmp_path], recursive=recursive)]
    one = open_place(f"{address[0]}/notes.txt{address[1]}")
    assert stored_images(one) == [f"{place.path}/notes.txt"]  # named outright
    with pytest.raises(ImageError, match=r"/gone\.png: not found; expected an image file"):
        read_stored(place, f"{place.path}/gone.png")
    with pytest.raises(InputError, match="not found; expected a file or folder"):
        stored_images(open_place(f"{address[0]}/nowhere{address[1]}"))


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("s3://bucket/shots?nonsense=1", "s3://bucket/shots: expected an address such as"),
        (
            "nonsense://name:secret@host/folder",
            "nonsense://host/folder: expected an address such as s3://bucket/folder",
        ),
    ],
)
def test_a_wrong_address_is_told_without_its_password(address: str, shown: str) -> None:
    with pytest.raises(InputError) as caught:
        open_place(address)
    assert str(caught.value).startswith(shown)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("form", list(ResultsFormat))
def test_results_are_files_of_so_many_rows(
    address: tuple[str, str], form: ResultsFormat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgecnn_runtime.jobs.results_folder._ROWS_PER_FILE", 2)
    output = f"{address[0]}/results{address[1]}"
    place = open_place(f"{address[0]}/{address[1]}")
    place.system.create_dir(place.path)
    with new_results(output, form, top_k=2) as results:
        for item in (GOOD, BAD, GOOD):
            results.add(item)
    table = _read(output, form)
    assert table.column_names == ["image", "label", "probability", "error", "label_2", "probability_2"]
    good = {"image": "a.png", "label": "whole", "probability": 0.75, "label_2": "crack", "probability_2": 0.25}
    bad = {"image": r"b\xff.png", "error": "not found"}
    none: object = None if form is ResultsFormat.PARQUET else ""
    rows = [{name: value for name, value in row.items() if value not in (None, none)} for row in table.to_pylist()]
    assert rows == [good, bad, good]
    with pytest.raises(InputError, match="expected a new or empty folder for the results"), new_results(output, form):
        pass


def test_an_error_leaves_nothing(address: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgecnn_runtime.jobs.results_folder._ROWS_PER_FILE", 1)
    place = open_place("".join(address))
    place.system.create_dir(place.path)

    def fails() -> None:
        with new_results(f"{address[0]}/results{address[1]}", ResultsFormat.CSV) as results:
            results.add(GOOD)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fails()
    from pyarrow.fs import FileSelector

    assert place.system.get_file_info(FileSelector(place.path, recursive=True)) == []


def test_no_images_are_a_file_that_names_the_columns(tmp_path: Path) -> None:
    with new_results(str(tmp_path / "new" / "results"), ResultsFormat.PARQUET):
        pass
    table = _read((tmp_path / "new" / "results").as_uri(), ResultsFormat.PARQUET)
    assert (table.num_rows, table.column_names) == (0, ["image", "label", "probability", "error"])


def _read(address: str, form: ResultsFormat) -> "pa.Table":
    from pyarrow import concat_tables, csv, parquet
    from pyarrow.fs import FileSelector

    place = open_place(address)
    paths = sorted(file.path for file in place.system.get_file_info(FileSelector(place.path)))
    if not address.startswith("file"):
        assert paths.pop(0).endswith("/_SUCCESS")
    tables = []
    for number, path in enumerate(paths):
        assert path.endswith(f"/part-{number:05}.{form}")
        with place.system.open_input_file(path) as file:
            tables.append(parquet.read_table(file) if form is ResultsFormat.PARQUET else csv.read_csv(file))
    return concat_tables(tables, promote_options="permissive")
