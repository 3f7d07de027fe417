"""From a model that was trained elsewhere to a run folder, for `edgecnn export`."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from edgecnn.console import Console
from edgecnn.options.import_options import ImportOptions
from edgecnn.printing.image_progress import shown_preparing
from edgecnn_runtime.errors import InputError

if TYPE_CHECKING:
    from edgecnn_export.imported.original_model import OriginalModel
    from edgecnn_runtime.image_fit import ImageFit
    from edgecnn_runtime.workstation.run_folder import RunFolder

# Images on which logits are distinguished from probabilities.
_LOOKED_AT = 32


def import_run(
    console: Console, target: Path | None, options: ImportOptions, *, calibrates: bool, seed: int, command: str
) -> "RunFolder":
    """Make a run folder of a model that was trained elsewhere.

    Args:
        console: for the progress; what had to be assumed goes to stderr.
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
    from edgecnn_training.data.fit_trial import better_fit

    if options.calibration_data is None and calibrates:
        raise InputError(
            "--calibration-data: expected a folder of images for the int8 ranges, got none; give a few hundred, as the "
            "device will see them"
        )
    if options.labels is None and options.application is None:
        raise InputError(
            f"{target}: expected --labels, got none; give a file with one label per line, or a,b,c, in the order of "
            "the outputs"
        )
    # First of all, where the start-up messages of TensorFlow are caught.
    import_keras()
    original = _opened(target, options)
    if original.scaling.largest > 255:
        console.warn(
            f"the scaled pixels go up to {original.scaling.largest:.0f}; add --scale 1/255 if --mean and --std are for "
            "pixels 0…1"
        )
    folder = RunFolder(options.output or Path("runs") / original.name)
    check_folder(folder, overwrite=options.overwrite)
    if options.calibration_data is None:
        images = generated_images(original.input, original.labels)
    else:
        images = find_calibration_images(options.calibration_data, labels=original.labels)
    imported = import_model(original, images.sample(original.input, _LOOKED_AT), output_is=options.output_is)
    for sentence in imported.assumed:
        console.note(f"assumed: {sentence}")
    better = better_fit(images, original.input, imported.predict, said=_fit(options))
    if better is not None:
        console.warn(better)
        imported = dataclasses.replace(imported, assumed=(*imported.assumed, better))
    if not images.calibrates:
        console.warn(
            f"no --calibration-data: the files are compared with the float model on {len(images.source)} generated "
            "images only"
        )
    clear(folder)
    with shown_preparing(console, images.name) as report:
        image_set = images.write(folder.images, spec=original.input, predict=imported.predict, seed=seed, report=report)
    for warning in image_set.warnings:
        console.warn(f"{image_set.name}: {warning}")
    write_run(folder, imported, image_set, seed=seed, command=command, versions=tool_versions())
    console.say(f"Imported {original.origin} as {folder.path}: {len(original.labels)} classes, {original.input.shape}.")
    return folder


def _opened(target: Path | None, options: ImportOptions) -> "OriginalModel":
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
        raise InputError(f"--weights: expected --application, got the model {target}; leave --weights out")
    scaling = scaling_of_options(scale=options.scale, mean=options.mean, std=options.std, preprocess=options.preprocess)
    network = open_model(target, imgsz=options.imgsz)
    return original_model(network, path=target, labels=labels, scaling=scaling, imgsz=options.imgsz, fit=_fit(options))


def _application(target: Path | None, options: ImportOptions, labels: tuple[str, ...] | None) -> "OriginalModel":
    from edgecnn_export.imported.application import application_model, build_application
    from edgecnn_training.networks.pretrained import load_application_weights
    from edgecnn_training.settings import IMAGENET

    name = str(options.application)
    if target is not None:
        raise InputError(f"expected a model or --application, got both, {target} and {name}")
    for option in ("scale", "mean", "std", "preprocess", "output_is"):
        if getattr(options, option) is not None:
            raise InputError(
                f"--{option.replace('_', '-')}: expected none, {name} of --application has its own; leave it out"
            )
    network = build_application(name, labels=labels, imgsz=options.imgsz)
    source = load_application_weights(network, name, options.weights or IMAGENET, include_top=True)
    return application_model(network, name, labels=labels, weights=source, fit=_fit(options))


def _fit(options: ImportOptions) -> "ImageFit":
    from edgecnn_runtime.image_fit import ImageFit

    return ImageFit.of(
        resize=options.resize,
        resize_size=options.resize_size,
        interpolation=options.interpolation,
        background=options.background,
    )
