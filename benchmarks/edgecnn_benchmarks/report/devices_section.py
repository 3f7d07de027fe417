"""What the files would need on microcontrollers and NPUs that are not here: estimates, and called so."""

from html import escape

from edgecnn_benchmarks.device_estimates import CAVEAT, DeviceEstimate, FileEstimate
from edgecnn_benchmarks.quantities import three_digits
from edgecnn_benchmarks.result import BenchResult

_GLYPHS = {"yes": "✓", "partly": "◐", "no": "✗"}


def devices_section(result: BenchResult) -> str:
    """Write the estimates, a table a file; nothing where there are none."""
    if not result.device_estimates:
        return ""
    files = "".join(_file(estimate) for estimate in result.device_estimates)
    return (
        '<section class="devices"><h2>On microcontrollers and NPUs: estimates</h2>'
        f"<p>{escape(CAVEAT)}</p>{files}</section>"
    )


def _file(estimate: FileEstimate) -> str:
    heads = "".join(f'<th scope="col">{head}</th>' for head in ("Device", "Runs", "NPU, by its compiler", "Because"))
    rows = "".join(map(_row, estimate.devices))
    return (
        f"<h3>{escape(estimate.file)}</h3><p>{escape(estimate.needs)}</p>"
        f'<div class="scroll"><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _row(device: DeviceEstimate) -> str:
    npu = "–"
    if device.cycles is not None and device.milliseconds is not None:
        npu = f"{device.cycles:,} cycles, {three_digits(device.milliseconds)} ms"
    system = f"<small>{escape(device.system)}</small>" if device.system else ""
    return (
        f'<tr><th scope="row">{escape(device.title)}<small>{escape(device.device)}</small></th>'
        f"<td>{_GLYPHS.get(device.answer, '?')} {escape(device.answer)}</td><td>{npu}{system}</td>"
        f"<td>{escape(device.summary)}</td></tr>"
    )
