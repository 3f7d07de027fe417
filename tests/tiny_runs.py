"""A run folder with a small untrained network, as a training leaves it behind, made in a second."""

from pathlib import Path
from typing import Any

from edgecnn_runtime.workstation.image_set import ImageSet
from edgecnn_runtime.workstation.run_folder import RunFolder, RunRecord


def tiny_network(shape: tuple[int, int, int], classes: int) -> Any:
    """Scaling, a nested convolution block with a batch norm, a dense head; weights from a fixed seed."""
    import keras

    keras.utils.set_random_seed(7)
    core = keras.Sequential(
        [
            keras.layers.Conv2D(4, 3, activation="relu", name="conv_a"),
            keras.layers.MaxPooling2D(2, name="pool_a"),
            keras.layers.Conv2D(5, (3, 2), strides=2, padding="same", name="conv_b"),
            keras.layers.BatchNormalization(name="norm_b"),
            keras.layers.ReLU(name="relu_b"),
            keras.layers.Dropout(0.5, name="dropout_b"),
            keras.layers.Flatten(name="flat"),
            keras.layers.Dense(classes, activation="softmax", name="head"),
        ],
        name="core",
    )
    pixels = keras.Input(shape, name="pixels")
    return keras.Model(pixels, core(keras.layers.Rescaling(1 / 255, name="scaling")(pixels)), name="tiny")


def tiny_run(path: Path, image_set: ImageSet) -> RunFolder:
    """Write `model.keras` and `run.json` for a set that is on disk."""
    folder = RunFolder(path)
    path.mkdir(parents=True)
    tiny_network(image_set.input.shape, len(image_set.labels)).save(folder.model)
    folder.write_record(tiny_record(folder, image_set))
    return folder


def tiny_record(folder: RunFolder, image_set: ImageSet) -> RunRecord:
    """Return the record of a run on a set that is on disk."""
    return RunRecord(
        name=folder.name,
        recipe={"name": "tiny"},
        labels=image_set.labels,
        input=image_set.input,
        data_name=image_set.name,
        data_folder=str(image_set.folder),
        data_fingerprint=image_set.fingerprint,
        seed=0,
    )
