import subprocess
import sys

import needs

from edgecnn_training.stopwatch import Stopwatch

# The process is at least as old as what it has slept; an hour would be another clock.
PROGRAM = """
import time
time.sleep(0.3)
from edgecnn_training.stopwatch import Stopwatch
assert 0.3 <= Stopwatch.of_process().elapsed < 3600
"""


@needs.linux
def test_a_stopwatch_of_the_process_counts_what_was_before_it() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)


def test_a_block_is_timed_by_its_name() -> None:
    watch = Stopwatch(running_for=5)
    with watch.timing("block"):
        pass
    assert list(watch.seconds) == ["block"]
    assert watch.elapsed >= 5 > watch.seconds["block"]
