"""`edgecnn search --data FOLDER`: the network for a device, found, trained and exported."""

import dataclasses
import json as json_module
import math
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgecnn.console import Console, JsonOption, QuietOption
from edgecnn.options.option_group import output_option

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgecnn.workflows.search import Asked, Kept

_MINUTES = 60.0
# What a shell reports for a program that Ctrl-C ended: 128 + SIGINT.
_INTERRUPTED = 130


def search(
    data: Annotated[
        str | None,
        typer.Option(help="Your images, as for 'edgecnn train'; a split test among them is not searched on."),
    ] = None,
    max_latency: Annotated[
        str | None, typer.Option(metavar="2ms", help="The median time of one image, at most: us, ms or s.")
    ] = None,
    max_size: Annotated[
        str | None, typer.Option(metavar="60k", help="The size of the int8 TFLite file, at most: k, M, KiB or MiB.")
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Device that must run the file, as in 'edgecnn inspect'; the time of an NPU is its compiler's.",
        ),
    ] = None,
    minutes: Annotated[float, typer.Option(help="Time for the search, the last training included.")] = _MINUTES,
    alpha: Annotated[
        str | None, typer.Option(metavar="0.25,0.5,…", help="Widths to try. Default: 0.25,0.5,1,2.")
    ] = None,
    depth: Annotated[
        str | None, typer.Option(metavar="3,4,…", help="Numbers of convolutions to try. Default: 3,4,5.")
    ] = None,
    imgsz: Annotated[
        str | None,
        typer.Option(metavar="32,48,…", help="Sides to try, in pixels. Default: of 24…96, as the images have them."),
    ] = None,
    colour: Annotated[
        str | None, typer.Option(metavar="grey,rgb", help="Colours to try. Default: those of the images, and grey.")
    ] = None,
    augment: Annotated[
        bool | None, typer.Option("--augment/--no-augment", help="Try only with or only without changed images.")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Passes over the images in the last rung. Default: the recipe's.")
    ] = None,
    folds: Annotated[
        int | None, typer.Option(metavar="K", min=2, help="Folds that score a candidate. Default: by the images.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of the candidates, weights and folds.")] = None,
    output: Annotated[Path | None, output_option("DIR", "Folder of the search; default: runs/<data>-search.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the search in DIR, with the options as they were.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Delete the search in DIR, with its run, and start again.")
    ] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Find a network within your limits, train and export it.

    Widths and depths of small-cnn, sizes, colours and augmentation are tried by successive halving. Each network is
    exported and timed before it is trained, so nothing is trained that is too slow or too large. Accuracy is that of
    folds, never of test images.

    DIR holds pareto.png, search.csv, search.json and the run of the winner, with its exported file.
    """
    from edgecnn.commands.train import loading_training
    from edgecnn_runtime.errors import InputError
    from edgecnn_training.packages import check_packages
    from edgecnn_training.stopwatch import Stopwatch

    console = Console(json=json, quiet=quiet)
    if not 0 < minutes < math.inf:
        raise InputError(f"minutes: expected a finite number above 0, got {minutes:g}")
    if output is None and data is None:
        raise InputError("data: expected your images, got none; name them with --data")
    from edgecnn.workflows.search import Kept, Search, SearchFolder, clear, open_search

    folder = SearchFolder(output or Path("runs") / f"{Path(str(data)).stem}-search")
    kept = open_search(folder, resume=resume, overwrite=overwrite)
    given = _given(
        data=data,
        max_latency=max_latency,
        max_size=max_size,
        target=target,
        widths=_numbers("alpha", alpha, float),
        depths=_numbers("depth", depth, int),
        sides=_numbers("imgsz", imgsz, int),
        colours=_numbers("colour", colour, str),
        augment=augment,
        epochs=epochs,
        folds=folds,
        seed=seed,
    )
    asked = _asked(folder.path, given, kept)
    if folder.result.exists() and not overwrite:
        console.say(f"{folder.path} was finished before; it is left as it is.")
        _print_found(console, json_module.loads(folder.result.read_text(encoding="utf-8")), folder.path)
        return
    check_packages()
    watch = Stopwatch.of_process()
    with loading_training("edgecnn search"):
        import edgecnn_export.export_run  # noqa: F401
        import edgecnn_training.train  # noqa: F401, both for their messages
    if overwrite:
        clear(folder)
    command = shlex.join(["edgecnn", *sys.argv[1:]])
    under_way = Search(console, folder, kept or Kept(asked=asked), minutes=minutes, watch=watch, command=command)
    try:
        document = under_way.run()
    except KeyboardInterrupt:
        console.warn(
            "stopped: what was measured and trained is kept; go on with: "
            f"edgecnn search --output {shlex.quote(str(folder.path))} --resume"
        )
        raise typer.Exit(_INTERRUPTED) from None
    _print_found(console, document, folder.path)


def _numbers(option: str, text: str | None, kind: "Callable[[str], Any]") -> tuple[Any, ...] | None:
    """Read values with commas between them.

    >>> _numbers("imgsz", "32, 48", int)
    (32, 48)
    """
    from edgecnn_runtime.errors import InputError

    if text is None:
        return None
    try:
        return tuple(kind(part.strip()) for part in text.split(","))
    except ValueError:
        raise InputError(f"--{option}: expected numbers with commas between them, got {text!r}") from None


def _given(*, max_latency: str | None, max_size: str | None, **others: Any) -> dict[str, Any]:
    """Return what the user named, in the units of the search."""
    from edgecnn_benchmarks.statistics.units import Quantity, parse
    from edgecnn_export.inspection.targets import check_targets

    given = {name: value for name, value in others.items() if value is not None}
    if max_latency is not None:
        given["max_latency_us"] = parse(max_latency, Quantity.DURATION, option="--max-latency")
    if max_size is not None:
        given["max_size_bytes"] = parse(max_size, Quantity.SIZE, option="--max-size")
    if "target" in given:
        check_targets([given["target"]])
    return given


def _asked(path: Path, given: dict[str, Any], kept: "Kept | None") -> "Asked":
    """Return what is asked for; where a search is resumed, what it was started with.

    Raises:
        InputError: a resumed search was started with something else, or no images are named.
    """
    from edgecnn.workflows.search import Asked
    from edgecnn_runtime.errors import InputError
    from edgecnn_training.search.space import Space

    of_space = {field.name for field in dataclasses.fields(Space)}
    space = {name: value for name, value in given.items() if name in of_space}
    others = {name: value for name, value in given.items() if name not in of_space}
    if kept is not None:
        asked = kept.asked
        different = [name for name, value in space.items() if value != getattr(asked.space, name)]
        different += [name for name, value in others.items() if value != getattr(asked, name)]
        if different:
            raise InputError(
                f"{path}: expected what the search was started with, got others for {', '.join(different)}; leave "
                "these options out to resume, or give --overwrite to start again"
            )
        return asked
    if "data" not in others:
        raise InputError("data: expected your images, got none; name them with --data")
    return Asked(space=Space(**space), **others)


def _print_found(console: Console, document: dict[str, Any], folder: Path) -> None:
    """Print the candidates that were trained to the end, and the sentence."""
    from edgecnn_benchmarks.statistics.quantities import microseconds, size
    from edgecnn_runtime.errors import GateError

    console.document(document)
    console.say("")
    console.table(
        ("candidate", "correct %, of folds", "95 % interval", "p50", "size", ""),
        [
            (
                row["name"],
                f"{100 * row['accuracy']['value']:.1f}",
                f"{100 * row['accuracy']['low']:.1f} … {100 * row['accuracy']['high']:.1f}",
                microseconds(row["latency_us"]),
                size(row["size_bytes"]),
                "taken" if row["taken"] else "Pareto" if row["on_front"] else "",
            )
            for row in document["candidates"]
            if row["trained_whole"]
        ],
    )
    console.say("")
    console.paragraph(document["sentence"])
    test = document["test_accuracy"]
    console.paragraph(
        f"On {test['total']:,} test images, which no candidate was compared on, {100 * test['value']:.1f} % are right "
        f"(95 % interval {100 * test['low']:.1f} … {100 * test['high']:.1f}): the score on folds of the best of "
        "several is a little too good."
    )
    console.say("", f"{folder}: pareto.png, search.csv, search.json", f"The file: {document['file']}")
    if not document["within_limits"]:
        raise GateError(
            f"{document['file']}: expected it within the limits, as before its training, got "
            f"{size(document['size_bytes'])} and {microseconds(document['latency_us'])}; search with a narrower limit"
        )
