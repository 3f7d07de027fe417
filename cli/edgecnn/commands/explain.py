"""`edgecnn explain RUN IMAGE`: what a layer or a kernel of yours does to an image, and what decided the class."""

from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import typer

from edgecnn.console import Console, JsonOption, QuietOption
from edgecnn.options.option_group import output_option
from edgecnn_runtime.choices import choose
from edgecnn_runtime.errors import InputError, MissingExtraError
from edgecnn_training.explain.window import Padding, Window


def explain(
    target: Annotated[
        Path,
        typer.Argument(metavar="RUN|MODEL", help="Run folder or model file; with --kernel it may be left out."),
    ],
    image: Annotated[Path | None, typer.Argument(metavar="IMAGE", help="Image to look at.", show_default=False)] = None,
    layer: Annotated[str | None, typer.Option(help="Layer to draw; default: the first convolution.")] = None,
    kernel: Annotated[str | None, typer.Option(help="Kernel in place of a layer: '1,0,-1;2,0,-2;1,0,-1'.")] = None,
    stride: Annotated[int | None, typer.Option(help="Step of the kernel in pixels; default: 1.")] = None,
    padding: Annotated[
        str | None, typer.Option(metavar="valid|same", help="Padding of the kernel; default: valid.")
    ] = None,
    pool: Annotated[int | None, typer.Option(help="Side of the pooling after the kernel; default: 2.")] = None,
    pool_stride: Annotated[int | None, typer.Option(help="Step of the pooling; default: its side.")] = None,
    pool_padding: Annotated[
        str | None, typer.Option(metavar="valid|same", help="Padding of the pooling; default: valid.")
    ] = None,
    output: Annotated[
        Path | None,
        output_option("DIR", "Folder to write; default: explain/IMAGE in the run, or here."),
    ] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Draw what a layer sees in an image, and what decided the class.

    The first figure shows a sliding window over the image: filter, activation, pooling. The second is a map of the
    places that matter to the class.

    With --kernel, it draws what a kernel of yours makes of the image:

    \b
    edgecnn explain photo.jpg --kernel '-1,-2,-1;0,0,0;1,2,1'
    """  # noqa: D301, click keeps the lines of a paragraph that begins so
    console = Console(json=json, quiet=quiet)
    window = {
        "stride": stride,
        "padding": padding and choose(Padding, "--padding", padding),
        "pool": pool,
        "pool_stride": pool_stride,
        "pool_padding": pool_padding and choose(Padding, "--pool-padding", pool_padding),
    }
    given: dict[str, Any] = {name: value for name, value in window.items() if value is not None}
    if kernel is not None and layer is not None:
        raise InputError("expected --layer or --kernel, got both")
    if kernel is not None:
        run, picture = (None, target) if image is None else (target, image)
        _draw_kernel(console, run, picture, kernel, Window(**given), output)
        return
    if image is None:
        raise InputError("expected an image after the run or model file, got none; only --kernel needs no model")
    if given:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise InputError(f"{options}: expected a --kernel, got none; leave them out, a layer has its own")
    _draw_prediction(console, target, image, layer, output)


def _draw_kernel(
    console: Console, run: Path | None, image: Path, kernel: str, window: Window, output: Path | None
) -> None:
    from edgecnn_runtime.workstation.run_folder import RunFolder
    from edgecnn_training.explain.sliding_window import parse_kernel

    spec = RunFolder(run).read_record().input if run else None
    folder = output or (RunFolder(run).explain if run else Path("explain")) / image.stem
    file = _drawing().explain_kernel(image, parse_kernel(kernel), window, spec=spec, output=folder)
    console.say(str(file))
    console.document({"image": str(image), "files": [str(file)]})


def _draw_prediction(console: Console, target: Path, image: Path, layer: str | None, output: Path | None) -> None:
    from edgecnn_training.evaluation.opened_model import open_model

    model = open_model(target)
    folder = output or (model.run.explain if model.run else Path("explain")) / image.stem
    explanation = _drawing().explain_prediction(model, image, layer=layer, output=folder)
    for label, probability in explanation.prediction.top(3):
        console.say(f"{probability:8.2%}  {label}")
    occlusion, label = explanation.occlusion, explanation.prediction.label
    side = occlusion.patch
    console.say(
        "",
        f"Covering a {side}x{side} patch nowhere makes the model less sure of {label}; a float model shows finer "
        "differences."
        if not occlusion.moved
        else f"Covering the {side}x{side} pixels from row {occlusion.top}, column {occlusion.left} leaves {label} "
        f"{occlusion.left_over:.2%}; no other place matters more.",
    )
    if explanation.layers:
        console.say(f"Drawn: {explanation.layer or 'no layer'}. Others for --layer: {', '.join(explanation.layers)}")
    for file in explanation.files:
        console.say(str(file))
    console.document(
        {
            "image": str(image),
            "label": label,
            "probability": explanation.prediction.probability,
            "occlusion": {
                "patch": side,
                "stride": occlusion.stride,
                "moved": occlusion.moved,
                "top": occlusion.top,
                "left": occlusion.left,
                "probability_left": occlusion.left_over,
            },
            "layer": explanation.layer,
            "layers": list(explanation.layers),
            "files": [str(file) for file in explanation.files],
        }
    )


def _drawing() -> ModuleType:
    """Import what draws, which needs Matplotlib."""
    try:
        from edgecnn_training.explain import explanation
    except ModuleNotFoundError as error:
        raise MissingExtraError("edgecnn explain", package=error.name or "matplotlib", extra="train") from error
    return explanation
