"""`edgecnn bench compare` and `edgecnn bench recommend`, as a user or a build server calls them."""

import json
from pathlib import Path

import pytest
from conftest import edgecnn, edgecnn_here
from made_bench import made_result

from edgecnn_benchmarks.measuring.result import BenchResult
from edgecnn_benchmarks.measuring.result_file import read_result
from edgecnn_runtime.errors import InputError
from edgecnn_runtime.workstation.run_folder import RunFolder


def written(folder: Path, result: BenchResult) -> Path:
    folder.mkdir(parents=True)
    (folder / "bench.json").write_text(json.dumps(result.to_document()))
    return folder


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs `before`, `same` and `slower`, each with its benchmark."""
    folder = tmp_path_factory.mktemp("measured")
    for name, seed, slower in (("before", 0, 1.0), ("same", 1, 1.0), ("slower", 2, 1.3)):
        written(folder / name / "bench", made_result(folder / name / "bench", seed=seed, slower=slower))
    return folder


def test_compare_prints_tables_and_passes_what_did_not_change(measured: Path) -> None:
    limits = ("--fail-if-slower", "10%", "--fail-if-less-accurate", "0.5")
    printed = edgecnn_here("bench", "compare", measured / "before", measured / "same" / "bench" / "bench.json", *limits)
    assert all(len(line) <= 110 for line in printed.splitlines() if not line.startswith(("A: ", "B: ")))
    assert printed.count("no difference shown") == 8
    assert printed.rstrip().endswith("Within the limits.")


def test_compare_exits_with_1_where_a_limit_is_passed(measured: Path) -> None:
    failed = edgecnn_here(
        "bench", "compare", measured / "before", measured / "slower", "--fail-if-slower", "10%", code=1
    )
    assert "worse than allowed" in failed
    assert failed.count("10 % allowed") == 8
    edgecnn_here("bench", "compare", measured / "before", measured / "slower", "--fail-if-slower", "50%")
    edgecnn_here("bench", "compare", measured / "before", measured / "slower")


def test_compare_prints_one_document(measured: Path) -> None:
    document = json.loads(edgecnn("bench", "compare", measured / "before", measured / "slower", "--json"))
    assert [file["finding"] for file in document["files"]] == ["slower"] * 8
    assert document["files"][0]["latency_ratio"]["low"] > 1.2
    assert document["files"][0]["accuracy"]["mcnemar_p"] == 1
    assert document["failed"] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("absent.json",), "absent.json: not found; expected a bench.json, or a run folder that was measured"),
        (("empty",), "empty: expected a folder with bench/bench.json"),
        (("before", "--fail-if-slower", "10"), "--fail-if-slower: expected a number above 0 with its unit"),
        (("before", "--fail-if-less-accurate", "101"), "--fail-if-less-accurate: expected points between 0 and 100"),
        (("text.json",), "text.json: expected a bench.json, got another file"),
        (("old.json",), "expected a bench.json of version 4, got version 1"),
        (("few", "--fail-if-slower", "10%"), "--fail-if-slower: expected at least 5 rounds"),
    ],
)
def test_compare_refuses_what_it_cannot_use(measured: Path, arguments: tuple[str, ...], message: str) -> None:
    (measured / "empty").mkdir(exist_ok=True)
    (measured / "text.json").write_text("no JSON")
    (measured / "old.json").write_text('{"schema_version": 1}')
    if not (measured / "few").exists():
        written(measured / "few", made_result(measured, rounds=2))
    second, *options = arguments
    first = "few" if second == "few" else "before"
    assert message in edgecnn_here("bench", "compare", measured / first, measured / second, *options, code=2)


def test_recommend_names_file_runner_up_and_reasons(measured: Path) -> None:
    printed = edgecnn_here("bench", "recommend", measured / "before", "--max-latency", "1ms", "--max-size", "5MB")
    assert printed.startswith(
        "Ship mnist_int8.tflite with LiteRT, the fastest file within the limits: 291 µs per image (95 %: "
    )
    assert "Runner-up: mnist_dynamic.tflite" in printed
    assert "9.29 ms, 1.00 ms allowed" in printed
    assert all(len(line) <= 110 for line in printed.splitlines())


def test_recommend_exits_with_1_and_names_the_nearest(measured: Path) -> None:
    failed = edgecnn_here("bench", "recommend", measured / "before", "--max-latency", "100us", code=1)
    assert "No file is within the limits; the nearest is mnist_int8.tflite: 291 µs, 100 µs allowed." in failed
    document = json.loads(
        edgecnn("bench", "recommend", measured / "before", "--max-size", "1MB", "--json", code=1).partition("error:")[0]
    )
    assert (document["ship"], document["nearest"]) == (None, "mnist_int8.tflite")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--max-drop", "-1"), "--max-drop: expected points between 0 and 100"),
        (("--max-latency", "5"), "--max-latency: expected a number above 0 with its unit"),
        (("--max-size", "1 pound"), "--max-size: expected a number above 0 with its unit"),
        (("--target", "toaster"), "target: "),
        (("--target", "pi4"), "--target: expected a run folder with its model files"),
    ],
)
def test_recommend_refuses_what_it_cannot_use(measured: Path, arguments: tuple[str, ...], message: str) -> None:
    assert message in edgecnn_here("bench", "recommend", measured / "before", *arguments, code=2)


def test_target_rules_out_what_it_cannot_run(tiny_run: RunFolder, tiny_result: BenchResult) -> None:
    assert tiny_result.folder == tiny_run.bench
    printed = edgecnn_here("bench", "recommend", tiny_run.path, "--target", "pi4", "--max-drop", "100")
    assert "Ship tiny_" in printed
    assert "Speeds are those of " in printed
    bench_json = tiny_run.bench / "bench.json"
    failed = edgecnn_here("bench", "recommend", bench_json, "--target", "pico", "--max-drop", "100", code=1)
    assert "it takes TFLite files" in failed
    printed = edgecnn_here("bench", "recommend", bench_json, "--target", "pi4", "--max-drop", "100")
    assert f"'edgecnn bench {tiny_run.path} --host" in " ".join(printed.split())


def test_damaged_documents_are_refused_without_a_traceback(tmp_path: Path) -> None:
    """Every field, left out or of another type, is an error that names the file."""
    document = made_result(tmp_path, rounds=2).to_document()
    document["rows"] = document["rows"][:1]
    refused = []
    for path, value in _places(document):
        for other in ("nonsense", -1, None, [], {}):
            if other == value or (isinstance(value, type(other)) and isinstance(value, str)):
                continue
            changed = json.loads(json.dumps(document))
            place = changed
            for step in path[:-1]:
                place = place[step]
            place[path[-1]] = other
            file = tmp_path / "bench.json"
            file.write_text(json.dumps(changed))
            try:
                read_result(file)
            except InputError as error:
                refused.append(str(error))
    assert len(refused) > 100
    assert all(message.startswith(str(tmp_path / "bench.json")) for message in refused)


def _places(document: dict[str, object]) -> list[tuple[list[str | int], object]]:
    """List the fields of the document, its machine, and its first row with what that holds."""
    row = document["rows"][0]  # type: ignore[index]
    places: list[tuple[list[str | int], object]] = [([name], value) for name, value in document.items()]
    places += [(["rows", 0, name], value) for name, value in row.items()]
    places += [(["rows", 0, "rounds", 0, name], value) for name, value in row["rounds"][0].items()]
    places += [(["machine", name], value) for name, value in document["machine"].items()]  # type: ignore[attr-defined]
    return places
