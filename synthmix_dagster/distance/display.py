"""The picture of a distance: the gap beside chance and threshold, and which columns make it up."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from synthmix_dagster.display.html import readable, table
from synthmix_dagster.display.rendering import picture
from synthmix_dagster.display.style import (
    CHOSEN,
    CURVE,
    HALO,
    INK,
    LINE,
    PAPER,
    PRIOR,
    QUIET,
    REMARK,
    label_of,
    legend_below,
    own_axes,
    quiet_frame,
)
from synthmix_dagster.distance.estimate import NULL_LEVELS, signed_root

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from synthmix_dagster.distance.report import DistanceReport

#: Columns drawn at most.
MOST_COLUMNS = 20
#: A line is drawn up to so many times as far out as everything else.
_FARTHEST_LINE = 3.0
#: Half the height of the bands of chance, in rows.
_BAND = 0.34
#: Lower quantile of every band, and how much it darkens what lies behind it.
_BANDS = ((0.0, 0.16), (0.05, 0.16), (0.25, 0.2))


def plot_distance(
    report: DistanceReport, axes: Axes | None = None, *, threshold: float | None = None
) -> Axes:
    """Draw the gap beside chance, floor and threshold, and below it what every column has in it.

    Squares add up, but a threshold is a distance: bars are roots of the parts, so that everything
    has one unit, and are labelled with their share of the square.

    Parameters
    ----------
    report : DistanceReport
    axes : matplotlib Axes, optional
        Where to draw; a figure of its own by default.
    threshold : float, optional
        Largest gap to release.

    Returns
    -------
    matplotlib Axes
    """
    columns = report.columns[:MOST_COLUMNS]
    own = axes is None
    axes = own_axes(2.5 + 0.28 * len(columns)) if axes is None else axes
    low, high = report.interval or (report.gap, report.gap)
    _draw_columns(axes, report, shares=low > 0)
    _draw_chance(axes, report)
    reach = max(
        map(abs, (*(signed_root(c.part) for c in columns), *(c.gap for c in columns), low, high))
    )
    _reference(axes, report.floor, reach, "floor", "before debiasing", QUIET, "--")
    if threshold is not None:
        _reference(axes, threshold, reach, "threshold", "", CHOSEN, "-")
    axes.plot([low, high], [0, 0], color=INK, lw=2, solid_capstyle="butt")
    axes.plot([report.gap], [0], "o", color=INK, ms=8, ls="", label="gap, with its 95 % interval")
    axes.axvline(0, color=QUIET, lw=0.8)
    axes.axhline(0.5, color=LINE, lw=0.8)
    axes.set_yticks(
        [0, *range(1, 1 + len(columns))],
        ["all columns", *(label_of(column.column) for column in columns)],
    )
    axes.set_ylim(len(columns) + 0.5, -0.6)
    axes.margins(x=0.08)
    more = len(report.columns) - len(columns)
    axes.set_xlabel(
        "distance in real standard deviations" + (f"; {more} more columns" if more else "")
    )
    interval = ""
    if report.interval is not None:
        interval = f", 95 % interval {low:.3f} to {high:.3f}"
    quiet_frame(
        axes,
        "x",
        title=f"Gap {report.gap:.3f}{interval}"
        + ("" if report.p_value is None else f", p = {report.p_value:.3g}"),
    )
    if own:
        legend_below(axes)
    else:
        axes.legend(frameon=False, fontsize=REMARK)
    return axes


def _draw_columns(axes: Axes, report: DistanceReport, *, shares: bool) -> None:
    """A bar for the part of every column, and a mark for its own gap."""
    columns = report.columns[:MOST_COLUMNS]
    places = range(1, 1 + len(columns))
    parts = [signed_root(column.part) for column in columns]
    gaps = [column.gap for column in columns]
    axes.barh(places, parts, color=CURVE, height=0.6, label="root of its part, % of squared gap")
    axes.plot(
        gaps,
        places,
        "D",
        color=PRIOR,
        mec=PAPER,
        mew=1,
        ms=7,
        ls="",
        label="gap of the column by itself",
    )
    if not shares:
        # Shares of what may be nothing say nothing.
        return
    for place, column, *ends in zip(places, columns, parts, gaps, strict=True):
        share = column.part / report.gap_squared
        if share >= 0.005:
            axes.annotate(
                f"{share:.0%}",
                (max(ends), place),
                xytext=(8, 0),
                textcoords="offset points",
                va="center",
                fontsize=REMARK,
                color=INK,
                bbox=HALO,
            )


def _draw_chance(axes: Axes, report: DistanceReport) -> None:
    """What chance alone shows, as bands behind the gap: the darker, the more relabellings."""
    if not report.null:
        return
    ends = dict(zip(NULL_LEVELS, report.null, strict=True))
    for low, alpha in _BANDS:
        axes.fill_between(
            [ends[low], ends[NULL_LEVELS[-1 - NULL_LEVELS.index(low)]]],
            -_BAND,
            _BAND,
            color=QUIET,
            alpha=alpha,
            lw=0,
            label="" if low else "chance alone: all, nine in ten, half of the relabellings",
        )


def _reference(
    axes: Axes, value: float, reach: float, name: str, remark: str, color: str, dashes: str
) -> None:
    """A line to compare with; one that would squeeze the rest is only told."""
    label = ", ".join(filter(None, (f"{name} {value:.3f}", remark)))
    if value <= _FARTHEST_LINE * reach:
        axes.axvline(value, color=color, ls=dashes, lw=1.5, label=label)
    else:
        label += ", to the right of the picture"
        axes.plot([], [], color=color, ls=dashes, lw=1.5, label=label)


def distance_html(report: DistanceReport) -> str:
    """Return a distance report as HTML."""
    facts: list[tuple[str, object]] = [
        ("gap", readable(report.gap) + _between(report.interval)),
        ("floor", report.floor),
        ("effect size (gap / floor)", report.effect_size),
    ]
    if report.p_value is not None:
        facts.append(("p-value", report.p_value))
    if report.input_gap is not None:
        facts.append(("gap without the target", report.input_gap))
    if report.conditional_gap is not None:
        facts.append(
            (
                "gap of the target given the rest",
                readable(report.conditional_gap) + _between(report.conditional_interval),
            )
        )
        facts.append(("overlap of the inputs", report.overlap))
    facts.append(
        (
            "measured on",
            f"{report.n_real} real and {report.n_synthetic} synthetic rows "
            f"({report.method}, p = {report.p}, {report.scaling} scaling, {report.rows} rows)",
        )
    )
    if report.rows == "all":
        facts.append(("share of values beyond the bins", report.clipped))
    parts = [
        "<p><b>How far the synthetic rows are from the real ones</b>, in real standard "
        "deviations</p>",
        table((), facts),
        table(
            (
                "column",
                "part of squared gap",
                "gap by itself",
                "missing real",
                "missing synthetic",
                "unseen",
                "clipped",
            ),
            [
                (c.column, c.part, c.gap, c.real_missing, c.synthetic_missing, c.unseen, c.clipped)
                for c in report.columns[:10]
            ],
        ),
        table(
            ("widest direction: gap", "leans on"),
            [
                (d.gap, ", ".join(f"{name} {share:.0%}" for name, share in d.columns))
                for d in report.directions
            ],
        ),
        table(
            ("what differs", "statistic", "real", "synthetic"),
            [(row.column, row.statistic, row.real, row.synthetic) for row in report.differences],
        ),
    ]
    notes = "".join(f"<li>{escape(note)}</li>" for note in report.notes)
    return "".join(parts) + (f"<ul>{notes}</ul>" if notes else "")


def _between(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f" ({interval[0]:.3f} to {interval[1]:.3f})"


def distance_markdown(report: DistanceReport, threshold: float | None) -> str:
    """Return the gap and its parts as Markdown with the picture inside it."""
    axes = plot_distance(report, threshold=threshold)
    return f"![Part of every column in the gap]({picture(axes)})"
