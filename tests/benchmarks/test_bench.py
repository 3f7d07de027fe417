import csv
import io
import json
import os
from pathlib import Path

import pytest
from PIL import Image
from tiny_models import GREY_8, tiny_onnx

from edgecnn_benchmarks.bench import bench
from edgecnn_benchmarks.measuring.cold_start import ColdStarts
from edgecnn_benchmarks.measuring.memory import Memories
from edgecnn_benchmarks.measuring.result import SCHEMA_VERSION, BenchResult
from edgecnn_benchmarks.measuring.result_file import read_result
from edgecnn_benchmarks.report.terminal import terminal_table
from edgecnn_benchmarks.settings import BenchSettings
from edgecnn_runtime.errors import DataError, GateError, InputError
from edgecnn_runtime.manifest import Colour, InputSpec
from edgecnn_runtime.workstation.run_folder import RunFolder

QUICK = BenchSettings(runs=3, warmup=1, rounds=1, starts=1)


@pytest.fixture
def latency_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out cold starts and memory, three of the five processes of a row, where they say nothing new."""
    for stage in (ColdStarts, Memories):
        monkeypatch.setattr(stage, "measure", lambda self, report: None)


def test_every_file_of_a_run_is_measured(tiny_result: BenchResult, tiny_run: RunFolder) -> None:
    assert {row.name for row in tiny_result.rows} == {
        f"tiny_{scheme}.onnx" for scheme in ("float32", "float16", "int8")
    }
    assert tiny_result.failures == ()
    for row in tiny_result.rows:
        assert row.accuracy is not None
        assert (row.accuracy.correct, row.accuracy.total) == (90, 100)  # as the fixture labels them
        assert row.agreement == 1.0
        assert row.size_bytes == (tiny_run.export / row.name).stat().st_size
        assert len(row.rounds) == 2
        assert all(measured.runs >= 3 for measured in row.rounds)
        assert row.latency_us.p50.low <= row.latency_us.p50.value <= row.latency_us.p99.high
        assert row.cold_start_s is not None
        assert row.cold_start_s.low > 0
        assert row.peak_memory_bytes is not None
    assert tiny_result.reference == "tiny_float32.onnx"
    assert tiny_result.row("tiny_float32.onnx").speedup is None
    assert tiny_result.keras_accuracy is not None
    assert tiny_result.keras_accuracy.value == 0.9
    # Forty layers more are slower on every machine.
    assert tiny_result.rows[-1].name == "tiny_float32.onnx"
    assert tiny_result.verdict.startswith(f"Ship {tiny_result.recommended} with ONNX Runtime: ")


def test_written_files_agree(tiny_result: BenchResult, tiny_run: RunFolder) -> None:
    document = json.loads((tiny_run.bench / "bench.json").read_text())
    assert document["schema_version"] == SCHEMA_VERSION
    assert document == json.loads(json.dumps(tiny_result.to_document()))
    rows = list(csv.DictReader(io.StringIO((tiny_run.bench / "bench.csv").read_text())))
    for line, row in zip(rows, document["rows"], strict=True):
        assert line["name"] == row["name"]
        assert float(line["latency_p50_us_high"]) == row["latency_us"]["p50"]["high"]
        assert float(line["accuracy_low"]) == row["accuracy"]["low"]
        assert line["speedup"] == ("" if row["speedup"] is None else str(row["speedup"]["value"]))
    assert sorted(path.name for path in tiny_run.bench.iterdir()) == ["bench.csv", "bench.json", "report.html"]


def test_terminal_table_fits(tiny_result: BenchResult) -> None:
    heads, rows = terminal_table(tiny_result)
    widths = [max(len(row[column]) for row in [heads, *rows]) for column in range(len(heads))]
    assert sum(widths) + 2 * (len(widths) - 1) <= 110


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    """A labelled folder: three dark pictures, one bright one."""
    for number in range(4):
        folder = tmp_path / "shots" / ("bright" if number == 3 else "dark")
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("L", (20, 20), 250 if number == 3 else 10).save(folder / f"{number}.png")
    return tmp_path / "shots"


def test_model_files_with_a_labelled_folder(shots: Path, tmp_path: Path) -> None:
    models = [
        tiny_onnx(tmp_path / "small.onnx"),
        tiny_onnx(tmp_path / "colour.onnx", spec=InputSpec(16, 12, Colour.RGB)),
    ]
    result = bench(models, data=shots, output=tmp_path / "out", settings=QUICK)
    assert [row.accuracy and row.accuracy.correct for row in result.rows] == [4, 4]
    assert [row.agreement for row in result.rows] == [None, None]
    assert result.data is not None
    assert (result.data.name, result.data.images, result.data.fingerprint) == ("shots", 4, None)


@pytest.mark.usefixtures("latency_alone")
def test_model_files_without_labelled_images(tmp_path: Path) -> None:
    result = bench([tiny_onnx(tmp_path / "a.onnx")], output=tmp_path / "out", settings=QUICK)
    assert result.rows[0].accuracy is None
    assert result.data is None
    assert any("--data" in note for note in result.notes)


@pytest.mark.usefixtures("latency_alone")
def test_misfit_is_measured_without_accuracy(tiny_run: RunFolder, tmp_path: Path) -> None:
    fits = tiny_run.export / "tiny_int8.onnx"
    other = tiny_onnx(tmp_path / "other.onnx", labels=("bright", "dark"))
    data = Path(tiny_run.read_record().data_folder)
    result = bench([fits, other], data=data, output=tmp_path / "out", settings=QUICK)
    assert {row.name for row in result.rows if row.accuracy is None} == {"other.onnx"}
    (failure,) = result.failures
    assert (failure.name, failure.stage) == ("other.onnx", "accuracy")
    assert "labels: expected ('dark', 'bright'), as in the set noise, got ('bright', 'dark')" in failure.reason
    assert result.recommended == "tiny_int8.onnx"
    with pytest.raises(DataError, match=r"labels: expected .*, as in the set noise"):
        bench([other], data=data, output=tmp_path / "out", settings=QUICK)


# Stand-ins for LiteRT that a worker finds first on its path.
_HOSTILE = {
    "crash": "import os\nclass Interpreter:\n    def __init__(self, **options): os.abort()\n",
    "hang": "import time\nclass Interpreter:\n    def __init__(self, **options): time.sleep(600)\n",
    "missing": "raise ImportError\n",
}
_REASONS = {
    "crash": "the process crashed with SIGABRT",
    "hang": "no answer within 5 s",
    "missing": 'pip install "edgecnn[litert]"',
}


@pytest.mark.usefixtures("latency_alone")
@pytest.mark.parametrize("behaviour", _HOSTILE)
def test_model_that_fails_is_a_reason_and_the_others_are_measured(
    behaviour: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "path" / "ai_edge_litert"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "interpreter.py").write_text(_HOSTILE[behaviour])
    monkeypatch.setenv("PYTHONPATH", str(package.parent), prepend=os.pathsep)
    good, bad = tiny_onnx(tmp_path / "good.onnx"), tmp_path / "bad.tflite"
    bad.write_bytes(b"TFL3")
    settings = BenchSettings(runs=3, warmup=1, rounds=1, starts=1, timeout=5)
    result = bench([bad, good], output=tmp_path / "out", settings=settings)
    assert [row.name for row in result.rows] == ["good.onnx"]
    (failure,) = result.failures
    assert (failure.name, failure.stage) == ("bad.tflite", "open")
    assert _REASONS[behaviour] in failure.reason
    assert failure.reason in json.loads((tmp_path / "out" / "bench.json").read_text())["failures"][0]["reason"]


def test_nothing_that_runs_is_an_error(tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a model")
    with pytest.raises(GateError, match=r"broken\.onnx: expected .*ONNX file"):
        bench([broken], output=tmp_path / "out", settings=QUICK)
    assert list((tmp_path / "out").iterdir()) == []


def test_output_that_cannot_be_written_is_found_first(tmp_path: Path) -> None:
    model = tiny_onnx(tmp_path / "a.onnx")
    with pytest.raises(InputError, match="expected a folder that can be written"):
        bench([model], output=model, settings=QUICK, progress=lambda percent, text: pytest.fail("began to measure"))


@pytest.mark.usefixtures("latency_alone")
def test_reference_by_name_and_an_unknown_one(tmp_path: Path) -> None:
    models = [tiny_onnx(tmp_path / name, spec=GREY_8) for name in ("a.onnx", "b.onnx")]
    result = bench(
        models,
        output=tmp_path / "out",
        settings=BenchSettings(runs=1, warmup=0, rounds=1, starts=1, reference="b.onnx"),
    )
    assert result.reference == "b.onnx"
    with pytest.raises(InputError, match=r"expected one of a\.onnx, b\.onnx or a scheme among theirs, got 'int4'"):
        bench(models, output=tmp_path / "out", settings=BenchSettings(reference="int4"))


@pytest.mark.usefixtures("latency_alone")
def test_time_limit_leaves_three_rounds(tmp_path: Path) -> None:
    settings = BenchSettings(runs=1, warmup=0, rounds=50, starts=1, max_secs=0.01)
    result = bench([tiny_onnx(tmp_path / "a.onnx")], output=tmp_path / "out", settings=settings)
    assert len(result.rows[0].rounds) == 3
    assert any("Only 3 of 50 rounds" in note for note in result.notes)


@pytest.mark.parametrize(
    "wrong",
    [
        {"threads": (0,)},
        {"batch": (1, 1)},
        {"precision": 0},
        {"runs": 0},
        {"warmup": -1},
        {"rounds": 0},
        {"starts": 0},
        {"max_secs": 0},
    ],
)
def test_settings_out_of_range(wrong: dict[str, int]) -> None:
    with pytest.raises(InputError, match=r"expected .*, got"):
        BenchSettings(**wrong)


@pytest.mark.parametrize("stage", ["round 2", "cold start", "memory"])
def test_interrupt_writes_what_has_been_measured(stage: str, tmp_path: Path) -> None:
    def interrupt(percent: int, text: str) -> None:
        del percent
        if text.startswith(stage) and text.endswith("b.onnx"):
            raise KeyboardInterrupt

    models = [tiny_onnx(tmp_path / name) for name in ("a.onnx", "b.onnx")]
    settings = BenchSettings(runs=3, warmup=1, rounds=2, starts=1)
    result = bench(models, output=tmp_path / "out", settings=settings, progress=interrupt)
    assert {row.name for row in result.rows} == {"a.onnx", "b.onnx"}
    assert {len(row.rounds) for row in result.rows} == {1 if stage == "round 2" else 2}
    assert result.partial is not None
    assert result.partial.startswith("Interrupted before the end of: ")
    assert ("latency" in result.partial) == (stage == "round 2")
    assert "memory" in result.partial
    read = read_result(tmp_path / "out" / "bench.json")
    assert read.partial == result.partial
    assert (tmp_path / "out" / "report.html").exists()


def test_interrupt_before_the_first_round_leaves_nothing(tmp_path: Path) -> None:
    def interrupt(percent: int, text: str) -> None:
        del percent
        if text.startswith("round 1"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bench([tiny_onnx(tmp_path / "a.onnx")], output=tmp_path / "out", settings=QUICK, progress=interrupt)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.usefixtures("latency_alone")
def test_one_file_under_two_names_is_no_difference(tmp_path: Path) -> None:
    first = tiny_onnx(tmp_path / "a.onnx")
    second = tmp_path / "b.onnx"
    second.write_bytes(first.read_bytes())
    result = bench(
        [first, second], output=tmp_path / "out", settings=BenchSettings(runs=20, warmup=1, rounds=4, starts=1)
    )
    # Four rounds of a tiny model may differ by chance; what is said must follow from what was measured.
    told_apart = next(row.told_apart for row in result.rows if row.told_apart is not None)
    assert len(result.undecided) == (0 if told_apart else 1)
    for pair in result.undecided:
        assert "cannot be told apart by speed" in pair.sentence
        assert {pair.first, pair.second} == {"a.onnx", "b.onnx"}
