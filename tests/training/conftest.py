"""A small prepared set of real digits."""

from tiny_sets import quick, small_set, write_set

__all__ = ["quick", "small_set", "write_set"]
