"""A few SVG elements as text, every name and number escaped."""

from collections.abc import Iterable

from markupsafe import Markup, escape


def element(name: str, content: str | Iterable[str] = "", **attributes: object) -> Markup:
    """An element; ``class_`` is class, underscores are hyphens, numbers get at most two decimals, None is left out."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_number(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    inside = content if isinstance(content, str) else Markup("").join(content)
    return Markup(f"<{name}{written}>") + escape(inside) + Markup(f"</{name}>")


def _number(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return str(value)


def rect(x: float, y: float, width: float, height: float, class_: str, title: str = "", **attributes: object) -> Markup:
    """A rectangle that says what it is when pointed at."""
    return element(
        "rect", element("title", title) if title else "", x=x, y=y, width=max(0.0, width), height=max(0.0, height),
        class_=class_, **attributes,
    )  # fmt: skip


def text(x: float, y: float, content: str, class_: str = "", anchor: str = "start") -> Markup:
    """A line of text; ``anchor`` is start, middle or end."""
    return element("text", content, x=x, y=y, class_=class_ or None, text_anchor=anchor)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """A straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def picture(width: float, height: float, label: str, content: Iterable[str]) -> Markup:
    """An SVG that scales with its column; ``label`` is what a screen reader says."""
    return element(
        "svg", content, viewBox=f"0 0 {width:g} {height:g}", role="img", aria_label=label, class_="chart",
        font_size=11,
    )  # fmt: skip


def shortened(name: str, most: int) -> str:
    """A name without its middle where it is longer than ``most`` characters; nothing unprintable."""
    printable = "".join(c if c.isprintable() else " " for c in name)
    if len(printable) <= most:
        return printable
    half = max(1, (most - 1) // 2)
    return f"{printable[:half]}…{printable[-half:]}"
