"""`edgecnn export RUN|MODEL`: TFLite and ONNX files that carry their own labels and pre-processing."""

import dataclasses
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgecnn.console import Console, JsonOption, QuietOption
from edgecnn.options.export_options import ExportOptions
from edgecnn.options.import_options import ImportOptions
from edgecnn.options.option_group import takes_options
from edgecnn.printing.export_table import print_exported
from edgecnn.workflows.import_model import import_run

if TYPE_CHECKING:
    from edgecnn_export.export_index import ExportedFile
    from edgecnn_export.formats import Format
    from edgecnn_export.int8.converted_file import SearchCandidate
    from edgecnn_runtime.workstation.run_folder import RunFolder

_PARTS_OF_A_STEP = 20


# The options of the export come first in the help, those of an import after them.
@takes_options(export_options=ExportOptions, import_options=ImportOptions)
def export(
    export_options: ExportOptions,
    import_options: ImportOptions,
    run: Annotated[
        Path | None,
        typer.Argument(
            metavar="RUN|MODEL",
            help="Folder of a finished run, such as runs/mnist; or a .keras, .h5 or .hdf5 file or a SavedModel folder "
            "from elsewhere, with --labels and the options after it.",
            show_default=False,
        ),
    ] = None,
    data: Annotated[str | None, typer.Option(help="Prepared set of the run, where it has moved.")] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Convert a run to TFLite and ONNX, and check every file.

    Without options: float32 in both. The runtime opens each finished file and classifies the whole test split; the
    result is compared with that of the Keras model.

    --prune, --cluster and --qat, in this order, train the weights further before they are converted. The files have it
    in their names and stay beside the plain ones. --prune and --cluster make files that compress better, not smaller
    ones.

    A model from elsewhere becomes a run folder first:

    \b
    edgecnn export model.h5 --labels labels.txt --scale 1/255 \\
        --calibration-data photos/ --int8
    """  # noqa: D301, click keeps the lines of a paragraph that begins so
    from edgecnn_export.export_run import export_run, require_all_kept
    from edgecnn_runtime.system.native_output import native_output_kept
    from edgecnn_runtime.workstation.run_folder import open_run_data
    from edgecnn_training.data.home import prepared_folder

    console = Console(json=json, quiet=quiet)
    settings = export_options.settings()
    calibrates = any(fmt.needs_calibration for fmt in settings.formats)
    imports = _is_import(run, import_options)
    folder = _run_folder(console, run, import_options, data=data, calibrates=calibrates, seed=settings.seed)
    record = folder.read_record()
    plan = export_options.plan(batch_size=int(record.recipe.get("batch_size", 32)))
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
    if export_options.c_source:
        # Here, since it loads TensorFlow, whose absence the export itself has reported by now.
        from edgecnn_export.micro.c_source import export_c_source

        with native_output_kept():
            source = export_c_source(files)
    print_exported(console, files, source)
    if imports and not any(file.parity for file in files):
        # Nothing could be made of the model: what the import has written is of no use to anybody.
        shutil.rmtree(folder.path)
    require_all_kept(files)
    console.say("", f"Next: edgecnn bench {folder.path}")


def _is_import(target: Path | None, options: ImportOptions) -> bool:
    """Tell whether a run folder is to be made first."""
    from edgecnn_export.imported.model_file import is_model

    return options.application is not None or (target is not None and is_model(target))


def _run_folder(
    console: Console, target: Path | None, options: ImportOptions, *, data: str | None, calibrates: bool, seed: int
) -> "RunFolder":
    """Return the folder of the run that is exported, made first where the target is a model."""
    from edgecnn_export.imported.model_file import CONTAINERS
    from edgecnn_runtime.errors import InputError
    from edgecnn_runtime.workstation.run_folder import RunFolder

    expected = f"expected a run folder, {CONTAINERS} or --application"
    if target is not None and not target.exists():
        raise InputError(f"{target}: not found; {expected}")
    if _is_import(target, options):
        if data is not None:
            raise InputError(
                f"--data: expected a run folder, got the model {target or options.application}; give its images with "
                "--calibration-data"
            )
        command = shlex.join(["edgecnn", *sys.argv[1:]])
        return import_run(console, target, options, calibrates=calibrates, seed=seed, command=command)
    if target is None:
        raise InputError(f"{expected}, got none of them")
    if target.is_file() and target.suffix != ".keras":
        raise InputError(f"{target}: {expected}, got a {target.suffix or 'plain'} file")
    # The model within a run is that run.
    folder = RunFolder(target.parent if target.is_file() else target)
    record = folder.read_record()
    options.refuse_beside_run(target)
    # Of an imported model, as when it was imported.
    for sentence in record.recipe.get("assumed", ()):
        console.note(f"assumed: {sentence}")
    return folder
