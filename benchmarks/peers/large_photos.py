"""Large photos: `read_image` with decoding at a fraction of their size beside decoding every pixel, and the labels.

    python benchmarks/peers/large_photos.py MODEL PHOTO…

The photos are enlarged to 4000x3000 JPEGs with a little noise, as a camera's sensor gives it.
"""

import dataclasses
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from goals import judged
from interleaved import interleave, ratio
from PIL import Image

from edgecnn_benchmarks.statistics.intervals import Estimate, median_estimate
from edgecnn_benchmarks.statistics.quantities import figure
from edgecnn_runtime import Classifier, Decode, InputSpec
from edgecnn_runtime.preprocess import read_image

WIDTH, HEIGHT = 4000, 3000
_ROUNDS = 15
# Of $EDGECNN_DATA: a classifier that others made, as a float and as an 8-bit file, with photos.
MODELS = "models/mobilenet_v1_0.25"


@dataclass(frozen=True)
class LargePhotos:
    """One input size; times in milliseconds a photo."""

    photos: int
    megabytes: float  # of one photo, on average
    full: Estimate
    scaled: Estimate
    speedup: Estimate
    same_label: int  # photos on which both ways name the same class
    largest_difference: float  # between the probabilities of both ways


def enlarge(photo: Path) -> bytes:
    """Return a photo as a JPEG of 4000x3000 with sensor noise."""
    with Image.open(photo) as image:
        large = image.convert("RGB").resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
    noise = np.random.default_rng(0).normal(0, 5, (HEIGHT, WIDTH, 1)).astype(np.float32)
    pixels = (np.asarray(large, np.float32) + noise).clip(0, 255).astype(np.uint8)
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, "jpeg", quality=92)
    return stream.getvalue()


def measure_large_photos(classifier: Classifier, photos: Sequence[bytes]) -> LargePhotos:
    """Measure one model's input on photos made by `enlarge`."""
    full = dataclasses.replace(classifier.manifest.input, decode=Decode.FULL)
    scaled = dataclasses.replace(full, decode=Decode.SCALED)
    figures = interleave(
        {"full": lambda: _milliseconds(photos, full), "scaled": lambda: _milliseconds(photos, scaled)}, rounds=_ROUNDS
    )
    one, other = (
        np.stack([classifier.predict_proba(read_image(photo, spec)) for photo in photos]) for spec in (full, scaled)
    )
    return LargePhotos(
        photos=len(photos),
        megabytes=sum(map(len, photos)) / len(photos) / 1e6,
        full=median_estimate(figures["full"]),
        scaled=median_estimate(figures["scaled"]),
        speedup=ratio(figures["full"], figures["scaled"]),
        same_label=int((one.argmax(axis=1) == other.argmax(axis=1)).sum()),
        largest_difference=float(np.abs(one - other).max()),
    )


def _milliseconds(photos: Sequence[bytes], spec: InputSpec) -> float:
    started = time.process_time()
    for photo in photos:
        read_image(photo, spec)
    return (time.process_time() - started) / len(photos) * 1e3


def large_photos_table(measured: Mapping[str, LargePhotos]) -> list[str]:
    """Return the page's section; by the name of the model file."""
    rows = [
        f"| `{name}` | {item.photos} | {item.megabytes:.1f} | {figure(item.full)} | {figure(item.scaled)} | "
        f"{figure(item.speedup)} | {item.same_label} of {item.photos} | {item.largest_difference:.3f} |"
        for name, item in measured.items()
    ]
    return [
        f"## Large photos: JPEGs of {WIDTH}x{HEIGHT}, decoded at a fraction of their size",
        "",
        "From a JPEG's bytes in memory to the model's pixels, milliseconds of one processor a photo: every pixel",
        'decoded beside what `"decode": "scaled"` does, which a manifest asks for where training did the same. Goal:',
        "at least 3 times as fast, the same label. The photos are enlarged, with a sensor's noise.",
        "",
        "| file | photos | MB each | full | scaled | times as fast | same label | probabilities differ by at most |",
        "|---|---|---|---|---|---|---|---|",
        *rows,
        *judged(
            {
                "3 times as fast": all(item.speedup.value >= 3 for item in measured.values()),
                "the same label": all(item.same_label == item.photos for item in measured.values()),
            }
        ),
    ]


def main() -> None:
    """Measure and print."""
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    model, *photos = map(Path, sys.argv[1:])
    measured = measure_large_photos(Classifier.open(model), [enlarge(photo) for photo in photos])
    print("\n".join(large_photos_table({model.name: measured})))


if __name__ == "__main__":
    main()
