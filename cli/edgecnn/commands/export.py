"""`edgecnn export RUN`: TFLite and ONNX files that carry their own labels and pre-processing."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgecnn.console import Console, JsonOption, QuietOption

if TYPE_CHECKING:
    from edgecnn_export.c_source import CSource
    from edgecnn_export.export_index import ExportedFile

_PARTS_OF_A_STEP = 20


def export(
    run: Annotated[Path, typer.Argument(help="The folder of a finished run, such as runs/mnist.")],
    int8: Annotated[bool, typer.Option("--int8", help="Also full-integer TFLite and QDQ ONNX.")] = False,
    every: Annotated[bool, typer.Option("--all", help="All formats: also float16 and dynamic range.")] = False,
    format: Annotated[
        list[str] | None,
        typer.Option("--format", "-f", help="Just this format, such as tflite-int8; may be repeated."),
    ] = None,
    io: Annotated[
        str,
        typer.Option(
            metavar="uint8|int8",
            help="What full-integer TFLite takes and gives; int8: pixel - 128, as some NPUs ask, as NAME_int8-signed.",
        ),
    ] = "uint8",
    c_source: Annotated[
        bool, typer.Option("--c-source", help="Also C++ source of the full-integer TFLite file, for TFLite-Micro.")
    ] = False,
    calibration_images: Annotated[
        int | None,
        typer.Option(help="Training images from which int8 ranges are measured; default: 200, or all there are."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the choice of calibration images.")] = 0,
    max_drop: Annotated[
        float, typer.Option(help="Points of test accuracy a file may lose; one that loses more is not kept.")
    ] = 1.0,
    opset: Annotated[int, typer.Option(help="Opset of the ONNX files.")] = 17,
    qat: Annotated[
        bool, typer.Option("--qat", help="Train on with the rounding of int8 first; implies --int8.")
    ] = False,
    prune: Annotated[
        float | None, typer.Option(metavar="SPARSITY", help="First make this share of the weights zero, such as 0.8.")
    ] = None,
    cluster: Annotated[
        int | None, typer.Option(metavar="N", help="First leave each layer with N distinct weights, such as 16.")
    ] = None,
    optimize_epochs: Annotated[
        int, typer.Option(help="Epochs on the training images for each of --prune, --cluster and --qat.")
    ] = 3,
    data: Annotated[Path | None, typer.Option(help="The prepared set of the run, where it has moved.")] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Convert a trained run to TFLite and ONNX, and prove each file equal to what was trained.

    Without options: float32 in both. Each file is opened by the runtime and compared with the Keras model on the
    whole test split.

    --prune, --cluster and --qat, in this order, train the weights on before they are converted. The files have it in
    their names and stand beside the plain ones; --prune and --cluster make them pack better, not smaller.
    """
    from edgecnn_export.export_run import ExportSettings, export_run, require_all_kept
    from edgecnn_export.formats import choose_formats
    from edgecnn_export.optimized.plan import Plan
    from edgecnn_runtime.native_output import native_output_kept
    from edgecnn_runtime.run_folder import RunFolder, open_run_data

    console = Console(json=json, quiet=quiet)
    folder = RunFolder(run)
    record = folder.read_record()
    settings = ExportSettings(
        formats=choose_formats(tuple(format or ()), int8=int8 or qat, every=every, io=io, c_source=c_source),
        calibration_images=calibration_images,
        seed=seed,
        max_drop=max_drop,
        opset=opset,
        plan=Plan.of(
            sparsity=prune,
            clusters=cluster,
            quantization_aware=qat,
            epochs=optimize_epochs,
            batch_size=int(record.recipe.get("batch_size", 32)),
            seed=seed,
        ),
    )
    image_set = open_run_data(record, data=data)
    test = len(image_set.split("test"))
    console.say(f"Exporting {run} in {len(settings.formats)} formats; each is checked on {test:,} test images.")
    steps = settings.plan.steps if settings.plan else ()
    # A step of the optimization takes far longer than a file.
    parts = _PARTS_OF_A_STEP * len(steps)
    with console.progress("export", parts + len(settings.formats)) as advance:
        done = 0

        def count(file: "ExportedFile") -> None:
            nonlocal done
            done += 1
            advance(parts + done, file.format.name)

        def optimizing(step: str, share: float) -> None:
            advance(round(_PARTS_OF_A_STEP * (steps.index(step) + share)), step)

        files = export_run(folder, image_set, settings, report=count, optimizing=optimizing)
    source = None
    if c_source:
        # Here, since it loads TensorFlow, whose absence the export itself has told by now.
        from edgecnn_export.c_source import export_c_source

        with native_output_kept():
            source = export_c_source(files)
    print_exported(console, files, source)
    require_all_kept(files)
    console.say(f"\nNext: edgecnn bench {run}")


def print_exported(console: Console, files: "list[ExportedFile]", c_source: "CSource | None" = None) -> None:
    """Print what was exported as tables, or as the JSON document."""
    document: dict[str, object] = {"files": [file.to_document() for file in files]}
    if c_source:
        document["c_source"] = c_source.to_document()
    console.document(document)
    print_optimization(console, files)
    sparse = any(file.optimized and file.optimized.optimization.changes_weights for file in files)
    columns = ("file", "kB", "accuracy %", "vs Keras", "same top-1 %", "largest diff.")
    rows = [
        (
            file.path.name,
            f"{file.size / 1000:,.1f}",
            f"{100 * file.parity.accuracy.value:.2f}",
            f"{0 - file.parity.drop:+.2f}",
            f"{100 * file.parity.agreement:.2f}",
            f"{file.parity.largest_difference:.2g}",
            *(_packed(file) if sparse else ()),
            "not kept" if file.failure else "ok",
        )
        for file in files
    ]
    console.table((*columns, *(("gzip kB", "zeros %", "distinct") if sparse else ()), ""), rows)
    if sparse:
        console.say("distinct: the most different weights that one output channel of a layer has in the file")
    if c_source:
        arena = c_source.arena_bytes
        ram = "RAM not measured (pip install tflite-micro)" if arena is None else f"{arena:,} bytes of RAM"
        console.say(
            f"\nC++ source of {c_source.model.name}: {c_source.header.name}, {c_source.source.name}\n"
            f"  {c_source.flash_bytes:,} bytes of flash, {ram}, operators {', '.join(c_source.operators)}"
        )


def print_optimization(console: Console, files: "list[ExportedFile]") -> None:
    """Print what each step of the optimization cost, where there was one."""
    outcome = next((file.optimized for file in files if file.optimized), None)
    if outcome is None:
        return
    rows = [
        (
            step.name,
            f"{100 * step.before.value:.2f}",
            f"{100 * step.after.value:.2f}",
            f"{step.best_epoch}",
            f"{step.seconds:.0f} s",
        )
        for step in outcome.steps
    ]
    console.table(("step", "validation % before", "after", "best epoch", "time"), rows)
    if outcome.accuracy is not None:
        console.say(
            f"The Keras model with the new weights: {100 * outcome.accuracy.value:.2f} % on test, "
            f"{100 * files[0].parity.accuracy_keras.value:.2f} % before.\n"
        )


def _packed(file: "ExportedFile") -> tuple[str, ...]:
    if file.packed is None:
        return "", "", ""
    packed = file.packed
    return f"{packed.gzip_bytes / 1000:,.1f}", f"{100 * packed.sparsity:.1f}", f"{packed.distinct_in_channel}"
