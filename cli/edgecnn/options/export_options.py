"""The options of `edgecnn export`: formats, quantization and optimization."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgecnn.options.option_group import option

if TYPE_CHECKING:
    from edgecnn_export.export_run import ExportSettings
    from edgecnn_export.optimized.plan import Plan


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """What the command line says about the files to make."""

    int8: Annotated[bool, typer.Option("--int8", help="Add int8 TFLite and QDQ ONNX.")] = False
    every: Annotated[bool, typer.Option("--all", help="Export all formats: float16 and dynamic range, too.")] = False
    format: Annotated[
        list[str] | None,
        option("NAME", "Name of the only format to export, such as tflite-int8; may be repeated.", "--format", "-f"),
    ] = None
    io: Annotated[
        str,
        option(
            "uint8|int8|edgetpu",
            "Form of int8 TFLite. uint8: pixels in, last layer in float32. int8: pixel - 128 in, integers throughout, "
            "for NPUs and microcontrollers, as NAME_int8-signed. edgetpu: the same in 8 bits, as NAME_int8-edgetpu.",
        ),
    ] = "uint8"
    c_source: Annotated[
        bool,
        typer.Option("--c-source", help="Add TFLite as of --io int8, and C++ source of it for TFLite-Micro."),
    ] = False
    calibration_images: Annotated[
        int | None, option("N", "Training images that set the int8 ranges; default: 200, or all there are.")
    ] = None
    seed: Annotated[int, typer.Option(help="Seed of the choice of calibration images.")] = 0
    max_drop: Annotated[
        float,
        option(
            "POINTS",
            "Points of accuracy that a file may lose. Where plain int8 could lose more on the validation images, other "
            "candidates are tried; a file that clearly loses more on the test images is not kept.",
        ),
    ] = 1.0
    calibration: Annotated[
        str, option("minmax|percentile|entropy", "Method that sets the int8 ranges from the calibration images.")
    ] = "minmax"
    reduce_range: Annotated[
        bool, typer.Option("--reduce-range", help="Use 7-bit weights in int8 ONNX, for x86 CPUs without VNNI.")
    ] = False
    sign: Annotated[
        Path | None,
        option("KEY", "Ed25519 private key, PEM, to sign every file with; --key of the other commands checks it."),
    ] = None
    opset: Annotated[int, typer.Option(help="Opset of the ONNX files.")] = 17
    qat: Annotated[
        bool, typer.Option("--qat", help="Train further with the rounding of int8 first; implies --int8.")
    ] = False
    prune: Annotated[float | None, option("SPARSITY", "Share of the weights to set to zero first, such as 0.8.")] = None
    cluster: Annotated[
        int | None, option("N", "Number of distinct weights per layer to train to first, such as 16.")
    ] = None
    optimize_epochs: Annotated[
        int, typer.Option(help="Epochs on the training images for each of --prune, --cluster and --qat.")
    ] = 3

    def settings(self) -> "ExportSettings":
        """Return what the options say, without the optimization: that needs the record of the run.

        Raises:
            InputError: an option cannot be used.
        """
        from edgecnn_export.export_run import ExportSettings
        from edgecnn_export.formats import choose_formats
        from edgecnn_export.int8.calibration import calibration_method
        from edgecnn_export.signing import SigningKey

        formats = choose_formats(
            tuple(self.format or ()),
            int8=self.int8 or self.qat,
            every=self.every,
            io=self.io,
            c_source=self.c_source,
        )
        return ExportSettings(
            formats=formats,
            calibration_images=self.calibration_images,
            seed=self.seed,
            max_drop=self.max_drop,
            calibration=calibration_method(self.calibration),
            reduce_range=self.reduce_range,
            opset=self.opset,
            signing_key=None if self.sign is None else SigningKey.read(self.sign),
        )

    def plan(self, *, batch_size: int) -> "Plan | None":
        """Return how the weights are trained further first; None where they are not.

        Raises:
            InputError: an option cannot be used.
        """
        from edgecnn_export.optimized.plan import Plan

        return Plan.of(
            sparsity=self.prune,
            clusters=self.cluster,
            quantization_aware=self.qat,
            epochs=self.optimize_epochs,
            batch_size=batch_size,
            seed=self.seed,
        )
