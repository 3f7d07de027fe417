"""Well-known boards, and whether a file fits their flash and its activations their RAM.

Flash and RAM are what a program uses without further ado; a note tells of more on the board. Of boards that are sold
with several sizes, the smallest. Their makers' KB and MB are 1024 and 1024² bytes.
"""

import re
from dataclasses import dataclass, replace

from edgecnn_export.inspection.model import InspectedModel
from edgecnn_export.inspection.targets import litert, onnxruntime, tflite_micro
from edgecnn_export.inspection.verdict import Fit, Obstacle, Target, Verdict, to_int8
from edgecnn_runtime.errors import InputError

KIB, MIB, GIB = 1024, 1024**2, 1024**3

# By the suffix of the files that they take.
LINUX_INTERPRETERS = {target.container.format.suffix: target for target in (litert.TARGET, onnxruntime.TARGET)}

# From this share on it is tight: the program, its stack and the camera's image need room too.
_TIGHT = 0.8


@dataclass(frozen=True)
class Board:
    """One board; `flash` is None where models lie on an SD card or a disk, and Linux runs them."""

    name: str  # on the command line
    title: str
    flash: int | None  # bytes
    ram: int  # bytes
    source: str  # of the two figures
    note: str = ""

    def runtime(self, model: InspectedModel) -> Target:
        """Return the target whose verdict decides whether the file runs here at all."""
        return LINUX_INTERPRETERS[model.container.format.suffix] if self.flash is None else tflite_micro.TARGET

    def judge(self, model: InspectedModel, runtime: Verdict) -> Verdict:
        """Judge a file for this board, given the verdict of the interpreter that runs there."""
        obstacles = list(runtime.obstacles) if runtime.answer is Fit.NO else []
        if not self.runtime(model).takes(model):
            return Verdict(self.name, Fit.NO, runtime.summary, tuple(obstacles))
        shares = []
        # Linux keeps the file's weights in memory; a microcontroller reads them from its flash.
        if self.flash is not None:
            shares.append(_share("flash", model.size, self.flash))
            if model.size > self.flash:
                obstacles.append(_too_large(model))
        arena = model.manifest.arena_bytes if model.manifest and self.flash is not None else None
        memory = self._estimate(model) if arena is None else arena
        if memory is None:
            shares.append("RAM not known, since a size is open")
        else:
            shares.append(_share("RAM", memory, self.ram) + (" (estimate)" if arena is None else " (measured)"))
            if memory > self.ram:
                obstacles.append(self._noted(_too_hungry(model, memory)))
        summary = ", ".join(shares)
        if obstacles:
            return Verdict(self.name, Fit.NO, summary, tuple(obstacles))
        if runtime.answer is Fit.OPEN:
            return Verdict(self.name, Fit.OPEN, f"{summary}; {runtime.summary}")
        if memory is None:
            return Verdict(self.name, Fit.OPEN, summary)
        if max(model.size / self.flash if self.flash else 0.0, memory / self.ram) > _TIGHT:
            summary += "; tight: the program, its stack and the image need room too"
        return Verdict(self.name, Fit.YES, summary)

    def _noted(self, obstacle: Obstacle) -> Obstacle:
        return replace(obstacle, remedy=f"{obstacle.remedy} ({self.note})") if self.note else obstacle

    def _estimate(self, model: InspectedModel) -> int | None:
        if model.peak is None:
            return None
        return model.peak.size + (model.size if self.flash is None else 0)


_ARDUINO = "https://docs.arduino.cc/hardware/nano-33-ble-sense-rev2"
_PICO = "https://www.raspberrypi.com/documentation/microcontrollers/pico-series.html"
_PI = "https://www.raspberrypi.com/products/"
_ST = "https://www.st.com/en/evaluation-tools/"

BOARDS = {
    board.name: board
    for board in (
        Board(
            "arduino-nano-33-ble-sense",
            "Arduino Nano 33 BLE Sense (nRF52840, Cortex-M4F)",
            1 * MIB,
            256 * KIB,
            _ARDUINO,
        ),
        Board(
            "sparkfun-edge",
            "SparkFun Edge (Ambiq Apollo3 Blue, Cortex-M4F)",
            1 * MIB,
            384 * KIB,
            "https://www.sparkfun.com/products/15170",
        ),
        Board(
            "nucleo-l4r5zi",
            "ST Nucleo-L4R5ZI (Cortex-M4F), the reference board of MLPerf Tiny",
            2 * MIB,
            640 * KIB,
            _ST + "nucleo-l4r5zi.html",
        ),
        Board(
            "stm32f746g-disco",
            "ST 32F746GDISCOVERY (Cortex-M7)",
            1 * MIB,
            340 * KIB,
            _ST + "32f746gdiscovery.html (user manual UM1907)",
            "8 MB of SDRAM stand beside it on the board",
        ),
        Board(
            "nucleo-h743zi",
            "ST Nucleo-H743ZI2 (Cortex-M7)",
            2 * MIB,
            1 * MIB,
            _ST + "nucleo-h743zi.html",
            "its RAM is in several banks, the largest of 512 KB",
        ),
        Board(
            "esp32-s3",
            "ESP32-S3-DevKitC-1-N8R8 (Xtensa LX7)",
            8 * MIB,
            512 * KIB,
            "https://docs.espressif.com/projects/esp-dev-kits/en/latest/esp32s3/esp32-s3-devkitc-1/ and the ESP32-S3 "
            "data sheet",
            "8 MB of PSRAM stand beside it on the module",
        ),
        Board("raspberry-pi-pico", "Raspberry Pi Pico (RP2040, Cortex-M0+)", 2 * MIB, 264 * KIB, _PICO),
        Board("raspberry-pi-pico-2", "Raspberry Pi Pico 2 (RP2350, Cortex-M33)", 4 * MIB, 520 * KIB, _PICO),
        Board("raspberry-pi-zero-2-w", "Raspberry Pi Zero 2 W", None, 512 * MIB, _PI + "raspberry-pi-zero-2-w/"),
        Board("raspberry-pi-3", "Raspberry Pi 3 Model B+", None, 1 * GIB, _PI + "raspberry-pi-3-model-b-plus/"),
        Board("raspberry-pi-4", "Raspberry Pi 4 Model B", None, 1 * GIB, _PI + "raspberry-pi-4-model-b/"),
        Board("raspberry-pi-5", "Raspberry Pi 5", None, 1 * GIB, _PI + "raspberry-pi-5/"),
        Board(
            "jetson-nano",
            "NVIDIA Jetson Nano Developer Kit",
            None,
            4 * GIB,
            "https://developer.nvidia.com/embedded/jetson-nano",
        ),
    )
}

# What people call them.
SHORT_NAMES = {
    "nano33": "arduino-nano-33-ble-sense",
    "pico": "raspberry-pi-pico",
    "pico2": "raspberry-pi-pico-2",
    "pizero2": "raspberry-pi-zero-2-w",
    "pi3": "raspberry-pi-3",
    "pi4": "raspberry-pi-4",
    "pi5": "raspberry-pi-5",
}

_OWN_BOARD = re.compile(r"flash=(\d+)([KM])B?,ram=(\d+)([KM])B?", re.IGNORECASE)


def find_board(name: str) -> Board | None:
    """Return the board of that name, short name or sizes; None where there is none.

    Raises:
        InputError: a board of the user's own that is none.

    >>> find_board("pi4").title
    'Raspberry Pi 4 Model B'
    """
    return BOARDS.get(SHORT_NAMES.get(name, name)) or own_board(name)


def own_board(text: str) -> Board | None:
    """Read a board of the user's own, `flash=1M,ram=256K`; None where the text is no such thing.

    Raises:
        InputError: it begins like one and is none.

    >>> own_board("flash=1M,ram=256K").ram
    262144
    """
    if not text.lower().startswith(("flash=", "ram=")):
        return None
    match = _OWN_BOARD.fullmatch(text)
    if match is None:
        raise InputError(f"target: expected a board such as flash=1M,ram=256K (K or M), got {text}")
    unit = {"K": KIB, "M": MIB}
    flash, flash_unit, ram, ram_unit = match.groups()
    sizes = int(flash) * unit[flash_unit.upper()], int(ram) * unit[ram_unit.upper()]
    if min(sizes) == 0:
        raise InputError(f"target: expected flash and ram of more than 0, got {text}")
    return Board(text, "a board of your own", *sizes, source="the command line")


def _share(name: str, needed: int, there: int) -> str:
    percent = 100 * needed / there
    if percent < 0.1:
        return f"less than 0.1 % of the {name}"
    return f"{percent:,.1f} % of the {name}" if percent < 10 else f"{percent:,.0f} % of the {name}"


def _too_large(model: InspectedModel) -> Obstacle:
    why = f"{model.size / KIB:,.0f} KiB are more than the flash holds"
    if 2 * sum(tensor.stored for tensor in model.graph.tensors if tensor.dtype == "float32") > model.size:
        return Obstacle((), why, f"{to_int8(model)}, a quarter of the size")
    heaviest = max(model.graph.operators, key=lambda operator: model.graph.weights_of(operator)[1])
    share = 100 * model.graph.weights_of(heaviest)[1] / model.size
    remedy = (
        f"a smaller network: {heaviest.kind} (operator {heaviest.number}) alone is {share:.0f} % of the file; or "
        "external flash"
    )
    return Obstacle((), why, remedy)


def _too_hungry(model: InspectedModel, memory: int) -> Obstacle:
    why = f"{memory / KIB:,.0f} KiB of activations live here, more than there is RAM"
    operators = (model.peak.operator,) if model.peak else ()
    remedy = "smaller images, or fewer channels around this operator"
    return Obstacle(operators, why, f"{to_int8(model)}; else {remedy}" if model.computes_in_float else remedy)
