"""What every command promises: help, one JSON document, silence with --quiet, suggestions, a row in the README.

The tests walk the app: a new command fails them until it has a row in `INVOCATIONS`.
"""

import importlib
import json
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import needs
import numpy as np
import pytest
import typer.main
from click.testing import Result
from made_bench import made_result
from PIL import Image
from tiny_models import tiny_onnx
from tiny_runs import tiny_run
from typer.testing import CliRunner

from edgecnn.app import command_line
from edgecnn_runtime.errors import EdgecnnError
from edgecnn_runtime.workstation.image_set import ImageSet

README = (Path(__file__).parents[2] / "README.md").read_text()


@dataclass(frozen=True)
class Invocation:
    """A minimal working call; `{name}` is a path among `places`."""

    arguments: str = ""
    # predict and stream print one JSON object per image or frame, so that a program can read along.
    json_lines: bool = False


INVOCATIONS = {
    "quickstart": Invocation("--output {run}"),
    "data prepare": Invocation("{folder} --imgsz 8 --output {out}/prepared"),
    "data list": Invocation(),
    "data check": Invocation("{folder}"),
    "data show": Invocation("{folder} --output {out}/shown.png"),
    "recipes": Invocation(),
    "train": Invocation("mnist --data {set} --epochs 1 --monitor last --output {out}/trained --overwrite"),
    # The second call finds the search of the first finished.
    "search": Invocation(
        "--data {folder} --alpha 0.25 --depth 2 --imgsz 24 --colour grey --no-augment --epochs 1 --folds 2 "
        "--output {out}/searched --resume"
    ),
    "evaluate": Invocation("{model} --data {folder} --split all --output {out}/evaluated"),
    "explain": Invocation("{image} --kernel 1,0,-1 --output {out}/explained"),
    "export": Invocation("{run} --format onnx-float32"),
    "inspect model": Invocation("{model}"),
    "inspect quantization": Invocation("{run} --images 2"),
    "verify": Invocation("{model}"),
    "predict": Invocation("{model} {image}", json_lines=True),
    "stream": Invocation("{model} {video}", json_lines=True),
    "serve": Invocation("{model} --port 0"),
    "bench measure": Invocation(
        "{model} --data {folder} --runs 1 --warmup 0 --rounds 1 --starts 1 --output {out}/bench"
    ),
    "bench compare": Invocation("{measured} {measured}"),
    "bench recommend": Invocation("{measured}"),
    "doctor": Invocation(),
}


def walk(group: Any, *names: str) -> Iterator[tuple[str, Any]]:
    """List the commands below a group, and the group itself, by their names: "data list"."""
    yield " ".join(names), group
    for name, command in getattr(group, "commands", {}).items():
        yield from walk(command, *names, name)


EVERYTHING = dict(walk(typer.main.get_command(command_line())))
GROUPS = {name: command for name, command in EVERYTHING.items() if hasattr(command, "commands")}
COMMANDS = {name: command for name, command in EVERYTHING.items() if name not in GROUPS}
every_command = pytest.mark.parametrize("name", COMMANDS)


def call(*arguments: str) -> Result:
    """Run the command line in this process, 80 columns wide."""
    return CliRunner().invoke(command_line(), arguments, env={"COLUMNS": "80"})


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory, write_set: Callable[..., ImageSet]) -> dict[str, Path]:
    """What the invocations name."""
    folder = tmp_path_factory.mktemp("every")
    noise = np.random.default_rng(0).integers(0, 256, (60, 28, 28, 1), np.uint8)
    tens = np.arange(60) % 10
    digits = write_set(folder / "digits", {"train": (noise[:40], tens[:40]), "test": (noise[40:], tens[40:])})
    for number in range(20):
        (folder / "images" / ("dark", "bright")[number % 2]).mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 90, (12, 12, 3)) + 160 * (number % 2)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"images/{('dark', 'bright')[number % 2]}/{number}.png")
    measured = folder / "measured" / "bench"
    measured.mkdir(parents=True)
    (measured / "bench.json").write_text(json.dumps(made_result(measured).to_document()))
    run = tiny_run(folder / "run", digits)
    run.export.mkdir()
    return {
        "out": folder,
        "folder": folder / "images",
        "image": folder / "images/dark/0.png",
        "model": tiny_onnx(folder / "tiny.onnx", golden=True),
        "set": digits.folder,
        "run": run.path,
        "measured": measured.parent,
    }


@pytest.fixture
def words(places: dict[str, Path], monkeypatch: pytest.MonkeyPatch, name: str) -> list[str]:
    """The words of a command's invocation; what is slow or does not end is cut short."""
    if name == "stream":
        needs.package("cv2", "edgecnn[camera]")
        from video_files import red, write_video

        places = {**places, "video": write_video(places["out"] / "video.avi", [red(9)] * 3)}
    if name == "serve":
        needs.package("starlette", "edgecnn[serve]")
        monkeypatch.setattr("edgecnn_runtime.server.serving.run", lambda service, listener, ready: ready())
    if name in SLOW_STAGES:
        module, _, stage = SLOW_STAGES[name].rpartition(".")
        home = importlib.import_module(module)
        monkeypatch.setattr(home, stage, done_once(name, getattr(home, stage)))
    if name == "quickstart":
        for step in ("train", "export", "verify", "bench.measure", "predict"):
            module = importlib.import_module(f"edgecnn.commands.{step}")
            monkeypatch.setattr(module, step.rpartition(".")[2], quiet_step)
    return [*name.split(), *shlex.split(INVOCATIONS[name].arguments.format(**places))]


# What takes most of a command's time: done by the first call of the command, and its result reused by the second.
SLOW_STAGES = {
    "train": "edgecnn_training.train.train",
    "inspect quantization": "edgecnn_export.inspection.quantization.quantization_loss_of",
    "bench measure": "edgecnn_benchmarks.bench.bench",
}
_results: dict[str, Any] = {}


def done_once(name: str, stage: Callable[..., Any]) -> Callable[..., Any]:
    """Let a stage do its work only where no earlier call of the command has."""

    def reused(*arguments: Any, **options: Any) -> Any:
        if name not in _results:
            _results[name] = stage(*arguments, **options)
        return _results[name]

    return reused


def quiet_step(*arguments: object, quiet: bool, **options: object) -> None:
    """Stand in for a step of `quickstart`, which is tested where it runs; here each must be told to be quiet."""
    assert quiet


def test_every_command_has_an_invocation() -> None:
    assert set(INVOCATIONS) == set(COMMANDS)


@every_command
def test_json_is_one_document_and_nothing_else(words: list[str], name: str) -> None:
    result = call(*words, "--json")
    assert result.exit_code == 0, (result.output, result.exception)
    if INVOCATIONS[name].json_lines:
        assert all(json.loads(line) for line in result.stdout.splitlines())
    else:
        assert json.loads(result.stdout)


@every_command
def test_quiet_is_quiet(words: list[str], name: str) -> None:
    result = call(*words, "--quiet")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", ""), result.exception


@every_command
def test_an_unknown_option_exits_with_2(name: str) -> None:
    result = call(*name.split(), "--nonsense")
    assert result.exit_code == 2
    assert "No such option: --nonsense" in result.stderr


@every_command
def test_help(name: str) -> None:
    result = call(*name.split(), "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: edgecnn {name} ")
    assert all(len(line) <= 80 for line in result.stdout.splitlines())
    options = {option for parameter in COMMANDS[name].params for option in parameter.opts}
    assert {"--json", "--quiet", "-q"} <= options
    assert ("--output" in options) == ("-o" in options)


@pytest.mark.parametrize("name", [name for name in GROUPS if name not in ("inspect", "bench")])
def test_no_description_is_cut_off(name: str) -> None:
    _, _, listed = call(*name.split(), "--help").stdout.partition("\nCommands:\n")
    assert [line.split()[0] for line in listed.splitlines() if line] == list(EVERYTHING[name].commands)
    assert [line for line in listed.splitlines() if line.endswith("...")] == []


# Words that begin a riddle: the reader does not know what the sentence is about.
_BEGINNINGS = re.compile(
    r"(?:of|then|with|for|from|in|its|it|they|these|default|also|just|so|what|which|where|how|there|through)\b",
    re.IGNORECASE,
)
_A_FOR_PER = re.compile(
    r"\b\w+s an? (?:batch|call|channel|class|frame|image|inference|label|layer|line|request|round|step)\b"
)


@pytest.mark.parametrize("name", [name for name in EVERYTHING if name])
def test_help_texts_begin_with_a_noun_or_a_verb(name: str) -> None:
    options = [getattr(parameter, "help", "") or parameter.name for parameter in EVERYTHING[name].params]
    texts = [EVERYTHING[name].help, *options]
    assert [text for text in texts if not text[0].isupper() or _BEGINNINGS.match(text)] == []
    assert [text for text in options if _A_FOR_PER.search(text)] == []


@every_command
def test_the_readme_has_a_row(name: str) -> None:
    told = re.findall(r"`(?:edgecnn )?([a-z ]+)`", "".join(re.findall(r"^\| `edgecnn .*", README, re.MULTILINE)))
    assert name in told or name.removesuffix(" measure").removesuffix(" model") in told


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("trian mnist", "train"),
        ("data chekc folder", "check"),
        ("bench comprae a b", "compare"),
        ("inspect quntization run", "quantization"),
        ("train mnist --epohcs 3", "--epochs"),
        ("train mnsit", "mnist"),
        ("train transfer --backbone ResNet5", "ResNet50"),
        ("train mnist --data mnist-500", "mnist-5000"),
        ("train mnist --optimizer adm", "adam"),
        ("recipes mnsit", "mnist"),
        ("data check sings", "signs"),
        ("data prepare castings", "casting"),
        ("data prepare mnist --colour gray", "grey"),
        ("data prepare mnist --decode scald", "scaled"),
        ("evaluate {model} --data sings", "signs"),
        ("export {run} --format tflite-int7", "tflite-int8"),
        ("export {run} --io unit8", "uint8"),
        ("export {run} --calibration min-max", "minmax"),
        ("export --application MobilNetV2", "MobileNetV2"),
        ("inspect {model} --target pi44", "pi4"),
        ("bench recommend {measured} --target raspbery-pi-4", "raspberry-pi-4"),
        ("predict {model} {image} --provider cdua", "cuda"),
        ("predict {model} {image} --on rya", "ray"),
        ("predict {model} {image} --engine opnvino", "openvino"),
        ("predict {model} {image} --mode throughptu", "throughput"),
        ("predict {model} {image} --layout nwhc", "nhwc"),
        ("predict {model} {image} --preprocess torhc", "torch"),
        ("explain {image} --kernel 1,0,-1 --padding smae", "same"),
    ],
)
def test_a_typo_suggests(typed: str, meant: str, places: dict[str, Path]) -> None:
    result = call(*shlex.split(typed.format(**places)))
    if isinstance(result.exception, EdgecnnError):
        assert result.exception.exit_code == 2
        assert str(result.exception).endswith(f"; did you mean {meant}?")
    else:  # the parser's own answer
        assert result.exit_code == 2
        last = result.stderr.splitlines()[-1]
        assert re.search(rf"(?:[Dd]id you mean '?|Possible options: (?:.*, )?){re.escape(meant)}\b", last), (
            result.stderr
        )
