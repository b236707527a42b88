"""Plots with one quiet house style, for notebooks, the Dagster UI and the docs alike.

Figures are made without pyplot: steps run in threads and processes that have no screen, and
pyplot keeps global state.
"""

import base64
import io
from typing import TYPE_CHECKING

from synthmix_dagster.distance.estimate import signed_root
from synthmix_dagster.distance.report import DistanceReport
from synthmix_dagster.ratio.recommendation import Recommendation

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Columns drawn at most.
MOST_COLUMNS = 20
#: A line is drawn up to so many times as far out as everything else.
_FARTHEST_LINE = 3.0

# Okabe and Ito's colours, told apart by colour-blind readers, in print and on dark ground.
CURVE, CHOSEN, PRIOR, QUIET = "#0072B2", "#D55E00", "#009E73", "#767676"


def plot_risk_curve(recommendation: Recommendation, axes: "Axes | None" = None) -> "Axes":
    """Draw predicted risk against ratio, with band, interval, bound and baselines.

    Parameters
    ----------
    recommendation : Recommendation
    axes : matplotlib Axes, optional
        Where to draw; a figure of its own by default.

    Returns
    -------
    matplotlib Axes
    """
    axes = _own_axes(4.8) if axes is None else axes
    curve = recommendation.curve
    ratios = [point.ratio for point in curve]
    risks = [point.risk for point in curve]
    band = [point.excess_error for point in curve]
    low, high = recommendation.interval
    axes.axvspan(
        low, high, color=CHOSEN, alpha=0.10, lw=0, label="not distinguishable from the best"
    )
    axes.fill_between(
        ratios,
        [risk - error for risk, error in zip(risks, band, strict=True)],
        [risk + error for risk, error in zip(risks, band, strict=True)],
        color=CURVE,
        alpha=0.18,
        lw=0,
        label="standard error of its difference to the best",
    )
    axes.plot(ratios, risks, color=CURVE, lw=2, label="predicted risk")
    if recommendation.refits:
        axes.errorbar(
            [point.ratio for point in recommendation.refits],
            [point.risk for point in recommendation.refits],
            yerr=[point.excess_error for point in recommendation.refits],
            fmt="D",
            ms=5,
            color=CHOSEN,
            mfc="none",
            capsize=3,
            label=f"cross-validated risk of {recommendation.learner}, which decides",
        )
    axes.axhline(
        recommendation.baselines["none"], color=QUIET, lw=1, ls=":", label="no synthetic rows"
    )
    for name, ratio, marker in (("one_to_one", 1.0, "s"), ("all", ratios[-1], "^")):
        if name in recommendation.baselines and ratio:
            axes.plot(
                [ratio],
                [recommendation.baselines[name]],
                marker,
                color=QUIET,
                mfc="white",
                ms=7,
                label={"one_to_one": "as many as real rows", "all": "all synthetic rows"}[name],
            )
    chosen = recommendation.baselines["recommended"]
    axes.plot(
        [recommendation.ratio],
        [chosen],
        "o",
        ms=9,
        color=CHOSEN,
        zorder=5,
        label=f"recommended, ratio {recommendation.ratio:.2f}",
    )
    for bound, dashes in zip(recommendation.bounds, ("--", "-.", ":"), strict=False):
        if bound.row_ratio <= ratios[-1]:
            axes.axvline(
                bound.row_ratio,
                color=PRIOR,
                lw=1.2,
                ls=dashes,
                label=f"{bound.name} bound (prior), ratio {bound.row_ratio:.2f}",
            )
    # The grid is geometric: show it so, without losing the ratio 0.
    axes.set_xscale(
        "symlog", linthresh=max(ratios[1] if len(ratios) > 1 else 1.0, 1e-3), linscale=0.3
    )
    ticks = [t for t in (0, 0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64) if t <= ratios[-1]]
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axes.minorticks_off()
    axes.set_xlim(0, max(ratios[-1] * 1.15, 1e-3))
    axes.set_xlabel("ratio: synthetic rows per real row")
    axes.set_ylabel(f"predicted risk\n({recommendation.metric})")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#dddddd", lw=0.6)
    axes.set_axisbelow(True)
    axes.legend(frameon=False, fontsize=8.5, ncols=2, loc="lower left", bbox_to_anchor=(0, 1.0))
    return axes


def plot_distance(
    report: DistanceReport, axes: "Axes | None" = None, *, threshold: float | None = None
) -> "Axes":
    """Draw the gap with interval, floor and threshold, and below it what every column has in it.

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
    axes = _own_axes(2.4 + 0.28 * len(columns)) if axes is None else axes
    places = range(1, 1 + len(columns))
    parts = [signed_root(column.part) for column in columns]
    gaps = [column.gap for column in columns]
    low, high = report.interval or (report.gap, report.gap)
    reach = max(map(abs, (*parts, *gaps, low, high)))
    _reference(axes, report.floor, reach, "floor", QUIET, "--")
    if threshold is not None:
        _reference(axes, threshold, reach, "threshold", CHOSEN, "-")
    axes.plot([low, high], [0, 0], color="black", lw=2, solid_capstyle="butt")
    axes.plot([report.gap], [0], "o", color="black", ms=8, ls="")
    axes.barh(places, parts, color=CURVE, height=0.6, label="root of its part, % of squared gap")
    axes.plot(
        gaps,
        places,
        "D",
        color=PRIOR,
        mec="white",
        mew=1,
        ms=7,
        ls="",
        label="gap of the column by itself",
    )
    # Shares of what may be nothing say nothing.
    if low > 0:
        for place, column, *ends in zip(places, columns, parts, gaps, strict=True):
            share = column.part / report.gap_squared
            if share >= 0.005:
                axes.annotate(
                    f"{share:.0%}",
                    (max(ends), place),
                    xytext=(6, 0),
                    textcoords="offset points",
                    va="center",
                    fontsize=8.5,
                    color=QUIET,
                    bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
                )
    axes.axvline(0, color=QUIET, lw=0.8)
    axes.axhline(0.5, color="#dddddd", lw=0.8)
    axes.set_yticks([0, *places], ["all columns", *(_shortened(c.column) for c in columns)])
    axes.set_ylim(len(columns) + 0.5, -0.6)
    axes.margins(x=0.08)
    more = len(report.columns) - len(columns)
    axes.set_xlabel(
        "distance in real standard deviations" + (f"; {more} more columns" if more else "")
    )
    interval = ""
    if report.interval is not None:
        interval = f", 95 % interval {low:.3f} to {high:.3f}"
    axes.set_title(
        f"Gap {report.gap:.3f}{interval}"
        + ("" if report.p_value is None else f", p = {report.p_value:.3g}"),
        loc="left",
        pad=40,
        fontsize=12,
    )
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#dddddd", lw=0.6)
    axes.set_axisbelow(True)
    axes.legend(frameon=False, fontsize=8.5, ncols=2, loc="lower left", bbox_to_anchor=(0, 1.0))
    return axes


def _reference(
    axes: "Axes", value: float, reach: float, name: str, color: str, dashes: str
) -> None:
    """A line to compare with; one that would squeeze the rest is only told."""
    if value <= _FARTHEST_LINE * reach:
        axes.axvline(value, color=color, ls=dashes, lw=1.5, label=f"{name} {value:.3f}")
    else:
        label = f"{name} {value:.3f}, to the right of the picture"
        axes.plot([], [], color=color, ls=dashes, lw=1.5, label=label)


def risk_curve_markdown(recommendation: Recommendation) -> str:
    """Return the risk curve as Markdown with the picture inside it, which Dagster's UI shows."""
    return f"![Predicted risk against ratio]({picture(plot_risk_curve(recommendation))})"


def distance_markdown(report: DistanceReport, threshold: float | None) -> str:
    """Return the gap and its parts as Markdown with the picture inside it."""
    axes = plot_distance(report, threshold=threshold)
    return f"![Part of every column in the gap]({picture(axes)})"


def picture(axes: "Axes") -> str:
    """Return the figure of `axes` as the address of a PNG that carries its own data."""
    return "data:image/png;base64," + base64.b64encode(png(axes)).decode("ascii")


def png(axes: "Axes") -> bytes:
    """Return the figure of `axes` as the bytes of a PNG file."""
    buffer = io.BytesIO()
    figure = axes.get_figure(root=True)
    if figure is not None:
        figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _own_axes(height: float) -> "Axes":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.6, height), dpi=110, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure.subplots()


def _shortened(name: str, most: int = 28) -> str:
    short = name if len(name) <= most else name[: most - 1] + "…"
    # A dollar sign would start a formula.
    return short.replace("$", r"\$")
