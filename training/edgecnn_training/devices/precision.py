"""Mixed precision: layers that compute in 16 bits on variables that stay float32.

The network that is saved is built anew without it, from weights that are float32 either way. Three kinds of layer keep
float32 wherever the network is built: the scaling and the augmentation, because pixels and their coordinates need more
than the 8 bits of a bfloat16's significand, and the last layer of a recipe, because a softmax does (Keras guide "Mixed
precision").
"""

import contextlib
from collections.abc import Iterator
from typing import Any

FULL = "float32"


@contextlib.contextmanager
def layers_computing_in(policy: str, keras: Any) -> Iterator[None]:
    """Build the layers of a block under a Keras policy; the one before holds again afterwards.

    Args:
        policy: "float32", "mixed_bfloat16" or "mixed_float16"; with the last, compiling adds loss scaling.
        keras: the module `keras` or `tf_keras`.
    """
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy(policy)
    try:
        yield
    finally:
        keras.mixed_precision.set_global_policy(before)
