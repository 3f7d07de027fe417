"""The run folder in miniature, and its benchmark."""

from tiny_bench import tiny_result, tiny_run

__all__ = ["tiny_result", "tiny_run"]
