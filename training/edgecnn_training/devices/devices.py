"""Where a run is computed: CPU and GPUs, threads, determinism, GPU memory, and the feed of batches.

With `many_workers.py` and `tensorboard.py` the only file of this package that may import TensorFlow. On another Keras
backend nothing here is needed, or possible: `prepare_devices` then refuses what it cannot keep.
"""

import contextlib
import copy
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.errors import InputError, MissingExtraError
from edgecnn_runtime.system.cpu import available_cpus
from edgecnn_training.batches import Batches
from edgecnn_training.devices.cluster import ALONE, Cluster, cluster_of_environment
from edgecnn_training.devices.precision import FULL, layers_computing_in

CPU, GPU = "cpu", "gpu"

# How many batches are ready ahead of the one being trained on.
_AHEAD = 2
# Small batches are read several at a time, about so many bytes: calling Python costs TensorFlow as much as reading
# half a batch of 32 MNIST images.
_READ_BYTES = 2**20


@dataclass(frozen=True)
class Devices:
    """What a run is computed on; several devices share out each batch."""

    names: tuple[str, ...]  # of this machine, as `--device` names them: ("cpu",) or ("gpu:0", "gpu:1")
    threads: int
    cluster: Cluster = ALONE
    strategy: Any = None  # of tf.distribute; None on one device

    @property
    def shares(self) -> int:
        """Into how many parts a batch is divided: the number of devices, of all workers together."""
        return 1 if self.strategy is None else int(self.strategy.num_replicas_in_sync)

    @property
    def mixed_policy(self) -> str:
        """The Keras policy of mixed precision: GPUs before 2020 have no bfloat16, CPUs compute no float16."""
        return "mixed_bfloat16" if self.names == (CPU,) else "mixed_float16"

    @property
    def keras(self) -> Any:
        """The Keras that fits here: `keras`, or `tf_keras` where several workers train together."""
        return keras if self.cluster.workers == 1 else _import_tf_keras()

    def scope(self) -> contextlib.AbstractContextManager[Any]:
        """Return the context in which what is fitted is built and compiled."""
        if self.strategy is None:
            return contextlib.nullcontext()
        return self.strategy.scope()  # type: ignore[no-any-return]

    @contextlib.contextmanager
    def building(self, module: Any, *, mixed: bool) -> Iterator[None]:
        """Build models of a Keras module in the block, in mixed precision if that is asked for."""
        policy = self.mixed_policy if mixed else FULL
        with self.scope() if module is self.keras else contextlib.nullcontext(), layers_computing_in(policy, module):
            yield

    def __str__(self) -> str:
        """Describe the devices for the record, as in "gpu:0, gpu:1 of each of 2 workers"."""
        workers = f" of each of {self.cluster.workers} workers" if self.cluster.workers > 1 else ""
        return ", ".join(self.names) + workers


def chosen_gpus(device: str | None, there: int) -> list[int]:
    """Return the numbers of the GPUs to train on; none is the CPU.

    Args:
        device: as in `Settings`.
        there: how many GPUs there are.

    Raises:
        InputError: a GPU was asked for that is not there.

    >>> chosen_gpus(None, 2), chosen_gpus("gpu:1", 2), chosen_gpus("cpu", 2), chosen_gpus(None, 0)
    ([0, 1], [1], [], [])
    """
    if device == CPU:
        return []
    if device in (None, GPU):
        wanted = list(range(there))
    else:
        wanted = sorted({int(number) for number in str(device).partition(":")[2].split(",")})
    if device is not None and not (wanted and max(wanted) < there):
        expected = ", ".join(_names(list(range(there))))
        raise InputError(
            f"device: expected one that TensorFlow sees ({expected}{', cpu' if there else ''}), got {device}; "
            "give another --device, or none; 'edgecnn doctor' shows what is wrong with a GPU"
        )
    return wanted


def check_device(device: str | None) -> None:
    """Make sure that what `--device` asks for is there, before anything is prepared for it.

    Raises:
        InputError: a GPU was asked for that is not there, or the backend is not TensorFlow.
    """
    _refuse_other_backends(device is not None)
    if device not in (None, CPU):
        import tensorflow as tf

        chosen_gpus(device, len(tf.config.list_physical_devices("GPU")))


def prepare_devices(*, device: str | None, threads: int | None, deterministic: bool) -> Devices:
    """Set up the process for training, before TensorFlow computes anything.

    Determinism holds for one machine, one thread count and these versions: the order in which threads add up
    floats is then fixed. It stays on for the rest of the process, and so do the devices.

    Args:
        device: "cpu", "gpu", "gpu:0,1"; None takes all GPUs that are there, else the CPU.
        threads: of each operation, and of operations side by side; None takes all that this process may use.
        deterministic: whether the same seed shall give the same weights to the bit.

    Raises:
        InputError: the device is not there, the backend is not TensorFlow, TensorFlow already runs with another device
            or number of threads, or TF_CONFIG is no description of workers.
        MissingExtraError: there are several workers, and tf-keras is not installed.
    """
    cluster = cluster_of_environment(os.environ)
    _refuse_other_backends(device is not None or threads is not None or deterministic or cluster.workers > 1)
    if keras.backend.backend() != "tensorflow":
        return Devices((_device_of_jax() if keras.backend.backend() == "jax" else CPU,), available_cpus())
    import tensorflow as tf

    there = tf.config.list_physical_devices("GPU")
    numbers = chosen_gpus(device, len(there))
    gpus = [there[number] for number in numbers]
    count = available_cpus() if threads is None else threads
    try:
        tf.config.set_visible_devices(gpus, "GPU")
        tf.config.threading.set_intra_op_parallelism_threads(count)
        tf.config.threading.set_inter_op_parallelism_threads(count)
        for gpu in gpus:
            # Otherwise TensorFlow takes all the memory of the card, and a second process gets none.
            tf.config.experimental.set_memory_growth(gpu, True)
    except RuntimeError:
        # TensorFlow fixes its devices and thread pools when it first computes.
        if tf.config.get_visible_devices("GPU") != gpus:
            raise InputError(
                "device: expected the one on which TensorFlow already runs in this process, "
                f"got {', '.join(_names(numbers))}; train in a fresh process"
            ) from None
        # 0 where nobody set it: as many as this process may use.
        running = tf.config.threading.get_intra_op_parallelism_threads() or available_cpus()
        if threads not in (None, running):
            raise InputError(
                f"threads: expected {running}, with which TensorFlow already runs in this "
                f"process, got {threads}; train in a fresh process"
            ) from None
        count = running
    # It warns of each new network that it traces, of which the folds of a run make many.
    tf.get_logger().setLevel("ERROR")
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    return Devices(tuple(_names(numbers)), count, cluster, _strategy(cluster, len(gpus)))


def _names(gpus: list[int]) -> list[str]:
    return [f"{GPU}:{number}" for number in gpus] or [CPU]


def _device_of_jax() -> str:
    """Name what JAX computes on: its first GPU where it has one, else the CPU."""
    return f"{GPU}:0" if keras.distribution.list_devices()[0].startswith(GPU) else CPU


def _refuse_other_backends(needed: bool) -> None:
    if needed and keras.backend.backend() != "tensorflow":
        raise InputError(
            "a device, a thread count, determinism and several workers: expected the Keras backend tensorflow, "
            f"got {keras.backend.backend()}; set KERAS_BACKEND=tensorflow or leave these options out"
        )


def _strategy(cluster: Cluster, gpus: int) -> Any:
    """Return what shares out a batch over workers, or over the GPUs of this machine; None where there is one device."""
    if cluster.workers == 1 and gpus < 2:
        return None
    import tensorflow as tf

    if cluster.workers > 1:
        # It waits for the others, so first see whether this one can go on.
        _import_tf_keras()
        return tf.distribute.MultiWorkerMirroredStrategy()
    return tf.distribute.MirroredStrategy([f"GPU:{number}" for number in range(gpus)])


def _import_tf_keras() -> Any:
    try:
        import tf_keras
    except ModuleNotFoundError as error:
        raise MissingExtraError("training with several workers", package="tf-keras", extra="train") from error
    return tf_keras


def feed(batches: Batches, *, shares: int = 1, epochs: range | None = None) -> Any:
    """Wrap batches into what `fit`, `evaluate` and `predict` shall read.

    Keras would wrap them too, with tf.data's autotuning on: deleting such an iterator, which happens once an epoch,
    now and then blocks at 0 % CPU until the tuner's next tick, up to a minute later (seen with TensorFlow 2.21).

    Args:
        batches: what is read.
        shares: into how many parts TensorFlow will divide each batch, one for each device. A batch that does not
            divide evenly, the last, is filled up with images read beside it, which count twice then: a device with
            nothing to do fails in its convolutions (seen with TensorFlow 2.21), and Keras wants the first batch
            divided evenly.
        epochs: those that follow one another in one pass, each in its own order; None: the one that `batches` is at.
            tf_keras begins to read an epoch before it tells its callbacks, who could set the order, that it begins.
    """
    if keras.backend.backend() != "tensorflow":
        return batches
    import tensorflow as tf

    images, labels = batches[0]
    at_once = max(1, _READ_BYTES // images.nbytes)

    def in_order(epoch: int) -> Iterator[Any]:
        read = batches
        if epochs is not None:
            # A copy, because this runs ahead of the epoch that is trained on.
            read = copy.copy(batches)
            read.start_epoch(epoch)
        for start in range(0, len(read), at_once):
            images, labels = read.read(start, start + at_once)
            filled = _filled(len(labels), shares)
            yield (images[filled], labels[filled]) if len(filled) > len(labels) else (images, labels)

    def of_epoch(epoch: Any) -> Any:
        read = tf.data.Dataset.from_generator(in_order, args=(epoch,), output_signature=signature)
        return read if at_once == 1 else read.rebatch(batches.batch_size)

    signature = (
        tf.TensorSpec((None, *images.shape[1:]), tf.as_dtype(np.dtype(images.dtype))),
        tf.TensorSpec((None, *labels.shape[1:]), tf.as_dtype(np.dtype(labels.dtype))),
    )
    options = tf.data.Options()
    options.autotune.enabled = False
    # Each worker reads all batches and takes its part of each.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    passes = epochs or range(1)
    return (
        tf.data.Dataset.range(passes.start, passes.stop)
        .flat_map(of_epoch)
        .prefetch(_AHEAD)
        .apply(tf.data.experimental.assert_cardinality(len(batches) * len(passes)))
        .with_options(options)
    )


def _filled(count: int, shares: int) -> NDArray[np.int64]:
    """Return the positions in a batch of `count` images that fill it up to a multiple of `shares`.

    >>> _filled(5, 4).tolist()
    [0, 1, 2, 3, 4, 0, 1, 2]
    """
    return np.arange(count + -count % shares) % count


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

    if tf.distribute.has_strategy():
        # Each device computes all images, and the answers come one behind the other.
        return lambda images: np.asarray(model.predict_on_batch(images)[: len(images)], np.float32)
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    pixels = tf.TensorSpec((None, *model.input_shape[1:]), tf.uint8)
    forward = convert_variables_to_constants_v2(
        tf.function(lambda images: model(images, training=False)).get_concrete_function(pixels)
    )
    return lambda images: np.asarray(forward(tf.constant(images))[0], np.float32)
