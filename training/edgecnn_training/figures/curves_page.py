"""`training_curves.html`: the curves with hover, in one file that needs no network."""

import base64
import hashlib
import json
import math
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from string import Template

from matplotlib.ticker import MaxNLocator

from edgecnn_training.history import Epoch

# Of a chart's own unit; the page decides how large it is shown.
_WIDTH, _HEIGHT = 480, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 74, 12, 14, 44
# What is shown around values that are all the same.
_AROUND = 0.05


@dataclass(frozen=True)
class _Quantity:
    """What a chart shows."""

    title: str
    axis: str
    training: Callable[[Epoch], float]
    validation: Callable[[Epoch], float]
    write: Callable[[float], str]
    write_tick: Callable[[float], str]
    most: float  # that it can be; the least is 0


_LOSS = _Quantity(
    title="Loss",
    axis="cross-entropy",
    training=lambda epoch: epoch.loss,
    validation=lambda epoch: epoch.val_loss,
    write="{:.4f}".format,
    write_tick="{:.6g}".format,
    most=math.inf,
)
_ACCURACY = _Quantity(
    title="Accuracy",
    axis="classified correctly",
    training=lambda epoch: epoch.accuracy,
    validation=lambda epoch: epoch.val_accuracy,
    write="{:.2%}".format,
    write_tick=lambda tick: f"{100 * tick:.6g}%",
    most=1.0,
)


def curves_page(history: Sequence[Epoch], best: Epoch, *, name: str) -> str:
    """Return the curves as one HTML document; its script runs, and nothing else that might get into it.

    Args:
        history: the scores of the epochs, at least one.
        best: the one of them whose weights were kept.
        name: of the run.
    """
    package = resources.files("edgecnn_training.figures")
    style, script, template = (
        package.joinpath(f"training_curves.{suffix}").read_text(encoding="utf-8")
        for suffix in ("css", "js", "html.template")
    )
    seconds = sum(epoch.seconds for epoch in history)
    epochs = "1 epoch" if len(history) == 1 else f"{len(history)} epochs"
    return Template(template).substitute(
        name=escape(name),
        style=style,
        style_hash=_hash(style),
        script=script,
        script_hash=_hash(script),
        subtitle=f"{epochs} in {_duration(seconds)} · {seconds / len(history):.1f} s an epoch",
        tiles="".join(
            f'<div class="tile"><b>{value}</b><span>{what}</span></div>'
            for value, what in (
                (f"{best.epoch}", f"best epoch, of {len(history)}"),
                (f"{best.val_accuracy:.2%}", "validation accuracy there"),
                (f"{best.val_loss:.4f}", "validation loss there"),
                (f"{best.accuracy:.2%}", "training accuracy there"),
            )
        ),
        charts="".join(_chart(history, best, quantity) for quantity in (_LOSS, _ACCURACY)),
        table=_table(history, best),
    )


def _hash(text: str) -> str:
    """Return what the page's Content-Security-Policy names a style sheet or script by."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _duration(seconds: float) -> str:
    """Write a duration as one reads it.

    >>> _duration(59.94), _duration(3725)
    ('59.9 s', '1 h 2 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _chart(history: Sequence[Epoch], best: Epoch, quantity: _Quantity) -> str:
    values = [read(epoch) for epoch in history for read in (quantity.training, quantity.validation)]
    low, high = min(values), max(values)
    if low == high:
        # No interval to divide: some of what the quantity can be.
        low, high = max(low - _AROUND, 0), min(high + _AROUND, quantity.most)
    ticks = _ticks(low, high)
    first, last = history[0].epoch, max(history[-1].epoch, history[0].epoch + 1)

    def x(epoch: float) -> float:
        return round(_LEFT + (epoch - first) / (last - first) * (_WIDTH - _LEFT - _RIGHT), 1)

    def y(value: float) -> float:
        share = (value - ticks[0]) / (ticks[-1] - ticks[0])
        return round(_HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM), 1)

    points = [
        {
            "x": x(epoch.epoch),
            "training": y(quantity.training(epoch)),
            "validation": y(quantity.validation(epoch)),
            "text": f"Epoch {epoch.epoch}: training {quantity.write(quantity.training(epoch))}, "
            f"validation {quantity.write(quantity.validation(epoch))}",
        }
        for epoch in history
    ]
    svg = ElementTree.Element(
        "svg",
        {
            "viewBox": f"0 0 {_WIDTH} {_HEIGHT}",
            "role": "img",
            "tabindex": "0",
            "aria-label": f"{quantity.title} over the epochs; the table below holds the figures",
            "data-epochs": json.dumps(points),
            "data-best": json.dumps(history.index(best)),
        },
    )
    _draw_axes(
        svg,
        quantity,
        ticks,
        [tick for tick in _ticks(first, last) if tick in range(first, history[-1].epoch + 1)],
        x,
        y,
    )
    for read, kind in ((quantity.training, "training"), (quantity.validation, "validation")):
        path = "M" + "L".join(f"{x(epoch.epoch)} {y(read(epoch))}" for epoch in history)
        # A single epoch is a line of no length, which its round ends make a dot.
        ElementTree.SubElement(svg, "path", {"class": f"curve {kind}", "d": path + ("h0" if len(history) == 1 else "")})
    place = {"cx": f"{x(best.epoch)}", "cy": f"{y(quantity.validation(best))}"}
    ElementTree.SubElement(svg, "circle", {"class": "ring", "r": "7", **place})
    top, bottom = f"{_TOP}", f"{_HEIGHT - _BOTTOM}"
    ElementTree.SubElement(svg, "line", {"class": "guide", "x1": "0", "x2": "0", "y1": top, "y2": bottom})
    for kind in ("training", "validation"):
        ElementTree.SubElement(svg, "circle", {"class": f"dot of-{kind}", "r": "4.5", "cx": "0", "cy": "0"})
    drawn = ElementTree.tostring(svg, encoding="unicode", short_empty_elements=False)
    return (
        f'<section><h2>{quantity.title}</h2><figure>{drawn}<p class="readout" aria-live="polite">'
        f"{escape(str(points[history.index(best)]['text']))}</p>"
        '<figcaption class="legend"><span><i class="of-training">┅</i> training</span>'
        '<span><i class="of-validation">━</i> validation</span><span><i class="of-best">○</i> best epoch</span>'
        "</figcaption></figure></section>"
    )


def _draw_axes(
    svg: ElementTree.Element,
    quantity: _Quantity,
    ticks: Sequence[float],
    epochs: Sequence[float],
    x: Callable[[float], float],
    y: Callable[[float], float],
) -> None:
    def text(content: str, **attributes: str) -> None:
        named = {key.replace("_", "-"): value for key, value in attributes.items()}
        ElementTree.SubElement(svg, "text", named).text = content

    for tick in ticks:
        place = f"{y(tick)}"
        ends = {"x1": f"{_LEFT}", "x2": f"{_WIDTH - _RIGHT}", "y1": place, "y2": place}
        ElementTree.SubElement(svg, "line", {"class": "grid", **ends})
        text(quantity.write_tick(tick), x=f"{_LEFT - 8}", y=place, text_anchor="end", dominant_baseline="middle")
    for epoch in epochs:
        text(f"{epoch:.0f}", x=f"{x(epoch)}", y=f"{_HEIGHT - _BOTTOM + 18}", text_anchor="middle")
    text("epoch", x=f"{(_LEFT + _WIDTH) / 2}", y=f"{_HEIGHT - 6}", text_anchor="middle")
    middle = (_HEIGHT - _BOTTOM + _TOP) / 2
    text(quantity.axis, x="0", y="0", text_anchor="middle", transform=f"translate(12 {middle}) rotate(-90)")


def _ticks(low: float, high: float) -> list[float]:
    """Return about six round figures around an interval, however narrow it is."""
    return [float(tick) for tick in MaxNLocator(nbins=6, steps=[1, 2, 5, 10]).tick_values(low, high)]


def _table(history: Sequence[Epoch], best: Epoch) -> str:
    heads = ("epoch", "loss", "accuracy", "val. loss", "val. accuracy", "learning rate", "seconds")
    return (
        "<table><thead><tr>"
        + "".join(f'<th scope="col">{head}</th>' for head in heads)
        + "</tr></thead><tbody>"
        + "".join(_table_rows(history, best))
        + "</tbody></table>"
    )


def _table_rows(history: Sequence[Epoch], best: Epoch) -> Iterator[str]:
    for epoch in history:
        cells = (
            f"{epoch.loss:.4f}",
            f"{epoch.accuracy:.2%}",
            f"{epoch.val_loss:.4f}",
            f"{epoch.val_accuracy:.2%}",
            f"{epoch.learning_rate:.3g}",
            f"{epoch.seconds:.1f}",
        )
        body = "".join(f"<td>{cell}</td>" for cell in cells)
        yield f'<tr class="{"best" if epoch is best else "other"}"><th scope="row">{epoch.epoch}</th>{body}</tr>'
