"""One batch on several devices, and one network on several workers: the same scores as on one.

There is no GPU here: the devices are two logical CPUs, the workers two processes of this machine.
"""

import dataclasses
import json
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_base import TINY
from tiny_trainings import EDGECNN, SETTINGS, options, run, scores

from edgecnn_runtime.errors import GateError, InputError, MissingExtraError
from edgecnn_runtime.workstation.image_set import ImageSet
from edgecnn_runtime.workstation.run_folder import RunFolder
from edgecnn_training.devices.cluster import ALONE, Cluster, cluster_of_environment
from edgecnn_training.devices.devices import Devices
from edgecnn_training.devices.many_workers import agree, folder_of_worker, lost_workers_told
from edgecnn_training.history import Epoch
from edgecnn_training.resuming.checkpoints import Checkpoint
from edgecnn_training.resuming.origin import RunOrigin
from edgecnn_training.train import train

ORIGIN = RunOrigin("tiny", "sets/small", "ab" * 32, SETTINGS)
CHECKPOINT = Checkpoint(ORIGIN, (Epoch(1, 1.0, 0.5, 1.0, 0.5, 0.01, 1.0),), (), (), ())

TWO_CPUS = """
import tensorflow as tf
from edgecnn_training.devices import devices
one, = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(one, [tf.config.LogicalDeviceConfiguration()] * 2)
devices._strategy = lambda cluster, gpus: tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
"""

# Killed, as the kernel would, after the first step of the first epoch in which the whole network learns.
KILLED = """
import os, signal
from edgecnn_training import fit

def killed(self, step, logs, finished=None):
    if self._epoch == 2 and finished is None:
        os.kill(os.getpid(), signal.SIGKILL)
    return progress(self, step, logs, finished)

progress, fit._Keeper._progress = fit._Keeper._progress, killed
"""


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, small_set: ImageSet) -> RunFolder:
    """A run of one process on one device."""
    folder = RunFolder(tmp_path_factory.mktemp("runs") / "alone")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("edgecnn_training.figures.draw_all", lambda *arguments, **options: None)
        train(TINY, small_set, folder, SETTINGS)
    return folder


def test_two_devices_learn_what_one_learns(alone: RunFolder, small_set: ImageSet, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "mirrored")
    [(code, _, err)] = run(EDGECNN + TWO_CPUS, *options(small_set, folder.path))
    assert code == 0, err
    np.testing.assert_allclose(scores(folder), scores(alone), atol=1e-4)
    np.testing.assert_allclose(np.load(folder.test_probabilities), np.load(alone.test_probabilities), atol=1e-4)


@pytest.mark.slow
def test_two_killed_and_resumed_workers_learn_what_one_learns(
    alone: RunFolder, small_set: ImageSet, tmp_path: Path
) -> None:
    folder = RunFolder(tmp_path / "together")
    arguments = options(small_set, folder.path)
    for code, _, err in run(EDGECNN + KILLED, *arguments, workers=2):
        assert code in (-signal.SIGKILL, 1), err  # who sees the other die first may say so
    assert folder.last_checkpoint.exists()
    assert not folder.record.exists()

    (code, out, err), (other_code, other_out, other_err) = run(EDGECNN, *arguments, "--resume", workers=2)
    assert (code, other_code) == (0, 0), err + other_err
    weights, other_weights = (
        [line for line in text.splitlines() if line.startswith("weights ")] for text in (out, other_out)
    )
    # The best ones of each stage; the first was trained to its end before.
    assert len(weights) == 2
    assert weights == other_weights
    assert f"Worker 1 of 2 is done; worker 0 writes the run: {folder.path}" in other_out
    assert "Test accuracy " in out
    assert "Test accuracy " not in other_out
    np.testing.assert_allclose(scores(folder), scores(alone), atol=1e-4)
    np.testing.assert_allclose(np.load(folder.test_probabilities), np.load(alone.test_probabilities), atol=1e-4)
    assert folder.read_record().versions["devices"] == "cpu of each of 2 workers"


@pytest.mark.parametrize("text", [None, ""])
def test_without_tf_config_one_process_trains(text: str | None) -> None:
    assert cluster_of_environment({} if text is None else {"TF_CONFIG": text}) == ALONE


@pytest.mark.parametrize(
    "document",
    [
        "{",
        "[]",
        {"cluster": {"worker": ["a:1", "b:1"]}},
        {"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 2}},
        {"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": "0"}},
        {"cluster": {"worker": ["a", "b"]}, "task": {"type": "worker", "index": 0}},
        {"cluster": {"worker": "a:1"}, "task": {"type": "worker", "index": 0}},
        {"cluster": {"worker": ["a:1"], "ps": ["b:1"]}, "task": {"type": "worker", "index": 0}},
        {"cluster": {"worker": ["a:1"]}, "task": {"type": "chief", "index": 0}},
    ],
)
def test_a_broken_tf_config_is_refused(document: object) -> None:
    text = document if isinstance(document, str) else json.dumps(document)
    with pytest.raises(InputError, match=r"^TF_CONFIG: expected .*, got .*; set it so, or unset it"):
        cluster_of_environment({"TF_CONFIG": text})


class TwoWorkers:
    """Stands for a strategy: the other worker has another row."""

    def __init__(self, *, digest: int, epochs: int) -> None:
        self.more = np.array([[digest, epochs]])

    def experimental_distribute_values_from_function(self, function: object) -> object:
        return function(None)  # type: ignore[operator]

    def gather(self, row: object, axis: int) -> object:
        import tensorflow as tf

        return tf.concat([row, row + self.more], axis)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (TwoWorkers(digest=1, epochs=0), "expected one recipe, one image set and the same options on all"),
        (TwoWorkers(digest=0, epochs=2), r"expected one checkpoint that all workers see, got \[1, 3\] finished epochs"),
    ],
)
def test_workers_that_do_not_train_the_same_are_told(other: TwoWorkers, message: str) -> None:
    agree(TwoWorkers(digest=0, epochs=0), ORIGIN, CHECKPOINT)
    with pytest.raises(InputError, match=message):
        agree(other, ORIGIN, CHECKPOINT)


def test_only_the_first_worker_writes_into_the_run(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    folder.best_weights.write_bytes(b"best")
    first, second = (Devices(("cpu",), 1, Cluster(worker, 2), TwoWorkers(digest=0, epochs=0)) for worker in (0, 1))
    with folder_of_worker(folder, first, ORIGIN, CHECKPOINT) as written:
        assert written == folder
    with folder_of_worker(folder, second, ORIGIN, CHECKPOINT) as written:
        assert written != folder
        assert written.best_weights.read_bytes() == b"best"
    assert not written.path.exists()


def test_a_lost_worker_is_told() -> None:
    import tensorflow as tf

    told = pytest.raises(GateError, match=r"UnavailableError, as when one is gone; .* start all of them again with --r")
    with told, lost_workers_told():
        raise tf.errors.UnavailableError(None, None, "gone")


def test_several_workers_need_tf_keras(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tf_keras", None)
    with pytest.raises(MissingExtraError, match=r"package tf-keras, .*edgecnn\[train\]"):
        _ = Devices(("cpu",), 1, Cluster(1, 2)).keras


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (dataclasses.replace(SETTINGS, augment=True), "augment: expected one machine, .* got 2 workers"),
        (dataclasses.replace(SETTINGS, batch_size=33), "batch size: expected a multiple of 2, .*, got 33"),
    ],
)
def test_what_several_workers_cannot_do(
    settings: object, message: str, small_set: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Strategy:
        num_replicas_in_sync = 2

    devices = Devices(("cpu",), 1, Cluster(0, 2), Strategy())
    monkeypatch.setattr("edgecnn_training.train.prepare_devices", lambda **options: devices)
    with pytest.raises(InputError, match=message):
        train(TINY, small_set, RunFolder(tmp_path / "run"), settings)  # type: ignore[arg-type]
    assert not (tmp_path / "run").exists()
