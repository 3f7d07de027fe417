"""The settings of a training as options: one for each field of `TrainingSettings`, and none of its own."""

import dataclasses
import enum
from typing import Annotated, Any

import typer

from edgecnn_training.settings import Setting, setting_type, settings_described


def _option(name: str, setting: Setting) -> Any:
    """Return the type of a setting's option: text for a choice, and None where it is not given."""
    kind: Any = setting_type(name)
    metavar = setting.metavar
    names = [setting.flag or "--{0}/--no-{0}".format(name.replace("_", "-"))] if kind is bool else []
    if issubclass(kind, enum.StrEnum):
        kind, metavar = str, "|".join(kind)
    elif kind not in (bool, int, float):
        kind = str
    return Annotated[kind | None, typer.Option(*names, metavar=metavar, help=setting.help)]


# What the command line says about the settings; None where nothing.
TrainingOptions = dataclasses.make_dataclass(
    "TrainingOptions",
    [(name, _option(name, setting), None) for name, setting in settings_described().items()],
    frozen=True,
)
