"""`edgecnn bench RUN|MODEL…`: which file is faster, smaller, and still right, with error bars."""

import shlex
import sys
import textwrap
from pathlib import Path
from typing import Annotated

import typer

from edgecnn.commands.model_options import ModelOptions, takes_model_options
from edgecnn.console import Console, JsonOption, QuietOption
from edgecnn_benchmarks.settings import Settings


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
    threads: Annotated[int, typer.Option(help="Threads within one inference.")] = Settings.threads,
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
    from edgecnn_benchmarks.table import terminal_table

    console = Console(json=json, quiet=quiet)
    with console.progress("bench", 100) as advance:
        result = measure(
            targets,
            data=data,
            output=output,
            settings=Settings(
                threads=threads,
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
            progress=advance,
        )
    console.document(result.to_document())
    console.table(*terminal_table(result))
    for failure in result.failures:
        console.warn(f"{failure.name}: {failure.stage}: {failure.reason}")
    console.say()
    for sentence in (*result.notes, result.verdict):
        console.say(textwrap.fill(sentence, width=110))
    console.say(f"The report: {result.folder / 'report.html'}")
