"""How fast each device convolves: the comparison of CPU and GPU that opens the notebook "Casting defects".

The notebook also timed making the random images and the layer, every time; here both are made once, so that the
figure is that of the convolution.
"""

import time
from dataclasses import dataclass

import keras

# As in the notebook: ten times a convolution of 32 filters of 7x7x3 over 100 images of 100x100x3.
RUNS = 10
IMAGES, SIZE, CHANNELS = 100, 100, 3
FILTERS, KERNEL = 32, 7
# Multiply-accumulates of one run; the convolution is "valid".
MACS = IMAGES * (SIZE - KERNEL + 1) ** 2 * FILTERS * KERNEL * KERNEL * CHANNELS


@dataclass(frozen=True)
class ConvolutionSpeed:
    """What one device needed for all `RUNS`, in seconds."""

    device: str
    seconds: float

    @property
    def gflops(self) -> float:
        """Billions of float32 operations a second, a multiply-accumulate counted as two."""
        return 2 * MACS * RUNS / self.seconds / 1e9


def measure_convolution() -> list[ConvolutionSpeed]:
    """Time the convolution on the CPU and on every GPU that Keras's backend can use, the CPU first."""
    gpus = sorted(str(name) for name in keras.distribution.list_devices("gpu"))
    return [_measure(device) for device in ("cpu:0", *gpus)]


def _measure(device: str) -> ConvolutionSpeed:
    with keras.device(device):
        images = keras.random.normal((IMAGES, SIZE, SIZE, CHANNELS), seed=0)
        layer = keras.layers.Conv2D(FILTERS, KERNEL)

        def convolve() -> None:
            # Reading the sum waits until the device has finished.
            keras.ops.convert_to_numpy(keras.ops.sum(layer(images)))

        convolve()  # the first run also builds the layer
        started = time.perf_counter()
        for _ in range(RUNS):
            convolve()
        return ConvolutionSpeed(device, time.perf_counter() - started)
