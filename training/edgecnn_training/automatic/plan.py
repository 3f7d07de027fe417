"""A plan: which networks to train on a set, at which size, for how long, and why; made from facts and a time limit."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from edgecnn_training.automatic.set_looks import LEAST_SIDE, SetLooks
from edgecnn_training.recipes import get_recipe
from edgecnn_training.settings import ClassWeights, TrainingSettings

SCRATCH, TRANSFER = "small-cnn", "transfer"

# The sides that a network learns its own images at: the images' own up to _OWN_SIDE, else one of these. Twice the side
# takes four times as long, here and on the device.
_OWN_SIDE = 48
_SIDES = (96, 64, 48, 32)
# Those at which MobileNetV2 was trained on ImageNet; at smaller ones its features are those of blurred images.
_TRANSFER_SIDES = (160, 128, 96)
# Below the first number of images all are trained on, with five folds; below the second with three, since each then
# keeps back enough. Above, one fold of five compares the networks, and a share of the images is kept for validation.
_FEW, _MANY = 200, 2000
# From which ratio of class sizes on the classes are called uneven in words; they are weighted in any case.
_UNEVEN = 1.5
# Of the time limit, what the folds and the training may take by the estimate; the rest is preparation and figures.
_SHARE = 0.85
_FEWER_EPOCHS = (20, 10)


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A network that may be trained."""

    recipe: str
    shape: tuple[int, int, int]  # (height, width, channels)
    settings: TrainingSettings
    seconds: float  # that its folds and the training on all images are expected to take


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is trained; the better one of several candidates is kept."""

    candidates: tuple[Candidate, ...]
    because: tuple[str, ...]  # sentences
    folds: int  # that the images are divided into, to compare the candidates
    compared_on: int  # of these, how many are trained


@dataclass(frozen=True, kw_only=True)
class Speed:
    """How long a network takes on this machine, in seconds."""

    step: float  # of training
    image: float = 0.0  # of the frozen base, for each image once


# Measures the speed of a recipe at a shape.
MeasureSpeed = Callable[[str, tuple[int, int, int]], Speed]


def make_plan(
    looks: SetLooks,
    *,
    given: Mapping[str, Any],
    imgsz: int | None,
    minutes: float,
    without_base: str | None,
    speed: MeasureSpeed,
) -> Plan:
    """Decide what is trained on a set.

    Args:
        looks: of the set.
        given: settings that the user named, by their names; they go before the plan's.
        imgsz: the side that the user named; None leaves it to the plan.
        minutes: what all trainings together may take.
        without_base: why no pretrained network can be had, in words; None where one can.
        speed: measures how fast this machine trains.
    """
    folds = given.get("folds")
    if folds is None:
        folds = usual_folds(looks.images)
    because = [_images_said(looks)]
    transfer, budget = None, minutes * 60 * _SHARE
    if without_base is None:
        transfer = _transfer(looks, given, folds, imgsz, budget, speed)
        budget -= transfer.seconds
    scratch = _scratch(looks, given, folds, imgsz, budget, speed)
    folds = scratch.settings.folds or 0
    candidates = [scratch]
    if transfer is not None:
        candidates.append(dataclasses.replace(transfer, settings=dataclasses.replace(transfer.settings, folds=folds)))
        because.append(
            f"{SCRATCH} learns from these images alone, {TRANSFER} uses features of ImageNet: the better is kept"
        )
    else:
        because.append(f"{SCRATCH} learns from these images alone; {TRANSFER} is left out: {without_base}")
    because += _settings_said(looks, scratch)
    return Plan(candidates=tuple(candidates), because=tuple(because), folds=folds or 5, compared_on=folds or 1)


def usual_folds(images: int) -> int:
    """Return the number of folds that so many images are scored by; 0 where enough can be kept back instead.

    >>> usual_folds(42), usual_folds(1500), usual_folds(60_000)
    (5, 3, 0)
    """
    return 5 if images < _FEW else 3 if images < _MANY else 0


def trainings(folds: int) -> float:
    """Return how many times over all images are trained on: in the folds, and at the end.

    >>> trainings(5)
    5.0
    """
    return (folds - 1 if folds else 0.8) + 1.0


# Settings that only a network on a pretrained base can make something of.
OF_A_BASE = ("weights", "unfreeze", "fine_tune_epochs", "fine_tune_rate")


def settings_for(recipe_name: str, given: Mapping[str, Any]) -> TrainingSettings:
    """Return the settings of a recipe with those replaced that the user named, as far as it can use them."""
    recipe = get_recipe(recipe_name)
    usable = {name: value for name, value in given.items() if recipe.base is not None or name not in OF_A_BASE}
    return recipe.settings.overridden(**usable)


def _scratch(
    looks: SetLooks,
    given: Mapping[str, Any],
    folds: int,
    imgsz: int | None,
    budget: float,
    speed: MeasureSpeed,
) -> Candidate:
    """Plan the training from scratch: the first of its forms that fits into the time."""
    channels = 1 if looks.is_grey else 3
    sides = _sides(looks) if imgsz is None else (imgsz,)
    shapes = [looks.fixed] if looks.fixed else [(side, side, channels) for side in sides]
    settings = settings_for(SCRATCH, {"augment": True, **given})
    fewer_epochs = () if "epochs" in given else _FEWER_EPOCHS
    epochs = (settings.epochs, *(count for count in fewer_epochs if count < settings.epochs))
    fewer = (folds,) if "folds" in given or folds <= 3 else (folds, 3)
    if "folds" not in given and looks.images >= _FEW:
        fewer = (*fewer, 0)
    measured = speed(SCRATCH, shapes[0])
    made = None
    for count in epochs:
        for number in fewer:
            for shape in shapes:
                step = measured.step * max(0.2, (shape[0] * shape[1]) / (shapes[0][0] * shapes[0][1]))
                least = round(settings.least_steps * count / settings.epochs)
                chosen = dataclasses.replace(settings, epochs=count, least_steps=least, folds=number)
                made = Candidate(
                    recipe=SCRATCH,
                    shape=shape,
                    settings=chosen,
                    seconds=step * _steps(looks, chosen) * trainings(number),
                )
                if made.seconds <= budget:
                    return made
    assert made
    return made


def _transfer(
    looks: SetLooks,
    given: Mapping[str, Any],
    folds: int,
    imgsz: int | None,
    budget: float,
    speed: MeasureSpeed,
) -> Candidate:
    """Plan the training of a head on a pretrained base, at the largest size that takes a third of the time at most."""
    sides = _TRANSFER_SIDES if imgsz is None else (imgsz,)
    settings = dataclasses.replace(settings_for(TRANSFER, given), folds=folds)
    shapes = [looks.fixed] if looks.fixed else [(side, side, 3) for side in sides]
    measured = speed(TRANSFER, shapes[0])
    made = None
    for shape in shapes:
        image = measured.image * (shape[0] * shape[1]) / (shapes[0][0] * shapes[0][1])
        # Once for the features, once when the folds and once when the model is scored.
        seconds = 3 * image * looks.images + measured.step * _steps(looks, settings) * trainings(folds)
        made = Candidate(recipe=TRANSFER, shape=shape, settings=settings, seconds=seconds)
        if seconds <= budget / 3:
            break
    assert made
    return made


def _sides(looks: SetLooks) -> tuple[int, ...]:
    """Return the sides to learn at, the best first: no image is enlarged much, none shrunk below what the time asks."""
    if looks.side <= _OWN_SIDE:
        return (max(LEAST_SIDE, looks.side),)
    return tuple(side for side in _SIDES if side <= looks.side)


def _steps(looks: SetLooks, settings: TrainingSettings) -> int:
    per_epoch = -(-looks.images // settings.batch_size)
    return max(per_epoch * settings.epochs, settings.steps_due)


def _images_said(looks: SetLooks) -> str:
    colours = "grey" if looks.is_grey else "colour"
    return (
        f"{looks.images:,} {colours} images of {len(looks.counts)} classes, {min(looks.counts):,} to "
        f"{max(looks.counts):,} of a class, some {looks.side:,} pixels on their shorter side"
    )


def _settings_said(looks: SetLooks, scratch: Candidate) -> list[str]:
    settings, said = scratch.settings, []
    if settings.folds:
        rest = " but those for testing" if looks.tests else ""
        said.append(
            f"every image{rest} is trained on; each is scored by one of {settings.folds} more networks, "
            "trained without it"
        )
    else:
        said.append(f"{settings.validation_fraction:.0%} of the images are kept back to follow the training")
    if settings.class_weights is ClassWeights.BALANCED and looks.unevenness >= _UNEVEN:
        said.append("an image of a rare class counts for more, so that all classes count the same")
    if settings.augment:
        said.append(
            f"{SCRATCH} sees each image changed a little, each time anew: {get_recipe(SCRATCH).changes(settings)}"
        )
    if _steps(looks, settings) == settings.steps_due:
        said.append(f"{settings.steps_due:,} steps, as fewer images are gone through more often")
    return said
