"""`edgecnn export RUN|MODEL`: TFLite and ONNX files that carry their own labels and pre-processing."""

import dataclasses
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgecnn.console import Console, JsonOption, QuietOption
from edgecnn.printing.export_table import print_exported
from edgecnn.workflows.import_model import (
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

if TYPE_CHECKING:
    from edgecnn_export.export_index import ExportedFile
    from edgecnn_export.formats import Format
    from edgecnn_export.int8.accuracy_search import SearchCandidate
    from edgecnn_runtime.workstation.run_folder import RunFolder

_PARTS_OF_A_STEP = 20


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
            help="What full-integer TFLite takes; int8: pixel - 128, and int16 out, for NPUs, as NAME_int8-signed.",
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
        float,
        typer.Option(
            help="Points of accuracy a file may lose. Where plain int8 loses more on the validation images, other ways "
            "are tried; a file that loses clearly more on the test images is not kept."
        ),
    ] = 1.0,
    calibration: Annotated[
        str,
        typer.Option(
            metavar="minmax|percentile|entropy",
            help="Which of the values seen on the calibration images int8 can show.",
        ),
    ] = "minmax",
    reduce_range: Annotated[
        bool, typer.Option("--reduce-range", help="Weights of 7 bits in int8 ONNX, for x86 CPUs without VNNI.")
    ] = False,
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
    data: Annotated[str | None, typer.Option(help="The prepared set of the run, where it has moved.")] = None,
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

    --prune, --cluster and --qat, in this order, train the weights on before they are converted. The files have it in
    their names and stand beside the plain ones; --prune and --cluster make them pack better, not smaller.

    A model that somebody else trained becomes a run folder first:
    edgecnn export model.h5 --labels labels.txt --scale 1/255 --calibration-data photos/ --int8
    """
    from edgecnn_export.export_run import export_run, require_all_kept
    from edgecnn_export.export_settings import ExportSettings
    from edgecnn_export.formats import choose_formats
    from edgecnn_export.int8.calibration import calibration_method
    from edgecnn_export.optimized.plan import Plan
    from edgecnn_runtime.system.native_output import native_output_kept
    from edgecnn_runtime.workstation.run_folder import open_run_data
    from edgecnn_training.data.home import prepared_folder

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
        formats=choose_formats(tuple(format or ()), int8=int8 or qat, every=every, io=io, c_source=c_source),
        calibration_images=calibration_images,
        seed=seed,
        max_drop=max_drop,
        calibration=calibration_method(calibration),
        reduce_range=reduce_range,
        opset=opset,
    )
    calibrates = any(fmt.needs_calibration for fmt in settings.formats)
    folder = _run_folder(console, run, adoption, data=data, calibrates=calibrates, seed=seed)
    record = folder.read_record()
    plan = Plan.of(
        sparsity=prune,
        clusters=cluster,
        quantization_aware=qat,
        epochs=optimize_epochs,
        batch_size=int(record.recipe.get("batch_size", 32)),
        seed=seed,
    )
    settings = dataclasses.replace(settings, plan=plan)
    image_set = open_run_data(record, data=prepared_folder(data))
    test = len(image_set.split("test"))
    console.say(f"Exporting {folder.path} in {len(settings.formats)} formats; each is checked on {test:,} test images.")
    steps = plan.steps if plan else ()
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

        def searching(fmt: "Format", candidate: "SearchCandidate") -> None:
            advance(parts + done, f"{fmt.name}: {candidate.name}")

        files = export_run(folder, image_set, settings, report=count, optimizing=optimizing, searching=searching)
    source = None
    if c_source:
        # Here, since it loads TensorFlow, whose absence the export itself has told by now.
        from edgecnn_export.micro.c_source import export_c_source

        with native_output_kept():
            source = export_c_source(files)
    print_exported(console, files, source)
    require_all_kept(files)
    console.say(f"\nNext: edgecnn bench {folder.path}")


def _run_folder(
    console: Console, target: Path | None, adoption: Adoption, *, data: str | None, calibrates: bool, seed: int
) -> "RunFolder":
    """Return the folder of the run that is exported, made first where the target is a model."""
    from edgecnn_export.imported.model_file import CONTAINERS, is_model
    from edgecnn_runtime.errors import InputError
    from edgecnn_runtime.workstation.run_folder import RunFolder

    if adoption.application is not None or (target is not None and is_model(target)):
        if data is not None:
            raise InputError(
                f"--data: expected a run folder beside it, got {target or adoption.application}, a model; it is "
                "compared with its files on half of the images of --calibration-data"
            )
        command = shlex.join(["edgecnn", *sys.argv[1:]])
        return adopt(console, target, adoption, calibrates=calibrates, seed=seed, command=command)
    if target is None:
        raise InputError(f"expected a run folder, {CONTAINERS}, or --application, got none")
    if target.is_file() and target.suffix != ".keras":
        raise InputError(f"{target}: expected a run folder, {CONTAINERS}, got another file")
    # The model within a run stands for the run.
    folder = RunFolder(target.parent if target.is_file() else target)
    folder.read_record()
    adoption.refuse_beside_run(target)
    return folder
