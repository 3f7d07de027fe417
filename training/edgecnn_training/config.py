"""A run described in a file: TOML with the options of the command line, or the `run.json` of a run to repeat."""

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgecnn_runtime.choices import did_you_mean
from edgecnn_runtime.errors import InputError
from edgecnn_runtime.workstation.run_folder import RunFolder
from edgecnn_training.augmentation import Augmentation
from edgecnn_training.resuming.origin import RunOrigin
from edgecnn_training.resuming.resume import started_with
from edgecnn_training.settings import setting_type, settings_described


@dataclass(frozen=True, kw_only=True)
class Config:
    """What a file says about a run; None or nothing where it does not."""

    recipe: str | None = None
    data: str | None = None
    imgsz: int | None = None
    alpha: float | None = None  # the width of the network
    params: str | None = None  # parameters of the network at most, as in "30k"
    # Of the data of a run to repeat.
    data_fingerprint: str | None = None
    # By the names of the fields of `TrainingSettings`, of their types.
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def read_config(path: Path) -> Config:
    r"""Read a description of a run.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "long.toml"
    ...     _ = path.write_text('recipe = "signs"\nepochs = 300\nschedule = "cosine"')
    ...     read_config(path).settings
    {'epochs': 300, 'schedule': 'cosine'}

    Augmentation is a table with the changes of `Augmentation`, or text as on the command line.

    Raises:
        InputError: the file is missing or is neither of the two, has an unknown key or a value of another type.
    """
    if not path.is_file():
        raise InputError(f"{path}: not found; expected a TOML file or the run.json of a run for --config")
    return _of_run(path) if path.suffix == ".json" else _of_toml(path)


def _of_run(path: Path) -> Config:
    folder = RunFolder(path.parent)
    origin: RunOrigin | None = started_with(folder) if path.name == folder.record.name else None
    if origin is None:
        raise InputError(f"{path}: expected a TOML file or the run.json of a run for --config, got another JSON file")
    return Config(
        recipe=origin.recipe,
        data=origin.data_folder,
        data_fingerprint=origin.data_fingerprint,
        settings=dataclasses.asdict(origin.settings),
    )


def _of_toml(path: Path) -> Config:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except RecursionError:
        raise InputError(f"{path}: expected TOML of a few levels, got one that is nested too deeply") from None
    except ValueError as error:
        raise InputError(f"{path}: expected TOML; {error}") from error
    own = {"recipe": str, "data": str, "imgsz": int, "alpha": float, "params": str}
    known = own | {name: setting_type(name) for name in settings_described()}
    if type(document.get("params")) is int:
        document["params"] = str(document["params"])  # 30000 says as much as "30k"
    for name, value in document.items():
        if name not in known:
            raise InputError(f"{path}: expected keys among {', '.join(known)}, got {name!r}{did_you_mean(name, known)}")
        if not _fits(value, known[name]):
            raise InputError(f"{path}: {name}: expected {_in_words(known[name])}, got {value!r}")
    settings = {name: value for name, value in document.items() if name not in own}
    if "augmentation" in settings:
        try:
            settings["augmentation"] = Augmentation.of(settings["augmentation"])
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
    return Config(**{name: document[name] for name in own if name in document}, settings=settings)


def _fits(value: Any, kind: type) -> bool:
    """Whether a value that TOML gave is of a type; a choice is text, and a whole number is a fine learning rate."""
    # By `type`, since `true` is no number, though Python thinks so.
    given = type(value)
    if kind is Augmentation:
        return given in (dict, str)
    return issubclass(kind, given) if given is str else given is kind or (given is int and kind is float)


def _in_words(kind: type) -> str:
    words = {int: "a whole number", float: "a number", bool: "true or false", Augmentation: "a table of changes"}
    return words.get(kind, "text in quotes")
