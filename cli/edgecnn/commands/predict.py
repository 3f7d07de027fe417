"""`edgecnn predict MODEL SOURCE…`: classify files, folders and patterns."""

import enum
import sys
import time
import warnings
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgecnn.console import Advance, Console, QuietOption
from edgecnn.options.model_options import ModelOptions, takes_model_options
from edgecnn_runtime.jobs.results_folder import ResultsFormat

if TYPE_CHECKING:
    from edgecnn_runtime.classifier import Classifier
    from edgecnn_runtime.pipeline import Item

# What a shell gives a program that Ctrl-C ended.
_INTERRUPTED = 130
# Seconds between two steps of the bar.
_STEP = 0.1


class Engine(enum.StrEnum):
    """What does the work: this process, or Ray's processes on one machine or many."""

    LOCAL = "local"
    RAY = "ray"


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
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", help="Write to this .csv or .jsonl file instead of the screen; with ray a folder."
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where a run with the same --output was killed.")
    ] = False,
    engine: Annotated[
        Engine, typer.Option(help="'ray': many processes, on many machines; sources may be s3://bucket/prefix.")
    ] = Engine.LOCAL,
    address: Annotated[
        str | None, typer.Option(help="With ray: 'auto' or HOST:PORT of a running cluster; default: this machine.")
    ] = None,
    format: Annotated[
        ResultsFormat | None, typer.Option(help="With ray: what the files in --output are; default: parquet.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line, and nothing else.")] = False,
    quiet: QuietOption = False,
) -> None:
    """Name the class of images; a file that cannot be read is an error line in its place, and exit code 1."""
    from edgecnn_runtime.classifier import threads_of
    from edgecnn_runtime.errors import InputError
    from edgecnn_runtime.jobs.object_store import is_address
    from edgecnn_runtime.jobs.results_file import result_format
    from edgecnn_runtime.sources import expand_sources

    if engine is Engine.RAY:
        from edgecnn.workflows.predict_ray import predict_on_ray

        if output is None:
            raise InputError("--engine ray: expected an --output folder for the results, got none")
        if json or resume:
            raise InputError("--engine ray: a folder is written, whole or not at all; leave --json and --resume out")
        if mode != "throughput" or threads is not None:
            raise InputError("--engine ray: expected one thread an inference; leave --mode and --threads out")
        return predict_on_ray(
            model,
            model_options,
            sources,
            output=output,
            form=format or ResultsFormat.PARQUET,
            top_k=top_k,
            recursive=recursive,
            workers=workers,
            address=address,
            quiet=quiet,
        )
    if address is not None or format is not None:
        raise InputError("--address and --format: expected with --engine ray only; leave them out, or add --engine ray")
    if remote := next(filter(is_address, sources), None):
        raise InputError(f"{remote}: expected a file or folder of this machine; --engine ray reads addresses")
    file = None if output is None else Path(output)
    if resume and file is None:
        raise InputError("--resume: expected an --output to go on with, got none")
    if file is not None and json:
        raise InputError("--json: prints to the screen; with --output name a file ending in .jsonl instead")
    if file is not None:
        result_format(file, top_k=top_k)
    # Of images that are refused anyway, with an error of ours.
    warnings.filterwarnings("ignore", "Image size .* exceeds limit")
    files = expand_sources(sources, recursive=recursive)
    by_mode = threads_of(mode)
    classifier = model_options.open(Console(json=json, quiet=quiet), model, threads=threads or by_mode)
    k = min(top_k, len(classifier.labels))
    if file is None:
        failed = _print(classifier, files, k, workers=workers, json=json, quiet=quiet)
    else:
        failed = _write(classifier, model, files, k, workers=workers, output=file, resume=resume, quiet=quiet)
    if failed:
        print(f"error: {failed} of {len(files)} images could not be read", file=sys.stderr)
        raise typer.Exit(1)
    return None


def _print(classifier: "Classifier", files: list[Path], k: int, *, workers: int | None, json: bool, quiet: bool) -> int:
    """Print the results as they come; return how many images could not be read."""
    from edgecnn_runtime.jobs.result_formats import json_line

    console = Console(json=json, quiet=quiet)
    items = classifier.predict_many(files, workers=workers)
    # On a screen the results themselves show how far it is.
    if not sys.stdout.isatty():
        items = _shown(items, console, len(files))
    failed = 0
    # A screenful at a time, so that the table is aligned and a long list is shown as it goes.
    while batch := list(islice(items, 1000)):
        failed += sum(item.error is not None for item in batch)
        if json:
            for item in batch:
                print(json_line(item, k))
        else:
            console.table(("image", "probability", "label"), [row for item in batch for row in _rows(item, k)])
    return failed


def _write(
    classifier: "Classifier",
    model: Path,
    files: list[Path],
    k: int,
    *,
    workers: int | None,
    output: Path,
    resume: bool,
    quiet: bool,
) -> int:
    """Write the results to a file, or go on with it; return how many of all its images could not be read."""
    from edgecnn_runtime.jobs.results_file import ResultsFile, ResultsOf

    console = Console(quiet=quiet)
    names = [str(path) for path in files]
    with ResultsFile(output, ResultsOf.these(model, classifier, names, top_k=k), names, resume=resume) as results:
        if results.done:
            console.say(f"{output}: {results.done:,} of {len(names):,} images were done before")
        if not results.finished:
            items = classifier.predict_many(islice(files, results.done, None), workers=workers)
            try:
                for item in _shown(items, console, len(names) - results.done):
                    results.add(item)
            except KeyboardInterrupt:
                print(
                    f"stopped after {results.done:,} of {len(names):,} images; the same command with --resume goes on",
                    file=sys.stderr,
                )
                raise typer.Exit(_INTERRUPTED) from None
            results.finish()
            console.say(f"{output}: {results.done:,} images")
        return results.failed


def _shown(items: "Iterator[Item]", console: Console, total: int) -> "Iterator[Item]":
    """Pass the items on, with a bar or lines that say how far it is."""
    with console.progress("classifying", total) as advance:
        yield from _stepping(items, advance, total)


def _stepping(items: "Iterator[Item]", advance: Advance, total: int) -> "Iterator[Item]":
    last = 0.0
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - last >= _STEP or done == total:
            last = now
            advance(done, "")


def _rows(item: "Item", k: int) -> list[tuple[str, str, str]]:
    from edgecnn_runtime.jobs.result_formats import error_text
    from edgecnn_runtime.system.file_names import screen_name

    name = screen_name(item.source)
    if item.prediction is None:
        return [(name, "", "error: " + screen_name(error_text(item)))]
    names = [name, *[""] * (k - 1)]
    top = item.prediction.top(k)
    return [(name, f"{value:.4f}", label) for name, (label, value) in zip(names, top, strict=True)]
