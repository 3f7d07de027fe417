"""`edgecnn predict … --on ray`: more images than one machine can take, into a folder of results."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from edgecnn.console import Advance, Console
from edgecnn.options.model_options import ModelOptions
from edgecnn.printing.one_label import warn_of_one_label

if TYPE_CHECKING:
    from edgecnn_runtime.jobs.results_folder import ResultsFormat
    from edgecnn_runtime.pipeline import Item

# Items between two steps of the bar.
_STEP = 100


def predict_on_ray(
    model: Path,
    model_options: ModelOptions,
    sources: Sequence[str],
    *,
    output: str,
    form: "ResultsFormat",
    top_k: int,
    excel: bool,
    recursive: bool,
    workers: int | None,
    address: str | None,
    quiet: bool,
) -> None:
    """Classify on a local cluster or on that at `address`; exit with 1 if an image could not be read."""
    from edgecnn_runtime.classifier import Classifier
    from edgecnn_runtime.jobs.ray_engine import classify_on_ray, find_images, ray_started
    from edgecnn_runtime.jobs.results_folder import new_results
    from edgecnn_runtime.model_formats import ModelFile
    from edgecnn_runtime.system.native_output import native_output_kept

    console = Console(quiet=quiet)
    images = find_images(sources, recursive=recursive)
    # Ray's C++ parts write on the screen, past `logging`; what ends the work arrives as an exception all the same.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    failed = 0
    with contextlib.ExitStack() as stack:
        # Errors in the model or the folder are reported before Ray takes its seconds to start.
        model_file = ModelFile.read(model)
        photos = (Path(images.paths[number]) for number, place in enumerate(images.place_of) if place < 0)
        classifier = model_options.open(console, model_file, threads=1, photos=photos)
        results = stack.enter_context(new_results(output, form, top_k=min(top_k, len(classifier.labels)), excel=excel))
        console.say("starting Ray" if address is None else f"joining the Ray cluster {address}")
        with native_output_kept():
            processes = stack.enter_context(ray_started(workers=workers, address=address))
        console.say(f"{len(images):,} images on {processes} process{'es' * (processes > 1)}")
        advance = stack.enter_context(console.progress("classifying", len(images)))
        # A third-party file was tried here, in a process of its own, and need not be in each; nor a signature checked.
        opener = partial(Classifier.open_as, opening=replace(model_options.opening(), trusted=True, key=None))
        items = classify_on_ray(model_file, classifier.labels, images, workers=processes, opener=opener)
        for item in _stepping(warn_of_one_label(console, classifier, items), advance):
            failed += item.error is not None
            results.add(item)
    console.say(f"{output}: {len(images):,} images")
    if failed:
        console.fail(f"{failed} of {len(images)} images could not be read")
        raise typer.Exit(1)


def _stepping(items: "Iterator[Item]", advance: Advance) -> "Iterator[Item]":
    done = 0
    for done, item in enumerate(items, start=1):
        yield item
        if done % _STEP == 0:
            advance(done, "")
    advance(done, "")
