"""`edgecnn export RUN`: TFLite and ONNX files that carry their own labels and pre-processing."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgecnn.console import Console, JsonOption, QuietOption

if TYPE_CHECKING:
    from edgecnn_export.c_source import CSource
    from edgecnn_export.export_index import ExportedFile


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
    data: Annotated[Path | None, typer.Option(help="The prepared set of the run, where it has moved.")] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Convert a trained run to TFLite and ONNX, and prove each file equal to what was trained.

    Without options: float32 in both. Each file is opened by the runtime and compared with the Keras model on the
    whole test split.
    """
    from edgecnn_export.export_run import ExportSettings, export_run, require_all_kept
    from edgecnn_export.formats import choose_formats
    from edgecnn_runtime.native_output import native_output_kept
    from edgecnn_runtime.run_folder import RunFolder, open_run_data

    console = Console(json=json, quiet=quiet)
    folder = RunFolder(run)
    settings = ExportSettings(
        formats=choose_formats(tuple(format or ()), int8=int8, every=every, io=io, c_source=c_source),
        calibration_images=calibration_images,
        seed=seed,
        max_drop=max_drop,
        opset=opset,
    )
    image_set = open_run_data(folder.read_record(), data=data)
    test = len(image_set.split("test"))
    console.say(f"Exporting {run} in {len(settings.formats)} formats; each is checked on {test:,} test images.")
    with console.progress("export", len(settings.formats)) as advance:
        done = 0

        def count(file: "ExportedFile") -> None:
            nonlocal done
            done += 1
            advance(done, file.format.name)

        files = export_run(folder, image_set, settings, report=count)
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
    """Print what was exported as a table, or as the JSON document."""
    document: dict[str, object] = {"files": [file.to_document() for file in files]}
    if c_source:
        document["c_source"] = c_source.to_document()
    console.document(document)
    rows = [
        (
            file.path.name,
            f"{file.size / 1000:,.1f}",
            f"{100 * file.parity.accuracy.value:.2f}",
            f"{0 - file.parity.drop:+.2f}",
            f"{100 * file.parity.agreement:.2f}",
            f"{file.parity.largest_difference:.2g}",
            "not kept" if file.failure else "ok",
        )
        for file in files
    ]
    console.table(("file", "kB", "accuracy %", "vs Keras", "same top-1 %", "largest diff.", ""), rows)
    if c_source:
        arena = c_source.arena_bytes
        ram = "RAM not measured (pip install tflite-micro)" if arena is None else f"{arena:,} bytes of RAM"
        console.say(
            f"\nC++ source of {c_source.model.name}: {c_source.header.name}, {c_source.source.name}\n"
            f"  {c_source.flash_bytes:,} bytes of flash, {ram}, operators {', '.join(c_source.operators)}"
        )
