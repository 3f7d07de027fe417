"""`edgecnn doctor`: what is installed, what really loads, what is wrong, and the command that fixes it."""

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgecnn.console import Console, JsonOption, QuietOption

if TYPE_CHECKING:
    from edgecnn_benchmarks.machine.diagnosis import Diagnosis, Places, Situation
    from edgecnn_benchmarks.machine.probes import EngineProbe
    from edgecnn_training.devices.convolution_speed import ConvolutionSpeed


def doctor(
    benchmark: Annotated[
        bool, typer.Option("--benchmark", help="Time a convolution on the CPU and on each GPU, too.")
    ] = False,
    delegate: Annotated[
        list[str],
        typer.Option(metavar="LIBRARY[,key=value…]", help="TFLite delegate to try; may be repeated."),
    ] = [],  # noqa: B006, typer copies it
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Show what is installed, what loads and what is wrong.

    Each problem comes with the command that fixes it. The exit code is 1 if anything is broken.
    """
    from edgecnn_benchmarks.machine.diagnosis import Severity, find_problems, look
    from edgecnn_runtime.errors import GateError

    console = Console(json=json, quiet=quiet)
    situation = look(_places(), delegates=delegate)
    problems = find_problems(situation)
    _show(console, situation)
    speeds = _convolution_speeds() if benchmark else []
    _show_speeds(console, speeds)
    _show_problems(console, problems)
    document = _document(situation, problems)
    console.document({**document, "convolution": [dataclasses.asdict(speed) for speed in speeds]})
    broken = [problem for problem in problems if problem.severity is Severity.BROKEN]
    if broken and console.quiet:
        raise GateError("; ".join(f"{problem.what} -> {problem.fix}" for problem in broken))
    if broken:
        raise typer.Exit(1)


def _places() -> "Places":
    from edgecnn_benchmarks.machine.diagnosis import Places
    from edgecnn_training.data.home import data_folder, home_folder, prepared_sets

    return Places(home=home_folder(), prepared=tuple(prepared_sets()), data=data_folder())


def _show(console: Console, situation: "Situation") -> None:
    from edgecnn_benchmarks.machine.diagnosis import int8_outlook

    machine, places = situation.machine, situation.places
    memory = f", {machine.memory_bytes / 2**30:.1f} GiB memory" if machine.memory_bytes else ""
    console.say("Machine")
    console.say(
        f"  {machine.cpu}, {machine.architecture}, {machine.available_cpus} of {machine.online_cpus} CPUs{memory}"
    )
    console.say(f"  {machine.system}, kernel {machine.kernel}, Python {machine.python}")
    if machine.governor:
        console.say(f"  frequency governor {machine.governor}")
    features = "unknown" if machine.cpu_features is None else ", ".join(machine.cpu_features) or "none"
    console.say(f"  int8 instructions: {features}; {int8_outlook(machine.cpu_features)}")
    for device in situation.gpu.devices:
        console.say(f"  GPU {device}")
    if not situation.gpu.devices:
        console.say("  no NVIDIA GPU")
    if situation.cuda.wanted or situation.cuda.installed:
        there = " and ".join(map(str, situation.cuda.installed)) or "none"
        wanted = [f"{package} is built for CUDA {major}" for package, major in situation.cuda.wanted.items()]
        console.say(f"  {'; '.join([f'CUDA {there}', *wanted])}")
    if "tensorflow" in machine.packages:
        gpus = [f"gpu:{number}" for number in range(len(situation.gpu.tensorflow or ()))]
        console.say(f"  devices to train on: {', '.join([*gpus, 'cpu'])}")
    console.say("", "Packages")
    for name, version in machine.packages.items():
        console.say(f"  {name} {version}")
    console.say("", "Backends")
    for backend in situation.backends:
        console.say(f"  {backend.name} (*{', *'.join(backend.suffixes)}): {_state(backend)}")
    for tried in situation.delegates:
        console.say(f"  delegate {tried.text}: {'loads' if tried.error is None else f'does not load: {tried.error}'}")
    if not situation.delegates:
        console.say("  no delegate of TFLite found; --delegate LIBRARY tries one")
    console.say("", "Extras")
    for extra in situation.extras:
        if extra.name:
            missing = f"missing {', '.join(extra.missing)}; {extra.pip_line}"
            console.say(f"  {extra.name}: {missing if extra.missing else 'complete'}")
    console.say("", "Image sets")
    console.say(f"  EDGECNN_HOME {places.home}: {', '.join(places.prepared) or 'none prepared'}")
    console.say(f"  EDGECNN_DATA {places.data or 'not set'}")


def _convolution_speeds() -> "list[ConvolutionSpeed]":
    from edgecnn_runtime.errors import MissingExtraError
    from edgecnn_runtime.system.native_output import native_output_kept

    try:
        with native_output_kept():
            from edgecnn_training.devices.convolution_speed import measure_convolution

            return measure_convolution()
    except ImportError as error:
        raise MissingExtraError("doctor --benchmark", package="keras", extra="train") from error


def _show_speeds(console: Console, speeds: "list[ConvolutionSpeed]") -> None:
    if not speeds:
        return
    console.say("", "Convolution: ten times 32 filters of 7x7x3 over 100 images of 100x100x3, float32")
    cpu = speeds[0]
    for speed in speeds:
        compared = "" if speed is cpu else f", {cpu.seconds / speed.seconds:.1f} times as fast as the CPU"
        console.say(f"  {speed.device}: {speed.seconds:.3f} s, {speed.gflops:,.0f} GFLOP/s{compared}")
    if len(speeds) == 1:
        console.say("  no GPU that Keras can use")


def _state(backend: "EngineProbe") -> str:
    if not backend.packages:
        return "not installed"
    if backend.error is not None:
        return f"does not load: {backend.error}"
    return f"loads, {backend.packages[0]}{'; providers ' + ', '.join(backend.providers) if backend.providers else ''}"


def _show_problems(console: Console, problems: "tuple[Diagnosis, ...]") -> None:
    console.say("", "Problems" if problems else "No problems found.")
    for problem in problems:
        console.say(f"  {problem.severity}: {problem.what}")
        console.say(f"    -> {problem.fix}")


def _document(situation: "Situation", problems: "tuple[Diagnosis, ...]") -> dict[str, Any]:
    """Return the situation as it is printed with `--json`."""
    document = dataclasses.asdict(situation)
    document["places"]["home"] = str(situation.places.home)
    document["places"]["data"] = str(situation.places.data) if situation.places.data else None
    return {**document, "problems": [dataclasses.asdict(problem) for problem in problems]}
