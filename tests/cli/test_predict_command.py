"""`edgecnn predict` as a user runs it: odd names, results in files, and a kill in the middle."""

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import needs
import numpy as np
import pytest
from conftest import edgecnn, edgecnn_here, hear_interrupts
from PIL import Image
from tiny_models import tiny_onnx
from waiting import wait_until

from edgecnn_runtime import classifier as classifier_module
from edgecnn_runtime.classifier import Classifier
from edgecnn_runtime.pipeline import Item
from edgecnn_runtime.third_party_models.opening import Opening


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_onnx(tmp_path_factory.mktemp("model") / "tiny.onnx")


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    """Four bright images with names that need care, one that is broken, two in sub-folders."""
    folder = tmp_path / "shots"
    (folder / "a" / "deep").mkdir(parents=True)
    names = [b"caf\xe9.png", b'comma, quote".png', b"two\nlines.png", b"plain.png", b"a/x.png", b"a/deep/y.png"]
    for name in names:
        Image.new("L", (8, 8), 230).save(tmp_path / "bright.png")
        (tmp_path / "bright.png").rename(os.fsdecode(os.fsencode(folder) + b"/" + name))
    (folder / "broken.png").write_bytes(b"<html>")
    return folder


def test_odd_names_take_one_line_each_on_the_screen(model: Path, shots: Path) -> None:
    lines = edgecnn("predict", model, shots, code=1).splitlines()
    names = [line.rsplit("  ", 2)[0].strip().removeprefix(f"{shots}/") for line in lines[2:7]]
    assert names[1:] == ["caf\\xe9.png", 'comma, quote".png', "plain.png", "two\\nlines.png"]
    assert "broken.png" in names[0]
    assert lines[7] == "error: 1 of 5 images could not be read"


# A terminal's command, a bell, a line break, and what turns the direction of writing.
HOSTILE = "evil\x1b[2J\x07\nbright\u202egnp"


@pytest.mark.parametrize("words", [[], ["--top-k", "2"], ["--json"]])
def test_a_label_cannot_move_the_cursor(shots: Path, tmp_path: Path, words: list[str]) -> None:
    evil = tiny_onnx(tmp_path / "evil.onnx", labels=("dark", HOSTILE))
    shown = edgecnn("predict", evil, shots / "plain.png", *words)
    assert shown.replace("\n", "").isprintable()
    if words == ["--json"]:
        assert json.loads(shown)["label"] == HOSTILE
    else:
        assert "evil\\x1b[2J\\x07\\nbright\\u202egnp" in shown.splitlines()[2]


def test_a_name_or_label_that_is_refused_cannot_move_the_cursor(model: Path, shots: Path) -> None:
    odd = shots / HOSTILE
    for words in (["predict", odd, shots], ["predict", model, odd], ["verify", odd], ["inspect", odd]):
        shown = edgecnn(*words, code=2)
        assert shown.startswith("error: ")
        assert len(shown.splitlines()) == 1
        assert shown.rstrip("\n").isprintable()


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "iso-8859-1", "utf-8"])
def test_what_a_screen_or_pipe_cannot_show_is_escaped(shots: Path, tmp_path: Path, encoding: str) -> None:
    label = "größe 一 🙂"
    path = tiny_onnx(tmp_path / "größe.onnx", labels=("dark", label))
    commands = [
        ["predict", path, shots],
        ["predict", path, shots, "--json"],
        ["inspect", path, "--json"],
        ["export", "--help"],
        ["predict", path, tmp_path / label],
    ]
    *printed, help_page, nothing = printed_by(commands, codes=[1, 1, 0, 0, 2], encoding=encoding)
    table, lines, document = (each.decode(encoding) for each in printed)
    assert table.count(label.encode(encoding, "backslashreplace").decode(encoding)) == 4
    told = [json.loads(line) for line in lines.splitlines()]
    assert [line["label"] for line in told if "label" in line] == [label] * 4
    assert json.loads(document)["manifest"]["labels"][1] == label
    assert b"--int8" in help_page
    assert nothing == b""


# Runs the command line once for each list of words; behind what each prints stands its exit code between two zeros.
SEVERAL = """
import json, sys
from edgecnn.app import main
for words in json.loads(sys.argv[1]):
    sys.argv[1:] = words
    try:
        main()
        code = 0
    except SystemExit as ended:
        code = ended.code or 0
    sys.stdout.flush()
    sys.stdout.buffer.write(f"\\0{code}\\0".encode())
    sys.stdout.buffer.flush()
"""


def printed_by(commands: list[list[object]], *, codes: list[int], encoding: str) -> list[bytes]:
    """Run commands, one after another in one process, where the screen has an encoding; return what each printed."""
    words = json.dumps([[str(word) for word in command] for command in commands])
    ended = subprocess.run(
        [sys.executable, "-c", SEVERAL, words],
        env=os.environ | {"PYTHONIOENCODING": encoding},
        capture_output=True,
        check=False,
    )
    parts = ended.stdout.split(b"\0")
    assert (list(map(int, parts[1::2])), b"Traceback" in ended.stderr) == (codes, False), ended.stderr.decode("latin-1")
    return parts[0:-1:2]


def test_odd_names_come_back_from_json(model: Path, shots: Path) -> None:
    shown = edgecnn("predict", model, shots, "--json", "--recursive", code=1)
    lines = [json.loads(line) for line in shown.splitlines() if line.startswith("{")]
    assert {Path(line["image"]) for line in lines} == {path for path in shots.rglob("*") if path.is_file()}


def test_an_engine_is_asked_for_by_name_and_its_old_meaning_is_still_understood(model: Path, shots: Path) -> None:
    plain = edgecnn_here("predict", model, shots / "plain.png")
    assert edgecnn_here("predict", model, shots / "plain.png", "--engine", "onnxruntime") == plain
    assert edgecnn_here("predict", model, shots / "plain.png", "--engine", "local") == plain
    said = edgecnn_here("predict", model, shots / "broken.png", "--engine", "local", code=1).splitlines()
    assert "--engine local is now --on local; --engine names what runs the model" in said
    assert "--engine litert: expected an engine that runs" in edgecnn_here(
        "predict", model, shots / "plain.png", "--engine", "litert", code=2
    )
    assert "--on ray: expected an --output folder" in edgecnn_here(
        "predict", model, shots / "plain.png", "--engine", "ray", code=2
    )


def test_no_more_labels_are_shown_than_there_are(model: Path, shots: Path) -> None:
    lines = edgecnn_here("predict", model, shots / "plain.png", "--top-k", "9").splitlines()
    assert [line.split()[-1] for line in lines[2:]] == ["bright", "dark"]


def test_what_fails_is_counted_in_a_long_list_too(model: Path, many: Path) -> None:
    """1,010 images, shown a thousand at a time: ten of the first are broken, and one of the others."""
    said = edgecnn_here("predict", model, many / "00*", many / "0100*", "--json", code=1)
    assert said.splitlines()[-1] == "error: 11 of 1010 images could not be read"


@pytest.mark.parametrize("output", [False, True])
@pytest.mark.parametrize(
    ("options", "threads", "workers"),
    [
        ([], 1, None),
        (["--mode", "latency"], 3, None),
        (["--threads", "2"], 2, None),
        (["--mode", "latency", "--threads", "2", "--workers", "5"], 2, 5),
    ],
)
def test_threads_and_workers_are_those_asked_for(
    model: Path,
    shots: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    output: bool,
    options: list[str],
    threads: int,
    workers: int | None,
) -> None:
    """On three processors."""
    asked: list[int | None] = []
    open_as, predict_many = Classifier.open_as, Classifier.predict_many

    def opened(path: Path, opening: Opening | None = None, *, threads: int = 1) -> Classifier:
        asked.append(threads)
        return open_as(path, opening, threads=threads)

    def predicted(self: Classifier, sources: Iterable[Path], *, workers: int | None = None) -> Iterator[Item]:
        asked.append(workers)
        return predict_many(self, sources, workers=workers)

    monkeypatch.setattr(classifier_module, "available_cpus", lambda: 3)
    monkeypatch.setattr(Classifier, "open_as", opened)
    monkeypatch.setattr(Classifier, "predict_many", predicted)
    to_file = ["--output", tmp_path / "results.csv"] if output else []
    edgecnn_here("predict", model, shots / "plain.png", *options, *to_file)
    assert asked == [threads, workers]


def test_results_go_to_a_file(model: Path, shots: Path, tmp_path: Path) -> None:
    output = tmp_path / "results" / "shots.csv"
    shown = edgecnn_here("predict", model, shots, "--recursive", "--output", output, code=1)
    assert shown.splitlines() == [f"{output}: 7 images", "error: 1 of 7 images could not be read"]
    with output.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == ["bright", "bright", "", "bright", "bright", "bright", "bright"]
    assert rows[2]["error"].startswith("expected a whole JPEG, PNG")
    assert rows[5]["image"] == f"{shots}/plain.png"
    assert sorted(path.name for path in output.parent.iterdir()) == ["shots.csv", "shots.csv.run.json"]
    again = edgecnn_here("predict", model, shots, "--recursive", "--output", output, "--resume", code=1)
    assert f"{output}: 7 of 7 images were done before" in again


def test_a_table_for_excel_has_no_formulas_and_names_its_encoding(tmp_path: Path) -> None:
    model = tiny_onnx(tmp_path / "formula.onnx", labels=("dark", "=cmd|' /C calc'!A0"))
    folder, output = tmp_path / "shots", tmp_path / "results.csv"
    folder.mkdir()
    for name in ('=HYPERLINK("x").png', "+1.png", "-1.png", "@x.png", "größe.png"):
        Image.new("L", (8, 8), 230).save(folder / name)
    names = sorted(path.name for path in folder.iterdir())
    command = ["predict", model, "*.png", "--output", output, "--excel"]
    edgecnn_here(*command, cwd=folder)
    content = output.read_bytes()
    assert content.startswith(b"\xef\xbb\xbfimage,label,probability,error\n")
    rows = list(csv.DictReader(content.decode("utf-8-sig").splitlines()))
    assert [row["image"] for row in rows] == [name if name[0] == "g" else f"'{name}" for name in names]
    assert {row["label"] for row in rows} == {"'=cmd|' /C calc'!A0"}
    assert "5 of 5 images were done before" in edgecnn_here(*command, "--resume", cwd=folder)
    assert "begun with --excel; do the same" in edgecnn_here(*command[:-1], "--resume", cwd=folder, code=2)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--excel"], "--excel: expected an --output file ending in .csv, got none"),
        (
            ["--excel", "--output", "r.jsonl"],
            "r.jsonl: expected a results file ending in .csv with --excel, got .jsonl",
        ),
        (["--excel", "--on", "ray", "--output", "r"], "--excel: expected --format csv, got parquet"),
    ],
)
def test_only_a_table_is_for_excel(model: Path, words: list[str], message: str) -> None:
    assert message in edgecnn_here("predict", model, "no.png", *words, code=2)


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Three thousand names of one grey image, every 100th broken."""
    folder = tmp_path / "many"
    folder.mkdir()
    Image.fromarray(np.full((8, 8), 230, np.uint8)).save(tmp_path / "image.png")
    (tmp_path / "broken.png").write_bytes(b"no image")
    for number in range(3000):
        os.link(
            tmp_path / ("broken.png" if number % 100 == 0 else "image.png"), folder / f"{number:05}, {'x' * 40}.png"
        )
    return folder


def wait_until_begun(process: "subprocess.Popen[Any]", partial: Path) -> None:
    wait_until(lambda: process.poll() is not None or (partial.exists() and partial.stat().st_size), "results")
    assert process.poll() is None, "it ended before it was stopped"


@pytest.mark.parametrize("name", ["results.csv", "results.jsonl"])
def test_a_killed_run_goes_on_with_nothing_twice_and_nothing_lost(
    model: Path, many: Path, tmp_path: Path, name: str
) -> None:
    command = ["predict", str(model), str(many), "--workers", "2", "--output"]
    edgecnn(*command, tmp_path / name, code=1)
    killed = tmp_path / "killed" / name
    partial = killed.with_name(f"{name}.partial")
    process = subprocess.Popen(
        [sys.executable, "-m", "edgecnn", *command, killed], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    wait_until_begun(process, partial)
    process.kill()
    process.communicate()
    assert not killed.exists()
    left = partial.read_bytes()
    whole = (tmp_path / name).read_bytes()
    assert 0 < len(left) < len(whole)
    shown = edgecnn(*command, killed, "--resume", code=1)
    assert "of 3,000 images were done before" in shown
    assert "error: 30 of 3000 images could not be read" in shown
    assert killed.read_bytes() == whole
    assert not partial.exists()


def test_results_under_other_labels_are_not_gone_on_with(tmp_path: Path) -> None:
    strange = tiny_onnx(tmp_path / "strange.onnx", manifest=False)
    Image.new("L", (8, 8), 230).save(tmp_path / "image.png")
    command = ["predict", strange, tmp_path / "image.png", "--output", tmp_path / "results.csv", "--labels"]
    edgecnn_here(*command, "dark,bright")
    assert "begun with other labels or pre-processing" in edgecnn_here(*command, "night,day", "--resume", code=2)
    assert "1 of 1 images were done before" in edgecnn_here(*command, "dark,bright", "--resume")


def test_ctrl_c_says_how_to_go_on(model: Path, many: Path, tmp_path: Path) -> None:
    output = tmp_path / "results.csv"
    partial = tmp_path / "results.csv.partial"
    process = subprocess.Popen(
        [sys.executable, "-m", "edgecnn", "predict", model, many, "--workers", "1", "--output", output],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=hear_interrupts,
    )
    wait_until_begun(process, partial)
    process.send_signal(signal.SIGINT)
    shown, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "of 3,000 images; --resume continues it" in shown
    assert "Traceback" not in shown
    assert partial.exists()


@needs.posix
def test_a_terminal_shows_a_bar_with_the_time_left(model: Path, shots: Path, tmp_path: Path) -> None:
    import pty

    screen, terminal = pty.openpty()
    command = [sys.executable, "-m", "edgecnn", "predict", model, shots, "--output", tmp_path / "results.csv"]
    done = subprocess.run(
        command, stdout=subprocess.DEVNULL, stderr=terminal, env=os.environ | {"TERM": "xterm"}, check=False
    )
    os.close(terminal)
    shown = os.read(screen, 1 << 16).decode()
    os.close(screen)
    assert done.returncode == 1
    assert "classifying" in shown
    assert "5/5" in shown
    assert "0:00:00" in shown


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--resume"], "--resume: expected an --output file to continue"),
        (["--output", "results.xlsx"], "expected a results file ending in .csv or .jsonl, got .xlsx"),
        (["--output", "results.csv", "--json"], "name a file ending in .jsonl instead"),
        (["--address", "auto"], "--address, --format: expected --on ray, got local"),
        (["--format", "csv"], "--address, --format: expected --on ray, got local"),
        (["--on", "ray", "--output", "results", "--threads", "2"], "--on ray: expected one thread per inference"),
        (["--on", "ray", "--output", "results", "--mode", "latency"], "--on ray: expected one thread per inference"),
        (["--on", "ray", "--output", "results", "--resume"], "--on ray: expected neither --json nor --resume"),
    ],
)
def test_wrong_options_are_told(model: Path, shots: Path, tmp_path: Path, options: list[str], message: str) -> None:
    assert message in edgecnn_here("predict", model, shots, *options, cwd=tmp_path, code=2)
    assert not list(tmp_path.glob("results*"))


def test_no_image_of_a_folder_is_passed_over(model: Path, tmp_path: Path) -> None:
    """Neither in a format that is read nor in one that is not, nor behind a link; and a pipe holds nobody up."""
    folder = tmp_path / "phone"
    folder.mkdir()
    (tmp_path / "card").mkdir()
    for place, kind in (
        ("phone/1.JPG", "jpeg"),
        ("phone/2.avif", "avif"),
        ("phone/3.MPO", "mpo"),
        ("card/4.png", "png"),
    ):
        Image.new("L", (8, 8), 230).convert("RGB").save(tmp_path / place, kind)
    (folder / "5.HEIC").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    (folder / "card").symlink_to(tmp_path / "card")
    (folder / "round").symlink_to(folder)
    os.mkfifo(folder / "6.png")
    shown = edgecnn("predict", model, folder, "--recursive", "--json", code=1)
    lines = {Path(line["image"]).name: line for line in map(json.loads, shown.splitlines()[:-1])}
    assert {name: line.get("label") for name, line in lines.items()} == {
        "1.JPG": "bright", "2.avif": "bright", "3.MPO": "bright", "4.png": "bright", "5.HEIC": None, "6.png": None
    }  # fmt: skip
    assert "pillow-heif" in lines["5.HEIC"]["error"]
    assert lines["6.png"]["error"].endswith("6.png: expected an image file, got a pipe")
    assert "error: 2 of 6 images could not be read" in shown


@pytest.mark.parametrize("command", ["predict", "verify", "inspect"])
def test_nothing_that_only_reads_needs_a_folder_for_temporary_files(command: str, tmp_path: Path) -> None:
    """As on a device whose root is read-only. The engines are tried in processes of their own, which read only, too."""
    model = tiny_onnx(tmp_path / "tiny.onnx", golden=True)
    stranger = tiny_onnx(tmp_path / "stranger.onnx", manifest=False)
    Image.new("L", (8, 8), 230).save(tmp_path / "bright.png")
    words = {
        "predict": ["predict", stranger, tmp_path / "bright.png", "--labels", "dark,bright", "--preprocess", "none"],
        "verify": ["verify", model],
        "inspect": ["inspect", model],
    }[command]
    program = "import sys, tempfile; tempfile.tempdir = '/nowhere'; from edgecnn.app import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "EDGECNN_HOME": str(tmp_path / "home")},
    )
    assert done.returncode == 0, done.stderr
