"""The history as a page."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from synthmix_dagster.data.store import is_uri
from synthmix_dagster.display.formatting import readable
from synthmix_dagster.display.templates import render

if TYPE_CHECKING:
    from synthmix_dagster.release.history import Entry, History


#: Mixes and partitions of which pictures are drawn.
MAX_PLACES = 6


@dataclass(frozen=True)
class Mark:
    """One entry in a picture: where it lies, from 0 to 100, and what it is."""

    x: float
    y: float
    kind: str


@dataclass(frozen=True)
class Panel:
    """A number over time.

    Attributes
    ----------
    title : str
    low, high : float
        Ends of its axis.
    marks : tuple of Mark
    limits : tuple of tuple of float
        Places of the threshold, where there was one.
    alarms : tuple of float
        Where alarms of drift lie.
    description : str
        Text alternative.
    """

    title: str
    low: float
    high: float
    marks: tuple[Mark, ...]
    limits: tuple[tuple[float, float], ...]
    alarms: tuple[float, ...]
    description: str


def history_page(history: "History", folder: str | None = None, left_out: int = 0) -> str:
    """Return a history as one HTML page.

    Parameters
    ----------
    history : History
    folder : str, optional
        Folder that the page will lie in: links to reports below it are relative.
    left_out : int
        Older entries that are not in it.
    """
    entries = history.entries
    kinds = [entry.kind for entry in entries]
    return render(
        "release/templates/history.html.jinja",
        title=f"History of {_name(history.uri)}",
        uri=history.uri,
        counts={kind: kinds.count(kind) for kind in ("released", "refused", "drift alarm")},
        latest=entries[-1] if entries else None,
        panels=list(_panels(entries)),
        several=len({entry.name for entry in entries}) > 1,
        rows=[
            {**asdict(entry), "name": entry.name, "link": _link(entry, folder)}
            for entry in reversed(entries)
        ],
        left_out=left_out,
    )


def _panels(entries: "Sequence[Entry]") -> "Iterator[Panel]":
    """Pictures of each mix by itself; none where there are too many to look at."""
    places = list(dict.fromkeys(entry.name for entry in entries))
    for place in places if len(places) <= MAX_PLACES else []:
        own = [entry for entry in entries if entry.name == place]
        of = f" of {place}" if len(places) > 1 else ""
        for name, title in (("gap", f"Gap{of}, and the threshold"), ("ratio", f"Ratio{of}")):
            panel = _panel(own, name, title)
            if panel is not None:
                yield panel


def _panel(entries: "Sequence[Entry]", name: str, title: str) -> Panel | None:
    """One number of all entries, in their order: they come when somebody releases."""
    values: list[float | None] = [getattr(entry, name) for entry in entries]
    limits = [entry.threshold if name == "gap" else None for entry in entries]
    known = [value for value in (*values, *limits) if value is not None]
    if sum(value is not None for value in values) < 2:
        return None
    low, high = min(0.0, *known), max(*known)
    step = 100 / max(len(entries) - 1, 1)

    def place(number: int, value: float) -> tuple[float, float]:
        return round(number * step, 2), round(100 - 100 * (value - low) / (high - low or 1), 2)

    drawn = [(n, value, entries[n].kind) for n, value in enumerate(values) if value is not None]
    return Panel(
        title,
        low,
        high,
        tuple(Mark(*place(n, value), kind) for n, value, kind in drawn),
        tuple(place(n, value) for n, value in enumerate(limits) if value is not None),
        tuple(round(n * step, 2) for n, each in enumerate(entries) if each.kind == "drift alarm"),
        f"{len(drawn)} values from {readable(low)} to {readable(high)}; the last is "
        f"{readable(drawn[-1][1])}. The table has all of them.",
    )


def _link(entry: "Entry", folder: str | None) -> str | None:
    """Where the report is from the page; None where a browser could not open it."""
    if entry.report is None:
        return None
    if folder is not None and entry.report.startswith(f"{folder}/"):
        return entry.report[len(folder) + 1 :]
    return None if is_uri(entry.report) else Path(entry.report).absolute().as_uri()


def _name(uri: str) -> str:
    return uri.rstrip("/").rpartition("/")[2] or uri
