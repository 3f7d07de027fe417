"""The training loops of the MNIST and the Chinese MNIST notebooks, as they stand."""

import tempfile
import zipfile
from pathlib import Path

import keras
import numpy as np
from notebook_clock import EpochClock
from notebook_runs import LoopRun
from numpy.typing import NDArray
from sklearn.metrics import f1_score
from sklearn.model_selection import train_test_split

_CHINESE_EPOCHS = 5
_CHINESE_SIDE = 64
_MNIST_EPOCHS = 10


def train_chinese_mnist(seed: int, source: Path, *, epochs: int | None = None) -> LoopRun:
    """Train the numerals as notebook 4 does: scikit-image reads them, the best of five epochs is kept.

    Args:
        seed: of the network; the split is by 42, as in the notebook.
        source: the zip file of the set.
        epochs: the notebook's 5 where None.
    """
    keras.utils.set_random_seed(seed)
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as scratch:
        with zipfile.ZipFile(source) as archive:
            archive.extractall(scratch)
        (table,) = Path(scratch).rglob("chinese_mnist.csv")
        files = {path.name: path for path in Path(scratch).rglob("*.jpg")}
        rows = np.genfromtxt(table, delimiter=",", dtype=str, skip_header=1, encoding="utf-8")
        # suite_id, sample_id, code, value, character
        paths = [files[f"input_{suite}_{sample}_{code}.jpg"] for suite, sample, code, *_ in rows]
        codes = rows[:, 2].astype(int)
        values, classes = np.unique(rows[:, 3].astype(int), return_inverse=True)
        everything = np.arange(len(rows))
        training, test = train_test_split(everything, test_size=0.2, random_state=42, stratify=codes)
        training, validation = train_test_split(training, test_size=0.2, random_state=42, stratify=codes[training])
        images = [_read_numerals([paths[row] for row in part]) for part in (training, validation, test)]
        layers = keras.layers
        network = keras.Sequential(
            [
                keras.Input((_CHINESE_SIDE, _CHINESE_SIDE, 1)),
                layers.Conv2D(16, kernel_size=3, activation="relu", padding="same"),
                layers.Conv2D(16, kernel_size=3, activation="relu", padding="same"),
                layers.MaxPool2D(2),
                layers.Dropout(0.2),
                layers.Conv2D(16, kernel_size=3, activation="relu", padding="same"),
                layers.Conv2D(16, kernel_size=3, activation="relu", padding="same"),
                layers.Dropout(0.2),
                layers.Flatten(),
                layers.Dense(len(values), activation="softmax"),
            ]
        )
        network.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
        targets = np.eye(len(values), dtype=np.float32)[classes]
        best, clock, count = Path(scratch) / "best_model.weights.h5", EpochClock(), epochs or _CHINESE_EPOCHS
        network.fit(
            images[0],
            targets[training],
            batch_size=32,
            epochs=count,
            validation_data=(images[1], targets[validation]),
            callbacks=[
                keras.callbacks.EarlyStopping(monitor="loss", patience=5),
                keras.callbacks.ModelCheckpoint(
                    best, monitor="val_accuracy", save_best_only=True, save_weights_only=True
                ),
                keras.callbacks.LearningRateScheduler(lambda epoch: 1e-3 * 0.99 ** (epoch + count)),
                clock,
            ],
            verbose=0,
        )
        network.load_weights(best)
    return _scored("chinese-mnist", seed, network, images[2], classes[test], clock)


def train_mnist(seed: int, source: Path, *, epochs: int | None = None) -> LoopRun:
    """Train the digits as notebook 3 does: float32 arrays in memory, SGD of 0.01, validated on the test images.

    Args:
        seed: of the network.
        source: `mnist.npz` as `keras.datasets` has it, or the folder with it.
        epochs: the notebook's 10 where None.
    """
    keras.utils.set_random_seed(seed)
    with np.load(source / "mnist.npz" if source.is_dir() else source) as arrays:
        training, test = (
            arrays[f"x_{part}"].reshape(-1, 28, 28, 1).astype("float32") / 255 for part in ("train", "test")
        )
        labels, expected = arrays["y_train"], arrays["y_test"]
    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, kernel_size=(3, 3), activation="relu"),
            layers.Conv2D(64, (3, 3), activation="relu"),
            layers.MaxPooling2D(pool_size=(2, 2)),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )
    network.compile(
        loss="categorical_crossentropy", optimizer=keras.optimizers.SGD(learning_rate=0.01), metrics=["accuracy"]
    )
    clock = EpochClock()
    network.fit(
        training,
        keras.utils.to_categorical(labels),
        batch_size=32,
        epochs=epochs or _MNIST_EPOCHS,
        validation_data=(test, keras.utils.to_categorical(expected)),
        callbacks=[clock],
        verbose=0,
    )
    return _scored("mnist", seed, network, test, expected, clock)


def _read_numerals(paths: list[Path]) -> NDArray[np.float64]:
    """Read as the notebook does; returns `(N, 64, 64, 1)`, 0…1."""
    from skimage import io, transform

    shape = (_CHINESE_SIDE, _CHINESE_SIDE, 1)
    return np.stack([transform.resize(io.imread(path), shape, mode="reflect") for path in paths])


def _scored(
    loop: str,
    seed: int,
    network: keras.Model,
    images: NDArray[np.floating],
    labels: NDArray[np.integer],
    clock: EpochClock,
) -> LoopRun:
    predicted = network.predict(images, verbose=0).argmax(axis=1)
    return LoopRun(
        loop=loop,
        seed=seed,
        accuracy=float((predicted == labels).mean()),
        weighted_f1=float(f1_score(labels, predicted, average="weighted")),
        images=len(labels),
        epochs=len(clock.seconds),
        seconds_an_epoch=clock.median,
        seconds=sum(clock.seconds),
        keras=keras.__version__,
    )
