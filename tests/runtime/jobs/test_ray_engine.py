"""The Ray engine on a local cluster of two processes; the slow tests take a minute each, most of it Ray's start."""

import json
import os
import subprocess
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import needs
import numpy as np
import pytest
from conftest import edgecnn
from needs import Need
from numpy.typing import NDArray
from PIL import Image
from third_party_models import LABELS, ThirdParty, write_onnx
from tiny_classifier import tiny_classifier

from edgecnn_runtime import Classifier
from edgecnn_runtime.pipeline import Item

needs_ray = needs.mark(find_spec("ray") is not None, Need.PACKAGE, "pip install 'edgecnn[ray]'")
TESTS = Path(__file__).parents[2]

# Ray starts threads and processes that know nothing of pytest, so that it runs in a process of its own. It prints what
# each image gave, and with `kill` ends one of the two classifiers with SIGKILL when 300 answers have come.
PROGRAM = """
import functools, json, os, signal, sys
from pathlib import Path

import watched_openers
from edgecnn_runtime import Classifier
from edgecnn_runtime.jobs.ray_engine import classify_on_ray, find_images, ray_started

def parent(pid):
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0

def is_ours(pid):
    while pid > 1:
        pid = parent(pid)
        if pid == os.getpid():
            return True
    return False

def classifying():
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            title = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if b"MapWorker" in title and is_ours(int(folder.name)):
            yield int(folder.name)

model, source, opener, kill = sys.argv[1:]
opener = eval(opener)
with ray_started(workers=2) as workers:
    labels = Classifier.open(model).labels
    items = classify_on_ray(Path(model), labels, find_images([source]), workers=workers, opener=opener)
    for number, item in enumerate(items, 1):
        prediction = item.prediction
        answer = prediction and [prediction.label, prediction.probabilities.tolist()]
        print(json.dumps([item.source, answer, str(item.error)]))
        if kill == "kill" and number == 300:
            victim = min(classifying())
            os.kill(victim, signal.SIGKILL)
            print(json.dumps(["killed", victim]))
"""


# Fails if one of the processes of Ray listens on another address than 127.0.0.1, in the kernel's hexadecimal.
LISTENING = """
import os
from pathlib import Path
from edgecnn_runtime.jobs.ray_engine import ray_started

def sessions():
    return {path for path in Path("/tmp").iterdir() if path.name.startswith("edgecnn-ray-")}

before = sessions()
with ray_started(workers=1):
    import ray
    from ray._common.usage.usage_lib import usage_stats_enabled
    assert not usage_stats_enabled()
    assert ray.util.get_node_ip_address() == "127.0.0.1"
    (folder,) = sessions() - before
    sockets = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder).encode() in (process / "cmdline").read_bytes():
                sockets |= {os.readlink(file) for file in (process / "fd").iterdir()}
        except OSError:
            continue
    rows = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    ]
    addresses = {row[1].split(":")[0] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in sockets}
    assert addresses and all(address.endswith("0100007F") for address in addresses), addresses
assert not folder.exists()
print("fine")
"""


def run_program(
    model: Path, source: Path, *, opener: str = "Classifier.open", kill: bool = False
) -> list[list[object]]:
    path = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-c", PROGRAM, model, source, opener, "kill" if kill else "live"]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]


def as_lines(items: list[Item]) -> list[list[object]]:
    return [
        [i.source, i.prediction and [i.prediction.label, i.prediction.probabilities.tolist()], str(i.error)]
        for i in items
    ]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_classifier(tmp_path_factory.mktemp("model") / "parts.tflite")


def photos(folder: Path, count: int) -> Path:
    """Fill a folder with noise of several sizes, one in a hundred unreadable."""
    folder.mkdir()
    random = np.random.default_rng(7)
    for number in range(count):
        size = (20 + number % 7, 30 - number % 5, 3)
        pixels: NDArray[np.uint8] = random.integers(0, 256, size).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:05}.png")
        if number % 100 == 50:
            content = (folder / f"{number:05}.png").read_bytes()
            (folder / f"{number:05}.png").write_bytes(content[: len(content) // 2])
    return folder


@needs_ray
@pytest.mark.slow
def test_the_command_gives_the_answers_of_the_local_engine(model: Path, tmp_path: Path) -> None:
    folder = photos(tmp_path / "shots", 199)
    # A name that is not UTF-8, as an old camera's memory card has it.
    (folder / "00000.png").rename(folder / os.fsdecode(b"caf\xe9.png"))
    output = tmp_path / "results"
    said = edgecnn(
        *("predict", model, folder, "--on", "ray", "--workers", "2", "--output", output),
        *("--format", "csv", "--top-k", "2"),
        code=1,
    )
    assert "2 of 199 images could not be read" in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["results", "shots"]
    edgecnn("predict", model, folder, "--output", tmp_path / "local.csv", "--top-k", "2", code=1)
    assert (output / "part-00000.csv").read_bytes() == (tmp_path / "local.csv").read_bytes()


@needs_ray
@pytest.mark.slow
def test_five_thousand_images_with_a_worker_killed_are_each_classified_once(model: Path, tmp_path: Path) -> None:
    folder = photos(tmp_path / "shots", 5000)
    log = tmp_path / "log"
    lines = run_program(
        model, folder, opener=f"functools.partial(watched_openers.open_logged, Path({str(log)!r}))", kill=True
    )
    ((_, victim),) = [line for line in lines if line[0] == "killed"]
    local = as_lines(list(Classifier.open(model).predict_many(sorted(folder.iterdir()))))
    assert [line for line in lines if line[0] != "killed"] == local
    begun = [line.split() for line in log.read_text().splitlines()]
    again = [image for image, times in Counter(image for _, image in begun).items() if times > 1]
    assert again, "the process was to be killed with a chunk in work, which another then did again"
    assert {image for pid, image in begun if int(pid) == victim} >= set(again)
    assert len({pid for pid, _ in begun}) == 3


@needs_ray
@pytest.mark.slow
def test_what_is_said_about_a_strangers_model_reaches_every_process(tmp_path: Path) -> None:
    folder = photos(tmp_path / "shots", 40)
    third_party = write_onnx(tmp_path / "stranger.onnx", ThirdParty(axes="nchw", head="logits"))
    said = ("--labels", ",".join(LABELS), "--mean", "120,110,100", "--std", "60", "--colour", "bgr", "--resize", "pad")
    local, output = tmp_path / "local.csv", tmp_path / "results"
    edgecnn("predict", third_party, folder, *said, "--output", local)
    edgecnn("predict", third_party, folder, *said, "--on", "ray", "--format", "csv", "--output", output)
    assert (output / "part-00000.csv").read_bytes() == local.read_bytes()


@needs_ray
@pytest.mark.slow
def test_images_and_results_in_an_object_store(model: Path, tmp_path: Path, s3_server: str) -> None:
    from pyarrow import parquet

    from edgecnn_runtime.jobs.object_store import open_place

    folder = photos(tmp_path / "shots", 60)
    place = open_place(f"s3://shots/line-1{s3_server}")
    place.system.create_dir("shots")
    for path in folder.iterdir():
        with place.system.open_output_stream(f"shots/line-1/{path.name}") as file:
            file.write(path.read_bytes())
    sources = (f"s3://shots/line-1{s3_server}", folder)
    edgecnn("predict", model, *sources, "--on", "ray", "--output", f"s3://shots/results{s3_server}", code=1)
    with place.system.open_input_file("shots/results/part-00000.parquet") as file:
        rows = parquet.read_table(file).to_pylist()
    local = list(Classifier.open(model).predict_many(sorted(folder.iterdir())))
    names = [f"s3://shots/line-1/{Path(item.source).name}" for item in local] + [item.source for item in local]
    assert [row["image"] for row in rows] == names
    for row, item in zip(rows, local + local, strict=True):
        assert row["label"] == (item.prediction and item.prediction.label)
        assert row["probability"] == (item.prediction and item.prediction.probability)
        assert (row["error"] is None) == (item.error is None)
    assert "whole JPEG, PNG or other image" in rows[50]["error"]
    assert place.system.get_file_info("shots/results/_SUCCESS").is_file


@needs_ray
@pytest.mark.slow
def test_an_image_that_kills_every_process_ends_the_work_with_its_name(model: Path, tmp_path: Path) -> None:
    folder = photos(tmp_path / "shots", 20)
    (folder / "00007.png").rename(folder / "deadly.png")
    with pytest.raises(AssertionError, match=r"deadly\.png and the 0 images after it: .* died 5 times"):
        run_program(model, folder, opener="watched_openers.open_deadly")


@needs_ray
@pytest.mark.slow
def test_what_is_started_listens_on_the_loopback_address_only_and_leaves_nothing(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", LISTENING], capture_output=True, text=True, timeout=300, check=False)
    assert done.stdout.endswith("fine\n"), done.stderr[-4000:]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "--on ray: expected an --output folder for the results"),
        (("--output", "used"), "expected a new or empty folder for the results"),
        (("--output", "new", "--json"), "expected neither --json nor --resume"),
        (("--output", "new", "--threads", "2"), "got --mode or --threads; leave them out"),
        (("--output", "new", "--address", "127.0.0.1:1"), "expected a Ray cluster that runs"),
    ],
)
def test_wrong_use_is_told_before_ray_starts(
    model: Path, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "file").touch()
    photos(tmp_path / "shots", 1)
    if "--address" in arguments or "used" in arguments:
        needs.package("ray", "edgecnn[ray]")
    assert message in edgecnn("predict", model, "shots", "--on", "ray", *arguments, cwd=tmp_path, code=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["shots", "used"]


def test_without_ray_its_pip_line_is_named(model: Path, tmp_path: Path) -> None:
    photos(tmp_path / "shots", 1)
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "ray.py").write_text("raise ImportError('hidden')\n")
    path = os.pathsep.join([str(tmp_path / "hidden"), os.environ.get("PYTHONPATH", "")])
    command = ("predict", model, tmp_path / "shots", "--on", "ray", "--output", tmp_path / "new")
    said = edgecnn(*command, env={"PYTHONPATH": path}, code=2)
    assert 'pip install "edgecnn[ray]"' in said
    assert not (tmp_path / "new").exists()


def test_the_local_engine_names_the_one_that_reads_addresses(model: Path) -> None:
    assert "got an address; add --on ray" in edgecnn("predict", model, "s3://bucket/shots", code=2)
