"""Which of a section's goals its figures miss, so that no reader has to compare."""

from collections.abc import Mapping


def judged(goals: Mapping[str, bool]) -> list[str]:
    """Return the lines under a table: the goals that were missed, by name.

    >>> judged({"3 times as fast": True, "the same label": True})
    ['', 'All goals are met.']
    >>> judged({"3 times as fast": True, "the same label": False})
    ['', '**Missed: the same label.**']
    """
    missed = [goal for goal, met in goals.items() if not met]
    return ["", f"**Missed: {'; '.join(missed)}.**" if missed else "All goals are met."]
