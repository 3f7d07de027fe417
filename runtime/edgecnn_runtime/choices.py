"""Names out of a closed set, and what to say about one that is not in it: "did you mean mnist?"."""

import enum
from collections.abc import Iterable
from typing import TypeVar

from edgecnn_runtime.errors import InputError

_Choice = TypeVar("_Choice", bound=enum.StrEnum)


def choose(kind: type[_Choice], what: str, name: str) -> _Choice:
    """Return the choice of that name, in whatever case.

    Raises:
        InputError: there is none.
    """
    try:
        return kind(name.lower())
    except ValueError:
        raise InputError(not_among(what, name, kind)) from None


def not_among(what: str, name: str, choices: Iterable[str]) -> str:
    """Return the message for a name that is not among the choices.

    >>> not_among("recipe", "mnsit", ["casting", "mnist"])
    "recipe: expected one of casting, mnist, got 'mnsit'; did you mean mnist?"
    """
    choices = tuple(choices)
    return f"{what}: expected one of {', '.join(choices)}, got {name!r}{did_you_mean(name, choices)}"


def did_you_mean(name: str, choices: Iterable[str]) -> str:
    """Return the end of a message about a name that is like one of the choices; nothing where it is like none.

    >>> did_you_mean("mnist-500", ["mnist", "mnist-5000", "signs"])
    '; did you mean mnist-5000?'
    >>> did_you_mean("photos", ["mnist", "signs"])
    ''
    """
    import difflib

    spelled = {choice.lower(): choice for choice in choices}
    near = difflib.get_close_matches(name.lower(), spelled, n=1)
    return f"; did you mean {spelled[near[0]]}?" if near else ""
