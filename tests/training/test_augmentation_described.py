"""How changes of images are described: on the command line, in TOML and in `run.json`."""

import dataclasses
import json
from typing import Any

import pytest

from edgecnn_runtime.errors import InputError
from edgecnn_runtime.json_dataclasses import read_dataclass
from edgecnn_training.augmentation import CHANGES, Augmentation, Border
from edgecnn_training.recipes import list_recipes

ALL = {field.name: 0.25 for field in dataclasses.fields(Augmentation)} | {
    "flip_horizontal": True,
    "flip_vertical": True,
    "border": "white",
}


@pytest.mark.parametrize(
    ("described", "expected"),
    [
        ("flip-horizontal", {"flip_horizontal": True}),
        (" rotation=0.1 , zoom_in = 0.2,", {"rotation": 0.1, "zoom_in": 0.2}),
        ("flip-vertical=true,blur=1", {"flip_vertical": True, "blur": 1.0}),
        ("border=black,rotation=1", {"border": Border.BLACK, "rotation": 1.0}),
        ({"flip-horizontal": True, "noise": 0.1}, {"flip_horizontal": True, "noise": 0.1}),
        ({"rand_augment": 1}, {"rand_augment": 1.0}),
        (ALL, ALL),
    ],
)
def test_changes_are_read(described: Any, expected: dict[str, Any]) -> None:
    assert Augmentation.of(described) == Augmentation(**expected)


def test_what_is_shown_is_read_again() -> None:
    everything = Augmentation.of(ALL)
    assert Augmentation.of(str(everything)) == everything
    document = json.loads(json.dumps(dataclasses.asdict(everything)))
    assert read_dataclass(Augmentation, document, name="augmentation") == everything
    assert set(str(everything).replace("=", ",").split(",")) >= set(CHANGES)


@pytest.mark.parametrize(
    ("described", "message"),
    [
        ("rotatoin=0.1", "expected changes among .*, got 'rotatoin'; did you mean rotation"),
        ({"Rotation ": 0.1}, "expected changes among .*, got 'Rotation '; did you mean rotation"),
        ("rotation", "rotation: expected a number, as in rotation=0.1, got True"),
        ("rotation=", "rotation: expected a number, as in rotation=0.1, got ''"),
        ("rotation=far", "rotation: expected a number, as in rotation=0.1, got 'far'"),
        ("rotation=-0.1", "rotation: expected 0…1, got -0.1"),
        ("rotation=nan", "rotation: expected 0…1, got nan"),
        ("zoom-in=1", "zoom-in: expected 0…0.9, got 1"),
        ("blur=inf", "blur: expected 0…10, got inf"),
        ("contrast=1.5", "contrast: expected 0…1, got 1.5"),
        ("mixup=11", "mixup: expected 0…10, got 11"),
        ("flip-horizontal=0.5", "flip-horizontal: expected true or false, got 0.5"),
        ("border=grey,shift=0.1", "border: expected one of nearest, black, white, got 'grey'"),
        ("shift=0.1,shift=0.2", "expected each change once, got shift twice"),
        ("zoom-in=0.1,zoom_in=0.2", "expected each change once, got zoom-in twice"),
        ("", "expected at least one change, got 'nothing'"),
        ("border=white", "expected at least one change, got 'border=white'"),
        ({"rotation": 0}, "expected at least one change"),
        ({"rotation": "0.1"}, "rotation: expected a number, as in rotation=0.1, got '0.1'"),
    ],
)
def test_what_cannot_be_read_is_named(described: Any, message: str) -> None:
    with pytest.raises(InputError, match=f"augmentation: {message}"):
        Augmentation.of(described)


def test_every_recipe_can_be_augmented() -> None:
    for recipe in list_recipes():
        assert recipe.changes(dataclasses.replace(recipe.settings, augment=True)) == recipe.augmentation
        assert recipe.augmentation
    # A mirrored image may be one of another class, or none; where nobody has looked at the images, none is mirrored.
    for recipe in list_recipes():
        if recipe.data is None:
            assert not recipe.augmentation.flip_horizontal
            assert not recipe.augmentation.flip_vertical
