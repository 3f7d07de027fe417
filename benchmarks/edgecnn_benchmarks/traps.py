"""Known ways to misread a benchmark, spoken aloud where these figures hold one."""

from collections.abc import Sequence

from edgecnn_benchmarks.machine import Machine
from edgecnn_benchmarks.machine_state import MachineState
from edgecnn_benchmarks.result import Row, Trap


def find_traps(
    rows: Sequence[Row], reference: Row, *, machine: Machine, start: MachineState, end: MachineState
) -> tuple[Trap, ...]:
    """Look for every known trap."""
    del rows, reference, machine, start, end
    return ()
