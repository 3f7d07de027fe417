import dataclasses
from pathlib import Path

import pytest
from made_bench import IMAGES, made_result

from edgecnn_benchmarks.comparing.changes import ChangeVerdict
from edgecnn_benchmarks.comparing.comparison import compare, pairs
from edgecnn_benchmarks.comparing.regressions import Gates, find_regressions
from edgecnn_benchmarks.measuring.result import BenchResult, Failure
from edgecnn_runtime.accuracy import Accuracy

HERE = Path("here")


@pytest.fixture(scope="module")
def first() -> BenchResult:
    return made_result(HERE)


def with_file(result: BenchResult, name: str, *, slower: float = 1.0, lost: int = 0) -> BenchResult:
    """Make one file slower, and wrong on images that it got right."""
    row = result.row(name)
    rounds = tuple(dataclasses.replace(measured, p50_us=measured.p50_us * slower) for measured in row.rounds)
    answers = next(own for own in result.answers if own.candidate == name)
    right = [number for number in range(IMAGES) if number not in answers.wrong]
    wrong = tuple(sorted((*answers.wrong, *right[:lost])))
    changed = dataclasses.replace(row, rounds=rounds, accuracy=Accuracy(IMAGES - len(wrong), IMAGES))
    return dataclasses.replace(
        result,
        rows=tuple(changed if own is row else own for own in result.rows),
        answers=tuple(dataclasses.replace(own, wrong=wrong) if own is answers else own for own in result.answers),
    )


def test_the_same_twice_shows_no_difference(first: BenchResult) -> None:
    comparison = compare(first, made_result(HERE, seed=1))
    assert [change.finding for change in comparison.changes] == [ChangeVerdict.NO_DIFFERENCE] * len(first.rows)
    for change in comparison.changes:
        assert change.accuracy is not None
        assert (change.accuracy.difference.value, change.accuracy.p_value) == (0, 1)
        assert change.accuracy.is_chance
    assert comparison.notes == ()
    assert comparison.only_first == comparison.only_second == ()


def test_slower_and_less_accurate_files_are_found(first: BenchResult) -> None:
    second = with_file(made_result(HERE, seed=1), "mnist_int8.onnx", slower=1.3, lost=25)
    comparison = compare(first, second)
    changed = {
        change.label: change for change in comparison.changes if change.finding is not ChangeVerdict.NO_DIFFERENCE
    }
    assert list(changed) == ["int8.onnx"]
    change = changed["int8.onnx"]
    assert change.finding is ChangeVerdict.SLOWER
    assert change.latency_ratio.low < 1.3 < change.latency_ratio.high
    assert change.accuracy is not None
    assert change.accuracy.difference.value == pytest.approx(-25 / IMAGES)
    assert change.accuracy.p_value == pytest.approx(2 * 0.5**25)
    assert not change.accuracy.is_chance


@pytest.mark.parametrize(
    ("slower", "lost", "gates", "failed", "undecided"),
    [
        (1.3, 0, Gates(slower=0.1), 1, 0),
        (1.3, 0, Gates(slower=0.5), 0, 0),  # within the limit
        (1.3, 0, Gates(less_accurate=0.001), 0, 0),  # another limit
        (1.3, 0, Gates(), 0, 0),
        (1.0, 25, Gates(less_accurate=0.005), 1, 0),
        (1.0, 25, Gates(less_accurate=0.02), 0, 0),
        (1.0, 3, Gates(less_accurate=0.001), 0, 1),  # three of 2,000 may be chance: p = 0.25
        (1.3, 25, Gates(slower=0.1, less_accurate=0.005), 2, 0),
    ],
)
def test_limits(first: BenchResult, slower: float, lost: int, gates: Gates, failed: int, undecided: int) -> None:
    second = with_file(made_result(HERE, seed=1), "mnist_int8.tflite", slower=slower, lost=lost)
    found = find_regressions(compare(first, second), gates)
    assert (len(found.failed), len(found.undecided)) == (failed, undecided)
    assert all(sentence.startswith("int8.tflite: ") for sentence in found.failed + found.undecided)


def test_a_slow_file_is_undecided_where_the_rounds_are_too_few(first: BenchResult) -> None:
    comparison = compare(made_result(HERE, rounds=3), made_result(HERE, seed=1, rounds=3, slower=1.4))
    found = find_regressions(comparison, Gates(slower=0.1))
    assert found.failed == ()
    assert len(found.undecided) == len(first.rows)
    assert {change.finding for change in comparison.changes} == {ChangeVerdict.TOO_FEW_ROUNDS}
    assert any("Too few rounds" in note for note in comparison.notes)


def test_a_file_that_no_longer_runs_fails_a_limit(first: BenchResult) -> None:
    second = dataclasses.replace(
        first, rows=first.rows[1:], failures=(Failure(first.rows[0].name, "latency", "it crashed with SIGSEGV"),)
    )
    comparison = compare(first, second)
    assert comparison.only_first == (first.rows[0].name,)
    (failed,) = find_regressions(comparison, Gates(slower=0.1)).failed
    assert "SIGSEGV" in failed
    assert find_regressions(comparison, Gates()).failed == ()


def test_other_images_are_compared_as_two_samples(first: BenchResult) -> None:
    assert first.data is not None
    second = with_file(first, "mnist_int8.tflite", lost=6)
    other = dataclasses.replace(second, data=dataclasses.replace(first.data, fingerprint="another"))
    paired, unpaired = (compare(first, result) for result in (second, other))
    sure, unsure = (
        next(change.accuracy for change in found.changes if change.label == "int8.tflite")
        for found in (paired, unpaired)
    )
    assert sure is not None
    assert unsure is not None
    assert not sure.is_chance  # six lost, none won: p = 0.03
    assert unsure.p_value is None
    assert unsure.is_chance
    assert any("Other test images" in note for note in unpaired.notes)


def test_another_machine_and_other_versions_are_said(first: BenchResult) -> None:
    machine = dataclasses.replace(
        first.machine, cpu="Cortex-A72", architecture="aarch64", packages={**first.machine.packages, "numpy": "2.5.0"}
    )
    notes = compare(first, dataclasses.replace(made_result(HERE, seed=1, slower=4), machine=machine)).notes
    assert notes[0].startswith("Two machines, Made-up CPU @ 3.6 GHz and Cortex-A72: ")
    assert notes[1].startswith("Other versions: numpy 2.4.0 → 2.5.0.")
    assert not any("moved together" in note for note in notes)


def test_all_files_moving_together_looks_like_the_machine(first: BenchResult) -> None:
    (note,) = compare(first, made_result(HERE, seed=1, slower=1.2)).notes
    assert note.startswith(f"All {len(first.rows)} files moved together, to 1.")
    one = with_file(made_result(HERE, seed=1), "mnist_int8.tflite", slower=1.2)
    assert compare(first, one).notes == ()


def test_matching_by_name_then_label_then_format(first: BenchResult) -> None:
    renamed = [dataclasses.replace(row, name=row.name.replace("mnist", "digits")) for row in first.rows]
    assert [(own.name, other.label) for own, other in pairs(first.rows, renamed)] == [
        (row.name, row.label) for row in first.rows
    ]
    row = first.row("mnist_float32.tflite")
    alone = dataclasses.replace(row, name="model.tflite", label="model.tflite")
    assert pairs(first.rows, [alone]) == [(row, alone)]
    # Two int8 TFLite files: which of them it would be is not known.
    int8 = dataclasses.replace(first.row("mnist_int8.tflite"), name="model.tflite", label="model.tflite")
    assert pairs(first.rows, [int8]) == []
    assert pairs([int8], first.rows) == []


def test_what_is_matched_by_name_leaves_the_rest_to_its_format(first: BenchResult) -> None:
    same, other = first.row("mnist_int8.tflite"), first.row("mnist_qat_int8.tflite")
    alone = dataclasses.replace(other, name="model.tflite", label="model.tflite")
    assert pairs([same, other], [alone, same]) == [(same, same), (other, alone)]


def test_a_sweep_is_matched_by_threads_and_batch(first: BenchResult) -> None:
    int8 = first.row("mnist_int8.tflite")
    sweep = [dataclasses.replace(int8, name=f"a t{threads}", label="a", threads=threads) for threads in (1, 2)]
    later = [dataclasses.replace(own, name=own.name.replace("a", "b"), label="b") for own in reversed(sweep)]
    assert [(own.threads, theirs.threads) for own, theirs in pairs(sweep, later)] == [(1, 1), (2, 2)]


def test_what_one_side_alone_has_is_listed(first: BenchResult) -> None:
    """By its own name there, also where its name differs on the other side."""
    renamed = [dataclasses.replace(row, name=row.name.replace("mnist", "digits")) for row in first.rows]
    found = compare(
        dataclasses.replace(first, rows=tuple(row for row in first.rows if row.label != "float32.onnx")),
        dataclasses.replace(first, rows=tuple(row for row in renamed if row.label != "int16x8.tflite")),
    )
    assert found.only_first == ("mnist_int16x8.tflite",)
    assert found.only_second == ("digits_float32.onnx",)
    nothing = compare(first, dataclasses.replace(first, rows=()))
    assert nothing.changes == ()
    assert nothing.only_first == tuple(row.name for row in first.rows)


def test_the_document_says_which_side_is_which(first: BenchResult) -> None:
    second = with_file(made_result(HERE / "later", seed=1, slower=1.3), "mnist_int8.tflite", lost=25)
    row = second.row("mnist_int8.tflite")
    larger = dataclasses.replace(row, size_bytes=2 * row.size_bytes, peak_memory_bytes=1, cold_start_s=None)
    second = dataclasses.replace(second, rows=tuple(larger if own is row else own for own in second.rows))
    document = compare(first, second).to_document()
    assert (document["first"]["file"], document["second"]["file"]) == ("here/bench.json", "here/later/bench.json")
    assert document["first"]["edgecnn"] == "0.1.0"
    file = next(file for file in document["files"] if file["label"] == "int8.tflite")
    before = first.row("mnist_int8.tflite")
    assert before.accuracy is not None
    assert file["size_bytes"] == {"first": before.size_bytes, "second": 2 * before.size_bytes}
    assert file["peak_memory_bytes"] == {"first": before.peak_memory_bytes, "second": 1}
    assert file["latency_p50_us"]["first"]["value"] == before.latency_us.p50.value
    assert file["latency_p50_us"]["second"]["value"] == row.latency_us.p50.value
    assert file["cold_start_s"]["first"]["value"] == 0.12
    assert file["cold_start_s"]["second"] is None
    assert file["latency_ratio"]["low"] < 1.3 < file["latency_ratio"]["high"]
    assert file["finding"] == "slower"
    assert file["accuracy"]["first"] == before.accuracy.value
    assert file["accuracy"]["difference"]["value"] == pytest.approx(-25 / IMAGES)
    assert file["accuracy"]["mcnemar_p"] < 0.001
    assert file["accuracy"]["explained_by_chance"] is False
    same = next(file for file in document["files"] if file["label"] == "float32.onnx")
    assert same["accuracy"]["explained_by_chance"] is True
    unknown = dataclasses.replace(first, rows=tuple(dataclasses.replace(own, accuracy=None) for own in first.rows))
    assert {file["accuracy"] for file in compare(first, unknown).to_document()["files"]} == {None}
