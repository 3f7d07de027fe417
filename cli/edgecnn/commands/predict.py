"""`edgecnn predict MODEL SOURCE…`: classify files, folders and patterns."""

import enum
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgecnn.console import Advance, Console, QuietOption
from edgecnn.options.model_options import ModelOptions
from edgecnn.options.option_group import output_option, takes_options
from edgecnn.printing.one_label import warn_of_one_label

if TYPE_CHECKING:
    from edgecnn_runtime.classifier import Classifier
    from edgecnn_runtime.model_formats import ModelFile
    from edgecnn_runtime.pipeline import Item

# Exit code that a shell reports for a program that Ctrl-C ended: 128 + SIGINT.
_INTERRUPTED = 130
# Seconds between two steps of the bar.
_STEP = 0.1


class Workplace(enum.StrEnum):
    """Where the work is done: in this process, or in Ray's processes on one machine or many."""

    LOCAL = "local"
    RAY = "ray"


@takes_options(model_options=ModelOptions)
def predict(
    model_options: ModelOptions,
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="Model file, .tflite or .onnx, from edgecnn or from elsewhere.")
    ],
    sources: Annotated[
        list[str],
        typer.Argument(metavar="SOURCE", help="Images, folders, or quoted patterns such as 'shots/*.jpg'."),
    ],
    top_k: Annotated[int, typer.Option(min=1, help="Number of labels to show per image.")] = 1,
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="Search sub-folders, too.")] = False,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Images to classify at once; default: the CPUs this process may use."),
    ] = None,
    mode: Annotated[
        str,
        typer.Option(
            metavar="throughput|latency", help="Use of the CPUs: one image on each, or all of them on one image."
        ),
    ] = "throughput",
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads within one inference; default: by --mode.")
    ] = None,
    output: Annotated[
        str | None,
        output_option(None, "File to write instead of the screen, .csv or .jsonl; with --on ray a folder."),
    ] = None,
    excel: Annotated[
        bool,
        typer.Option(
            "--excel", help="Write CSV for spreadsheets: a byte order mark, and ' before what would be a formula."
        ),
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue where the same command with this --output was stopped.")
    ] = False,
    on: Annotated[
        str,
        typer.Option(
            metavar="local|ray",
            help="Place of the work: this process, or Ray on one machine or many, whose sources may be "
            "s3://bucket/prefix.",
        ),
    ] = "local",
    address: Annotated[
        str | None, typer.Option(help="Address of a running Ray cluster, auto or HOST:PORT; default: this machine.")
    ] = None,
    format: Annotated[
        str | None,
        typer.Option(metavar="parquet|csv", help="Format of the files that --on ray writes; default: parquet."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object per image and nothing else.")] = False,
    quiet: QuietOption = False,
) -> None:
    """Classify files, folders and patterns of images.

    A file that cannot be read becomes an error line in its place; the exit code is then 1.
    """
    from edgecnn_runtime.choices import choose
    from edgecnn_runtime.classifier import threads_of
    from edgecnn_runtime.errors import InputError
    from edgecnn_runtime.jobs.object_store import is_address
    from edgecnn_runtime.jobs.results_file import result_format
    from edgecnn_runtime.model_formats import ModelFile
    from edgecnn_runtime.sources import expand_sources

    if model_options.engine in list(Workplace):
        # As --on was called before.
        on, model_options = str(model_options.engine), replace(model_options, engine=None)
        Console(quiet=quiet).note(f"--engine {on} is now --on {on}; --engine names what runs the model")
    if choose(Workplace, "--on", on) is Workplace.RAY:
        from edgecnn.workflows.predict_ray import predict_on_ray
        from edgecnn_runtime.jobs.results_folder import ResultsFormat

        if output is None:
            raise InputError("--on ray: expected an --output folder for the results, got none")
        if json or resume:
            raise InputError(
                "--on ray: expected neither --json nor --resume; leave them out, a folder is written in one go"
            )
        if mode != "throughput" or threads is not None:
            raise InputError("--on ray: expected one thread per inference, got --mode or --threads; leave them out")
        form = choose(ResultsFormat, "--format", format or ResultsFormat.PARQUET)
        if excel and form is not ResultsFormat.CSV:
            raise InputError(f"--excel: expected --format csv, got {form}; add it, or leave --excel out")
        return predict_on_ray(
            model,
            model_options,
            sources,
            output=output,
            form=form,
            top_k=top_k,
            excel=excel,
            recursive=recursive,
            workers=workers,
            address=address,
            quiet=quiet,
        )
    if address is not None or format is not None:
        raise InputError("--address, --format: expected --on ray, got local; add it, or leave them out")
    if remote := next(filter(is_address, sources), None):
        raise InputError(f"{remote}: expected a file or folder here, got an address; add --on ray")
    file = None if output is None else Path(output)
    if resume and file is None:
        raise InputError("--resume: expected an --output file to continue, got none")
    if file is not None and json:
        raise InputError(f"--json: expected no --output, got {file}; name a file ending in .jsonl instead")
    if file is not None:
        result_format(file, top_k=top_k, excel=excel)
    elif excel:
        raise InputError("--excel: expected an --output file ending in .csv, got none")
    # Pillow warns of images that are refused anyway, with an error of ours.
    warnings.filterwarnings("ignore", "Image size .* exceeds limit")
    files = expand_sources(sources, recursive=recursive)
    by_mode = threads_of(mode)
    # Read once: what is written about the model is of the bytes that answer.
    model_file = ModelFile.read(model)
    classifier = model_options.open(
        Console(json=json, quiet=quiet), model_file, threads=threads or by_mode, photos=files
    )
    k = min(top_k, len(classifier.labels))
    if file is None:
        failed = _print(classifier, files, k, workers=workers, json=json, quiet=quiet)
    else:
        failed = _write(
            classifier, model_file, files, k, workers=workers, output=file, excel=excel, resume=resume, quiet=quiet
        )
    if failed:
        Console().fail(f"{failed} of {len(files)} images could not be read")
        raise typer.Exit(1)
    return None


def _print(classifier: "Classifier", files: list[Path], k: int, *, workers: int | None, json: bool, quiet: bool) -> int:
    """Print the results as they come; return how many images could not be read."""
    from edgecnn_runtime.jobs.result_formats import json_document

    console = Console(json=json, quiet=quiet)
    items = warn_of_one_label(console, classifier, classifier.predict_many(files, workers=workers))
    # On a screen the results themselves are the progress.
    if not sys.stdout.isatty():
        items = _shown(items, console, len(files))
    failed = 0
    # A screenful at a time, so that the table is aligned and a long list is shown as it goes.
    while batch := list(islice(items, 1000)):
        failed += sum(item.error is not None for item in batch)
        if json:
            for item in batch:
                console.json_line(json_document(item, k))
        else:
            console.table(("image", "probability", "label"), [row for item in batch for row in _rows(item, k)])
    return failed


def _write(
    classifier: "Classifier",
    model: "ModelFile",
    files: list[Path],
    k: int,
    *,
    workers: int | None,
    output: Path,
    excel: bool,
    resume: bool,
    quiet: bool,
) -> int:
    """Write the results to a file, or continue it; return how many of all its images could not be read."""
    from edgecnn_runtime.jobs.results_file import ResultsFile, ResultsOf

    console = Console(quiet=quiet)
    names = [str(path) for path in files]
    of = ResultsOf.these(model, classifier, names, top_k=k, excel=excel)
    with ResultsFile(output, of, names, resume=resume) as results:
        if results.done:
            console.say(f"{output}: {results.done:,} of {len(names):,} images were done before")
        if not results.finished:
            items = classifier.predict_many(islice(files, results.done, None), workers=workers)
            items = warn_of_one_label(console, classifier, items)
            try:
                for item in _shown(items, console, len(names) - results.done):
                    results.add(item)
            except KeyboardInterrupt:
                Console().note(f"stopped after {results.done:,} of {len(names):,} images; --resume continues it")
                raise typer.Exit(_INTERRUPTED) from None
            results.finish()
            console.say(f"{output}: {results.done:,} images")
        return results.failed


def _shown(items: "Iterator[Item]", console: Console, total: int) -> "Iterator[Item]":
    """Pass the items on, with a bar or lines for the progress."""
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

    if item.prediction is None:
        return [(item.source, "", f"error: {error_text(item)}")]
    names = [item.source, *[""] * (k - 1)]
    top = item.prediction.top(k)
    return [(name, f"{value:.4f}", label) for name, (label, value) in zip(names, top, strict=True)]
