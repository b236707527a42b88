"""Results as HTML for notebooks: plain tables, everything escaped."""

from collections.abc import Iterable, Sequence
from html import escape

_STYLE = "border-collapse:collapse;margin:0.4em 0"
_CELL = "text-align:left;padding:0.1em 0.8em 0.1em 0;border-bottom:1px solid #dddddd"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return rows as an HTML table, or nothing where there are none."""
    body = "".join(
        "<tr>" + "".join(f'<td style="{_CELL}">{escape(readable(v))}</td>' for v in row) + "</tr>"
        for row in rows
    )
    if not body:
        return ""
    titles = "".join(f'<th style="{_CELL}">{escape(title)}</th>' for title in head)
    return (
        f'<table style="{_STYLE}">' + (f"<tr>{titles}</tr>" if titles else "") + f"{body}</table>"
    )


def readable(value: object) -> str:
    """A number with four significant digits, a dash for nothing, text as it is.

    Examples
    --------
    >>> readable(0.123456), readable(1234567.0), readable(None), readable("red")
    ('0.1235', '1,234,567', '-', 'red')
    """
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.0f}" if 1e4 <= abs(value) < 1e15 else f"{value:.4g}"
    return str(value)
