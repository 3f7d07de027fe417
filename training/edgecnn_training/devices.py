"""What the hardware does for a run: threads, determinism, GPU memory, and the feed of batches.

With `tensorboard.py` the only file of this package that may import TensorFlow. On another Keras backend nothing here
is needed, or possible: `prepare_device` then refuses what it cannot keep.
"""

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.cpu import available_cpus
from edgecnn_runtime.errors import InputError
from edgecnn_training.batches import Batches

# How many batches are ready ahead of the one being trained on.
_AHEAD = 2
# Small batches are read several at a time, about so many bytes: calling Python costs TensorFlow as much as reading
# half a batch of 32 MNIST images.
_READ_BYTES = 2**20


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

    images, labels = batches[0]
    at_once = max(1, _READ_BYTES // images.nbytes)

    def in_order() -> Iterator[Any]:
        for start in range(0, len(batches), at_once):
            yield batches.read(start, start + at_once)

    signature = (
        tf.TensorSpec((None, *images.shape[1:]), tf.as_dtype(np.dtype(images.dtype))),
        tf.TensorSpec((None,), tf.as_dtype(np.dtype(labels.dtype))),
    )
    options = tf.data.Options()
    options.autotune.enabled = False
    read = tf.data.Dataset.from_generator(in_order, output_signature=signature)
    return (
        (read if at_once == 1 else read.rebatch(batches.batch_size))
        .prefetch(_AHEAD)
        .apply(tf.data.experimental.assert_cardinality(len(batches)))
        .with_options(options)
    )


def inference(model: Any) -> Callable[[NDArray[Any]], NDArray[np.float32]]:
    """Return a function that sends images through a model, with the weights that the model has now.

    TensorFlow gets them as constants: it then fuses batch norms and activations into the convolutions and orders the
    kernels once, not at each call, which takes a third off MobileNetV2's time on a CPU.

    Args:
        model: uint8 pixels `(N, height, width, channels)` to `(N, n)`.
    """
    if keras.backend.backend() != "tensorflow":
        predict: Callable[[NDArray[Any]], NDArray[np.float32]] = model.predict_on_batch
        return predict
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    pixels = tf.TensorSpec((None, *model.input_shape[1:]), tf.uint8)
    forward = convert_variables_to_constants_v2(
        tf.function(lambda images: model(images, training=False)).get_concrete_function(pixels)
    )
    return lambda images: np.asarray(forward(tf.constant(images))[0], np.float32)
