"""How a command opens a model file: what third-party files leave open, and where it runs."""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgecnn.console import Console
from edgecnn.options.fit_options import BackgroundOption, InterpolationOption, ResizeOption, ResizeSizeOption
from edgecnn.options.option_group import option

if TYPE_CHECKING:
    from edgecnn_runtime.classifier import Classifier
    from edgecnn_runtime.model_formats import ModelFile
    from edgecnn_runtime.third_party_models.opening import Opening


ScaleOption = Annotated[str | None, option("S", "Factor for pixels 0…255 of a third-party model, such as 1/255.")]
MeanOption = Annotated[str | None, option("M,M,M", "Mean, subtracted after --scale: one number, or red,green,blue.")]
StdOption = Annotated[
    str | None, option("S,S,S", "Standard deviation, divided by after --mean: one number, or red,green,blue.")
]
PreprocessOption = Annotated[
    str | None,
    option(
        "caffe|tf|torch|per-image|none",
        "Mode of keras.applications in place of numbers; per-image: each image to mean 0 and standard deviation 1, as "
        "tf.image.per_image_standardization; none: 0…255 as they are.",
    ),
]
OutputIsOption = Annotated[
    str | None,
    option("logits|probabilities", "Kind of a third-party model's output; default: found out from its output."),
]


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """What the command line says about a model file; None where nothing."""

    labels: Annotated[
        str | None,
        option("FILE|a,b,c", "Classes of a third-party model, in the order of its outputs; default: as the file says."),
    ] = None
    scale: ScaleOption = None
    mean: MeanOption = None
    std: StdOption = None
    preprocess: PreprocessOption = None
    layout: Annotated[
        str | None, option("nhwc|nchw", "Axes of a third-party model's input, where its shape can be read both ways.")
    ] = None
    colour: Annotated[
        str | None,
        option("rgb|bgr|grey", "Channels of a third-party model's input; default: rgb.", "--colour", "--color"),
    ] = None
    resize: ResizeOption = None
    resize_size: ResizeSizeOption = None
    interpolation: InterpolationOption = None
    background: BackgroundOption = None
    imgsz: Annotated[
        str | None, option("N|HxW", "Height and width, where a third-party model takes images of any size.")
    ] = None
    output_is: OutputIsOption = None
    output_name: Annotated[
        str | None, option("NAME", "Output with the scores of the classes, where a third-party model has several.")
    ] = None
    engine: Annotated[
        str | None,
        option("NAME", "Engine that runs it: litert, onnxruntime or openvino; default: the first that is installed."),
    ] = None
    provider: Annotated[
        str, option("cpu|cuda|tensorrt", "Execution provider of ONNX Runtime; one that is missing is an error.")
    ] = "cpu"
    allow_fallback: Annotated[
        bool, typer.Option("--allow-fallback", help="Compute on the CPU where --provider is missing.")
    ] = False
    key: Annotated[
        Path | None,
        option("PUB", "Public key, PEM: a model file that its holder did not sign, or that was changed, is refused."),
    ] = None
    delegate: Annotated[
        list[str],
        option("LIBRARY[,key=value…]", "TFLite delegate such as libedgetpu.so.1; may be repeated."),
    ] = dataclasses.field(default_factory=list)

    def opening(self, *, third_party_only: bool = False) -> "Opening":
        """Return what the options say; with `third_party_only` they do not count for files that have a manifest.

        Raises:
            InputError: an option is not what it must be.
        """
        from edgecnn_runtime.third_party_models.opening import Opening

        return Opening.of(
            labels=self.labels,
            scale=self.scale,
            mean=self.mean,
            std=self.std,
            preprocess=self.preprocess,
            layout=self.layout,
            colour=self.colour,
            resize=self.resize,
            resize_size=self.resize_size,
            interpolation=self.interpolation,
            background=self.background,
            imgsz=_size(self.imgsz),
            output_is=self.output_is,
            output_name=self.output_name,
            engine=self.engine,
            provider=self.provider,
            allow_fallback=self.allow_fallback,
            delegates=self.delegate,
            key=self.key,
            third_party_only=third_party_only,
        )

    def open(
        self, console: Console, path: "Path | ModelFile", *, threads: int, photos: Iterable[Path] = ()
    ) -> "Classifier":
        """Open a model file; what had to be assumed goes to stderr.

        Args:
            console: where it goes.
            path: of the file.
            threads: threads within one inference.
            photos: images; one is classified under each usual range of pixels where the file does not say its own.

        Raises:
            InputError: see `Classifier.open`.
        """
        from edgecnn_runtime.backends.engines import find_engine
        from edgecnn_runtime.classifier import Classifier
        from edgecnn_runtime.model_formats import ModelFile
        from edgecnn_runtime.system.native_output import native_output_kept
        from edgecnn_runtime.third_party_models.pixel_ranges import PixelRangeError

        opening, asked = self.opening(), None
        with native_output_kept():
            model = ModelFile.of(path)
            try:
                classifier = Classifier.open_as(model, opening, threads=threads)
            except PixelRangeError as error:
                from edgecnn.options.pixel_range_question import question

                asked = question(error, model, opening, photos)
        if asked is not None:
            raise asked
        for sentence in classifier.contract.assumed:
            console.note(f"assumed: {sentence}")
        backend, engine = classifier.backend, find_engine(classifier.backend.name)
        if self.provider != "cpu" and engine is not None and backend.provider in engine.cpu_providers:
            console.warn(f"{model.path}: --provider {self.provider} is missing; {engine.title} computes on the CPU")
        return classifier


def _size(text: str | None) -> int | tuple[int, int] | None:
    """Read "224" or "160x120", height first."""
    from edgecnn_runtime.errors import InputError

    if text is None:
        return None
    sizes = text.lower().split("x")
    if len(sizes) not in (1, 2) or not all(size.isascii() and size.isdigit() and len(size) < 7 for size in sizes):
        raise InputError(f"--imgsz: expected N or HEIGHTxWIDTH, got {text!r}")
    return int(sizes[0]) if len(sizes) == 1 else (int(sizes[0]), int(sizes[1]))
