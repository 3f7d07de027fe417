"""The rules of smoothing, as tables: recorded answers in, announced labels out."""

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    "a threshold is met exactly": (Smoothing(3, 2, threshold=0.9), "aabb", "-aab"),
    "of two others with as many votes the latest follows": (Smoothing(6, 2, threshold=0.5), "cccababX", "-ccccccb"),
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


@pytest.mark.parametrize("threshold", [0, 1])
def test_the_ends_of_a_threshold_are_thresholds(threshold: float) -> None:
    smoother = Smoother(Smoothing(1, 1, threshold=threshold))
    assert [smoother.add("a", value, time=0).label for value in (0.999, 1.0)] == [None if threshold else "a", "a"]


@given(
    window=st.integers(1, 6),
    share=st.floats(0, 1),
    threshold=st.sampled_from([0.0, 0.5, 1.0]),
    hold=st.sampled_from([0.0, 1.0, 2.5]),
    steps=st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from([0.2, 0.5, 1.0]), st.sampled_from([0.5, 1.0])), max_size=25
    ),
)
def test_any_stream_is_smoothed_as_the_rules_say_in_plain_words(
    window: int, share: float, threshold: float, hold: float, steps: list[tuple[str, float, float]]
) -> None:
    needed = 1 + int(share * (window - 1))
    smoother = Smoother(Smoothing(window, needed, threshold, hold))
    latest: deque[str | None] = deque(maxlen=window)
    announced, since, supported, now = None, None, 0.0, 0.0
    for label, probability, pause in steps:
        now += pause
        latest.append(label if probability >= threshold else None)
        votes = {name: list(latest).count(name) for name in "abc"}
        most = max(votes.values())
        best = [name for name in "abc" if votes[name] == most]
        if most >= needed:
            # The announced one, else the one that was voted for last.
            new = announced if announced in best else max(best, key=lambda name: max_place(latest, name))
            supported = now
        else:
            new = announced if announced is not None and now - supported < hold else None
        changed, announced = new != announced, new
        since = now if changed else since
        found = smoother.add(label, probability, time=now)
        assert (found.label, found.since, found.changed) == (announced, since, changed)


def max_place(votes: deque[str | None], label: str) -> int:
    return max(place for place, vote in enumerate(votes) if vote == label)
