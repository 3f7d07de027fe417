"""Symbols that no training has seen: each of the three drawings turned, scaled and moved anew.

The test split of the known set `symbols` has 12 images; these 300 tell networks apart that all have 12 of 12.

    python benchmarks/peers/redrawn_symbols.py RUN|MODEL… --drawings DIR    # DIR holds C1.png, L1.png and R1.png
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

# The drawing of each class of the known set.
DRAWINGS = {"capacitor": "C1.png", "inductor": "L1.png", "resistance": "R1.png"}
COUNT = 100  # of each class
SIDE = 224  # pixels
# The length of a symbol as a share of the side; the drawings themselves fill it.
_SCALES = (0.5, 1.0)


def redraw(drawings: Path, folder: Path, *, count: int = COUNT, seed: int = 0) -> None:
    """Write `count` images of each class, SIDE x SIDE PNG on white, into one folder a class.

    Each is the drawing turned by any angle, scaled evenly between the two of `_SCALES`, and moved to any place at
    which it stays inside.
    """
    random = np.random.default_rng(seed)
    for label, file in DRAWINGS.items():
        with Image.open(drawings / file) as opened:
            # Black ink: what is not white of the drawing laid on white.
            image = opened.convert("RGBA")
            paper = Image.new("RGBA", image.size, "white")
            paper.alpha_composite(image)
        ink = Image.eval(paper.convert("L"), lambda value: 255 - value)
        (folder / label).mkdir(parents=True)
        for number in range(count):
            turned = ink.rotate(random.uniform(0, 360), resample=Image.Resampling.BICUBIC, expand=True)
            turned = turned.crop(turned.getbbox())
            scale = SIDE * random.uniform(*_SCALES) / max(turned.size)
            width, height = (max(1, round(side * scale)) for side in turned.size)
            place = (int(random.integers(SIDE - width + 1)), int(random.integers(SIDE - height + 1)))
            sheet = Image.new("L", (SIDE, SIDE), 0)
            sheet.paste(turned.resize((width, height), Image.Resampling.LANCZOS), place)
            Image.eval(sheet, lambda value: 255 - value).save(folder / label / f"{number:03}.png")


def redrawn_accuracy(model: Path, drawings: Path, *, count: int = COUNT) -> float:
    """Return the share of redrawn symbols that a run or model file classifies correctly, by `edgecnn evaluate`."""
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as scratch:
        redraw(drawings, Path(scratch) / "redrawn", count=count)
        told = subprocess.run(
            [sys.executable, "-m", "edgecnn", "evaluate", str(model), "--data", str(Path(scratch) / "redrawn"),
             "--output", str(Path(scratch) / "evaluation"), "--json"],
            check=True,
            stdout=subprocess.PIPE,
        ).stdout  # fmt: skip
    return float(json.loads(told)["accuracy"]["value"])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--drawings", type=Path, required=True)
    arguments = parser.parse_args()
    for model in arguments.models:
        accuracy = redrawn_accuracy(model, arguments.drawings)
        print(f"{model}: {accuracy:.4f} of {COUNT * len(DRAWINGS)} redrawn symbols")


if __name__ == "__main__":
    main()
