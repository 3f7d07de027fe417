"""`edgecnn export RUN|MODEL`: TFLite and ONNX files that carry their own labels and pre-processing."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgecnn.commands.adopting import (
    Adoption,
    ApplicationOption,
    CalibrationDataOption,
    ImgszOption,
    MeanOption,
    ModelLabelsOption,
    OutputIsOption,
    OutputOption,
    OverwriteOption,
    PreprocessOption,
    ResizeOption,
    ScaleOption,
    StdOption,
    WeightsOption,
    adopt,
)
from edgecnn.console import Console, JsonOption, QuietOption

if TYPE_CHECKING:
    from edgecnn_export.c_source import CSource
    from edgecnn_export.export_index import ExportedFile
    from edgecnn_export.parity import Parity
    from edgecnn_runtime.run_folder import RunFolder


def export(
    run: Annotated[
        Path | None,
        typer.Argument(
            metavar="RUN|MODEL",
            help="The folder of a finished run, such as runs/mnist; or a .keras, .h5 or .hdf5 file or a SavedModel "
            "folder that somebody else trained, with the options below.",
            show_default=False,
        ),
    ] = None,
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
    application: ApplicationOption = None,
    weights: WeightsOption = None,
    labels: ModelLabelsOption = None,
    calibration_data: CalibrationDataOption = None,
    scale: ScaleOption = None,
    mean: MeanOption = None,
    std: StdOption = None,
    preprocess: PreprocessOption = None,
    resize: ResizeOption = None,
    imgsz: ImgszOption = None,
    output_is: OutputIsOption = None,
    output: OutputOption = None,
    overwrite: OverwriteOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Convert a trained run to TFLite and ONNX, and prove each file equal to what was trained.

    Without options: float32 in both. Each file is opened by the runtime and compared with the Keras model on the
    whole test split.

    A model that somebody else trained becomes a run folder first:
    edgecnn export model.h5 --labels labels.txt --scale 1/255 --calibration-data photos/ --int8
    """
    from edgecnn_export.export_run import ExportSettings, export_run, require_all_kept
    from edgecnn_export.formats import choose_formats
    from edgecnn_runtime.native_output import native_output_kept
    from edgecnn_runtime.run_folder import open_run_data

    console = Console(json=json, quiet=quiet)
    adoption = Adoption(
        application=application,
        weights=weights,
        labels=labels,
        calibration_data=calibration_data,
        scale=scale,
        mean=mean,
        std=std,
        preprocess=preprocess,
        resize=resize,
        imgsz=imgsz,
        output_is=output_is,
        output=output,
        overwrite=overwrite,
    )
    settings = ExportSettings(
        formats=choose_formats(tuple(format or ()), int8=int8, every=every, io=io, c_source=c_source),
        calibration_images=calibration_images,
        seed=seed,
        max_drop=max_drop,
        opset=opset,
    )
    calibrates = any(fmt.needs_calibration for fmt in settings.formats)
    folder = _run_folder(console, run, adoption, calibrates=calibrates, seed=seed)
    image_set = open_run_data(folder.read_record(), data=data)
    test = len(image_set.split("test"))
    console.say(f"Exporting {folder.path} in {len(settings.formats)} formats; each is checked on {test:,} test images.")
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
    console.say(f"\nNext: edgecnn bench {folder.path}")


def _run_folder(
    console: Console, target: Path | None, adoption: Adoption, *, calibrates: bool, seed: int
) -> "RunFolder":
    """Return the folder of the run that is exported, made first where the target is a model."""
    from edgecnn_export.adopted.model_file import CONTAINERS, is_model
    from edgecnn_runtime.errors import InputError
    from edgecnn_runtime.run_folder import RunFolder

    if adoption.application is not None or (target is not None and is_model(target)):
        command = shlex.join(["edgecnn", *sys.argv[1:]])
        return adopt(console, target, adoption, calibrates=calibrates, seed=seed, command=command)
    if target is None:
        raise InputError(f"a run folder, {CONTAINERS}, or --application expected, got none")
    if target.is_file() and target.suffix != ".keras":
        raise InputError(f"{target}: a run folder, {CONTAINERS}, expected, got another file")
    adoption.refuse_beside_run(target)
    # The model within a run stands for the run.
    return RunFolder(target.parent if target.is_file() else target)


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
            *_accuracy_cells(file.parity),
            f"{100 * file.parity.agreement:.2f}",
            f"{file.parity.largest_difference:.2g}",
            "not kept" if file.failure else "ok",
        )
        for file in files
    ]
    unlabelled = any(file.parity.labelled_by_model for file in files)
    accuracy = ("expected loss",) if unlabelled else ("accuracy %", "vs Keras")
    console.table(("file", "kB", *accuracy, "same top-1 %", "largest diff.", ""), rows)
    if unlabelled:
        console.say(
            "The images have no labels: this is agreement with the float model, not accuracy. The expected loss is in "
            "points of accuracy, if the float model's probabilities were right."
        )
    if c_source:
        arena = c_source.arena_bytes
        ram = "RAM not measured (pip install tflite-micro)" if arena is None else f"{arena:,} bytes of RAM"
        console.say(
            f"\nC++ source of {c_source.model.name}: {c_source.header.name}, {c_source.source.name}\n"
            f"  {c_source.flash_bytes:,} bytes of flash, {ram}, operators {', '.join(c_source.operators)}"
        )


def _accuracy_cells(parity: "Parity") -> tuple[str, ...]:
    if parity.labelled_by_model:
        return (f"{parity.drop:.2f}",)
    return f"{100 * parity.accuracy.value:.2f}", f"{0 - parity.drop:+.2f}"
