"""Fenced blocks of the README and the docs, and how each of them is tried out.

A page is played from top to bottom in a folder of its own:

=========  ==========================================================================
python     runs, all blocks of a page in one namespace; with ``title="path"`` it is
           written to that file instead, for a command to run
yaml       a whole component, settings of a mix, the configuration of a run or steps of a
           CI job; loaded and validated as what it is
console    every command after ``$`` is run where that is cheap; of others target, module,
           package and options are looked up
text       output that is shown; below ``<!-- printed -->`` it has to have been printed
toml       written to its ``title``
json       parsed
=========  ==========================================================================

Comments that say something of the next block: ``<!-- not run: reason -->``, ``<!-- fails -->``
(the command must not succeed), ``<!-- printed -->``. ``<!-- setup … -->`` is code that readers do
not see.
"""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

_ITEM = re.compile(
    r"^(?P<indent> *)(?P<ticks>`{3,})(?P<info>[^\n`]*)\n(?P<body>.*?)^(?P=indent)(?P=ticks) *$"
    r"|<!--(?P<comment>.*?)-->",
    re.MULTILINE | re.DOTALL,
)
_TITLE = re.compile(r'title="([^"]+)"')
_DIRECTIVES = ("not run:", "fails", "printed")


@dataclass(frozen=True)
class Block:
    """One fenced block, or code for setup.

    Attributes
    ----------
    language : str
        First word of the fence's info, or ``setup``.
    title : str or None
        The file that the block is.
    directive, reason : str
        What a comment above it says of it.
    """

    page: str
    line: int
    language: str
    body: str
    title: str | None = None
    directive: str = ""
    reason: str = ""

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks_of(page: Path) -> Iterator[Block]:
    """All blocks of a page, from top to bottom."""
    text = page.read_text(encoding="utf-8")
    name, directive, reason, end = name_of(page), "", "", 0
    for found in _ITEM.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        between = text[end : found.start()].strip()
        if directive and between:
            raise AssertionError(f"{name}:{line}: text between '{directive}' and its block")
        end = found.end()
        if found["comment"] is not None:
            comment = found["comment"].strip()
            if comment.startswith("setup"):
                yield Block(name, line, "setup", comment.removeprefix("setup"))
            elif comment.startswith(_DIRECTIVES):
                directive, _, reason = (part.strip() for part in comment.partition(":"))
            continue
        title = _TITLE.search(found["info"])
        yield Block(
            name,
            line,
            found["info"].split()[0] if found["info"].strip() else "",
            textwrap.dedent(found["body"]),
            title[1] if title else None,
            directive,
            reason,
        )
        directive, reason = "", ""
    if directive:
        raise AssertionError(f"{name}: '{directive}' belongs to no block")
