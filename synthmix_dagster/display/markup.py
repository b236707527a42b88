"""Parts of an HTML page, written so that they are well-formed, escaped and accessible.

Everything that comes from the user goes through `text`; there is no other way in.
"""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Literal

from synthmix_dagster.display.html import readable
from synthmix_dagster.display.style import (
    CHOSEN,
    CURVE,
    INK,
    LINE,
    ON_DARK,
    PAPER,
    QUIET,
    variable,
)

#: What comes of a check.
Result = Literal["passed", "failed", "warning", "not asked for"]

_RULES = """
* { box-sizing: border-box; }
html { color-scheme: light dark; }
body { margin: 0 auto; padding: 2.5rem 1.25rem 4rem; max-width: 58rem;
  background: PAPER; color: INK;
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
h1 { font-size: 1.75rem; line-height: 1.25; margin: 0 0 .6rem; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; line-height: 1.3; margin: 3rem 0 .6rem; padding-top: .7rem;
  border-top: 1px solid LINE; }
p, li { max-width: 46rem; overflow-wrap: anywhere; }
.lead { font-size: 1.1rem; }
.quiet, caption, figcaption, footer { color: QUIET; }
a { color: CURVE; }
nav ol { columns: 2 14rem; max-width: 40rem; margin: 1rem 0; padding-left: 1.4rem; }
.keys { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: .75rem;
  margin: 1.5rem 0; }
.keys div { border: 1px solid LINE; border-radius: .5rem; padding: .7rem .9rem; }
.keys dt { color: QUIET; font-size: .875rem; }
.keys dd { margin: 0; font-size: 1.4rem; font-variant-numeric: tabular-nums; }
.keys dd span { display: block; font-size: .875rem; color: QUIET; }
.wide { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding-bottom: .3rem; font-size: .92rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem 1.4rem .3rem 0;
  border-bottom: 1px solid LINE; overflow-wrap: break-word; max-width: 30rem; }
th { font-weight: 600; }
tbody th { font-weight: 500; }
td.number, th.number { text-align: right; }
td.said { min-width: 15rem; }
.passed::before { content: "\\2713\\00a0"; }
.failed, .warning { color: CHOSEN_TEXT; font-weight: 600; }
.warning::before { content: "!\\00a0"; }
.failed::before { content: "\\2717\\00a0"; }
figure { margin: 1.2rem 0; }
figure svg { display: block; width: 100%; max-width: 46rem; height: auto; }
figure svg * { stroke-linejoin: round; stroke-linecap: butt; }
figure svg text { fill: INK; }
figcaption { font-size: .92rem; max-width: 46rem; }
code, pre { font: .88em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
code { overflow-wrap: anywhere; }
pre { border: 1px solid LINE; border-radius: .5rem; padding: .8rem 1rem; overflow-x: auto;
  white-space: pre-wrap; overflow-wrap: anywhere; }
dl.words dt { font-weight: 600; margin-top: .6rem; }
dl.words dd { margin: 0; max-width: 46rem; }
footer { margin-top: 3rem; border-top: 1px solid LINE; padding-top: .8rem; font-size: .88rem; }
@media print {
  html { font-size: 10pt; }
  body { max-width: none; padding: 0; }
  nav { display: none; }
  h2, caption, thead { break-after: avoid; }
  h2 { margin-top: 1.6rem; }
  figure, tr, pre, .keys div { break-inside: avoid; }
  footer { margin-top: 1rem; }
  .wide { overflow: visible; }
  a { color: inherit; text-decoration: none; }
}
@page { margin: 16mm 15mm; }
"""
#: Words in the colour of a choice: the one of the pictures is too light for text on white.
_CHOSEN_TEXT = "#a84300"


def page(title: str, body: str) -> str:
    """A whole document that carries its own style."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{text(title)}</title>\n<style>{_style()}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def text(value: object) -> str:
    r"""A value as text that is no markup, whatever it holds.

    Examples
    --------
    >>> text("<script>"), text("a\x00b"), text(0.123456), text(12345)
    ('&lt;script&gt;', 'a�b', '0.1235', '12,345')
    """
    whole = isinstance(value, int) and not isinstance(value, bool)
    shown = f"{value:,}" if whole else readable(value)
    shown = shown.encode("utf-8", "replace").decode("utf-8")
    kept = (c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in shown)
    return escape("".join(kept))


def paragraph(value: object, kind: str = "") -> str:
    """A paragraph of plain text."""
    return f"<p{_class(kind)}>{text(value)}</p>"


def bullets(values: Iterable[object]) -> str:
    """A list, or nothing where there is nothing to list."""
    items = "".join(f"<li>{text(value)}</li>" for value in values)
    return f"<ul>{items}</ul>" if items else ""


def section(name: str, title: str, *parts: str) -> str:
    """A section under a heading that can be linked to."""
    return f'<section aria-labelledby="{name}">\n<h2 id="{name}">{text(title)}</h2>\n' + (
        "\n".join(filter(None, parts)) + "\n</section>"
    )


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table whose first column names its rows, or nothing where there are none."""
    rows = [list(row) for row in rows]
    if not rows:
        return ""
    # A column is set like numbers if it holds numbers.
    numeric = [
        any(isinstance(row[at], int | float) for row in rows)
        and all(isinstance(row[at], int | float | None) for row in rows)
        for at in range(len(head))
    ]
    titles = "".join(
        f'<th scope="col"{_class("number" if number else "")}>{text(title)}</th>'
        for title, number in zip(head, numeric, strict=True)
    )
    body = "".join(_row(row, numeric) for row in rows)
    return _table(caption, f"<thead><tr>{titles}</tr></thead>", body)


def facts(caption: str, pairs: Iterable[tuple[str, object]]) -> str:
    """A table of names and what they are."""
    body = "".join(_row(pair, [False, False]) for pair in pairs)
    return _table(caption, "", body) if body else ""


def verdicts(caption: str, rows: Iterable[tuple[str, Result, str]]) -> str:
    """A table of checks: what each found, and what came of it."""
    body = "".join(
        f'<tr><th scope="row">{text(name)}</th><td><span class="{result.replace(" ", "-")}">'
        f'{result}</span></td><td class="said">{text(sentence)}</td></tr>'
        for name, result, sentence in rows
    )
    head = "".join(f'<th scope="col">{title}</th>' for title in ("check", "result", "found"))
    return _table(caption, f"<thead><tr>{head}</tr></thead>", body) if body else ""


def keys(pairs: Iterable[tuple[str, str, str]]) -> str:
    """The few numbers that matter most: name, value, and a remark."""
    items = "".join(
        f"<div><dt>{text(name)}</dt><dd>{text(value)}<span>{text(remark)}</span></dd></div>"
        for name, value, remark in pairs
    )
    return f'<dl class="keys">{items}</dl>'


def words(pairs: Iterable[tuple[str, str]]) -> str:
    """A list of words and what they mean."""
    items = "".join(f"<dt>{text(word)}</dt><dd>{text(meaning)}</dd>" for word, meaning in pairs)
    return f'<dl class="words">{items}</dl>'


def figure(drawn: str, caption: str) -> str:
    """A picture, already an SVG element, over its caption."""
    return f"<figure>{drawn}<figcaption>{text(caption)}</figcaption></figure>"


def code(lines: Iterable[str]) -> str:
    """Lines of a program."""
    return f"<pre><code>{text(chr(10).join(lines))}</code></pre>"


def _table(caption: str, head: str, body: str) -> str:
    # What may have to be scrolled must be reachable by the keyboard, and have a name.
    name = f'role="region" aria-label="{text(caption)}" tabindex="0"'
    return (
        f'<div class="wide" {name}><table><caption>{text(caption)}</caption>{head}'
        f"<tbody>{body}</tbody></table></div>"
    )


def _row(values: Sequence[object], numeric: Sequence[bool]) -> str:
    first, *rest = values
    cells = "".join(
        f"<td{_class('number' if number else _kind(value))}>{text(value)}</td>"
        for value, number in zip(rest, numeric[1:], strict=True)
    )
    kind = _class("number" if numeric[0] else "")
    return f'<tr><th scope="row"{kind}>{text(first)}</th>{cells}</tr>'


def _kind(value: object) -> str:
    """Sentences keep a width that they can be read at, on a narrow screen as well."""
    return "said" if isinstance(value, str) and value.count(" ") > 5 else ""


def _class(name: str) -> str:
    return f' class="{name}"' if name else ""


def _style() -> str:
    """The rules, in the colours of the pictures; dark on a screen where the reader wants it so."""
    light = "".join(f"{variable(colour)}: {colour}; " for colour in ON_DARK)
    dark = "".join(f"{variable(colour)}: {other}; " for colour, other in ON_DARK.items())
    rules = _RULES.replace("CHOSEN_TEXT", "var(--chosen-text)")
    for name, colour in {
        "PAPER": PAPER,
        "INK": INK,
        "QUIET": QUIET,
        "LINE": LINE,
        "CURVE": CURVE,
    }.items():
        rules = rules.replace(name, f"var({variable(colour)})")
    return (
        f"\n:root {{ {light}--chosen-text: {_CHOSEN_TEXT}; }}\n"
        "@media screen and (prefers-color-scheme: dark) {\n"
        f"  :root {{ {dark}--chosen-text: {ON_DARK[CHOSEN]}; }}\n}}{rules}"
    )
