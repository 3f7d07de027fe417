import json
from pathlib import Path

import pytest
from conftest import edgecnn
from tiny_models import tiny_onnx

from edgecnn_benchmarks.intervals import Estimate
from edgecnn_benchmarks.thread_counts import ThreadChoice, read_thread_counts, thread_table
from edgecnn_runtime.errors import InputError


@pytest.mark.parametrize("text", ["", "0", "1,", "two", "-1", "1;2", "99999"])
def test_only_numbers_are_read(text: str) -> None:
    with pytest.raises(InputError, match="--threads: a number, or several"):
        read_thread_counts(text)


@pytest.mark.parametrize(
    ("one", "two", "best"),
    [
        (Estimate(100, 95, 105), Estimate(60, 55, 65), 2),
        (Estimate(60, 55, 65), Estimate(100, 95, 105), 1),
        # What cannot be told apart takes no second thread.
        (Estimate(100, 90, 110), Estimate(97, 88, 106), 1),
    ],
)
def test_the_best_is_the_fastest_or_the_smallest_that_cannot_be_told_from_it(
    one: Estimate, two: Estimate, best: int
) -> None:
    choice = ThreadChoice("m.onnx", {1: one, 2: two})
    assert choice.best == best
    heads, rows = thread_table([choice])
    assert heads == ["file", "1 thread, p50 µs", "2 threads, p50 µs", "best"]
    assert rows[0][-1] == f"--threads {best}"


def test_the_command_compares_numbers_of_threads(tmp_path: Path) -> None:
    quick = ("--rounds", "1", "--runs", "3", "--warmup", "1", "--starts", "1")
    model = tiny_onnx(tmp_path / "a.onnx")
    printed = edgecnn("bench", model, "--threads", "1,2", *quick, "--output", tmp_path / "out", "--json")
    document = json.loads(printed)
    assert set(document["best_threads"]) == {"a.onnx"}
    assert document["best_threads"]["a.onnx"] in (1, 2)
    for threads in ("1", "2"):
        assert document["results"][threads]["settings"]["threads"] == int(threads)
        assert (tmp_path / "out" / f"threads-{threads}" / "report.html").exists()
