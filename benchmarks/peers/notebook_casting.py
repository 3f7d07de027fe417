"""The training loops of the casting notebook, with its three loaders, as it writes them.

What differs is said here: `preprocessing` layers have moved to `keras.layers`, the seed is an argument (the notebook's
is 42), and each network is scored on all test images. `ImageDataGenerator` scales to 0…1; the other loaders feed 0…255
as the notebook does, and `tf-rescaled` is the same loader with the scaling that the notebook forgot.
"""

import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from notebook_clock import EpochClock
from notebook_runs import LoopRun
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from edgecnn_training.networks.pretrained import load_application_weights
from edgecnn_training.settings import IMAGENET

SHAPE = (300, 300, 3)
BATCH = 32
_VALIDATION = 0.1
_BASE_SIZE = (224, 224)


class Way(StrEnum):
    """Which of the notebook's runs; each is also the loop's name behind `casting-`."""

    KERAS = "keras"  # ImageDataGenerator
    TF = "tf"  # image_dataset_from_directory
    TF_RESCALED = "tf-rescaled"
    SKIMAGE = "skimage"
    AUGMENT = "augment"
    MOBILENETV2 = "mobilenetv2"  # the frozen base in the graph
    MOBILENETV2_FEATURES = "mobilenetv2-features"  # the base run once, the head trained on what it gave


@dataclass(frozen=True)
class Feed:
    """What `fit` and `predict` are given, each in batches."""

    training: Any
    validation: Any
    test: Any
    test_labels: NDArray[np.int64]


def train_casting(way: Way, seed: int, folders: Path, *, epochs: int | None = None) -> LoopRun:
    """Train one of the notebook's networks with its loop and score it on the test images.

    Args:
        way: which run of the notebook.
        seed: of NumPy, TensorFlow, Keras and of the loader's split.
        folders: with `train` and `test`, and in each one folder a class.
        epochs: at most; the notebook's 30, or 50 for the head, where None.
    """
    tf.random.set_seed(seed)
    keras.utils.set_random_seed(seed)
    feed = load(way, seed, folders)
    seconds = 0.0
    if way is Way.MOBILENETV2_FEATURES:
        started = time.perf_counter()
        feed, network = _on_features(feed, seed)
        seconds = time.perf_counter() - started
    else:
        network = build(way, seed)
    compile_as_notebook(network, way)
    clock = EpochClock()
    stop = keras.callbacks.EarlyStopping(monitor="val_loss", patience=5, restore_best_weights=True)
    network.fit(
        feed.training,
        epochs=epochs or (50 if way.startswith("mobilenetv2") else 30),
        validation_data=feed.validation,
        callbacks=[stop, clock],
        verbose=0,
    )
    predicted = network.predict(feed.test, verbose=0).argmax(axis=1)
    return LoopRun(
        loop=f"casting-{way}",
        seed=seed,
        accuracy=float((predicted == feed.test_labels).mean()),
        weighted_f1=float(f1_score(feed.test_labels, predicted, average="weighted")),
        images=len(predicted),
        epochs=len(clock.seconds),
        seconds_an_epoch=clock.median,
        seconds=seconds + sum(clock.seconds),
        keras=keras.__version__,
        notebooks_own_f1=_f1_on_training_batches(network, feed) if way is Way.SKIMAGE else None,
    )


def load(way: Way, seed: int, folders: Path) -> Feed:
    """Read the photos with the loader of that run."""
    if way is Way.KERAS:
        return _image_data_generator(seed, folders)
    if way is Way.SKIMAGE:
        return _skimage(seed, folders)
    return _image_dataset_from_directory(seed, folders)


def _image_data_generator(seed: int, folders: Path) -> Feed:
    generator = tf.keras.preprocessing.image.ImageDataGenerator(rescale=1 / 255, validation_split=_VALIDATION)

    def flow(folder: str, **options: Any) -> Any:
        return generator.flow_from_directory(
            folders / folder,
            target_size=SHAPE[:2],
            color_mode="rgb",
            batch_size=BATCH,
            class_mode="sparse",
            **options,
        )

    training = flow("train", subset="training", shuffle=True, seed=seed)
    validation = flow("train", subset="validation", shuffle=True, seed=seed)
    test = flow("test", shuffle=False)
    return Feed(training, validation, test, np.asarray(test.classes, np.int64))


def _image_dataset_from_directory(seed: int, folders: Path) -> Feed:
    def read(folder: str, **options: Any) -> Any:
        return keras.utils.image_dataset_from_directory(
            folders / folder,
            labels="inferred",
            label_mode="int",
            color_mode="rgb",
            image_size=SHAPE[:2],
            batch_size=BATCH,
            verbose=False,
            **options,
        )

    training, validation = (
        read("train", validation_split=_VALIDATION, subset=subset, shuffle=True, seed=seed)
        for subset in ("training", "validation")
    )
    test = read("test", shuffle=False)
    labels = np.concatenate([labels.numpy() for _, labels in test])
    return Feed(*(images.prefetch(tf.data.AUTOTUNE) for images in (training, validation, test)), labels)


def _skimage(seed: int, folders: Path) -> Feed:
    """Read all photos into one array, as the notebook's MyImageLoader does.

    The notebook leaves `reshuffle_each_iteration` at its default, so every pass draws a new order and `take` and `skip`
    a new split: the validation images have been trained on.
    """
    from skimage import io

    def read(*classes: Path) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
        images = io.ImageCollection(
            ":".join(str(folder / "*.jpeg") for folder in classes),
            load_func=lambda file: io.imread(file).astype(np.uint8),
        )
        names = ["_".join(Path(file).name.split("_")[:2]) for file in images.files]
        return io.concatenate_images(images), np.unique(names, return_inverse=True)[1].astype(float)

    pixels, labels = read(folders / "train" / "ok_front", folders / "train" / "def_front")
    test_pixels, test_labels = read(folders / "test" / "ok_front", folders / "test" / "def_front")
    both = tf.data.Dataset.from_tensor_slices((pixels, labels)).shuffle(len(pixels), seed=seed)
    count = int(_VALIDATION * len(pixels))
    test = tf.data.Dataset.from_tensor_slices((test_pixels, test_labels))
    return Feed(
        both.skip(count).batch(BATCH), both.take(count).batch(BATCH), test.batch(BATCH), test_labels.astype(np.int64)
    )


def build(way: Way, seed: int) -> Any:
    """Build the network of a run, which takes what the run's loader gives."""
    layers = keras.layers
    if way is Way.MOBILENETV2:
        photo = keras.Input(SHAPE)
        pooled = _pooled_base(photo)
        return keras.Model(photo, layers.Dense(2)(layers.Dropout(0.2)(pooled)))
    first: list[Any] = []
    if way is Way.AUGMENT:
        first = [
            layers.RandomFlip("horizontal", seed=seed),
            layers.RandomFlip("vertical", seed=seed),
            layers.RandomContrast(0.1, seed=seed),
            layers.RandomRotation(factor=1, fill_mode="constant", seed=seed),
        ]
    if way is Way.TF_RESCALED:
        first = [layers.Rescaling(1 / 255)]
    return keras.Sequential(
        [
            keras.Input(SHAPE),
            *first,
            layers.Conv2D(filters=8, kernel_size=(3, 3), activation="relu"),
            layers.MaxPooling2D(pool_size=(2, 2)),
            layers.Conv2D(filters=16, kernel_size=(3, 3), activation="relu"),
            layers.MaxPooling2D(pool_size=(2, 2)),
            layers.Conv2D(filters=16, kernel_size=(3, 3), activation="relu"),
            layers.MaxPooling2D(pool_size=(2, 2)),
            layers.Flatten(),
            layers.Dense(224),
            layers.Activation("relu"),
            layers.Dense(2),
        ]
    )


def compile_as_notebook(network: Any, way: Way) -> None:
    """Give a network the notebook's loss and optimizer."""
    network.compile(
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        optimizer=keras.optimizers.Adam(learning_rate=0.0001 if way.startswith("mobilenetv2") else 0.001),
        metrics=["accuracy"],
    )


def _pooled_base(photo: Any) -> Any:
    base = keras.applications.MobileNetV2(input_shape=(*_BASE_SIZE, 3), include_top=False, weights=None)
    load_application_weights(base, "MobileNetV2", IMAGENET, include_top=False)
    base.trainable = False
    scaled = keras.applications.mobilenet_v2.preprocess_input(keras.layers.Resizing(*_BASE_SIZE)(photo))
    return keras.layers.GlobalAveragePooling2D()(base(scaled, training=False))


def _on_features(feed: Feed, seed: int) -> tuple[Feed, Any]:
    """Run every photo through the frozen base once, and build the head that takes what it gives."""
    photo = keras.Input(SHAPE)
    extractor = keras.Model(photo, _pooled_base(photo))

    def features(batches: Any) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        pairs = [(extractor.predict_on_batch(images), labels.numpy()) for images, labels in batches]
        return np.concatenate([found for found, _ in pairs]), np.concatenate([labels for _, labels in pairs])

    training, validation, test = (features(part) for part in (feed.training, feed.validation, feed.test))
    entry = keras.Input((1280,))
    head = keras.Model(entry, keras.layers.Dense(2)(keras.layers.Dropout(0.2)(entry)))
    slices = tf.data.Dataset.from_tensor_slices
    fed = Feed(
        slices(training).shuffle(len(training[0]), seed=seed).batch(BATCH),
        slices(validation).batch(BATCH),
        slices(test).batch(BATCH),
        test[1],
    )
    return fed, head


def _f1_on_training_batches(network: Any, feed: Feed) -> float:
    """Score as the notebook does after its scikit-image run: the first training batch, drawn once a test batch."""
    found, expected = [], []
    for _ in range(len(feed.test)):
        images, labels = next(feed.training.as_numpy_iterator())
        found.append(network.predict_on_batch(images).argmax(axis=1))
        expected.append(labels)
    return float(f1_score(np.concatenate(expected), np.concatenate(found), average="weighted"))
