"""SVG elements as text."""

from html import escape


def element(name: str, *children: str, **attributes: str | float) -> str:
    """Write an element; numbers are rounded to a tenth of a px, attribute values escaped, children taken as they are.

    An underscore in an attribute's name becomes a hyphen; one at its end is dropped (`class_`).

    >>> element("text", "fast", class_="tick", x=1.234, text_anchor="end")
    '<text class="tick" x="1.2" text-anchor="end">fast</text>'
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value) if isinstance(value, str) else f"{value:.1f}"}"'
        for key, value in attributes.items()
    )
    return f"<{name}{written}>{''.join(children)}</{name}>"


def drawing(width: float, height: float, *children: str, label: str, class_: str = "") -> str:
    """Write a whole chart, `label` for those who cannot see it; the page decides how large it is shown."""
    return element(
        "svg",
        *children,
        class_=f"chart {class_}".strip(),
        viewBox=f"0 0 {width:g} {height:g}",
        role="group",
        aria_label=label,
    )


def telling(tip: str, *children: str, **attributes: str | float) -> str:
    """Group what shows its figures when the pointer or the keyboard is on it; the first line is the heading.

    `page.js` shows `data-tip` and makes the first one of a chart reachable; without it a browser shows `title`.
    """
    own = {"role": "img", "aria_label": tip.replace("\n", ", "), "data_tip": tip, **attributes}
    return element("g", *children, title(tip), **own)


def title(text: str) -> str:
    """Write what is shown when the pointer rests on the parent element."""
    return element("title", escape(text))


def text(content: str, *, x: float, y: float, class_: str, anchor: str = "start") -> str:
    """Write one line of text, escaped; `y` is its base line."""
    return element("text", escape(content), class_=class_, x=x, y=y, text_anchor=anchor)


def line(x1: float, y1: float, x2: float, y2: float, *, class_: str) -> str:
    """Draw a straight line."""
    return element("line", class_=class_, x1=x1, y1=y1, x2=x2, y2=y2)


def interval(*, x: tuple[float, float], y: float) -> str:
    """Return the path of a horizontal error bar with caps."""
    low, high = x
    return f"M{low:.1f} {y:.1f}H{high:.1f}M{low:.1f} {y - 4:.1f}v8M{high:.1f} {y - 4:.1f}v8"


def upright_interval(*, x: float, y: tuple[float, float]) -> str:
    """Return the path of a vertical error bar with caps."""
    low, high = y
    return f"M{x:.1f} {low:.1f}V{high:.1f}M{x - 4:.1f} {low:.1f}h8M{x - 4:.1f} {high:.1f}h8"
