"""How a window slides, given by hand."""

import enum
from dataclasses import dataclass

from edgecnn_runtime.errors import InputError


class Padding(enum.StrEnum):
    """What a window does at the border."""

    VALID = "valid"  # it stays within the image, which shrinks
    SAME = "same"  # the image is padded so that with stride 1 its size stays


@dataclass(frozen=True)
class Window:
    """A sliding window given by hand."""

    stride: int = 1
    padding: Padding = Padding.VALID
    pool: int = 2
    pool_stride: int | None = None  # None: as large as the pool, as in Keras
    pool_padding: Padding = Padding.VALID

    def __post_init__(self) -> None:
        for name, value in (("stride", self.stride), ("pool", self.pool), ("pool stride", self.pool_stride)):
            if value is not None and value < 1:
                raise InputError(f"{name}: expected at least 1, got {value}")
