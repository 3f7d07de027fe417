"""Estimates for microcontrollers and NPUs that are not here, marked as such."""

from collections.abc import Iterator
from html import escape

from edgecnn_benchmarks.measuring.device_estimates import CAVEAT, DeviceEstimate, FileEstimate
from edgecnn_benchmarks.measuring.result import BenchResult
from edgecnn_benchmarks.statistics.quantities import three_digits

# Files whose estimates are shown, the fastest ones; bench.json holds all.
_MOST = 3
_HEADS = ("Device", "Runs", "NPU cycles", "NPU time", "Because")


def devices_section(result: BenchResult) -> str:
    """Write the section; nothing where there are no estimates."""
    estimates = result.estimates
    if not estimates:
        return ""
    tables = "".join("".join(_table(estimate)) for estimate in estimates[:_MOST])
    more = f"<p>{len(estimates) - _MOST} more files are in bench.json.</p>" if len(estimates) > _MOST else ""
    return (
        '<section class="estimates"><h2>Estimates for other devices</h2>'
        f'<p class="lead">{escape(CAVEAT)}</p>{tables}{more}</section>'
    )


def _table(estimate: FileEstimate) -> Iterator[str]:
    heads = "".join(f'<th scope="col">{head}</th>' for head in _HEADS)
    yield f"<h3>{escape(estimate.file)}</h3><p>{escape(estimate.needs)}</p>"
    yield f'<div class="scroll"><table class="words"><thead><tr>{heads}</tr></thead><tbody>'
    yield from (_row(device) for device in estimate.devices)
    yield "</tbody></table></div>"


def _row(device: DeviceEstimate) -> str:
    cycles = "–" if device.cycles is None else f"{device.cycles:,} cycles"
    time = "–" if device.milliseconds is None else f"{three_digits(device.milliseconds)} ms"
    because = device.summary + (f"; {device.system}" if device.system else "")
    return (
        f'<tr><th scope="row">{escape(device.title)}</th><td>{escape(device.answer)}</td><td>{cycles}</td>'
        f"<td>{time}</td><td>{escape(because)}</td></tr>"
    )
