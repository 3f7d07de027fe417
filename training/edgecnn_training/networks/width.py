"""The width of a network: its channels as a multiple, `alpha`, of those that its recipe documents.

The width multiplier of MobileNet (A. Howard et al., arXiv:1704.04861, section 3.3), which `keras.applications` calls
`alpha`: half the channels are about a quarter of the parameters and of the work.
"""

import re

from edgecnn_runtime.errors import InputError

# Between the name of a recipe and its width: "small-cnn@0.5".
AT_WIDTH = "@"
# Below, MobileNet's first convolution would soon have no channel left; above, its parameters fill the memory.
NARROWEST, WIDEST = 0.05, 10.0
# Arithmetic on int8 takes four at a time on a microcontroller and at least eight elsewhere.
_CHANNELS = 4


def channels(documented: int, alpha: float) -> int:
    """Return the number of channels at a width: the nearest multiple of 4, at least 4.

    >>> channels(64, 1.0), channels(64, 0.35), channels(16, 0.1)
    (64, 24, 4)
    """
    return max(1, round(documented * alpha / _CHANNELS)) * _CHANNELS


def check_alpha(alpha: float) -> float:
    """Return a width that networks can be built at.

    Raises:
        InputError: it is out of range.
    """
    if not NARROWEST <= alpha <= WIDEST:
        raise InputError(f"alpha: expected {NARROWEST:g}…{WIDEST:g}, got {alpha:g}")
    return alpha


def parse_alpha(text: str) -> float:
    """Read the width in the name of a recipe.

    Raises:
        InputError: it is no number, or out of range.
    """
    if not re.fullmatch(r"\d*\.?\d+", text):
        raise InputError(f"alpha: expected a number behind {AT_WIDTH} as in small-cnn{AT_WIDTH}0.5, got {text!r}")
    return check_alpha(float(text))


def parse_parameters(text: str) -> int:
    """Read a number of parameters.

    Raises:
        InputError: it is none.

    >>> parse_parameters("30k"), parse_parameters("30000"), parse_parameters("0.1M")
    (30000, 30000, 100000)
    """
    match = re.fullmatch(r"(\d{0,9}\.?\d{1,9})([kKmM]?)", text.strip().replace("_", "").replace(",", ""))
    if match is None:
        raise InputError(f"params: expected a number of parameters such as 30k, 30000 or 0.1M, got {text!r}")
    return round(float(match[1]) * {"": 1, "k": 1e3, "m": 1e6}[match[2].lower()])
