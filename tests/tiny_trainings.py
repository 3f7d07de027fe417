"""Trainings of a small recipe by the command line, each in a process of its own: devices are fixed in a process."""

import csv
import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from free_ports import free_ports
from tiny_base import TINY

from edgecnn_runtime.workstation.image_set import ImageSet
from edgecnn_runtime.workstation.run_folder import RunFolder

# Two epochs of the head on its features, then two of the whole network.
SETTINGS = dataclasses.replace(TINY.settings, unfreeze=3, fine_tune_epochs=2, fine_tune_rate=0.002)

# The command line, with the recipe of the tests and without figures; it prints the digest of what is handed over.
EDGECNN = """
import hashlib, sys
import numpy as np
from tiny_base import TINY
from edgecnn.app import main
from edgecnn_training import figures
from edgecnn_training.stage_data import StageData
from edgecnn_training.recipes import RECIPES

RECIPES[TINY.name] = TINY

def told(self):
    hand_over(self)
    digest = hashlib.sha256(b"".join(np.ascontiguousarray(value).tobytes() for value in self.model.get_weights()))
    print("weights", digest.hexdigest())

hand_over, StageData.hand_over, figures.draw_all = StageData.hand_over, told, lambda *arguments, **options: None
"""


def start(script: str, *arguments: str | Path, tf_config: str | None = None) -> "subprocess.Popen[str]":
    paths = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)} | ({"TF_CONFIG": tf_config} if tf_config else {})
    command = [sys.executable, "-c", script + "\nmain()", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def run(script: str, *arguments: str | Path, workers: int = 1) -> list[tuple[int, str, str]]:
    """Run a command on each worker; return their exit codes, stdouts and stderrs."""
    configs: list[str | None] = [None]
    if workers > 1:
        hosts = [f"localhost:{port}" for port in free_ports(workers)]
        tasks = [{"type": "worker", "index": index} for index in range(workers)]
        configs = [json.dumps({"cluster": {"worker": hosts}, "task": task}) for task in tasks]
    processes = [start(script, *arguments, tf_config=config) for config in configs]
    try:
        outputs = [process.communicate(timeout=300) for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [(process.returncode, *output) for process, output in zip(processes, outputs, strict=True)]


def options(small_set: ImageSet, output: Path) -> list[str | Path]:
    assert small_set.folder is not None
    values = "--unfreeze 3 --fine-tune-epochs 2 --fine-tune-rate 0.002"
    return ["train", "tiny", *values.split(), "--data", small_set.folder, "--output", output]


def scores(folder: RunFolder) -> np.ndarray:
    """Read what was learnt: loss, accuracy, val_loss, val_accuracy and learning_rate of each epoch."""
    with folder.history.open(newline="") as file:
        return np.array([[float(value) for value in row[1:6]] for row in list(csv.reader(file))[1:]])
