"""The options of `edgecnn export` for a model that becomes a run folder first."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated

import typer

from edgecnn.options.fit_options import BackgroundOption, InterpolationOption, ResizeOption, ResizeSizeOption
from edgecnn.options.model_options import MeanOption, OutputIsOption, PreprocessOption, ScaleOption, StdOption
from edgecnn.options.option_group import option, output_option
from edgecnn_runtime.errors import InputError


@dataclass(frozen=True, kw_only=True)
class ImportOptions:
    """What the command line says about a model that is no run yet; None where nothing."""

    application: Annotated[
        str | None, option("NAME", "Network of keras.applications in place of a run, such as MobileNetV2.")
    ] = None
    weights: Annotated[str | None, option("imagenet|FILE|none", "Weights of --application; default: imagenet.")] = None
    labels: Annotated[
        str | None,
        option("FILE|a,b,c", "Classes in the order of the outputs; default for --application: those of ImageNet."),
    ] = None
    calibration_data: Annotated[
        Path | None,
        option(
            "FOLDER",
            "Images as the device will see them: half set the int8 ranges, half check the files. Sub-folders named "
            "after the labels give an accuracy; images without labels give the agreement with the float model.",
        ),
    ] = None
    scale: ScaleOption = None
    mean: MeanOption = None
    std: StdOption = None
    preprocess: PreprocessOption = None
    resize: ResizeOption = None
    resize_size: ResizeSizeOption = None
    interpolation: InterpolationOption = None
    background: BackgroundOption = None
    imgsz: Annotated[int | None, option("N", "Height and width, where the model takes images of any size.")] = None
    output_is: OutputIsOption = None
    output: Annotated[Path | None, output_option("DIR", "Run folder to make; default: runs/NAME.")] = None
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Delete the run that --output holds.")] = False

    def refuse_beside_run(self, run: Path) -> None:
        """Refuse options that mean nothing for a run, which knows all of it.

        Raises:
            InputError: naming them.
        """
        given = [f"--{field.name.replace('_', '-')}" for field in fields(self) if getattr(self, field.name)]
        if given:
            raise InputError(
                f"{', '.join(given)}: expected a model file (.keras, .h5, .hdf5), a SavedModel folder or "
                f"--application, got the run folder {run}; leave out what only a model to import needs"
            )
