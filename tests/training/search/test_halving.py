"""Successive halving by a table made by hand, and what is decided from what candidates get right."""

import random
from dataclasses import dataclass

import pytest

from edgecnn_runtime.accuracy import Accuracy
from edgecnn_runtime.errors import InputError
from edgecnn_training.automatic.set_looks import SetLooks
from edgecnn_training.search.choice import Choice, Cost, Scored, choose, pareto_front
from edgecnn_training.search.halving import halve
from edgecnn_training.search.space import Space, architectures, candidates


@dataclass(frozen=True)
class Made:
    merit: float
    seconds: float = 1.0


# Merit in each of three rungs: the best of the first is not the best of the last.
TABLE = {
    "a": (0.90, 0.91, 0.92),
    "b": (0.80, 0.95, 0.93),
    "c": (0.70, 0.96, 0.99),
    "d": (0.60, 0.00, 0.00),
    "e": (0.50, 0.00, 0.00),
    "f": (0.40, 0.00, 0.00),
    "g": (0.30, 0.00, 0.00),
    "h": (0.20, 0.00, 0.00),
    "i": (0.10, 0.00, 0.00),
}


def run(seconds: float, *, each: float = 1.0) -> list[str]:
    tried = halve(
        sorted(TABLE, reverse=True), 3, attempt=lambda name, rung, of: Made(TABLE[name][rung], each), seconds=seconds
    )
    return ["".join(name for name, _ in rung) for rung in tried]


def test_a_third_goes_on_from_each_rung() -> None:
    assert run(1000) == ["abcdefghi", "cba", "cba"]


def test_a_rung_takes_what_its_share_of_the_time_allows() -> None:
    # A third of 12 seconds: four of the first rung, the best three go on; three seconds that another one is expected
    # to take after the first are not within half of what is left, the same again is within all of it.
    assert run(12) == ["fghi", "fg", "fg"]
    # Three of the first rung and one of the others in any case.
    assert run(0) == ["ghi", "g", "g"]


@pytest.mark.parametrize("seed", range(20))
def test_the_front_is_what_no_point_beats(seed: int) -> None:
    drawn = random.Random(seed)
    points = [tuple(float(drawn.randint(0, 4)) for _ in range(3)) for _ in range(12)]

    def beaten(point: tuple[float, ...]) -> bool:
        no_worse = [o for o in points if o[0] <= point[0] and o[1] <= point[1] and o[2] <= point[2]]
        return any(sum(other) < sum(point) for other in no_worse)

    assert pareto_front(points) == [number for number, point in enumerate(points) if not beaten(point)]


def scored(right: str) -> Scored:
    correct, total = right.count("1"), len(right) - right.count("-")
    return Scored(
        name=right,
        rung=0,
        epochs=1,
        accuracy=Accuracy(correct, total),
        balanced_accuracy=correct / total,
        loss=0.1,
        seconds=1.0,
        right=right,
    )


@pytest.mark.parametrize(
    ("rights", "latencies", "expected"),
    [
        # One image of forty is within a standard error: the faster is taken.
        (["1" * 40, "1" * 39 + "0"], [2.0, 1.0], Choice(1, 0, (1,))),
        # Four are not, though the test cannot tell them apart: 2 * (1/2)^4 = 0.125.
        (["1" * 40, "1" * 36 + "0" * 4], [2.0, 1.0], Choice(0, 0, (1,))),
        # Six it can: 2 * (1/2)^6 = 0.031.
        (["1" * 40, "1" * 34 + "0" * 6], [2.0, 1.0], Choice(0, 0, ())),
        # Images that a fold has not asked for say nothing.
        (["--" + "1" * 38, "--" + "1" * 38], [2.0, 2.0], Choice(0, 0, (1,))),
    ],
)
def test_the_faster_of_what_images_do_not_tell_apart(
    rights: list[str], latencies: list[float], expected: Choice
) -> None:
    costs = [Cost(latency_us=latency, size_bytes=1) for latency in latencies]
    assert choose([scored(right) for right in rights], costs) == expected


LOOKS = SetLooks(counts=(20, 20), side=50, is_grey=False, tests=False)


def test_the_space_follows_the_images() -> None:
    made = architectures(Space(widths=(0.5, 1.0), depths=(3, 4)), LOOKS, seed=0)
    assert {each.shape for each in made} == {(side, side, colour) for side in (24, 32, 48) for colour in (1, 3)}
    assert {each.recipe for each in made} == {"small-cnn:3@0.5", "small-cnn:3", "small-cnn@0.5", "small-cnn"}
    assert len(made) == 24
    assert len(candidates(made, Space(), seed=0)) == 48
    assert {each.augment for each in candidates(made, Space(augment=False), seed=0)} == {False}
    grey = SetLooks(counts=(20, 20), side=12, is_grey=True, tests=False)
    assert {each.shape for each in architectures(Space(), grey, seed=0)} == {(24, 24, 1)}


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"widths": (0.0,)}, "alpha: expected 0.05…10, got 0"),
        ({"depths": (1,)}, "depth: expected 2…6 convolutions as in small-cnn:3, got '1'"),
        ({"sides": (0,)}, "imgsz: expected at least 1, got 0"),
        ({"colours": ("blue",)}, "colour: expected some of grey, rgb, got 'blue'"),
    ],
)
def test_no_such_space(space: dict[str, tuple[object, ...]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Space(**space)  # type: ignore[arg-type]


def test_a_prepared_set_has_one_shape() -> None:
    looks = SetLooks(counts=(20, 20), side=28, is_grey=True, tests=True, fixed=(28, 28, 1))
    assert {each.shape for each in architectures(Space(sides=(28,), colours=("grey",)), looks, seed=0)} == {(28, 28, 1)}
    with pytest.raises(InputError, match="imgsz: expected 28x28, as the set is prepared so, got 24"):
        architectures(Space(sides=(24,)), looks, seed=0)
    with pytest.raises(InputError, match="colour: expected grey, as the set is prepared so, got rgb"):
        architectures(Space(colours=("rgb",)), looks, seed=0)
