"""What all adapters share: they read a job, open each file, classify its images, and answer a line of JSON for each.

An adapter runs in the environment of its engine, in any Python since 3.9, with numpy and the engine and nothing else:

    python some_adapter.py job.json

The job names the `files`, each a `model`, its `images` (`.npy`, uint8 `(N, height, width, channels)`) and where its
`probabilities` go (`.npy`, float32 `(n, classes)`, n <= N); the `answers` file gets a line when a file is finished, so
that a crash is known by the line that is missing; `seconds` is the time that the images of one file may take.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np


def serve(open_model):
    """Answer the job that the command line names.

    Args:
        open_model: from the path of a file and the shape of an image, `(height, width, channels)`, to a function from
            one uint8 image to its probabilities `(classes,)`. A compiler, which runs nothing, returns some words on
            what it made.
    """
    answer_job(lambda job, file: _answer(open_model, file, job["seconds"]))


def answer_job(answer):
    """Write what `answer` says of each file of the job as soon as it is known."""
    job = json.loads(Path(sys.argv[1]).read_text())
    for file in job["files"]:
        with Path(job["answers"]).open("a") as answers:
            answers.write(json.dumps(answer(job, file)) + "\n")


def _answer(open_model, file, seconds):
    images = np.load(file["images"])
    answer = {"opened": False, "error": None, "images": 0, "microseconds": None, "note": None}
    try:
        classify = open_model(file["model"], images.shape[1:])
        answer["opened"] = True
        if isinstance(classify, str):
            return {**answer, "note": classify}
        rows, times = [], []
        began = time.perf_counter()
        for image in images:
            before = time.perf_counter()
            rows.append(np.asarray(classify(image), np.float32).reshape(-1))
            times.append(time.perf_counter() - before)
            if time.perf_counter() - began > seconds:
                break
        np.save(file["probabilities"], np.stack(rows))
        answer["images"], answer["microseconds"] = len(rows), 1e6 * float(np.median(times))
    except Exception as error:
        answer["error"] = first_words(str(error)) or type(error).__name__
    return answer


def first_words(text):
    """Return the first lines of an error that say something, on one line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " ".join(lines[:5])[:400]


def encode(image, dtype, scale=0.0, zero_point=0):
    """Return what an input tensor takes for an image: its pixels, as they are or in the tensor's own steps."""
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return image.astype(dtype)
    if not scale:  # an engine that does not say: a step a pixel value
        scale, zero_point = 1.0, int(np.iinfo(dtype).min) if dtype == np.int8 else 0
    steps = np.round(image / scale) + zero_point
    limits = np.iinfo(dtype)
    return np.clip(steps, limits.min, limits.max).astype(dtype)


def decode(output, scale=0.0, zero_point=0):
    """Return the probabilities that an output tensor means; without its scale, that of TFLite's integer softmax."""
    output = np.asarray(output)
    if output.dtype.kind == "f":
        return output.astype(np.float32)
    if not scale:
        size = np.iinfo(output.dtype)
        scale = 1 / 32768 if output.dtype == np.int16 else 1 / (int(size.max) - int(size.min) + 1)
        zero_point = int(size.min) if output.dtype == np.int8 else 0
    return np.float32(scale) * (output.astype(np.float32) - zero_point)
