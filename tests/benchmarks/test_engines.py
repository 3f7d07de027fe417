"""Each file in each engine that is installed and opens it: names, rows, what is recommended, what is sent elsewhere."""

import json
from dataclasses import replace
from pathlib import Path

import needs
import pytest
from made_bench import made_result
from tiny_bench import QUICK
from tiny_models import tiny_onnx

from edgecnn_benchmarks.bench import bench
from edgecnn_benchmarks.judging.recommendation import ShipLimits, recommend_within
from edgecnn_benchmarks.judging.verdict import recommend, verdict
from edgecnn_benchmarks.machine.probes import probe_engines
from edgecnn_benchmarks.measuring.candidates import name_candidates, read_subject
from edgecnn_benchmarks.measuring.result import BenchResult
from edgecnn_benchmarks.measuring.result_file import read_result
from edgecnn_benchmarks.remote.bundle import pack
from edgecnn_benchmarks.report.page import render
from edgecnn_benchmarks.settings import BenchSettings
from edgecnn_benchmarks.statistics.intervals import Estimate
from edgecnn_runtime import InputError
from edgecnn_runtime.backends import Provider
from edgecnn_runtime.backends.engines import ENGINES, Engine
from edgecnn_runtime.third_party_models.opening import Opening
from edgecnn_runtime.workstation.run_folder import RunFolder

# numpy stands for the package of an engine that runs both formats; the processes that measure do not know it.
SECOND = replace(
    ENGINES["onnxruntime"],
    name="second",
    title="Second engine",
    formats=("tflite", "onnx"),
    packages={"numpy": "numpy"},
    providers={Provider.CPU: "second"},
)
OPENVINO = ENGINES["openvino"]
ANY = replace(QUICK, opening=Opening(third_party_only=True))


@pytest.fixture
def second(one_engine_per_format: None, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """One more engine."""
    monkeypatch.setitem(ENGINES, "second", SECOND)
    return SECOND


@pytest.fixture
def openvino(one_engine_per_format: None, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """OpenVINO, where it is installed."""
    needs.package("openvino", "edgecnn[openvino]")
    monkeypatch.setitem(ENGINES, "openvino", OPENVINO)
    return OPENVINO


def test_a_file_is_a_candidate_of_each_engine_that_is_installed(second: Engine) -> None:
    found = name_candidates([Path("r/m_int8.tflite"), Path("r/m_int8.onnx")])
    assert [(own.file, own.engine, own.is_additional) for own in found] == [
        ("m_int8.tflite", "litert", False),
        ("m_int8.tflite", "second", True),
        ("m_int8.onnx", "onnxruntime", False),
        ("m_int8.onnx", "second", True),
    ]
    assert [own.name for own in found] == [
        "m_int8.tflite",
        "m_int8.tflite second",
        "m_int8.onnx",
        "m_int8.onnx second",
    ]
    assert [own.label for own in found] == ["int8.tflite", "int8.tflite second", "int8.onnx", "int8.onnx second"]
    twice = name_candidates([Path("/x/m.onnx"), Path("/x/m.onnx")])
    assert [own.name for own in twice] == ["x/m.onnx", "x/m.onnx second", "x/m.onnx #2", "x/m.onnx #2 second"]


def test_an_engine_that_does_not_take_an_option_is_left_out(second: Engine) -> None:
    cuda = Opening(provider=Provider.CUDA)
    assert [own.engine for own in name_candidates([Path("m.onnx")], cuda)] == ["onnxruntime"]
    # Where none takes it, opening the file says so.
    assert [own.engine for own in name_candidates([Path("m.tflite")], cuda)] == [None]


def test_where_only_another_engine_is_installed_it_measures(second: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    absent = replace(ENGINES["onnxruntime"], packages={"absent": "absent"})
    monkeypatch.setitem(ENGINES, "onnxruntime", absent)
    (own,) = name_candidates([Path("m.onnx")])
    assert (own.name, own.engine, own.is_additional) == ("m.onnx second", "second", False)


def test_the_engine_that_is_asked_for_measures_alone(second: Engine, tiny_run: RunFolder, tmp_path: Path) -> None:
    asked = Opening(engine="second")
    subject = read_subject([tiny_run.path], data=None, opening=asked)
    assert [own.engine for own in subject.candidates] == ["second"] * 3
    assert not any(own.is_additional for own in subject.candidates)
    model = tiny_onnx(tmp_path / "m.onnx")
    for target in (tiny_run.path, model):
        with pytest.raises(InputError, match=r"--engine litert: expected an engine that runs .*\.onnx; take onnxrunti"):
            read_subject([target], data=None, opening=Opening(engine="litert"))
        with pytest.raises(InputError, match="did you mean second"):
            read_subject([target], data=None, opening=Opening(engine="secnd"))


def test_what_an_additional_engine_does_not_open_is_named_and_is_no_failure(second: Engine, tmp_path: Path) -> None:
    result = bench([tiny_onnx(tmp_path / "a.onnx")], output=tmp_path / "out", settings=ANY)
    assert [row.name for row in result.rows] == ["a.onnx"]
    assert result.failures == ()
    (note,) = (note for note in result.notes if note.startswith("a.onnx second: not measured, since the engine does"))
    assert "--engine: expected one of" in note
    assert note in json.loads((tmp_path / "out" / "bench.json").read_text())["notes"]


def test_the_engine_of_a_benchmark_elsewhere_comes_from_its_extra(second: Engine, tmp_path: Path) -> None:
    model = tiny_onnx(tmp_path / "a.onnx")

    def extras(opening: Opening) -> dict[str, tuple[str, ...]]:
        bundle = pack([model], data=None, settings=BenchSettings(opening=opening), scratch=tmp_path)
        assert [Path(name).name for name in bundle.files] == ["a.onnx"]
        return bundle.extras

    assert extras(Opening()) == {"onnx": ("onnxruntime",), "second": ("numpy",)}
    assert extras(Opening(engine="second")) == {"second": ("numpy",)}
    assert extras(Opening(engine="onnxruntime")) == {"onnx": ("onnxruntime",)}


@pytest.mark.parametrize("asked", [None, "openvino"])
def test_openvino_measures_beside_onnx_runtime_or_alone(openvino: Engine, tmp_path: Path, asked: str | None) -> None:
    settings = replace(ANY, opening=Opening(third_party_only=True, engine=asked))
    model = tiny_onnx(tmp_path / "a.onnx")
    result = bench([model], output=tmp_path / "out", settings=settings)
    assert result.failures == ()
    rows = {row.name: row for row in result.rows}
    assert set(rows) == ({"a.onnx", "a.onnx openvino"} if asked is None else {"a.onnx openvino"})
    row = rows["a.onnx openvino"]
    assert (row.file, row.candidate, row.backend, row.provider) == ("a.onnx", "a.onnx openvino", "openvino", "CPU")
    assert row.cold_start_s is not None
    assert row.peak_memory_bytes is not None
    assert result.reference == ("a.onnx" if asked is None else "a.onnx openvino")
    assert read_result(tmp_path / "out" / "bench.json").rows == result.rows


def test_doctor_tries_openvino(openvino: Engine) -> None:
    (probe,) = (probe for probe in probe_engines() if probe.name == "openvino")
    assert (probe.suffixes, probe.packages, probe.error) == ((".tflite", ".onnx"), ("openvino",), None)
    assert "CPU" in probe.providers


def both(result: BenchResult) -> BenchResult:
    """The int8 TFLite file in OpenVINO, too, where it takes two thirds of the time, and the reference."""
    row, reference = result.row("mnist_int8.tflite"), result.row(result.reference)
    p50 = row.latency_us.p50
    quicker = replace(
        row,
        name=f"{row.name} openvino",
        label=f"{row.label} openvino",
        candidate=f"{row.candidate} openvino",
        backend="openvino",
        latency_us=replace(row.latency_us, p50=Estimate(p50.value / 1.5, p50.low / 1.5, p50.high / 1.5)),
        rounds=tuple(replace(turn, p50_us=turn.p50_us / 1.5) for turn in row.rounds),
    )
    answers = next(own for own in result.answers if own.candidate == row.candidate)
    rows = (quicker, row, reference)
    return replace(
        result,
        rows=rows,
        answers=(*result.answers, replace(answers, candidate=quicker.candidate)),
        recommended=recommend(rows).name,
        verdict=verdict(rows, recommend(rows), reference),
    )


def test_what_is_recommended_names_file_and_engine(
    one_engine_per_format: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(ENGINES, "openvino", OPENVINO)
    result = both(made_result(tmp_path))
    assert result.verdict.startswith("Ship mnist_int8.tflite with OpenVINO (--engine openvino): ")
    found = recommend_within(result, ShipLimits())
    assert (found.ship, found.file, found.engine) == ("mnist_int8.tflite openvino", "mnist_int8.tflite", "openvino")
    assert found.sentence.startswith(
        "Ship mnist_int8.tflite with OpenVINO (--engine openvino), the fastest file within"
    )
    assert found.runner_up == "mnist_int8.tflite"
    unfit = recommend_within(result, ShipLimits(unfit={"mnist_int8.tflite": "it has no such operator"}))
    assert unfit.file == "mnist_float32.tflite"
    page = render(result)
    assert "mnist_int8.tflite with OpenVINO (--engine openvino)" in page
    assert "TFLite, OpenVINO, LiteRT" in page


def test_a_benchmark_of_before_is_read_as_one_engine_per_file(tmp_path: Path) -> None:
    result = made_result(tmp_path)
    document = json.loads(json.dumps(result.to_document())) | {"schema_version": 3}
    for row in document["rows"]:
        del row["candidate"]
    for own in document["answers"]:
        own["file"] = own.pop("candidate")
    del document["settings"]["opening"]["engine"]
    (tmp_path / "bench.json").write_text(json.dumps(document))
    again = read_result(tmp_path / "bench.json")
    assert (again.rows, again.answers) == (result.rows, result.answers)
