"""`edgecnn inspect quantization RUN`: where int8 loses accuracy."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgecnn.console import Console, JsonOption, QuietOption

if TYPE_CHECKING:
    from edgecnn_export.inspection.quantization import QuantizationLoss
    from edgecnn_export.proof.parity import Parity


def quantization(
    run: Annotated[
        Path, typer.Argument(metavar="RUN|MODEL", help="Folder of a finished run, or a file in its export folder.")
    ],
    images: Annotated[int, typer.Option(help="Number of validation images to compare on.")] = 200,
    calibration: Annotated[
        str, typer.Option(metavar="minmax|percentile|entropy", help="Method that sets the int8 ranges.")
    ] = "minmax",
    seed: Annotated[int, typer.Option(help="Seed of the choice of calibration and validation images.")] = 0,
    data: Annotated[str | None, typer.Option(help="Prepared set of the run, where it has moved.")] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Show where int8 loses accuracy.

    It rounds each operator alone, then the weights alone, and for comparison feeds wrong pixels. Everything is compared
    with the float32 file on validation images. A figure is written beside the exported files.
    """
    from edgecnn_export.inspection.quantization import quantization_loss_of
    from edgecnn_export.inspection.quantization_figure import draw_quantization
    from edgecnn_export.int8.calibration import calibration_method
    from edgecnn_runtime.workstation.run_folder import RunFolder, open_run_data
    from edgecnn_training.data.home import prepared_folder

    console = Console(json=json, quiet=quiet)
    method = calibration_method(calibration)
    # A file of the export folder names its run.
    folder = RunFolder(run.parent.parent if run.is_file() else run)
    image_set = open_run_data(folder.read_record(), data=prepared_folder(data))
    with console.progress("operators", 1) as advance:
        loss = quantization_loss_of(
            folder, image_set, images=images, method=method, seed=seed, report=lambda _, name: advance(0, name)
        )
    figure = folder.export / "quantization.png"
    draw_quantization(loss, figure, title=f"{folder.name}, int8 against float32 on {loss.images} validation images")
    console.document(_document(loss, figure))
    _print(console, loss)
    console.say("", f"Figure: {figure}")


def _print(console: Console, loss: "QuantizationLoss") -> None:
    console.table(
        ("operator", "kind", "range", "step", "saturated %", "SNR dB", "regained"),
        [
            (
                entry.operator.label,
                entry.operator.kind,
                f"{entry.low:.3g} … {entry.high:.3g}",
                f"{entry.scale:.2g}" if entry.scale else "",
                f"{100 * entry.saturated:.2f}",
                f"{entry.signal_to_noise:.1f}",
                "float32" if entry.regained is None else f"{entry.regained:+.2f}",
            )
            for entry in loss.operators
        ],
    )
    console.say(
        "",
        "SNR: of the operator's output, with the noise of all operators before it. Regained: points of expected",
        "loss that go away when this operator alone stays float32; a loss that several share shows in none.",
        "",
    )
    rows = [("int8", loss.int8), ("rounded weights alone", loss.weights)]
    rows += [(f"float32, {name}", parity) for name, parity in loss.mistakes]
    console.table(
        ("", "accuracy %", "lost, points", "expected loss", "same top-1 %"),
        [
            (
                name,
                f"{100 * parity.accuracy.value:.2f}",
                f"{parity.drop:.2f}",
                f"{parity.expected_loss:.2f}",
                f"{100 * parity.agreement:.2f}",
            )
            for name, parity in rows
        ],
    )


def _document(loss: "QuantizationLoss", figure: Path) -> dict[str, Any]:
    return {
        "images": loss.images,
        "figure": str(figure),
        "int8": _parity(loss.int8),
        "weights": _parity(loss.weights),
        "mistakes": {name: _parity(parity) for name, parity in loss.mistakes},
        "operators": [
            {
                "label": entry.operator.label,
                "kind": entry.operator.kind,
                "tensor": entry.operator.output,
                "bits": entry.bits,
                "scale": entry.scale,
                "low": _finite(entry.low),
                "high": _finite(entry.high),
                "saturated": entry.saturated,
                # None where nothing was lost, or nothing was there.
                "signal_to_noise_db": _finite(entry.signal_to_noise),
                "regained_points": entry.regained,
            }
            for entry in loss.operators
        ],
    }


def _finite(value: float) -> float | None:
    """Return a number for JSON, which has no infinity and no NaN."""
    return value if math.isfinite(value) else None


def _parity(parity: "Parity") -> dict[str, float]:
    return {
        "accuracy": parity.accuracy.value,
        "drop_points": parity.drop,
        "expected_loss_points": parity.expected_loss,
        "top1_agreement": parity.agreement,
    }
