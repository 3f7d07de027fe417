"""`edgecnn predict MODEL SOURCE…`: classify files, folders and patterns."""

import json as json_module
import sys
import warnings
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgecnn.commands.model_options import ModelOptions, takes_model_options
from edgecnn.console import Console, QuietOption, printable

if TYPE_CHECKING:
    from edgecnn_runtime.pipeline import Item


@takes_model_options
def predict(
    model_options: ModelOptions,
    model: Annotated[Path, typer.Argument(help="A .tflite or .onnx file, of edgecnn or of anybody.")],
    sources: Annotated[list[str], typer.Argument(help="Images, folders, or quoted patterns such as 'shots/*.jpg'.")],
    top_k: Annotated[int, typer.Option(min=1, help="How many labels to show for each image.")] = 1,
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="Look into sub-folders.")] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Images at a time; default: the processors this process may use.")
    ] = None,
    mode: Annotated[
        str,
        typer.Option(
            metavar="throughput|latency", help="An image a processor at a time, or all processors on one image."
        ),
    ] = "throughput",
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads within one inference; default: by --mode.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line, and nothing else.")] = False,
    quiet: QuietOption = False,
) -> None:
    """Name the class of images; a file that cannot be read is an error line in its place, and exit code 1."""
    from edgecnn_runtime.classifier import threads_of
    from edgecnn_runtime.sources import expand_sources

    console = Console(json=json, quiet=quiet)
    # Of images that are refused anyway, with an error of ours.
    warnings.filterwarnings("ignore", "Image size .* exceeds limit")
    files = expand_sources(sources, recursive=recursive)
    by_mode = threads_of(mode)
    classifier = model_options.open(console, model, threads=threads or by_mode)
    k = min(top_k, len(classifier.labels))
    items = classifier.predict_many(files, workers=workers)
    failed = 0
    # A screenful at a time, so that the table is aligned and a long list is shown as it goes.
    while batch := list(islice(items, 1000)):
        failed += sum(item.error is not None for item in batch)
        if json:
            for item in batch:
                print(json_module.dumps(_document(item, k), ensure_ascii=False))
        else:
            console.table(("image", "probability", "label"), [row for item in batch for row in _rows(item, k)])
    if failed:
        print(f"error: {failed} of {len(files)} images could not be read", file=sys.stderr)
        raise typer.Exit(1)


def _rows(item: "Item", k: int) -> list[tuple[str, str, str]]:
    if item.prediction is None:
        reason = str(item.error).removeprefix(f"{item.source}: ")
        return [(printable(item.source), "", f"error: {printable(reason)}")]
    names = [printable(item.source), *[""] * (k - 1)]
    top = item.prediction.top(k)
    return [(name, f"{value:.4f}", label) for name, (label, value) in zip(names, top, strict=True)]


def _document(item: "Item", k: int) -> dict[str, object]:
    if item.prediction is None:
        return {"image": item.source, "error": str(item.error)}
    top = [{"label": label, "probability": value} for label, value in item.prediction.top(k)]
    return {"image": item.source, **top[0], "top": top}
