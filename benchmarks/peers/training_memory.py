"""The memory that training takes beside the size of its set: a set larger than memory must train.

A set of noise is written to a temporary folder and trained on for one epoch, shuffled, in a fresh process. The set is
memory-mapped, so its pages come and go as the system likes (`VmHWM` counts those that are there at once); what the
process itself holds is anonymous memory (`RssAnon`), and that must not grow with the set. Linux only, for `/proc`.
"""

import dataclasses
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgecnn_benchmarks.statistics.quantities import size
from edgecnn_runtime.manifest import Colour, InputSpec
from edgecnn_runtime.system import atomic_files
from edgecnn_runtime.workstation.image_set import DATASET_FILE, ImageSet, Split, describe

SIDE = 128  # pixels; 49 kB an image
_BATCH = 64
_TEST_IMAGES = 64

_PROGRAM = """
import json, sys, threading
from pathlib import Path

from edgecnn_runtime.workstation.image_set import open_prepared
from edgecnn_runtime.workstation.run_folder import RunFolder
from edgecnn_training.recipe import Recipe
from edgecnn_training.settings import Optimizer, TrainingSettings
from edgecnn_training.train import train


def build(keras, shape, classes):
    layers = keras.layers
    return keras.Sequential([
        keras.Input(shape),
        layers.Conv2D(4, 3, strides=4, activation="relu"),
        layers.GlobalAveragePooling2D(),
        layers.Dense(classes, activation="softmax"),
    ])


def bytes_of(field):
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024


anonymous, finished = [], threading.Event()


def watch():
    while not finished.wait(0.05):
        anonymous.append(bytes_of("RssAnon"))


image_set, folder = open_prepared(Path(sys.argv[1])), RunFolder(Path(sys.argv[2]))
settings = TrainingSettings(epochs=1, batch_size=int(sys.argv[3]), optimizer=Optimizer.ADAM, learning_rate=0.001)
recipe = Recipe(
    name="tiny", summary="", data=None, input_shape=image_set.input.shape, settings=settings, build=build
)
watching = threading.Thread(target=watch)
watching.start()
train(recipe, image_set, folder, settings)
finished.set()
watching.join()
epoch = folder.history.read_text().splitlines()
seconds = float(dict(zip(epoch[0].split(","), epoch[1].split(",")))["seconds"])
print(json.dumps({"anonymous": max(anonymous), "resident": bytes_of("VmHWM"), "seconds": seconds}))
"""


@dataclass(frozen=True)
class TrainingMemory:
    """One epoch on a set of some size."""

    set_bytes: int
    images: int
    anonymous_bytes: int  # at most, of the training process
    resident_bytes: int  # at most, with the pages of the memory map
    images_per_second: float  # read, trained on or validated


def measure_training_memory(set_bytes: int) -> TrainingMemory:
    """Train on a set of about so many bytes.

    Raises:
        RuntimeError: less room in the temporary folder than the set takes, or the training failed.
    """
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as scratch:
        if shutil.disk_usage(scratch).free < 1.2 * set_bytes:
            raise RuntimeError(f"{scratch}: expected room for {1.2 * set_bytes / 1e9:.1f} GB; set TMPDIR to another")
        image_set = _write_noise(Path(scratch) / "set", set_bytes)
        command = [sys.executable, "-c", _PROGRAM, str(Path(scratch) / "set"), str(Path(scratch) / "run"), str(_BATCH)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"training failed: {done.stderr[-2000:]}")
        figures = json.loads(done.stdout.splitlines()[-1])
        train = image_set.split("train")
        return TrainingMemory(
            set_bytes=train.images.nbytes,
            images=len(train),
            anonymous_bytes=figures["anonymous"],
            resident_bytes=figures["resident"],
            images_per_second=len(train) / figures["seconds"],
        )


def memory_lines(memory: list[TrainingMemory]) -> list[str]:
    """Write the figures as Markdown."""
    rows = [
        f"| {size(item.set_bytes)} | {item.images:,} | {size(item.anonymous_bytes)} | {size(item.resident_bytes)} | "
        f"{item.images_per_second:,.0f} |"
        for item in memory
    ]
    return [
        "",
        "## Training from disk: memory beside the size of the set",
        "",
        "One shuffled epoch of a tiny network on noise, each in a fresh process. The process's own memory must not",
        "grow with the set; what is resident includes pages of the memory map, which the system takes back as it needs",
        "them. One run each.",
        "",
        "| set | images | own memory at most | resident at most | images a second |",
        "|---|---|---|---|---|",
        *rows,
    ]


def _write_noise(folder: Path, set_bytes: int) -> ImageSet:
    """Write a prepared set of noise, in blocks."""
    folder.mkdir()
    generator = np.random.default_rng(0)
    spec = InputSpec(SIDE, SIDE, Colour.RGB)
    item_bytes = int(np.prod(spec.shape))
    splits = {}
    for name, count in (("train", max(set_bytes // item_bytes, _BATCH)), ("test", _TEST_IMAGES)):
        images = np.lib.format.open_memmap(
            folder / f"{name}.images.npy", mode="w+", dtype=np.uint8, shape=(count, *spec.shape)
        )
        for start in range(0, count, 1024):
            block = images[start : start + 1024]
            block[:] = np.frombuffer(generator.bytes(block.nbytes), np.uint8).reshape(block.shape)
        images.flush()
        labels, files = np.arange(count) % 2, tuple(map(str, range(count)))
        np.save(folder / f"{name}.labels.npy", labels)
        atomic_files.write_text(folder / f"{name}.files.txt", "\n".join(files) + "\n")
        splits[name] = Split(images, labels, files)
    image_set = ImageSet("noise", ("even", "odd"), spec, splits, fingerprint="noise", source="noise")
    atomic_files.write_json(folder / DATASET_FILE, describe(image_set))
    return image_set


if __name__ == "__main__":
    for gigabytes in map(float, sys.argv[1:] or ["0.6", "6"]):
        print(json.dumps(dataclasses.asdict(measure_training_memory(round(gigabytes * 1e9)))), flush=True)
