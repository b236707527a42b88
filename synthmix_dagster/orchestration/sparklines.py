"""Pictures small enough for Dagster to show at once: one line of Markdown each.

Dagster's UI shows Markdown of up to `MAX_CHARACTERS` beside the other metadata and hides longer
one behind a link, so these are SVG written by hand: a few marks on whole pixels. Their ground is
transparent and their tones lie half-way, so that they are legible in the light and the dark theme.
The full pictures are in `display` of each room.
"""

import base64
import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from synthmix_dagster.display.style import CHOSEN, CURVE, PRIOR, REAL, SYNTHETIC
from synthmix_dagster.distance.report import DistanceReport
from synthmix_dagster.drift.report import DriftReport, SeriesReport
from synthmix_dagster.ratio.recommendation import Recommendation
from synthmix_dagster.release.display import shown_portions
from synthmix_dagster.release.manifest import Manifest

#: What Dagster's UI shows without a click.
MAX_CHARACTERS = 1_000
#: Legible on white and on black alike.
_GREY = "#767676"
_WIDTH, _HEIGHT, _EDGE = 320, 48, 6
#: Points of one curve, and of each of the three series of drift: what there is room for.
_MAX_POINTS, _MAX_BATCHES = 20, 12
#: Inputs of a release that are shown separately.
_MAX_PARTS = 6
_SERIES = {"gap": CURVE, "generator": CHOSEN, "reality": PRIOR}


def compact_distance(report: DistanceReport, threshold: float | None = None) -> str:
    """Return gap, interval, chance, floor and threshold on one axis, as Markdown.

    Parameters
    ----------
    report : DistanceReport
    threshold : float, optional
        Maximum gap to release.
    """
    low, high = report.interval or (report.gap, report.gap)
    shown = [0.0, report.gap, low, high, report.floor, *(() if threshold is None else (threshold,))]
    finite = [value for value in (*shown, *report.null) if math.isfinite(value)]
    at = _Scale(min(finite), max(finite))
    marks = [_line(at(0), 8, at(0), 32, _GREY)]
    if report.null:
        left, right = at(report.null[1]), at(report.null[-2])
        marks.append(_box(left, 12, right - left, 16, _GREY, "fill-opacity='.3'"))
    marks.append(_line(at(report.floor), 8, at(report.floor), 32, _GREY, "stroke-dasharray='3'"))
    words = f"gap {report.gap:.3g}, floor {report.floor:.3g}"
    if threshold is not None:
        marks.append(_line(at(threshold), 4, at(threshold), 36, CHOSEN, "stroke-width='2'"))
        words += f", threshold {threshold:.3g}"
    marks.append(_line(at(low), 20, at(high), 20, CURVE, "stroke-width='3'"))
    marks.append(f"<circle cx='{at(report.gap)}' cy='20' r='5' fill='{CURVE}'/>")
    return _markdown(words, marks)


def compact_ratio(recommendation: Recommendation) -> str:
    """Return the risk curve with interval and recommendation, as Markdown."""
    curve = _thinned(recommendation.refits or recommendation.curve, _MAX_POINTS)
    across = _Scale(0.0, math.log1p(max(curve[-1].ratio, 1e-9)))
    risks = [point.risk for point in curve]
    none, chosen = (recommendation.baselines[name] for name in ("none", "recommended"))
    up = _Scale(max(*risks, none, chosen), min(*risks, none, chosen), 6, 30)
    low, high = (across(math.log1p(end)) for end in recommendation.interval)
    x = across(math.log1p(recommendation.ratio))
    line = [(across(math.log1p(point.ratio)), up(point.risk)) for point in curve]
    marks = [
        _box(low, 3, max(high - low, 1), 31, CHOSEN, "fill-opacity='.15'"),
        _line(_EDGE, up(none), _WIDTH - _EDGE, up(none), _GREY, "stroke-dasharray='3'"),
        _path(line, CURVE),
        f"<circle cx='{x}' cy='{up(chosen)}' r='5' fill='{CHOSEN}'/>",
    ]
    words = "ratio {:.2f} ({:.2f} to {:.2f}), {} {:.3g}, without {:.3g}"
    shown, name = recommendation.shown, recommendation.risk_name
    values = name, shown["recommended"], shown["none"]
    return _markdown(words.format(recommendation.ratio, *recommendation.interval, *values), marks)


def compact_drift(report: DriftReport) -> str:
    """Return the evidence of every series against the alarm line, as Markdown."""
    bets = {one.series: _thinned(_capital(one), _MAX_BATCHES) for one in report.series}
    highest = max(
        (value for values in bets.values() for value in values), default=report.alarm_line
    )
    up = _Scale(1.15 * max(report.alarm_line, min(highest, 2 * report.alarm_line)), -1.0, 4, 32)
    alarm = up(report.alarm_line)
    marks = [_line(_EDGE, alarm, _WIDTH - _EDGE, alarm, _GREY, "stroke-dasharray='3'")]
    for name, values in bets.items():
        if values:
            across = _Scale(0.0, max(len(values) - 1.0, 1.0))
            line = [(across(float(number)), max(up(v), 1)) for number, v in enumerate(values)]
            marks.append(_path(line, _SERIES[name]))
    return _markdown(", ".join(f"{one.series} {one.status}" for one in report.series), marks)


def compact_composition(manifest: Manifest) -> str:
    """Return the shares of real and synthetic rows of a release as one bar, as Markdown.

    Parameters
    ----------
    manifest : Manifest
    """
    marks, begin = [], 0.0
    across = _Scale(0.0, 1.0)
    for number, portion in enumerate(shown_portions(manifest, _MAX_PARTS)):
        left, right = across(begin), across(begin + portion.share)
        # A gap of a pixel tells generators apart without a colour for each.
        width = max(right - left - 1, 1)
        marks.append(_box(left, 8, width, 22, SYNTHETIC if number else REAL))
        begin += portion.share
    realised = manifest.realised
    words = (
        f"{realised.real_rows} real, {realised.synthetic_rows} synthetic rows, "
        f"ratio {realised.ratio:.2f}"
    )
    return _markdown(words, marks)


class _Scale:
    """Maps values to whole pixels."""

    def __init__(
        self, low: float, high: float, start: int = _EDGE, end: int = _WIDTH - _EDGE
    ) -> None:
        self.low, self.start = low, start
        self.step = (end - start) / (high - low) if high != low else 0.0

    def __call__(self, value: float) -> int:
        if not math.isfinite(value):
            return self.start
        return round(self.start + (value - self.low) * self.step)


def _capital(one: SeriesReport) -> list[float]:
    return [point.log_martingale for point in one.points if point.log_martingale is not None]


def _thinned(values: Sequence[Any], max_count: int) -> list[Any]:
    """At most `max_count` of the values, evenly spaced, including both ends."""
    count = len(values)
    if count <= max_count:
        return list(values)
    return [values[round(i * (count - 1) / (max_count - 1))] for i in range(max_count)]


def _line(x1: int, y1: int, x2: int, y2: int, colour: str, more: str = "") -> str:
    return f"<path d='M{x1} {y1}L{x2} {y2}' stroke='{colour}' {more}/>"


def _box(x: int, y: int, width: int, height: int, colour: str, more: str = "") -> str:
    return f"<path d='M{x} {y}h{width}v{height}h-{width}z' fill='{colour}' {more}/>"


def _path(points: Iterable[tuple[int, int]], colour: str) -> str:
    steps = " ".join(f"{x} {y}" for x, y in points)
    return f"<path d='M{steps}' fill='none' stroke='{colour}' stroke-width='2'/>"


def _markdown(words: str, marks: Iterable[str]) -> str:
    """A picture with a caption that is also its alternative text."""
    drawn = (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{_WIDTH}' height='{_HEIGHT}'>"
        f"{''.join(marks)}<text x='{_EDGE}' y='46' font-size='11' font-family='sans-serif' "
        f"fill='{_GREY}'>{escape(words)}</text></svg>"
    )
    data = base64.b64encode(drawn.encode("utf-8")).decode("ascii")
    return f"![{words}](data:image/svg+xml;base64,{data})"
