"""How far a probability of the golden check may lie from the workstation's, on a device whose kernels are right."""

import numpy as np
from numpy.typing import NDArray

# Times the difference between two sets of kernels: that of a third from either may be larger.
_MARGIN = 2.0
# A difference beyond this is no rounding any more: pixels scaled to -1…1 instead of 0…1 change MobileNetV2's
# probabilities by 0.2, and smaller networks' by 0.5.
_MOST = 0.15


def golden_tolerance(
    least: float, probabilities: NDArray[np.float32], others: NDArray[np.float32] | None = None
) -> float:
    """Derive the tolerance from what two sets of kernels on this machine give for the golden images.

    Fifty layers carry what one kernel rounds to its neighbour on to the probabilities: LiteRT's optimized and reference
    kernels differ by 8 steps of 1/256 on MobileNetV2 trained on castings, by less than one on small networks.

    Args:
        least: what the scheme needs on small networks, 0…1.
        probabilities: what the kernels of the runtime give, `(N, classes)`.
        others: what other kernels give, the same; None where there are none to compare with.

    Returns:
        Of a probability, 0…1; at least `least`, at most what tells wrong pixels.
    """
    if others is None:
        return least
    difference = float(np.abs(others - probabilities).max())
    return round(min(max(least, _MARGIN * difference), _MOST), 4)
