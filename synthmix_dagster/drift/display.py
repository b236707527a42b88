"""Drift as a picture and as HTML: what every series did, and what the capital made of it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from synthmix_dagster.display.html import table
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

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from synthmix_dagster.drift.report import DriftReport, Point, SeriesReport

_TITLES = {
    "gap": "gap: real against synthetic",
    "generator": "generator drift: synthetic against its reference",
    "reality": "reality drift: real against its reference",
}
_COLOURS = {"gap": CURVE, "generator": CHOSEN, "reality": PRIOR}
_DASHES = {"gap": "-", "generator": "--", "reality": "-."}
#: Ticks on the axis of batches.
_MOST_TICKS = 7


def plot_drift(report: DriftReport, axes: Sequence[Axes] | None = None) -> list[Axes]:
    """Draw every series with its moving average, and the capital against its alarm line.

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
    _draw_capital(panels[len(report.series)], report, places)
    for panel in panels:
        panel.set_xlim(-0.5, max(len(labels) - 0.5, 1))
        panel.tick_params(axis="x", labelbottom=panel is panels[-1])
    step = max(1, -(-len(labels) // _MOST_TICKS))
    ticks = list(range(0, len(labels), step))
    for panel in panels:
        panel.set_xticks(ticks, [labels[tick] for tick in ticks])
    panels[-1].set_xlabel("batch", fontsize=LABEL, color=INK)
    return panels


def drift_markdown(report: DriftReport) -> str:
    """Return the series as Markdown with the picture inside it, which Dagster's UI shows."""
    return f"![Drift of every series]({picture(plot_drift(report)[0])})"


def drift_html(report: DriftReport) -> str:
    """Return a drift report as HTML."""
    moved = [
        (
            one.series,
            one.change.since,
            one.change.before,
            one.change.after,
            "-" if one.change.deviations is None else round(one.change.deviations, 1),
            ", ".join(f"{name} {share:.0%}" for name, share in one.change.columns),
        )
        for one in report.series
        if one.change is not None
    ]
    notes = [*report.notes, *(f"{one.series}: {n}" for one in report.series for n in one.notes)]
    return "".join(
        (
            f"<p><b>Drift: {escape(report.status)}.</b> {escape(report.sentence)}</p>",
            table(
                ("series", "unit", "status", "batches", "highest log capital", "alarm at"),
                [
                    (
                        one.series,
                        one.unit,
                        one.status,
                        one.counted,
                        one.log_martingale,
                        report.alarm_line,
                    )
                    for one in report.series
                ],
            ),
            table(("moved", "since", "before", "after", "deviations", "columns"), moved),
            f"<ul>{''.join(f'<li>{escape(note)}</li>' for note in notes)}</ul>" if notes else "",
        )
    )


def _draw_series(
    panel: Axes, one: SeriesReport, places: dict[str, int], report: DriftReport
) -> None:
    colour = _COLOURS[one.series]
    counted = [point for point in one.points if point.counted]
    others = [point for point in one.points if not point.counted]
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
    if one.series == "gap" and report.threshold is not None:
        panel.axhline(
            report.threshold, color=CHOSEN, lw=1.2, ls="--", label="threshold of the gate"
        )
    limits = [point for point in counted if point.low is not None]
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
    panel.plot(*_at(others, places), "o", ms=3.5, mfc="none", color=QUIET, label="not compared")
    panel.plot(*_at(counted, places), "o", ms=3.5, color=colour, alpha=0.65, label="batch")
    averaged = [point for point in counted if point.average is not None]
    if averaged:
        panel.plot(
            [places[point.label] for point in averaged],
            [point.average or 0.0 for point in averaged],
            color=colour,
            lw=2,
            label="moving average",
        )
    panel.axhline(0, color=QUIET, lw=0.8)
    if one.change is not None:
        panel.axvline(places[one.change.since] - 0.5, color=INK, lw=1.3)
        panel.annotate(
            f"since {one.change.since}",
            (places[one.change.since] - 0.5, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(-5, -3),
            textcoords="offset points",
            ha="right",
            va="top",
            fontsize=REMARK,
            color=INK,
            bbox=HALO,
        )
    if one.series != "reality":
        _draw_versions(panel, one, places)
    # Room for what is written along the upper edge.
    panel.margins(y=0.18)
    panel.set_ylabel("standard\ndeviations")
    quiet_frame(panel, "y", title=f"{_TITLES[one.series]}  ({_said(one)})")
    handles, labels = panel.get_legend_handles_labels()
    kept = [
        (handle, label)
        for handle, label in zip(handles, labels, strict=True)
        if label != "not compared" or others
    ]
    panel.legend(
        *zip(*kept, strict=True),
        frameon=False,
        fontsize=REMARK,
        labelcolor=INK,
        loc="upper left",
        bbox_to_anchor=(1, 1),
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


def _draw_capital(panel: Axes, report: DriftReport, places: dict[str, int]) -> None:
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
        label=f"alarm: false at most\nonce in {1 / report.delta:.0f} monitors, ever",
    )
    panel.set_ylim(lowest - 0.06 * top, top)
    panel.set_ylabel("log capital")
    quiet_frame(panel, "y", title="evidence: logarithm of the capital won by betting on a change")
    panel.legend(
        frameon=False, fontsize=REMARK, labelcolor=INK, loc="upper left", bbox_to_anchor=(1, 1)
    )


def _at(points: Sequence[Point], places: dict[str, int]) -> tuple[list[int], list[float]]:
    return [places[point.label] for point in points], [point.gap for point in points]


def _said(one: SeriesReport) -> str:
    if one.change is None or one.status != "alarm":
        return {"watch": "average beyond its limits", "unable": "cannot be judged"}.get(
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
