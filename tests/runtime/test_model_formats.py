"""Every model format and every engine, and one more of each: a row and a file are all that it takes to add one."""

import contextlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import typer
from made_bench import made_result

from edgecnn.commands.doctor import doctor
from edgecnn_benchmarks.comparing.comparison import compare
from edgecnn_benchmarks.comparing.table import latency_table
from edgecnn_benchmarks.judging.pitfalls import find_pitfalls
from edgecnn_benchmarks.machine import probes
from edgecnn_benchmarks.machine.extras import extras_of, installed_extras
from edgecnn_benchmarks.measuring.candidates import read_subject
from edgecnn_benchmarks.remote.bundle import pack
from edgecnn_benchmarks.report.page import render
from edgecnn_benchmarks.settings import BenchSettings
from edgecnn_runtime import Classifier, InputError, MissingExtraError, ModelError
from edgecnn_runtime.backends import Backend, Provider, fake, open_backend
from edgecnn_runtime.backends.engines import ENGINES, Engine, SlowScheme, engines_of, find_engine
from edgecnn_runtime.backends.interface import BackendOptions
from edgecnn_runtime.manifest import Colour, InputSpec, Manifest, Scheme
from edgecnn_runtime.model_files.graph_facts import GraphFacts
from edgecnn_runtime.model_files.whole import sealed
from edgecnn_runtime.model_formats import MODEL_FORMATS, ModelFormat, format_of, is_model_file, model_parts
from edgecnn_runtime.third_party_models.opening import Opening

MANIFEST = Manifest("grey", ("dark", "bright"), InputSpec(4, 4, Colour.GREY), Scheme.FLOAT32)


class FakeReader:
    """A format whose file is a manifest and nothing else, with a text file beside it."""

    def read_manifest(self, content: bytes, /) -> tuple[bytes | None, int]:
        return content, 0

    def read_facts(self, content: bytes, /) -> GraphFacts:
        return GraphFacts()

    def companion_files(self, path: Path, /) -> tuple[Path, ...]:
        return tuple(beside for beside in (path.with_suffix(".txt"),) if beside.exists())


FORMAT = ModelFormat("fake", ".fake", "Fake format", FakeReader, channels_first=False, glyph="▲")
# numpy stands for the package of the engine: it is installed wherever the tests run.
ENGINE = Engine(
    "fake",
    "Fake engine",
    formats=("fake",),
    file=lambda: fake,
    packages={"numpy": "numpy", "numpy-gpu": "numpy", "other-numpy": "other_numpy"},
    providers={Provider.CPU: "fake", Provider.CUDA: "fake-gpu"},
    cpu_providers=("FakeCPU",),
    slow_schemes=(SlowScheme("fake-is-slow", "int8", "FakeCPU", "{files}: slowest {slowest} with {time}."),),
)


class AbsentEngine:
    """The file of an engine that is not installed."""

    __name__ = "absent_engine"

    def open_model(self, path: Path, options: BackendOptions, /) -> Backend:
        raise ENGINES["absent"].missing(options.provider)

    def probe(self) -> list[str]:
        raise ImportError


ABSENT = replace(ENGINE, name="absent", title="Absent", packages={"absent": "absent"}, file=AbsentEngine)


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> None:
    """The registries with one row more."""
    monkeypatch.setitem(MODEL_FORMATS, FORMAT.name, FORMAT)
    monkeypatch.setitem(ENGINES, ENGINE.name, ENGINE)


@pytest.fixture
def model(added: None, tmp_path: Path) -> Path:
    """A file of the fake format."""
    path = tmp_path / "grey.fake"
    path.write_text(sealed(MANIFEST, 0))
    return path


@pytest.mark.parametrize("name", [*MODEL_FORMATS, "fake"])
def test_every_format(added: None, name: str, tmp_path: Path) -> None:
    row = MODEL_FORMATS[name]
    path = tmp_path / f"m{row.suffix.upper()}"
    assert (row.name, format_of(path)) == (name, row)
    assert [other.name for other in MODEL_FORMATS.values() if other.suffix == row.suffix] == [name]
    assert [other.name for other in MODEL_FORMATS.values() if other.glyph == row.glyph] == [name]
    assert engines_of(name)
    assert not is_model_file(path)
    path.write_bytes(b"no model at all")
    assert is_model_file(path)
    assert model_parts(path) == (path,)
    assert row.reader().read_facts(path.read_bytes()) == GraphFacts()


@pytest.mark.parametrize("name", MODEL_FORMATS)
def test_a_format_of_today_finds_no_manifest_in_what_is_no_model(name: str) -> None:
    assert MODEL_FORMATS[name].reader().read_manifest(b"no model at all")[0] is None


@pytest.mark.parametrize("name", [*ENGINES, "fake"])
def test_every_engine(added: None, name: str) -> None:
    row = ENGINES[name]
    assert (row.name, find_engine(name)) == (name, row)
    assert set(row.formats) <= set(MODEL_FORMATS)
    assert all(find_engine(package) is row for package in row.packages)
    assert Provider.CPU in row.providers
    assert callable(row.file().open_model)
    assert callable(row.file().probe)
    assert all(known.provider in row.cpu_providers for known in row.slow_schemes)
    for known in row.slow_schemes:
        assert "a.b" in known.sentence.format(files="a.b", slowest="a.b", time="1 ms")


@pytest.mark.parametrize("name", ENGINES)
def test_the_extras_of_an_engine_bring_its_packages(name: str) -> None:
    extras = {extra.name: extra for extra in installed_extras()}
    for provider, extra in ENGINES[name].providers.items():
        assert {needed.package for needed in extras[extra].requirements} <= set(ENGINES[name].packages)
        assert f'pip install "edgecnn[{extra}]"' in str(ENGINES[name].missing(provider))


def test_no_engine_is_imported_before_it_opens_a_model() -> None:
    program = (
        "import json, sys\n"
        "from edgecnn_runtime.backends.engines import ENGINES\n"
        "for engine in ENGINES.values(): engine.file()\n"
        "print(json.dumps([m for e in ENGINES.values() for m in e.packages.values() if m in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


def test_a_file_of_an_added_format_is_opened_by_the_added_engine(model: Path) -> None:
    classifier = Classifier.open(model)
    assert (classifier.backend.name, classifier.backend.provider) == ("fake", "FakeCPU")
    assert classifier.predict(np.full((9, 9), 255, np.uint8)).label == "bright"
    model.with_suffix(".txt").write_text("weights")
    assert model_parts(model) == (model, model.with_suffix(".txt"))
    damaged = model.read_text().replace("bright", "blight")
    model.write_text(damaged)
    with pytest.raises(ModelError, match="damaged or changed since"):
        Classifier.open(model)


def test_an_option_that_the_engine_does_not_take_is_refused(model: Path) -> None:
    assert Classifier.open(model, provider="cuda").labels == ("dark", "bright")
    with pytest.raises(InputError, match=r"--provider tensorrt: expected a model file \(\.onnx\), .*fake; Fake engine"):
        Classifier.open(model, provider="tensorrt")
    with pytest.raises(InputError, match=r"--delegate: expected a model file \(\.tflite\), .*Fake engine takes a --p"):
        Classifier.open(model, delegates=["x.so"])


def test_another_suffix_is_answered_with_all_formats(added: None, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"m\.h5: expected a model file \(\.tflite or \.onnx or \.fake\), got \.h5"):
        open_backend(tmp_path / "m.h5")


def test_of_several_engines_the_first_that_is_installed_opens_a_file(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(ENGINES, "fake")
    monkeypatch.setitem(ENGINES, "absent", ABSENT)
    with pytest.raises(MissingExtraError, match=r'Absent needs the package absent, .*install "edgecnn\[fake-gpu\]"'):
        open_backend(model, provider=Provider.CUDA)
    monkeypatch.setitem(ENGINES, "fake", ENGINE)
    assert [engine.name for engine in engines_of("fake")] == ["absent", "fake"]
    assert open_backend(model).name == "fake"
    with pytest.raises(MissingExtraError, match="Absent needs the package absent"):
        open_backend(model, engine="absent")


def test_an_engine_is_asked_for_by_its_name(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = replace(ENGINE, name="other", providers={Provider.CPU: "fake"})
    monkeypatch.setitem(ENGINES, "other", other)
    assert Classifier.open(model, engine="other").labels == ("dark", "bright")
    with pytest.raises(InputError, match=r"--engine: expected one of .*fake, other, got 'othr'; did you mean other\?"):
        Classifier.open(model, engine="othr")
    with pytest.raises(InputError, match=r"--engine litert: expected an engine that runs .*grey\.fake; take fake or o"):
        Classifier.open(model, engine="litert")
    with pytest.raises(InputError, match="--provider cuda: expected an engine that takes it, got --engine other"):
        Classifier.open(model, engine="other", provider="cuda")


def test_whether_an_engine_is_installed_is_known_without_importing_it() -> None:
    assert ENGINE.is_installed
    assert not ABSENT.is_installed


@pytest.mark.parametrize(
    ("installed", "shown", "broken"),
    [
        (("numpy",), "fake (*.fake): loads, numpy; providers FakeCPU", None),
        ((), "fake (*.fake): not installed", None),
        (
            ("numpy", "numpy-gpu"),
            "fake (*.fake): loads, numpy",
            "numpy and numpy-gpu are both installed and overwrite each other's files",
        ),
    ],
)
def test_doctor_examines_an_added_engine(
    added: None,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    installed: tuple[str, ...],
    shown: str,
    broken: str | None,
) -> None:
    monkeypatch.setattr(probes, "installed_versions", lambda names: {name: "9" for name in names if name in installed})
    with pytest.raises(typer.Exit) if broken or not installed else contextlib.nullcontext():
        doctor()
    printed = capsys.readouterr().out
    assert shown in printed
    assert printed.count("overwrite each other") == bool(broken)
    assert broken is None or broken in printed


def test_the_extras_of_an_added_engine_know_its_rivals(added: None) -> None:
    (_, extra) = extras_of(["numpy>=1", "numpy-gpu>=1; extra == 'fake-gpu'"], {"numpy": "2"})
    assert extra.pip_line == 'pip uninstall -y numpy && pip install "edgecnn[fake-gpu]"'


def test_a_benchmark_takes_a_file_of_an_added_format(model: Path, tmp_path: Path) -> None:
    model.with_suffix(".txt").write_text("weights")
    (candidate,) = read_subject([model], data=None).candidates
    assert candidate.size_bytes == model.stat().st_size + len("weights")
    settings = BenchSettings(opening=Opening(provider=Provider.CUDA))
    bundle = pack([model], data=None, settings=settings, scratch=tmp_path)
    assert {Path(name).name for name in bundle.files} == {"grey.fake", "grey.txt"}
    assert bundle.extras == {"fake-gpu": ("numpy", "other_numpy")}


def test_a_benchmark_of_an_added_engine_is_judged_and_reported(added: None, tmp_path: Path) -> None:
    made = made_result(tmp_path)
    rows = tuple(
        replace(row, backend="fake", provider="FakeCPU") if row.engine is ENGINES["onnxruntime"] else row
        for row in made.rows
    )
    result = replace(made, rows=rows)
    assert {row.format for row in rows} == {"tflite", "fake"}
    pitfalls = find_pitfalls(
        rows, result.row(result.reference), machine=result.machine, start=result.start, end=result.end
    )
    (slow,) = (pitfall for pitfall in pitfalls if pitfall.kind == "fake-is-slow")
    assert (slow.sentence[:27], slow.rows) == ("mnist_int8.onnx: slowest mn", ("mnist_int8.onnx",))
    page = render(result)
    assert '<i class="fake">▲</i> Fake format, Fake engine' in page
    assert '<i class="tflite">●</i> TFLite, LiteRT' in page
    assert "ONNX Runtime" not in page.partition("<script")[0]
    versions = {**result.machine.packages, "other-numpy": "9"}
    compared = compare(result, replace(result, machine=replace(result.machine, packages=versions)))
    _, cells = latency_table(compared)
    assert len(cells) == len(rows)
    assert any("other-numpy absent → 9" in note for note in compared.notes)
