"""What is planned for a set, on machines that are made up."""

import dataclasses
from typing import Any

import pytest

from edgecnn_training.automatic.plan import Plan, Speed, make_plan
from edgecnn_training.automatic.set_looks import SetLooks
from edgecnn_training.settings import TrainingSettings

FEW = SetLooks(counts=(8, 14, 20), side=300, is_grey=False, tests=False)


def plan_for(
    looks: SetLooks,
    *,
    given: dict[str, Any] | None = None,
    imgsz: int | None = None,
    minutes: float = 10,
    step: float = 0.01,
    without_base: str | None = "none is here",
) -> Plan:
    return make_plan(
        looks,
        given=given or {},
        imgsz=imgsz,
        minutes=minutes,
        without_base=without_base,
        speed=lambda recipe, shape: Speed(step=step, image=0.01),
    )


@pytest.mark.parametrize(
    ("changes", "shape"),
    [
        ({}, (96, 96, 3)),
        ({"is_grey": True}, (96, 96, 1)),
        ({"side": 80}, (64, 64, 3)),
        ({"side": 28}, (28, 28, 3)),
        ({"side": 3}, (24, 24, 3)),
        ({"fixed": (40, 60, 1)}, (40, 60, 1)),
    ],
    ids=str,
)
def test_a_network_learns_at_a_size_near_that_of_the_images(
    changes: dict[str, Any], shape: tuple[int, int, int]
) -> None:
    assert plan_for(dataclasses.replace(FEW, **changes)).candidates[0].shape == shape


@pytest.mark.parametrize(("each", "folds"), [(14, 5), (66, 5), (67, 3), (600, 3), (700, 0)])
def test_the_folds_follow_from_the_number_of_images(each: int, folds: int) -> None:
    plan = plan_for(dataclasses.replace(FEW, counts=(each, each, each)), minutes=1000)
    assert plan.candidates[0].settings.folds == folds
    assert (plan.folds, plan.compared_on) == ((folds, folds) if folds else (5, 1))


@pytest.mark.parametrize(
    ("step", "side", "folds", "epochs"),
    [(0.1, 96, 5, 30), (0.3, 64, 5, 30), (1.0, 32, 5, 30), (2.5, 32, 3, 20), (100.0, 32, 3, 10)],
)
def test_a_slow_machine_gets_a_smaller_plan(step: float, side: int, folds: int, epochs: int) -> None:
    candidate = plan_for(FEW, step=step, given={"augment": False}).candidates[0]
    settings = candidate.settings
    assert (candidate.shape[0], settings.folds, settings.epochs) == (side, folds, epochs)
    assert step == 100 or candidate.seconds <= 600


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"epochs": 7}, {"epochs": 7, "least_steps": 0}),
        ({"folds": 0}, {"folds": 0}),
        ({"folds": 4}, {"folds": 4}),
        ({"class_weights": "none", "seed": 3}, {"class_weights": "none", "seed": 3}),
    ],
    ids=str,
)
def test_what_the_user_names_goes_first(given: dict[str, Any], expected: dict[str, Any]) -> None:
    for step in (0.01, 3.0):
        plan = plan_for(FEW, given=given, step=step, without_base=None)
        for candidate in plan.candidates:
            assert {name: getattr(candidate.settings, name) for name in expected} == expected
    assert [candidate.shape[:2] for candidate in plan_for(FEW, imgsz=50, without_base=None).candidates] == [
        (50, 50)
    ] * 2


def test_a_pretrained_base_is_tried_where_one_can_be_had() -> None:
    plan = plan_for(FEW, without_base=None, given={"unfreeze": 3})
    scratch, transfer = plan.candidates
    assert (scratch.recipe, scratch.settings.unfreeze) == ("small-cnn", 0)
    assert (transfer.recipe, transfer.shape, transfer.settings.unfreeze) == ("transfer", (160, 160, 3), 3)
    assert scratch.settings.folds == transfer.settings.folds
    left_out = plan_for(FEW)
    assert [candidate.recipe for candidate in left_out.candidates] == ["small-cnn"]
    assert "transfer is left out: none is here" in " ".join(left_out.because)


@pytest.mark.parametrize(
    ("looks", "said"),
    [
        (FEW, ["42 colour images of 3 classes, 8 to 20 of a class, some 300 pixels", "a rare class counts for more"]),
        (dataclasses.replace(FEW, tests=True), ["every image but those for testing is trained on"]),
        (dataclasses.replace(FEW, counts=(2000, 2000)), ["10% of the images are kept back"]),
    ],
    ids=["few", "with tests", "many"],
)
def test_it_says_why(looks: SetLooks, said: list[str]) -> None:
    text = "; ".join(plan_for(looks, minutes=1000).because)
    assert all(sentence in text for sentence in said)


def test_a_plan_can_be_kept_and_read_again() -> None:
    from edgecnn_runtime.json_dataclasses import read_dataclass

    plan = plan_for(FEW, without_base=None)
    document = dataclasses.asdict(plan)
    assert read_dataclass(Plan, document, name="plan") == plan
    assert isinstance(plan.candidates[0].settings, TrainingSettings)
