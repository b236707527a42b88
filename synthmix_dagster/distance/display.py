"""The picture of a distance: the gap beside chance and threshold, and the columns behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
    WIDTH,
    label_of,
    legend_below,
    own_axes,
    quiet_frame,
)
from synthmix_dagster.display.templates import render
from synthmix_dagster.distance.estimate import NULL_LEVELS, signed_root

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from synthmix_dagster.distance.report import DistanceReport

#: Columns drawn at most.
MAX_COLUMNS = 20
#: A line is drawn up to so many times as far out as everything else.
_FARTHEST_LINE = 3.0
#: Half the height of the bands of chance, in rows.
_BAND = 0.34
#: Lower quantile of every band, and how much it darkens what lies behind it.
_BANDS = ((0.0, 0.16), (0.05, 0.16), (0.25, 0.2))


def plot_distance(
    report: DistanceReport,
    axes: Axes | None = None,
    *,
    threshold: float | None = None,
    width: float = WIDTH,
) -> Axes:
    """Draw the gap beside chance, floor and threshold, and below it what every column contributes.

    Squares add up, but a threshold is a distance: bars are roots of the contributions, so that
    everything has one unit, and are labelled with their share of the squared gap.

    Parameters
    ----------
    report : DistanceReport
    axes : matplotlib Axes, optional
        Where to draw; a figure of its own by default.
    threshold : float, optional
        Maximum gap for a release.
    width : float
        Inches across of a figure of its own.

    Returns
    -------
    matplotlib Axes
    """
    columns = report.columns[:MAX_COLUMNS]
    own = axes is None
    axes = own_axes(2.5 + 0.28 * len(columns), width) if axes is None else axes
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
        + (
            ""
            if report.p_value is None
            else f", p\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{report.p_value:.3g}"
        ),
    )
    if own:
        legend_below(axes)
    else:
        axes.legend(frameon=False, fontsize=REMARK)
    return axes


def _draw_columns(axes: Axes, report: DistanceReport, *, shares: bool) -> None:
    """A bar for the contribution of every column, and a mark for its gap alone."""
    columns = report.columns[:MAX_COLUMNS]
    places = range(1, 1 + len(columns))
    parts = [signed_root(column.part) for column in columns]
    gaps = [column.gap for column in columns]
    axes.barh(places, parts, color=CURVE, height=0.6, label="contribution (root), % of squared gap")
    axes.plot(
        gaps,
        places,
        "D",
        color=PRIOR,
        mec=PAPER,
        mew=1,
        ms=7,
        ls="",
        label="gap of the column alone",
    )
    if not shares:
        # A gap that may be zero has no shares.
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
    """What chance alone produces, as bands behind the gap: the darker, the more permutations."""
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
            label="" if low else "chance alone: all, 90 % and 50 % of permutations",
        )


def _reference(
    axes: Axes, value: float, reach: float, name: str, remark: str, color: str, dashes: str
) -> None:
    """A line to compare with; one that would squeeze the rest is in the legend only."""
    label = ", ".join(filter(None, (f"{name} {value:.3f}", remark)))
    if value <= _FARTHEST_LINE * reach:
        axes.axvline(value, color=color, ls=dashes, lw=1.5, label=label)
    else:
        label += ", beyond the axis"
        axes.plot([], [], color=color, ls=dashes, lw=1.5, label=label)


def distance_html(report: DistanceReport) -> str:
    """Return a distance report as HTML for a notebook."""
    directions = [
        {
            "gap": direction.gap,
            "columns": ", ".join(f"{name} {share:.0%}" for name, share in direction.columns),
        }
        for direction in report.directions
    ]
    return render("distance/templates/report.html.jinja", report=report, directions=directions)


def distance_markdown(report: DistanceReport, threshold: float | None) -> str:
    """Return the gap and the contributions to it as Markdown with the picture inside it."""
    axes = plot_distance(report, threshold=threshold)
    return f"![Gap, and the contribution of every column]({picture(axes)})"
