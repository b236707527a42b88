"""Releases with all their evidence, which the tests of reports and of the command line share."""

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from scenario import good, rows

from synthmix_dagster import Release, measure_distance, mix, recommend_ratio

TASK = {"target": "y", "task": "regression"}
#: A name that would be a program if a page took it for markup.
EVIL = "<script>alert('x')</script>"
_VOID = {"br", "img", "hr", "meta", "link", "input"}


def publish(output: Path, *, rename: dict[str, str] | None = None, **options: Any) -> Release:
    """A release with distance, recommendation and a gate that passed."""
    real, synthetic = (side.rename(columns=rename or {}) for side in (rows(60, seed=0), good(200)))
    task = {**TASK, "target": (rename or {}).get("y", "y")}
    distance = measure_distance(real, synthetic, permutations=19, directions=20, **task)
    advice = recommend_ratio(real, synthetic, distance=distance, **task)
    given = {"ratio": advice.ratio, "threshold": 0.8, **options}
    return mix(real, synthetic, output=output, distance=distance, recommendation=advice, **given)


class Page(HTMLParser):
    """A page taken apart; it fails on tags that are not closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: list[tuple[str, str]] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), f"an attribute of {tag} twice"
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"{tag} was never opened"
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append((self._open[-1] if self._open else "", data.strip()))

    def attributes(self, tag: str) -> list[dict[str, str]]:
        """Attributes of every element of that name."""
        return [attributes for name, attributes in self.tags if name == tag]

    def text(self) -> str:
        """Everything a reader reads."""
        return "\n".join(data for tag, data in self.texts if tag != "style")
