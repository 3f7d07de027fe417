"""How far a probability of the golden check may lie from the workstation's, on a device whose kernels are right."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgecnn_export.proof.subprocess_inference import infer_in_subprocess
from edgecnn_runtime.errors import ModelError
from edgecnn_runtime.manifest import Scheme

# Float kernels differ between CPUs only in the order of their sums; float16 and integer kernels may round a value to
# its neighbour, which the layers behind then carry on.
_LEAST = {
    Scheme.FLOAT32: 1e-4,
    Scheme.FLOAT16: 5e-3,
    Scheme.DYNAMIC: 2e-2,
    Scheme.INT8: 4 / 256,
    Scheme.INT16X8: 4 / 256,
}
# Kernels that round each in their own way: XNNPACK's differ from CPU to CPU, and from TFLite's reference.
_ROUNDED = (Scheme.DYNAMIC, Scheme.INT8)
# Times the difference between two sets of kernels: that of a third from either may be larger.
_MARGIN = 2.0
# A difference beyond this is no rounding any more: pixels scaled to -1…1 instead of 0…1 change MobileNetV2's
# probabilities by 0.2, and smaller networks' by 0.5.
_MOST = 0.15


def golden_tolerance(
    model: Path, scheme: Scheme, images: NDArray[np.uint8], probabilities: NDArray[np.float32]
) -> float:
    """Derive the tolerance from what two sets of kernels on this machine give for the golden images.

    Fifty layers carry what one kernel rounds to its neighbour on to the probabilities: LiteRT's optimized and reference
    kernels differ by 8 steps of 1/256 on MobileNetV2 trained on castings, by less than one on small networks.

    Args:
        model: the file; where it is TFLite of rounded activations, LiteRT's reference kernels run it.
        scheme: of the file.
        images: the golden images, uint8 `(N, height, width, channels)`.
        probabilities: what the optimized kernels give, `(N, classes)`.

    Returns:
        Of a probability, 0…1; at least what the scheme needs on small networks, at most what tells wrong pixels.
    """
    least = _LEAST[scheme]
    if model.suffix != ".tflite" or scheme not in _ROUNDED:
        return least
    try:
        reference = infer_in_subprocess(model, images, reference=True)
    except ModelError:
        # Reference kernels have fewer operators than the optimized ones, and take fewer scales.
        return least
    difference = float(np.abs(reference - probabilities).max())
    return round(min(max(least, _MARGIN * difference), _MOST), 4)
