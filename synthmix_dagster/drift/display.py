"""Drift as a picture and as HTML: every series, and the evidence that it changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from synthmix_dagster.display.rendering import picture
from synthmix_dagster.display.style import (
    CHOSEN,
    CURVE,
    HALO,
    INK,
    LABEL,
    PAPER,
    PRIOR,
    QUIET,
    REMARK,
    quiet_frame,
)
from synthmix_dagster.display.templates import render

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from synthmix_dagster.drift.report import Change, DriftReport, Point, SeriesReport

_TITLES = {
    "gap": "gap: real vs. synthetic",
    "generator": "generator drift: synthetic vs. its reference",
    "reality": "reality drift: real vs. its reference",
}
_COLOURS = {"gap": CURVE, "generator": CHOSEN, "reality": PRIOR}
_DASHES = {"gap": "-", "generator": "--", "reality": "-."}
#: Ticks on the axis of batches at most.
_MAX_TICKS = 7


def plot_drift(report: DriftReport, axes: Sequence[Axes] | None = None) -> list[Axes]:
    """Draw every series with its moving average, and the test martingales with their alarm line.

    Parameters
    ----------
    report : DriftReport
    axes : sequence of matplotlib Axes, optional
        One for each series and one more; a figure of its own by default.

    Returns
    -------
    list of matplotlib Axes
    """
    panels = list(axes) if axes is not None else _own_axes(len(report.series))
    labels = _labels(report)
    places = {label: place for place, label in enumerate(labels)}
    for one, panel in zip(report.series, panels, strict=False):
        _draw_series(panel, one, places, report)
    _draw_evidence(panels[len(report.series)], report, places)
    for panel in panels:
        panel.set_xlim(-0.5, max(len(labels) - 0.5, 1))
        panel.tick_params(axis="x", labelbottom=panel is panels[-1])
    step = max(1, -(-len(labels) // _MAX_TICKS))
    ticks = list(range(0, len(labels), step))
    for panel in panels:
        panel.set_xticks(ticks, [labels[tick] for tick in ticks])
    panels[-1].set_xlabel("batch", fontsize=LABEL, color=INK)
    return panels


def drift_markdown(report: DriftReport) -> str:
    """Return the series as Markdown with the picture inside it, which Dagster's UI shows."""
    return f"![Drift of every series]({picture(plot_drift(report)[0])})"


def drift_html(report: DriftReport) -> str:
    """Return a drift report as HTML for a notebook."""
    series = [
        {
            "name": one.series,
            "unit": one.unit,
            "status": one.status,
            "batches": one.counted,
            "log_martingale": one.log_martingale,
            "alarm_line": report.alarm_line,
        }
        for one in report.series
    ]
    moves = [
        {
            "series": one.series,
            "since": one.change.since,
            "before": one.change.before,
            "after": one.change.after,
            "deviations": one.change.deviations,
            "columns": ", ".join(f"{name} {share:.0%}" for name, share in one.change.columns),
        }
        for one in report.series
        if one.change is not None
    ]
    notes = [f"{one.series}: {note}" for one in report.series for note in one.notes]
    return render(
        "drift/templates/report.html.jinja",
        report=report,
        series=series,
        moves=moves,
        notes=[*report.notes, *notes],
    )


def _draw_series(
    panel: Axes, one: SeriesReport, places: dict[str, int], report: DriftReport
) -> None:
    """One panel: the batches of a series, what they are compared with, and what was found."""
    _draw_floor(panel, one, places)
    if one.series == "gap" and report.threshold is not None:
        panel.axhline(
            report.threshold, color=CHOSEN, lw=1.2, ls="--", label="threshold of the gate"
        )
    _draw_batches(panel, one, places)
    panel.axhline(0, color=QUIET, lw=0.8)
    if one.change is not None:
        _draw_change(panel, one.change, places)
    if one.series != "reality":
        _draw_versions(panel, one, places)
    # Room for what is written along the upper edge.
    panel.margins(y=0.18)
    panel.set_ylabel("standard\ndeviations")
    quiet_frame(panel, "y", title=f"{_TITLES[one.series]}  ({_outcome(one)})")
    _legend_beside(panel)


def _draw_floor(panel: Axes, one: SeriesReport, places: dict[str, int]) -> None:
    floors = [point for point in one.points if point.floor is not None]
    if floors:
        panel.fill_between(
            [places[point.label] for point in floors],
            0,
            [point.floor or 0.0 for point in floors],
            color=QUIET,
            alpha=0.13,
            lw=0,
            label="floor: chance alone, before debiasing",
        )


def _draw_batches(panel: Axes, one: SeriesReport, places: dict[str, int]) -> None:
    """Every batch, and of those that are compared the moving average and its control limits."""
    colour = _COLOURS[one.series]
    compared = [point for point in one.points if point.counted]
    others = [point for point in one.points if not point.counted]
    limits = [point for point in compared if point.low is not None]
    if limits:
        panel.fill_between(
            [places[point.label] for point in limits],
            [point.low or 0.0 for point in limits],
            [point.high or 0.0 for point in limits],
            color=colour,
            alpha=0.13,
            lw=0,
            label="control limits",
        )
    if others:
        panel.plot(*_at(others, places), "o", ms=3.5, mfc="none", color=QUIET, label="not compared")
    panel.plot(*_at(compared, places), "o", ms=3.5, color=colour, alpha=0.65, label="batch")
    averaged = [point for point in compared if point.average is not None]
    if averaged:
        panel.plot(
            [places[point.label] for point in averaged],
            [point.average or 0.0 for point in averaged],
            color=colour,
            lw=2,
            label="moving average",
        )


def _draw_change(panel: Axes, change: Change, places: dict[str, int]) -> None:
    """A line before the first batch that is different, and its name."""
    start = places[change.since] - 0.5
    panel.axvline(start, color=INK, lw=1.3)
    panel.annotate(
        f"since {change.since}",
        (start, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(-5, -3),
        textcoords="offset points",
        ha="right",
        va="top",
        fontsize=REMARK,
        color=INK,
        bbox=HALO,
    )


def _legend_beside(panel: Axes) -> None:
    panel.legend(
        frameon=False, fontsize=REMARK, labelcolor=INK, loc="upper left", bbox_to_anchor=(1, 1)
    )


def _draw_versions(panel: Axes, one: SeriesReport, places: dict[str, int]) -> None:
    """A dotted line wherever another generator took over, and its version beside it."""
    if len({point.version for point in one.points}) < 2:
        return
    before = None
    for point in one.points:
        if point.version != before:
            if before is not None:
                panel.axvline(places[point.label] - 0.5, color=QUIET, lw=1, ls=":")
            panel.annotate(
                point.version,
                (places[point.label] - 0.5, 1.0),
                xycoords=("data", "axes fraction"),
                xytext=(4, -3),
                textcoords="offset points",
                va="top",
                fontsize=REMARK,
                color=QUIET,
                bbox=HALO,
            )
        before = point.version


def _draw_evidence(panel: Axes, report: DriftReport, places: dict[str, int]) -> None:
    highest = max((one.log_martingale for one in report.series), default=0.0)
    top = min(max(highest, report.alarm_line) * 1.25, 3 * report.alarm_line)
    lowest = -1.0
    for one in report.series:
        bet = [point for point in one.points if point.log_martingale is not None]
        panel.plot(
            [places[point.label] for point in bet],
            [point.log_martingale or 0.0 for point in bet],
            color=_COLOURS[one.series],
            ls=_DASHES[one.series],
            lw=2,
            label=f"{one.series}, by {one.unit}",
        )
        lowest = min([lowest, *(point.log_martingale or 0.0 for point in bet)])
        if one.alarm is not None:
            at = next(point for point in bet if point.label == one.alarm)
            panel.plot(
                [places[at.label]],
                [min(at.log_martingale or 0.0, 0.94 * top)],
                "o",
                ms=9,
                mfc=PAPER,
                mew=2,
                color=_COLOURS[one.series],
                zorder=5,
                label=f"alarm at {one.alarm}",
            )
    panel.axhline(
        report.alarm_line,
        color=INK,
        lw=1.2,
        ls="--",
        label=f"alarm line: at most {report.delta:.2g} of all\nmonitors ever raise a false alarm",
    )
    panel.set_ylim(lowest - 0.06 * top, top)
    panel.set_ylabel("log e-value")
    quiet_frame(
        panel, "y", title="evidence of a change: logarithm of the test martingale (e-value)"
    )
    _legend_beside(panel)


def _at(points: Sequence[Point], places: dict[str, int]) -> tuple[list[int], list[float]]:
    return [places[point.label] for point in points], [point.gap for point in points]


def _outcome(one: SeriesReport) -> str:
    if one.change is None or one.status != "alarm":
        return {"watch": "moving average outside its limits", "unable": "cannot be judged"}.get(
            one.status, one.status
        )
    return f"alarm, {one.change.before:.2f} to {one.change.after:.2f}"


def _labels(report: DriftReport) -> list[str]:
    """Batches of all series in one order: those of the longest, others where they fit."""
    merged: list[str] = []
    for one in sorted(report.series, key=lambda each: -len(each.points)):
        at = 0
        for point in one.points:
            if point.label in merged:
                at = merged.index(point.label) + 1
            else:
                merged.insert(at, point.label)
                at += 1
    return merged


def _own_axes(series: int) -> list[Axes]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(
        figsize=(9.6, 1.9 * series + 2.2), dpi=110, layout="constrained", facecolor=PAPER
    )
    FigureCanvasAgg(figure)
    return list(figure.subplots(series + 1, 1, sharex=True, squeeze=False)[:, 0])
