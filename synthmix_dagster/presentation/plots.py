"""Plots with one quiet house style, for notebooks, the Dagster UI and the docs alike.

Figures are made without pyplot: steps run in threads and processes that have no screen, and
pyplot keeps global state.
"""

import base64
import io
from typing import TYPE_CHECKING

from synthmix_dagster.distance.report import DistanceReport
from synthmix_dagster.ratio.recommendation import Recommendation

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Columns drawn at most.
MOST_COLUMNS = 20

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
    axes.axhline(
        recommendation.baselines["none"], color=QUIET, lw=1, ls=":", label="no synthetic rows"
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


def plot_distance(report: DistanceReport, axes: "Axes | None" = None) -> "Axes":
    """Draw the part of every column in the squared gap, beside the column by itself.

    Parameters
    ----------
    report : DistanceReport
    axes : matplotlib Axes, optional
        Where to draw; a figure of its own by default.

    Returns
    -------
    matplotlib Axes
    """
    columns = report.columns[:MOST_COLUMNS]
    axes = _own_axes(1.6 + 0.28 * len(columns)) if axes is None else axes
    places = range(len(columns))
    axes.barh(
        places,
        [column.part for column in columns],
        color=CURVE,
        height=0.6,
        label="part of the squared gap",
    )
    axes.plot(
        [column.gap * abs(column.gap) for column in columns],
        places,
        "D",
        color=CHOSEN,
        ms=5,
        ls="",
        label="squared gap of the column by itself",
    )
    axes.axvline(0, color=QUIET, lw=0.8)
    axes.set_yticks(places, [_shortened(column.column) for column in columns])
    axes.invert_yaxis()
    interval = ""
    if report.interval is not None:
        interval = f" ({report.interval[0]:.3f} to {report.interval[1]:.3f})"
    more = len(report.columns) - len(columns)
    axes.set_xlabel(
        f"gap {report.gap:.3f}{interval}, floor {report.floor:.3f}"
        + ("" if report.p_value is None else f", p = {report.p_value:.3g}")
        + (f"; {more} more columns" if more else "")
    )
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#dddddd", lw=0.6)
    axes.set_axisbelow(True)
    axes.legend(frameon=False, fontsize=8.5, ncols=2, loc="lower left", bbox_to_anchor=(0, 1.0))
    return axes


def risk_curve_markdown(recommendation: Recommendation) -> str:
    """Return the risk curve as Markdown with the picture inside it, which Dagster's UI shows."""
    return f"![Predicted risk against ratio]({picture(plot_risk_curve(recommendation))})"


def distance_markdown(report: DistanceReport) -> str:
    """Return the parts of the gap as Markdown with the picture inside it."""
    return f"![Part of every column in the gap]({picture(plot_distance(report))})"


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
