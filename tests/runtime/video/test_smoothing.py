"""The rules of smoothing, as tables: recorded answers in, announced labels out."""

import pytest

from edgecnn_runtime.errors import InputError
from edgecnn_runtime.video.smoothing import NO_SMOOTHING, Smoother, Smoothing

# One letter an answer, each a second after the last: the label, in lower case with probability 0.9, in upper case
# with 0.4. Out: what is announced after each answer, '-' for nothing.
SEQUENCES = {
    "no smoothing passes everything on": (NO_SMOOTHING, "aabAb", "aabab"),
    "one odd frame opens no gate": (Smoothing(5, 3), "aaaaabaaaa", "--aaaaaaaa"),
    "two odd frames in a row neither": (Smoothing(5, 3), "aaaaabbaaa", "--aaaaaaaa"),
    "a real change comes through after three frames": (Smoothing(5, 3), "aaaaabbbbb", "--aaaaabbb"),
    "flicker announces nothing": (Smoothing(4, 3), "ababababab", "----------"),
    "doubtful answers vote for nothing": (Smoothing(5, 3, threshold=0.5), "aAaAaAAAAA", "----a-----"),
    "doubt alone takes a label away": (Smoothing(3, 2, threshold=0.5), "aaaAAA", "-aaa--"),
    "a held label stays that long after its votes": (
        Smoothing(3, 2, threshold=0.5, hold=3),
        "aaaAAAAAAA",
        "-aaaaa----",
    ),
    "a held label yields at once to another with the votes": (Smoothing(3, 2, hold=60), "aaabbb", "-aaabb"),
    "a hold begins anew with new votes": (Smoothing(3, 2, threshold=0.5, hold=4), "aaAAAaaAAAAA", "-aaaaaaaaaa-"),
    "of equals the announced one stays": (Smoothing(4, 2), "aabb", "-aaa"),
    "of equals the latest is announced first": (Smoothing(4, 1), "ab", "aa"),
    "the whole window may be asked for": (Smoothing(3, 3), "aabaaa", "-----a"),
}


@pytest.mark.parametrize(("rules", "answers", "announced"), SEQUENCES.values(), ids=SEQUENCES.keys())
def test_recorded_sequences(rules: Smoothing, answers: str, announced: str) -> None:
    smoother = Smoother(rules)
    results = [
        smoother.add(answer.lower(), 0.9 if answer.islower() else 0.4, time=second)
        for second, answer in enumerate(answers)
    ]
    assert "".join(result.label or "-" for result in results) == announced
    before = "-" + announced[:-1]
    assert [result.changed for result in results] == [new != old for new, old in zip(announced, before, strict=True)]


def test_since_is_the_second_of_the_last_change() -> None:
    smoother = Smoother(Smoothing(3, 2))
    since = [smoother.add(label, 0.9, time=second).since for second, label in enumerate("aaabbb")]
    assert since == [None, 1, 1, 1, 4, 4]


def test_a_label_ends_while_no_frame_comes() -> None:
    smoother = Smoother(Smoothing(3, 2, hold=2))
    smoother.add("a", 0.9, time=0)
    assert smoother.add("a", 0.9, time=1).label == "a"
    smoother.forget()
    assert [smoother.pass_time(second).label for second in (2, 2.9, 3, 4)] == ["a", "a", None, None]


def test_votes_from_before_a_gap_do_not_count() -> None:
    smoother = Smoother(Smoothing(3, 2))
    smoother.add("a", 0.9, time=0)
    smoother.forget()
    assert smoother.add("a", 0.9, time=60).label is None
    assert smoother.add("a", 0.9, time=61).label == "a"


def test_not_a_number_votes_for_nothing() -> None:
    assert Smoother(NO_SMOOTHING).add("a", float("nan"), time=0).label is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 0, "min_count": 0}, "window: expected at least 1"),
        ({"window": 3, "min_count": 4}, r"min_count: expected 1 … 3 \(the window\), got 4"),
        ({"min_count": 0}, "min_count: expected 1 … 5"),
        ({"threshold": 1.5}, "threshold: expected a probability"),
        ({"threshold": float("nan")}, "threshold: expected a probability"),
        ({"hold": -1}, "hold: expected seconds"),
        ({"hold": float("inf")}, "hold: expected seconds"),
    ],
)
def test_rules_out_of_range_are_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Smoothing(**options)  # type: ignore[arg-type]
