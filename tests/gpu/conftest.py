"""A small prepared set of real digits."""

from tiny_sets import small_set, write_set

__all__ = ["small_set", "write_set"]
