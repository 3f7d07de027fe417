"""How a command opens a model file: the options that are for models that others made, and for where it runs."""

import dataclasses
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgecnn.console import Console
from edgecnn.options.option_group import takes_options

if TYPE_CHECKING:
    from edgecnn_runtime.classifier import Classifier
    from edgecnn_runtime.third_party_models.opening import Opening

_OTHERS = "Of a model that others made: "


def _option(text: str, metavar: str, *names: str) -> Any:
    return typer.Option(*names, metavar=metavar, help=text)


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """What the command line says about a model file; None where nothing."""

    labels: Annotated[
        str | None,
        _option(_OTHERS + "its classes in the order of the outputs; default: as the file says.", "FILE|a,b,c"),
    ] = None
    scale: Annotated[str | None, _option(_OTHERS + "what pixels 0…255 are multiplied by: 1/255, say.", "S")] = None
    mean: Annotated[str | None, _option("Then taken off, one or red, green, blue.", "M,M,M")] = None
    std: Annotated[str | None, _option("Then divided by, one or red, green, blue.", "S,S,S")] = None
    preprocess: Annotated[
        str | None, _option("In place of numbers: a mode of keras.applications, or none.", "caffe|tf|torch|none")
    ] = None
    layout: Annotated[
        str | None, _option(_OTHERS + "the axes of its input, where they can be read both ways.", "nhwc|nchw")
    ] = None
    colour: Annotated[
        str | None, _option(_OTHERS + "the channels of its input; default: rgb.", "rgb|bgr|grey", "--colour", "--color")
    ] = None
    resize: Annotated[
        str | None, _option(_OTHERS + "how images get the size of its input; default: squash.", "squash|crop|pad")
    ] = None
    imgsz: Annotated[str | None, _option(_OTHERS + "height and width, where it takes images of any size.", "N|HxW")] = (
        None
    )
    output_is: Annotated[
        str | None, _option(_OTHERS + "what it gives; found out where it can be.", "logits|probabilities")
    ] = None
    provider: Annotated[str, _option("Where ONNX Runtime computes; not there is an error.", "cpu|cuda|tensorrt")] = (
        "cpu"
    )
    allow_fallback: Annotated[
        bool, typer.Option("--allow-fallback", help="Take the CPU where --provider is not there.")
    ] = False
    delegate: Annotated[
        list[str],
        _option("A TFLite delegate such as libedgetpu.so.1; may be repeated.", "LIBRARY[,key=value…]"),
    ] = dataclasses.field(default_factory=list)

    def opening(self, *, third_party_only: bool = False) -> "Opening":
        """Return what the options say; `third_party_only` passes them over for files that have a manifest.

        Raises:
            InputError: an option is not what it must be.
        """
        from edgecnn_runtime.backends import Provider
        from edgecnn_runtime.backends.delegate import Delegate
        from edgecnn_runtime.errors import InputError
        from edgecnn_runtime.third_party_models.given import Given
        from edgecnn_runtime.third_party_models.opening import Opening

        if self.provider not in list(Provider):
            raise InputError(f"--provider: expected {', '.join(Provider)}, got {self.provider!r}")
        return Opening(
            given=Given.of(
                labels=self.labels,
                scale=self.scale,
                mean=self.mean,
                std=self.std,
                preprocess=self.preprocess,
                layout=self.layout,
                colour=self.colour,
                resize=self.resize,
                imgsz=_size(self.imgsz),
                output_is=self.output_is,
            ),
            provider=Provider(self.provider),
            allow_fallback=self.allow_fallback,
            delegates=tuple(Delegate.read(text) for text in self.delegate),
            third_party_only=third_party_only,
        )

    def open(self, console: Console, path: Path, *, threads: int) -> "Classifier":
        """Open a model file; what had to be assumed goes to stderr, once.

        Raises:
            InputError: see `Classifier.open`.
        """
        from edgecnn_runtime.backends.engines import find_engine
        from edgecnn_runtime.classifier import Classifier
        from edgecnn_runtime.system.native_output import native_output_kept

        opening = self.opening()
        with native_output_kept():
            classifier = Classifier.open_as(path, opening, threads=threads)
        tell_assumed(console, classifier)
        backend, engine = classifier.backend, find_engine(classifier.backend.name)
        if self.provider != "cpu" and engine is not None and backend.provider in engine.cpu_providers:
            console.warn(f"{path}: --provider {self.provider} is not there; {engine.title} computes on the CPU")
        return classifier


def tell_assumed(console: Console, classifier: "Classifier") -> None:
    """Say on stderr what nobody said about a model."""
    if not console.quiet:
        for sentence in classifier.contract.assumed:
            print(f"assumed: {sentence}", file=sys.stderr, flush=True)


def takes_model_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of `ModelOptions` in place of its parameter `model_options`."""
    return takes_options(command, ModelOptions, "model_options")


def _size(text: str | None) -> int | tuple[int, int] | None:
    """Read "224" or "160x120", height first."""
    from edgecnn_runtime.errors import InputError

    if text is None:
        return None
    sizes = text.lower().split("x")
    if len(sizes) not in (1, 2) or not all(size.isascii() and size.isdigit() and len(size) < 7 for size in sizes):
        raise InputError(f"--imgsz: expected N or HEIGHTxWIDTH, got {text!r}")
    return int(sizes[0]) if len(sizes) == 1 else (int(sizes[0]), int(sizes[1]))
