"""What the hardware does for a run: threads, determinism, GPU memory, and the feed of batches.

With `tensorboard.py` the only file of this package that may import TensorFlow. On another Keras backend nothing here
is needed, or possible: `prepare_device` then refuses what it cannot keep.
"""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from edgecnn_runtime.cpu import available_cpus
from edgecnn_runtime.errors import InputError
from edgecnn_training.batches import Batches

# How many batches are read ahead of the one being trained on.
_AHEAD = 2


def prepare_device(*, threads: int | None, deterministic: bool) -> int:
    """Set up the process for training, before TensorFlow computes anything.

    Determinism holds for one machine, one thread count and these versions: the order in which threads add up
    floats is then fixed. It stays on for the rest of the process.

    Args:
        threads: of each operation, and of operations side by side; None takes all that this process may use.
        deterministic: whether the same seed shall give the same weights to the bit.

    Returns:
        The number of threads.

    Raises:
        InputError: the backend is not TensorFlow, or TensorFlow already runs with another number of threads.
    """
    if keras.backend.backend() != "tensorflow":
        if threads is not None or deterministic:
            raise InputError(
                "a thread count and determinism: the Keras backend tensorflow expected, "
                f"got {keras.backend.backend()}; set KERAS_BACKEND=tensorflow or leave these options out"
            )
        return available_cpus()
    import tensorflow as tf

    count = available_cpus() if threads is None else threads
    try:
        tf.config.threading.set_intra_op_parallelism_threads(count)
        tf.config.threading.set_inter_op_parallelism_threads(count)
        for gpu in tf.config.list_physical_devices("GPU"):
            # Otherwise TensorFlow takes all the memory of the card, and a second process gets none.
            tf.config.experimental.set_memory_growth(gpu, True)
    except RuntimeError:
        # TensorFlow fixes its thread pools when it first computes.
        running = tf.config.threading.get_intra_op_parallelism_threads()
        if threads not in (None, running):
            raise InputError(
                f"threads: {running or 'as many as processors'}, with which TensorFlow already runs in this "
                f"process, expected, got {threads}; train in a fresh process"
            ) from None
        count = running or count
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    return count


def feed(batches: Batches) -> Any:
    """Wrap batches into what `fit`, `evaluate` and `predict` shall read.

    Keras would wrap them too, with tf.data's autotuning on: deleting such an iterator, which happens once an epoch,
    now and then blocks at 0 % CPU until the tuner's next tick, up to a minute later (seen with TensorFlow 2.21).
    """
    if keras.backend.backend() != "tensorflow":
        return batches
    import tensorflow as tf

    def in_order() -> Iterator[Any]:
        for index in range(len(batches)):
            yield batches[index]

    images, labels = batches[0]
    signature = (
        tf.TensorSpec((None, *images.shape[1:]), tf.as_dtype(np.dtype(images.dtype))),
        tf.TensorSpec((None,), tf.as_dtype(np.dtype(labels.dtype))),
    )
    options = tf.data.Options()
    options.autotune.enabled = False
    return (
        tf.data.Dataset.from_generator(in_order, output_signature=signature)
        .prefetch(_AHEAD)
        .apply(tf.data.experimental.assert_cardinality(len(batches)))
        .with_options(options)
    )
