import pytest

from edgecnn_benchmarks.report.label_places import Box, TakenSpace, find_place
from edgecnn_benchmarks.report.scale import Scale, scale_around

_FRAME = Box(0, 0, 400, 200)


@pytest.mark.parametrize("low", [0.001, 0.9, 40, 1234])
@pytest.mark.parametrize("ratio", [1.001, 1.3, 3.9, 4.1, 50, 1000])
def test_axis_holds_its_values_and_some_ticks(low: float, ratio: float) -> None:
    scale = scale_around(low, low * ratio, start=10, end=110)
    assert scale.log == (ratio > 4)
    assert 10 < scale(low) < scale(low * ratio) < 110
    ticks = scale.ticks()
    assert 2 <= len(ticks) <= 12
    assert all(scale.low <= tick <= scale.high for tick in ticks)


def test_axis_of_one_value_is_not_empty() -> None:
    assert scale_around(5, 5, start=0, end=100)(5) == 50


def test_axis_may_run_upwards() -> None:
    assert Scale(0, 1, 200, 0)(0.25) == 150


def test_label_stays_in_the_frame() -> None:
    box = find_place(399, 199, width=80, height=16, frame=_FRAME, obstacles=[]).box
    assert 0 <= box.left < box.right <= 400
    assert 0 <= box.top < box.bottom <= 200


def test_labels_of_one_point_do_not_cover_each_other() -> None:
    obstacles: list[TakenSpace] = []
    for _ in range(8):
        box = find_place(200, 100, width=80, height=16, frame=_FRAME, obstacles=obstacles).box
        assert all(box.overlap(other.box) == 0 for other in obstacles)
        obstacles.append(TakenSpace(box, 1))
