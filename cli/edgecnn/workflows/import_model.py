"""What `edgecnn export` does with a model that is no run yet: options, and the way to a run folder."""

import sys
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgecnn.console import Console
from edgecnn.printing.image_progress import shown_preparing
from edgecnn_runtime.errors import InputError

if TYPE_CHECKING:
    from edgecnn_export.imported.original_model import OriginalModel
    from edgecnn_runtime.workstation.run_folder import RunFolder

# Images on which it is looked at whether logits or probabilities come out.
_LOOKED_AT = 32


def _option(metavar: str, text: str) -> Any:
    return typer.Option(metavar=metavar, help=text)


ApplicationOption = Annotated[
    str | None, _option("NAME", "In place of a run: a network of keras.applications, such as MobileNetV2.")
]
WeightsOption = Annotated[
    str | None, _option("imagenet|FILE|none", "Of --application: where its weights come from; default: imagenet.")
]
ModelLabelsOption = Annotated[
    str | None,
    _option("FILE|a,b,c", "The classes in the order of the outputs; of --application: those of ImageNet."),
]
CalibrationDataOption = Annotated[
    Path | None,
    _option(
        "FOLDER",
        "Images as the device will see them: half for int8 ranges, half to check the files. Sub-folders named after "
        "the labels give an accuracy, images alone the agreement with the float model.",
    ),
]
ScaleOption = Annotated[str | None, _option("S", "What pixels 0…255 are multiplied by: 1/255, say.")]
MeanOption = Annotated[str | None, _option("M,M,M", "Then taken off, one or red, green, blue.")]
StdOption = Annotated[str | None, _option("S,S,S", "Then divided by, one or red, green, blue.")]
PreprocessOption = Annotated[
    str | None,
    _option("caffe|tf|torch|none", "In place of numbers: a mode of keras.applications, or none for 0…255."),
]
ResizeOption = Annotated[
    str | None, _option("squash|crop|pad", "How images get the size of the input; default: squash.")
]
ImgszOption = Annotated[int | None, _option("N", "Height and width, where the model takes images of any size.")]
OutputIsOption = Annotated[
    str | None, _option("logits|probabilities", "What the model gives; found out where it can be.")
]
OutputOption = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="DIR", help="The run folder to make; default: runs/NAME."),
]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Delete the run that stands there.")]


@dataclass(frozen=True, kw_only=True)
class Adoption:
    """The options for a model that is no run yet; None where one was not given."""

    application: str | None = None
    weights: str | None = None
    labels: str | None = None
    calibration_data: Path | None = None
    scale: str | None = None
    mean: str | None = None
    std: str | None = None
    preprocess: str | None = None
    resize: str | None = None
    imgsz: int | None = None
    output_is: str | None = None
    output: Path | None = None
    overwrite: bool = False

    def refuse_beside_run(self, run: Path) -> None:
        """Refuse options that mean nothing for a run, which knows all of it.

        Raises:
            InputError: naming them.
        """
        given = [f"--{field.name.replace('_', '-')}" for field in fields(self) if getattr(self, field.name)]
        if given:
            raise InputError(
                f"{', '.join(given)}: expected a model file (.keras, .h5, .hdf5), a SavedModel folder or --application "
                f"beside it, got {run}, a run folder"
            )


def adopt(
    console: Console, target: Path | None, options: Adoption, *, calibrates: bool, seed: int, command: str
) -> "RunFolder":
    """Make a run folder of a model that somebody else trained.

    Args:
        console: told what is done; what had to be assumed goes to stderr.
        target: the model; None for `options.application`.
        options: what the user says about it.
        calibrates: whether a format is asked for that needs images to calibrate on.
        seed: of the division of the images.
        command: the command line, for the record.

    Raises:
        InputError: something does not fit; nothing is written then.
    """
    from edgecnn_export.finished_file import tool_versions
    from edgecnn_export.imported.import_model import check_folder, clear, import_model, write_run
    from edgecnn_export.keras_on_tensorflow import import_keras
    from edgecnn_runtime.workstation.run_folder import RunFolder
    from edgecnn_training.data.calibration_images import find_calibration_images, generated_images

    if options.calibration_data is None and calibrates:
        raise InputError(
            "--calibration-data: expected a folder of images to measure int8 ranges on, got none; some hundred, as the "
            "device will see them"
        )
    if options.labels is None and options.application is None:
        raise InputError(
            f"{target}: expected --labels, a file with one label a line or a,b,c, in the order of the outputs"
        )
    # First of all, where the start-up messages of TensorFlow are caught.
    import_keras()
    original = _opened(target, options)
    if original.scaling.largest > 255:
        console.warn(
            f"pixels are scaled up to {original.scaling.largest:.0f}; a --mean and --std for pixels 0…1 want "
            "--scale 1/255 beside them"
        )
    folder = RunFolder(options.output or Path("runs") / original.name)
    check_folder(folder, overwrite=options.overwrite)
    if options.calibration_data is None:
        images = generated_images(original.input, original.labels)
    else:
        images = find_calibration_images(options.calibration_data, labels=original.labels)
    imported = import_model(original, images.sample(original.input, _LOOKED_AT), output_is=options.output_is)
    for sentence in imported.assumed:
        print(f"assumed: {sentence}", file=sys.stderr)
    if not images.calibrates:
        console.warn(
            f"no --calibration-data: the files are compared with the float model on {len(images.source)} generated "
            "images"
        )
    clear(folder)
    with shown_preparing(console, images.name) as report:
        image_set = images.write(folder.images, spec=original.input, predict=imported.predict, seed=seed, report=report)
    for warning in image_set.warnings:
        console.warn(f"{image_set.name}: {warning}")
    write_run(folder, imported, image_set, seed=seed, command=command, versions=tool_versions())
    console.say(f"Adopted {original.origin} as {folder.path}, {len(original.labels)} classes, {original.input.shape}.")
    return folder


def _opened(target: Path | None, options: Adoption) -> "OriginalModel":
    from edgecnn_runtime.labels import read_labels
    from edgecnn_runtime.pixel_scaling import scaling_of_options

    labels = None if options.labels is None else read_labels(options.labels)
    if options.application is not None:
        return _application(target, options, labels)
    from edgecnn_export.imported.model_file import open_model
    from edgecnn_export.imported.original_model import original_model

    assert target is not None  # both checked by now
    assert labels is not None
    if options.weights is not None:
        raise InputError(f"--weights: expected --application beside it, got {target}")
    scaling = scaling_of_options(scale=options.scale, mean=options.mean, std=options.std, preprocess=options.preprocess)
    network = open_model(target, imgsz=options.imgsz)
    return original_model(
        network, path=target, labels=labels, scaling=scaling, imgsz=options.imgsz, resize=options.resize
    )


def _application(target: Path | None, options: Adoption, labels: tuple[str, ...] | None) -> "OriginalModel":
    from edgecnn_export.imported.application import application_model, build_application
    from edgecnn_training.networks.pretrained import load_application_weights
    from edgecnn_training.settings import IMAGENET

    name = str(options.application)
    if target is not None:
        raise InputError(f"expected a model or --application, got {target} and {name}")
    for option in ("scale", "mean", "std", "preprocess", "output_is"):
        if getattr(options, option) is not None:
            raise InputError(f"--{option.replace('_', '-')}: expected none beside --application, which has its own")
    network = build_application(name, labels=labels, imgsz=options.imgsz)
    whence = load_application_weights(network, name, options.weights or IMAGENET, include_top=True)
    return application_model(network, name, labels=labels, weights=whence, resize=options.resize)
