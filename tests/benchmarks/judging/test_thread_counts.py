import dataclasses
import json
from pathlib import Path

import pytest
from conftest import edgecnn
from tiny_models import tiny_onnx
from tiny_rows import row

from edgecnn_benchmarks.judging.thread_counts import choose_threads, read_counts
from edgecnn_runtime.errors import InputError


@pytest.mark.parametrize("text", ["", "0", "1,", "two", "-1", "1;2", "99999"])
def test_only_numbers_are_read(text: str) -> None:
    with pytest.raises(InputError, match="--threads: expected a number, or several"):
        read_counts("threads", text)


@pytest.mark.parametrize(
    ("one", "two", "best"),
    [
        (100, 60, 2),
        (60, 100, 1),
        # What cannot be told apart takes no second thread.
        (100, 100, 1),
    ],
)
def test_the_best_is_the_fastest_or_the_smallest_that_cannot_be_told_from_it(one: float, two: float, best: int) -> None:
    first = row("m", us=one, correct=1)
    second = dataclasses.replace(row("m t2", us=two, correct=1, jitter="odd"), candidate="m", threads=2)
    (choice,) = choose_threads([first, second])
    assert (choice.best, choice.first) == (best, 1)
    assert f"--threads {best} serves it best" in choice.sentence
    assert choose_threads([first]) == ()


def test_the_command_compares_numbers_of_threads_and_batches(tmp_path: Path) -> None:
    quick = ("--rounds", "1", "--runs", "3", "--warmup", "1", "--starts", "1", "--engine", "onnxruntime")
    model = tiny_onnx(tmp_path / "a.onnx")
    sweep = ("--threads", "1,2", "--batch", "1,8")
    document = json.loads(edgecnn("bench", model, *sweep, *quick, "--output", tmp_path / "out", "--json"))
    assert {(row["name"], row["file"], row["threads"], row["batch"]) for row in document["rows"]} == {
        ("a.onnx", "a.onnx", 1, 1),
        ("a.onnx t2", "a.onnx", 2, 1),
        ("a.onnx b8", "a.onnx", 1, 8),
        ("a.onnx t2 b8", "a.onnx", 2, 8),
    }
    assert document["reference"] == "a.onnx"
    for entry in document["rows"]:
        # Images a second are those of a whole batch.
        a_call = 1e6 * entry["batch"] / entry["images_per_s"]["value"]
        assert entry["quantiles_us"][0] <= a_call <= entry["quantiles_us"][100]
