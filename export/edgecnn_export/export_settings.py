"""What to export and how."""

from dataclasses import dataclass

from edgecnn_export.formats import Format
from edgecnn_export.int8.calibration import CalibrationMethod
from edgecnn_export.optimized.plan import Plan
from edgecnn_runtime.errors import InputError


@dataclass(frozen=True)
class ExportSettings:
    """What to export and how."""

    formats: tuple[Format, ...]
    calibration_images: int | None = None  # None: 200, or all training images where there are fewer
    seed: int = 0
    max_drop: float = 1.0  # points of accuracy: climbed to on the validation images, gated on the test split
    opset: int = 17
    calibration: CalibrationMethod = CalibrationMethod.MINMAX
    reduce_range: bool = False  # int8 ONNX for x86 CPUs without VNNI
    plan: Plan | None = None  # to prune, cluster or train quantization-aware first

    def __post_init__(self) -> None:
        if not self.max_drop >= 0:
            raise InputError(f"max-drop: expected 0 or more points, got {self.max_drop:g}")
        if not 13 <= self.opset <= 21:
            raise InputError(f"opset: expected 13…21, got {self.opset}")
