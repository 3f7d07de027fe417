"""Several machines, or processes, that train one network together, as TF_CONFIG describes them.

Keras 3 cannot be fitted under MultiWorkerMirroredStrategy (`fit` of Keras 3.15 fails at converting a PerReplica value).
So each worker fits a copy of what it would fit alone, built in tf_keras by the same function, and after each epoch the
Keras 3 network takes over the weights: all that is saved, scored and resumed is the same as of one process.
"""

import contextlib
import dataclasses
import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgecnn_runtime.errors import GateError, InputError
from edgecnn_runtime.workstation.run_folder import RunFolder
from edgecnn_training.devices.devices import Devices
from edgecnn_training.networks.frozen_base import base_of, split_at_base, unfreeze_top
from edgecnn_training.networks.network import build_network, core
from edgecnn_training.recipe import Recipe
from edgecnn_training.resuming.checkpoints import Checkpoint
from edgecnn_training.resuming.origin import RunOrigin
from edgecnn_training.stage import Stage
from edgecnn_training.stage_data import StageData


def tf_keras_model_of(stage_data: StageData, network: Any, recipe: Recipe, stage: Stage, *, keras: Any) -> StageData:
    """Return the same stage data with a tf_keras model, which has its weights.

    Args:
        stage_data: of the Keras 3 network.
        network: the Keras 3 network.
        recipe: of the network.
        stage: of `stage_data`.
        keras: the module `tf_keras`, in the scope of a strategy.
    """
    tf_keras_model = build_network(keras, recipe, network.output_shape[-1], shape=network.input_shape[1:])
    if stage.unfreeze:
        unfreeze_top(keras, base_of(keras, core(tf_keras_model)), stage.unfreeze)
    if stage_data.model is not network:
        # The frozen base has done its part, once, in Keras 3.
        _, tf_keras_model = split_at_base(keras, tf_keras_model)
    tf_keras_model.set_weights(stage_data.model.get_weights())
    return dataclasses.replace(stage_data, model=tf_keras_model, shared=stage_data.model)


def agree(strategy: Any, origin: RunOrigin, checkpoint: Checkpoint | None) -> None:
    """Make sure, on all workers at once, that all train the same from the same epoch on.

    Raises:
        InputError: they do not; on every worker, so that none waits for another.
    """
    import tensorflow as tf

    settings = dataclasses.replace(origin.settings, threads=None, device=None)
    same = json.dumps([origin.recipe, origin.data_fingerprint, dataclasses.asdict(settings)])
    digest = int.from_bytes(hashlib.sha256(same.encode()).digest()[:7])
    epochs = len(checkpoint.history) if checkpoint else 0
    mine = strategy.experimental_distribute_values_from_function(lambda _: tf.constant([[digest, epochs]], tf.int64))
    digests, finished = strategy.gather(mine, axis=0).numpy().T.tolist()
    if len(set(digests)) > 1:
        raise InputError(
            "several workers: expected one recipe, one image set and the same options on all, got others on some; "
            "start each worker with the same command, on the same images"
        )
    if len(set(finished)) > 1:
        raise InputError(
            f"resume: expected one checkpoint that all workers see, got {sorted(set(finished))} finished epochs; "
            "give all an --output folder on a file system that they share"
        )


@contextlib.contextmanager
def folder_of_worker(
    folder: RunFolder, devices: Devices, origin: RunOrigin, checkpoint: Checkpoint | None
) -> Iterator[RunFolder]:
    """Start a run on all workers, and give the first the run folder and every other one that is thrown away.

    All of them write, because reading the weights to be written may need all of them (the averages of a batch norm).

    Args:
        folder: of the run.
        devices: what this worker computes on.
        origin: what it was started with.
        checkpoint: where it goes on.

    Raises:
        InputError: the workers do not train the same from the same epoch on.
        GateError: another worker is gone.
    """
    if devices.cluster.workers == 1:
        yield folder
        return
    with lost_workers_told(), tempfile.TemporaryDirectory(prefix="edgecnn-worker-") as scratch:
        written = folder if devices.cluster.is_chief else RunFolder(Path(scratch))
        if checkpoint is not None and written is not folder and folder.best_weights.exists():
            shutil.copy(folder.best_weights, written.best_weights)
        agree(devices.strategy, origin, checkpoint)
        yield written


@contextlib.contextmanager
def lost_workers_told() -> Iterator[None]:
    """Say what to do when another worker is gone.

    Raises:
        GateError: TensorFlow failed in the block.
    """
    import tensorflow as tf

    try:
        yield
    except tf.errors.OpError as error:
        raise GateError(
            f"several workers: expected all to the end, got {type(error).__name__}, as when one is gone; "
            "what was trained is kept: start all of them again with --resume"
        ) from error
