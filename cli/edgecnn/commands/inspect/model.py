"""`edgecnn inspect MODEL`: operators, tensors, sizes, the manifest, and a verdict for each target."""

from pathlib import Path
from typing import Annotated

import typer

from edgecnn.console import Console, JsonOption, QuietOption


def model(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="Model file, .tflite or .onnx, from edgecnn or from elsewhere.")
    ],
    target: Annotated[
        list[str] | None,
        typer.Option(
            "--target",
            "-t",
            help="Target to judge, such as tflite-micro, ethos-u55-128 or flash=1M,ram=256K; may be repeated; default: "
            "all that answer within a second.",
        ),
    ] = None,
    tensors: Annotated[bool, typer.Option("--tensors", help="List every tensor, too.")] = False,
    every: Annotated[bool, typer.Option("--all", help="List every layer, not the largest alone.")] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Show what is in a model file and on which targets it runs.

    Each verdict names the operators in the way and what would remove them. --target ethos-u55-128 (and the other
    Ethos-U) runs Arm's compiler Vela.
    """
    from edgecnn.printing.inspected_model import show_layers, show_model, show_tensors, show_verdicts
    from edgecnn_export.inspection.document import to_document
    from edgecnn_export.inspection.model import inspect_model
    from edgecnn_export.inspection.targets import check_targets, judge
    from edgecnn_runtime.system.native_output import native_output_kept

    console = Console(json=json, quiet=quiet)
    names = tuple(target or ())
    check_targets(names)
    with native_output_kept():
        inspected = inspect_model(model)
        verdicts = judge(inspected, names)
    console.document(to_document(inspected, verdicts))
    show_model(console, inspected)
    show_layers(console, inspected.graph, every=every)
    if tensors:
        show_tensors(console, inspected.graph)
    show_verdicts(console, verdicts)
