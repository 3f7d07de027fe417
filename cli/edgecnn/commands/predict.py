"""`edgecnn predict MODEL SOURCE…`: classify files, folders and patterns."""

import json as json_module
import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgecnn.console import Console, QuietOption

if TYPE_CHECKING:
    from edgecnn_runtime.pipeline import Item


def predict(
    model: Annotated[Path, typer.Argument(help="A .tflite or .onnx file that edgecnn exported.")],
    sources: Annotated[list[str], typer.Argument(help="Images, folders, or quoted patterns such as 'shots/*.jpg'.")],
    top_k: Annotated[int, typer.Option(min=1, help="How many labels to show for each image.")] = 1,
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="Look into sub-folders.")] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Threads; default: the processors this process may use.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line, and nothing else.")] = False,
    quiet: QuietOption = False,
) -> None:
    """Name the class of images; a file that cannot be read is an error line in its place, and exit code 1."""
    from edgecnn_runtime.classifier import Classifier
    from edgecnn_runtime.native_output import native_output_kept
    from edgecnn_runtime.sources import expand_sources

    console = Console(json=json, quiet=quiet)
    files = expand_sources(sources, recursive=recursive)
    with native_output_kept():
        classifier = Classifier.open(model)
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
        return [(item.source, "", "error: " + str(item.error).removeprefix(f"{item.source}: "))]
    names = [item.source, *[""] * (k - 1)]
    top = item.prediction.top(k)
    return [(name, f"{value:.4f}", label) for name, (label, value) in zip(names, top, strict=True)]


def _document(item: "Item", k: int) -> dict[str, object]:
    if item.prediction is None:
        return {"image": item.source, "error": str(item.error)}
    top = [{"label": label, "probability": value} for label, value in item.prediction.top(k)]
    return {"image": item.source, **top[0], "top": top}
