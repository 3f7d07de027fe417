"""The figure of `edgecnn inspect quantization`: how much each operator's output drowns in rounding."""

from pathlib import Path

import numpy as np

from edgecnn_export.inspection.quantization import QuantizationLoss
from edgecnn_runtime.errors import MissingExtraError
from edgecnn_runtime.system import atomic_files

# Okabe and Ito's blue and vermillion, which colour-blind readers can tell apart.
_BLUE, _VERMILLION = "#0072B2", "#D55E00"
_ROW = 0.24  # inches
_LEAST_HEIGHT = 2.6


def draw_quantization(loss: QuantizationLoss, path: Path, *, title: str) -> None:
    """Draw signal to noise and regained accuracy of each operator, in the order in which they run, to a PNG file.

    Raises:
        MissingExtraError: Matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("the figure", package="matplotlib", extra="train") from error
    rows = np.arange(len(loss.operators))
    figure = Figure(figsize=(9.0, max(_LEAST_HEIGHT, 1.2 + _ROW * len(rows))), layout="constrained")
    noise, regained = figure.subplots(1, 2, sharey=True)
    names = [f"{entry.operator.label}  {entry.operator.kind}" for entry in loss.operators]
    finite = [entry.signal_to_noise if np.isfinite(entry.signal_to_noise) else np.nan for entry in loss.operators]
    noise.barh(rows, finite, color=_BLUE)
    noise.set_yticks(rows, names, fontsize=7)
    noise.invert_yaxis()
    noise.set_xlabel("signal to noise of the output, dB (more is better)", fontsize=8)
    regained.barh(rows, [entry.regained or 0.0 for entry in loss.operators], color=_VERMILLION)
    regained.axvline(0, color="black", linewidth=0.6)
    regained.set_xlabel("expected loss regained in float32, points", fontsize=8)
    for axes in (noise, regained):
        axes.tick_params(axis="x", labelsize=7)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="x", linewidth=0.3)
        axes.set_axisbelow(True)
    figure.suptitle(title, fontsize=10)
    with atomic_files.atomic_write(path) as draft:
        figure.savefig(draft, format="png", dpi=150)
