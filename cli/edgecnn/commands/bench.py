"""`edgecnn bench RUN|MODEL…`: which file is faster, smaller, and still right, with error bars."""

import shlex
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgecnn.commands.model_options import ModelOptions, takes_model_options
from edgecnn.console import Console, JsonOption, QuietOption
from edgecnn_benchmarks.settings import Settings

if TYPE_CHECKING:
    from edgecnn_benchmarks.result import BenchResult


@takes_model_options
def bench(
    model_options: ModelOptions,
    targets: Annotated[list[Path], typer.Argument(help="A run folder, or .tflite and .onnx files.")],
    data: Annotated[
        Path | None,
        typer.Option(
            help="Labelled images: a prepared set, or a folder with one sub-folder a class. Default: the run's."
        ),
    ] = None,
    threads: Annotated[
        str, typer.Option(metavar="N|N,M,…", help="Threads within one inference; several numbers are compared.")
    ] = str(Settings.threads),
    runs: Annotated[int, typer.Option(help="Timed inferences a round, at least.")] = Settings.runs,
    warmup: Annotated[int, typer.Option(help="Untimed inferences before them, at least.")] = Settings.warmup,
    rounds: Annotated[int, typer.Option(help="Turns of each model, in a fresh process each.")] = Settings.rounds,
    max_secs: Annotated[
        float, typer.Option(help="Seconds for all rounds; three are measured in any case.")
    ] = Settings.max_secs,
    starts: Annotated[int, typer.Option(help="Cold starts of each model.")] = Settings.starts,
    timeout: Annotated[
        float, typer.Option(help="Seconds without an answer after which a model counts as hanging.")
    ] = Settings.timeout,
    reference: Annotated[
        str, typer.Option(help="What the others are compared with: a scheme or a file name.")
    ] = Settings.reference,
    seed: Annotated[int, typer.Option(help="Of the order of the turns.")] = Settings.seed,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Where the files go. Default: RUN/bench, or bench for model files."),
    ] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Measure model files side by side: latency, accuracy, cold start, memory and size; write report.html."""
    from edgecnn_benchmarks.bench import bench as measure
    from edgecnn_benchmarks.thread_counts import read_thread_counts

    console = Console(json=json, quiet=quiet)
    counts = read_thread_counts(threads)
    folder = output or (targets[0] / "bench" if len(targets) == 1 and targets[0].is_dir() else Path("bench"))
    results = {}
    with console.progress("bench", 100 * len(counts)) as advance:
        for done, count in enumerate(counts):

            def shown(percent: int, text: str, done: int = done) -> None:
                advance(100 * done + percent, text)

            results[count] = measure(
                targets,
                data=data,
                output=folder if len(counts) == 1 else folder / f"threads-{count}",
                settings=Settings(
                    threads=count,
                    runs=runs,
                    warmup=warmup,
                    rounds=rounds,
                    max_secs=max_secs,
                    starts=starts,
                    timeout=timeout,
                    reference=reference,
                    seed=seed,
                    opening=model_options.opening(only_strangers=True),
                ),
                command=shlex.join(["edgecnn", *sys.argv[1:]]),
                progress=shown,
            )
    if len(counts) == 1:
        _show(console, results[counts[0]])
    else:
        _compare(console, results)


def _show(console: Console, result: "BenchResult") -> None:
    from edgecnn_benchmarks.table import terminal_table

    console.document(result.to_document())
    console.table(*terminal_table(result))
    for failure in result.failures:
        console.warn(f"{failure.name}: {failure.stage}: {failure.reason}")
    console.say()
    for sentence in (*result.notes, result.verdict):
        console.say(textwrap.fill(sentence, width=110))
    console.say(f"The report: {result.folder / 'report.html'}")


def _compare(console: Console, results: "dict[int, BenchResult]") -> None:
    """Show which number of threads serves each file best."""
    from edgecnn_benchmarks.thread_counts import choose_threads, thread_table

    choices = choose_threads(results)
    console.document(
        {
            "best_threads": {choice.name: choice.best for choice in choices},
            "results": {str(count): result.to_document() for count, result in results.items()},
        }
    )
    console.table(*thread_table(choices))
    for count, result in results.items():
        for failure in result.failures:
            console.warn(f"{failure.name}: {failure.stage}, {count} threads: {failure.reason}")
    console.say()
    console.say("For many images, one thread an image on every processor is faster still: predict does that by itself.")
    for result in results.values():
        console.say(f"The report: {result.folder / 'report.html'}")
