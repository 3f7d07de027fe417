"""`edgecnn bench RUN|MODEL…`: which file is faster, smaller, and still right, with error bars."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from edgecnn.console import Console, JsonOption, QuietOption
from edgecnn.options.host_options import HostChoice
from edgecnn.options.model_options import ModelOptions
from edgecnn.options.option_group import output_option, takes_options
from edgecnn.workflows.small_devices import estimate_small_devices
from edgecnn_benchmarks.settings import BenchSettings
from edgecnn_runtime.errors import InputError

# The exit code of a shell for a program that Ctrl-C ended.
_INTERRUPTED = 130


@takes_options(model_options=ModelOptions, host_choice=HostChoice)
def measure(
    model_options: ModelOptions,
    host_choice: HostChoice,
    targets: Annotated[list[Path], typer.Argument(help="A run folder, or .tflite and .onnx files.")],
    data: Annotated[
        str | None,
        typer.Option(
            help="Labelled images: a prepared set, or a folder with one sub-folder per class. Default: the run's."
        ),
    ] = None,
    threads: Annotated[str, typer.Option(help="Threads within one inference; 1,2 measures both.")] = "1",
    batch: Annotated[str, typer.Option(help="Images per call; 1,8,32 measures all three.")] = "1",
    with_keras: Annotated[
        bool, typer.Option("--with-keras", help="Measure the run's Keras model too, called and by predict().")
    ] = False,
    runs: Annotated[int, typer.Option(help="Least number of timed calls per round.")] = BenchSettings.runs,
    warmup: Annotated[int, typer.Option(help="Least number of untimed calls before them.")] = BenchSettings.warmup,
    precision: Annotated[
        str,
        typer.Option(help="Half-width of every interval at which measuring ends, a share of its median or ratio."),
    ] = f"{BenchSettings.precision * 100:g}%",
    rounds: Annotated[
        int | None, typer.Option(help="Number of rounds, each in a fresh process, instead of --precision.")
    ] = BenchSettings.rounds,
    max_secs: Annotated[
        float, typer.Option(help="Seconds for all rounds; three are measured in any case.")
    ] = BenchSettings.max_secs,
    starts: Annotated[int, typer.Option(help="Cold starts of each model.")] = BenchSettings.starts,
    timeout: Annotated[
        float, typer.Option(help="Seconds without an answer after which a model counts as hanging.")
    ] = BenchSettings.timeout,
    reference: Annotated[
        str, typer.Option(help="Model that the others are compared with: a scheme or a file name.")
    ] = BenchSettings.reference,
    seed: Annotated[int, typer.Option(help="Seed of the order of the turns.")] = BenchSettings.seed,
    output: Annotated[
        Path | None,
        output_option(None, "Folder of the result. Default: RUN/bench, or bench for model files."),
    ] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Measure model files side by side: latency, accuracy, cold start, memory and size; write report.html.

    With --host, on another machine: models and test images are sent there, an environment is made once, and the result
    is written to RUN/bench/HOST. A broken connection is resumed; after a long break, run the same command again.
    """
    from edgecnn_benchmarks.bench import bench
    from edgecnn_benchmarks.judging.thread_counts import read_counts
    from edgecnn_benchmarks.report.terminal import device_table, terminal_table
    from edgecnn_training.data.home import home_folder, prepared_folder

    console = Console(json=json, quiet=quiet)
    elsewhere = host_choice.read()
    if elsewhere is not None and model_options.key is not None:
        raise InputError("--key: expected no --host, got both; check the files with 'edgecnn verify --key' first")
    settings = BenchSettings(
        threads=read_counts("threads", threads),
        batch=read_counts("batch", batch),
        with_keras=with_keras,
        precision=_share("precision", precision),
        runs=runs,
        warmup=warmup,
        rounds=rounds,
        max_secs=max_secs,
        starts=starts,
        timeout=timeout,
        reference=reference,
        seed=seed,
        opening=model_options.opening(third_party_only=True),
    )
    command = shlex.join(["edgecnn", *sys.argv[1:]])
    with console.progress("bench", 100) as advance:
        if elsewhere is None:
            result = bench(
                targets,
                data=prepared_folder(data),
                output=output,
                settings=settings,
                command=command,
                estimate=estimate_small_devices,
                progress=advance,
            )
        else:
            from edgecnn_benchmarks.remote.on_host import bench_on_host

            destination, options = elsewhere
            result = bench_on_host(
                destination,
                targets,
                data=prepared_folder(data),
                output=output,
                settings=settings,
                options=options,
                cache=home_folder() / "wheels",
                estimate=estimate_small_devices,
                command=command,
                progress=advance,
                say=console.note,
            )
    console.document(result.to_document())
    console.table(*terminal_table(result))
    for failure in result.failures:
        console.warn(f"{failure.name}: {failure.stage}: {failure.reason}")
    estimates = device_table(result)
    if estimates is not None:
        table, below = estimates
        console.say()
        console.table(*table)
        console.say()
        console.paragraph(below)
    console.say()
    for sentence in result.sentences:
        console.paragraph(sentence)
    console.say(f"The report: {result.folder / 'report.html'}")
    if result.partial is not None:
        raise typer.Exit(_INTERRUPTED)


def _share(option: str, text: str) -> float:
    """Read a percentage.

    >>> _share("precision", "2%")
    0.02
    """
    try:
        return float(text.removesuffix("%")) / 100
    except ValueError:
        raise InputError(f"--{option}: expected a percentage such as 2%, got {text!r}") from None
