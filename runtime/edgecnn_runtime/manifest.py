"""What a model file says about itself: labels, input, quantization, accuracy, and how to check it.

The manifest travels inside the model file as JSON, so that one file is enough to deploy.
"""

import dataclasses
import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from edgecnn_runtime.accuracy import Accuracy
from edgecnn_runtime.errors import ModelError
from edgecnn_runtime.json_dataclasses import parse_object, read_dataclass

# A file says the lowest version that reads it right: a device with an earlier one refuses what it would not honour.
#   1  the first
#   2  an input with an `interpolation` or a `resize_size`
SCHEMA_VERSION = 2

# Pixels: more than a side of any classifier's input has.
LARGEST_SIDE = 8192

# What a file may say about itself, since it may come from anywhere: bytes of a manifest, and of each other file or
# entry beside a graph, enough for 50,000 classes.
MOST_BYTES = 4 << 20
MOST_CHARACTERS = 1000  # of a label and of the name
# Of a probability. A difference beyond this is no rounding any more: pixels scaled to -1…1 instead of 0…1 change
# MobileNetV2's probabilities by 0.2, and smaller networks' by 0.5.
MOST_TOLERANCE = 0.15

# Where the manifest is: an associated file of the TFLite Metadata, a key of ONNX's `metadata_props`.
TFLITE_FILE = "edgecnn_manifest.json"
ONNX_KEY = "edgecnn_manifest"
# Of the signature behind it (`model_files/signature.py`), 64 bytes as text in base64.
SIGNATURE_CHARACTERS = 88


class Colour(enum.StrEnum):
    """The channels of the input."""

    GREY = "grey"
    RGB = "rgb"


class Resize(enum.StrEnum):
    """How an image of another shape is brought to the input's."""

    SQUASH = "squash"  # to height × width, whatever that does to the proportions
    CROP = "crop"  # the shorter side fits, the centre is kept
    PAD = "pad"  # the longer side fits, the rest is the background


class Interpolation(enum.StrEnum):
    """The filter of the resizing: what a pixel between the pixels, or in place of many, is made of."""

    BILINEAR = "bilinear"  # Pillow's, as in torchvision and timm: antialiased, all pixels count when an image shrinks
    # `tf.image.resize`, and so Keras' loaders and its layer Resizing, and TFLite with half-pixel centres: of the four
    # pixels around the middle of an output, however much the image shrinks.
    BILINEAR_NO_ANTIALIAS = "bilinear-no-antialias"
    NEAREST = "nearest"  # the pixel in which the middle of the output lies, as `tf.image.resize` and Pillow have it
    AREA = "area"  # the mean of what an output covers, as `tf.image.resize` and OpenCV (shrinking) have it
    BICUBIC = "bicubic"  # Pillow's, as in torchvision and timm: antialiased

    @property
    def antialiased(self) -> bool:
        """Whether all pixels of an image count when it shrinks."""
        return self not in (Interpolation.BILINEAR_NO_ANTIALIAS, Interpolation.NEAREST)


class Decode(enum.StrEnum):
    """How much of a photo that is much larger than the input is decoded."""

    FULL = "full"  # every pixel
    # JPEGs at 1/2, 1/4 or 1/8 of their size, while that is at least twice the input's: what Pillow's `thumbnail` does.
    # The libraries skip the work for the pixels that resizing would average away. Smaller images stay as they are.
    SCALED = "scaled"


class Scheme(enum.StrEnum):
    """How weights and activations are stored."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"  # weights in float16, computed in float32 on most CPUs
    DYNAMIC = "dynamic"  # int8 weights, float activations
    INT8 = "int8"  # weights and activations; TFLite computes its last layer in float32, see the exporter's `Io`
    INT16X8 = "int16x8"  # int8 weights, int16 activations


@dataclass(frozen=True)
class InputSpec:
    """The image a model takes: uint8 pixels `(height, width, channels)`, 0…255, RGB or grey.

    >>> InputSpec(28, 28, Colour.GREY).shape
    (28, 28, 1)
    """

    height: int
    width: int
    colour: Colour
    resize: Resize = Resize.SQUASH
    # What a transparent pixel and a padded border show, RGB.
    background: tuple[int, int, int] = (255, 255, 255)
    # Full in files and sets from before there was a choice.
    decode: Decode = Decode.FULL
    interpolation: Interpolation = Interpolation.BILINEAR
    # For `Resize.CROP`: the shorter side is first resized to so many pixels, as in "resize to 256, then crop 224". None
    # crops what has the input's proportions, and resizes that.
    resize_size: int | None = None

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1:
            raise ValueError(f"input size: expected at least 1x1, got {self.height}x{self.width}")
        if self.decode is Decode.SCALED and not self.interpolation.antialiased:
            raise ValueError(
                f"decode: expected full beside the interpolation {self.interpolation}, which takes single pixels of "
                f"the whole image, got {self.decode}"
            )
        if self.resize_size is not None:
            if self.resize is not Resize.CROP:
                raise ValueError(f"resize_size: expected the resize policy crop beside it, got {self.resize}")
            if not max(self.height, self.width) <= self.resize_size <= LARGEST_SIDE:
                raise ValueError(
                    f"resize_size: expected {max(self.height, self.width)} or more, the longer side of the crop "
                    f"{self.height}x{self.width}, at most {LARGEST_SIDE}, got {self.resize_size}"
                )
        if len(self.background) != 3 or not all(0 <= value <= 255 for value in self.background):
            raise ValueError(f"background: expected three values 0…255, got {self.background}")

    @property
    def channels(self) -> int:
        """1 for grey, 3 for RGB."""
        return 1 if self.colour is Colour.GREY else 3

    @property
    def shape(self) -> tuple[int, int, int]:
        """`(height, width, channels)`."""
        return self.height, self.width, self.channels


@dataclass(frozen=True)
class Calibration:
    """The images from which the ranges of the activations were measured."""

    images: int
    seed: int
    fingerprint: str
    method: str = "minmax"  # which of the values seen make the range


@dataclass(frozen=True)
class GoldenCheck:
    """The probabilities this file gave on the workstation for the generated images of `golden.py`.

    `probabilities` is `(images, classes)`; a device passes where none differs by more than `tolerance`.
    """

    probabilities: tuple[tuple[float, ...], ...]
    tolerance: float

    def __post_init__(self) -> None:
        if not 0 <= self.tolerance <= MOST_TOLERANCE:
            raise ValueError(f"tolerance: expected 0…{MOST_TOLERANCE} of a probability, got {self.tolerance:g}")
        if len(set(map(len, self.probabilities))) != 1:
            raise ValueError("probabilities: expected rows of one length, got none or others")


@dataclass(frozen=True)
class Optimization:
    """What was done to the trained weights before they were converted, in this order.

    >>> Optimization(sparsity=0.8, quantization_aware=True).variant
    'pruned_qat'
    """

    sparsity: float | None = None  # the share of each layer's weights that was made zero, 0…1
    clusters: int | None = None  # how many distinct weights each layer was left with
    quantization_aware: bool = False  # trained on with the rounding of int8
    epochs: int | None = None  # of each of these steps

    @property
    def changes_weights(self) -> bool:
        """Whether there are fewer weights, or fewer distinct ones, than were trained."""
        return self.sparsity is not None or self.clusters is not None

    @property
    def variant(self) -> str:
        """Its part of the file's name, empty where nothing was done."""
        done = {
            "pruned": self.sparsity is not None,
            "clustered": self.clusters is not None,
            "qat": self.quantization_aware,
        }
        return "_".join(name for name, was_done in done.items() if was_done)


@dataclass(frozen=True)
class Manifest:
    """Everything a device needs to know about a model, and everything an engineer asks about it later."""

    name: str
    labels: tuple[str, ...]
    input: InputSpec
    scheme: Scheme
    recipe: str | None = None
    data_fingerprint: str | None = None
    # On the test split: the Keras model as trained, and this file as the runtime runs it.
    accuracy_keras: Accuracy | None = None
    accuracy: Accuracy | None = None
    # In their place where the images have no labels, or were trained on: on how many this file names the class that
    # Keras names.
    agreement: Accuracy | None = None
    calibration: Calibration | None = None
    # The operators of an int8 file that stayed float32, since it would lose too much with them.
    in_float: tuple[str, ...] = ()
    # The RAM that TFLite-Micro's interpreter needs for its tensors, where that was measured.
    arena_bytes: int | None = None
    golden: GoldenCheck | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    licence: str | None = None
    optimization: Optimization | None = None
    # Of the file: `model_files/whole.py`; None in files of earlier versions. The last field, since it is set last.
    content_crc32: int | None = None

    def __post_init__(self) -> None:
        if len(self.labels) < 2:
            raise ValueError(f"labels: expected at least 2, got {len(self.labels)}")
        if len(set(self.labels)) != len(self.labels):
            raise ValueError("labels: expected all different, got a label twice")
        longest = max(map(len, (self.name, *self.labels)))
        if longest > MOST_CHARACTERS:
            raise ValueError(f"name and labels: expected at most {MOST_CHARACTERS:,} characters, got {longest:,}")
        try:
            "".join((self.name, *self.labels)).encode()
        except UnicodeEncodeError:
            raise ValueError("name and labels: expected Unicode text, got half a character") from None

    def to_json(self) -> str:
        """Write the manifest as a JSON document."""
        spec = self.input
        version = 1 if spec.interpolation is Interpolation.BILINEAR and spec.resize_size is None else SCHEMA_VERSION
        return json.dumps({"schema_version": version, **dataclasses.asdict(self)}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> "Manifest":
        """Read a manifest, which may come from an untrusted file.

        Raises:
            ModelError: not JSON, of more than `MOST_BYTES`, of a later schema version, or with fields missing or of the
                wrong type.
        """
        if len(text) > MOST_BYTES:
            raise ModelError(
                f"manifest: expected at most {MOST_BYTES >> 20} MiB, got {len(text) / (1 << 20):.1f}; "
                "export the model again"
            )
        try:
            document = parse_object(text, name="manifest")
            version = document.get("schema_version")
            if type(version) is int and 1 <= version <= SCHEMA_VERSION:
                return read_dataclass(cls, document, name="manifest")
        except ValueError as error:
            raise ModelError(f"{error}; export the model again") from error
        raise ModelError(
            f"manifest: expected schema version 1 to {SCHEMA_VERSION}, got {version!r:.40}; "
            "use the edgecnn version that wrote the file, or a later one"
        )
