"""A recommendation as a picture and as HTML: predicted risk at every ratio, and the choice."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

from synthmix_dagster.display.rendering import picture
from synthmix_dagster.display.style import (
    CHOSEN,
    CURVE,
    HALO,
    INK,
    PAGE_WIDTH,
    PAPER,
    PRIOR,
    QUIET,
    REMARK,
    WIDTH,
    legend_below,
    own_axes,
    quiet_frame,
)
from synthmix_dagster.display.templates import render

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from synthmix_dagster.ratio.recommendation import Recommendation

_TICKS = (0, 0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256)
#: Baselines beside "none": label and marker.
_GUESSES = {
    "one_to_one": ("as many as real rows (ratio 1)", "s"),
    "all": ("all synthetic rows", "^"),
}
#: Letters in a line of a label beside an axis that is not high.
_NARROW_LABEL = 24
#: Ratios closer than this share of the axis are labelled together.
_TOGETHER = 0.01


def plot_risk_curve(
    recommendation: Recommendation, axes: Axes | None = None, *, width: float = WIDTH
) -> Axes:
    """Draw predicted risk against ratio, with band, interval, bounds and baselines.

    Parameters
    ----------
    recommendation : Recommendation
    axes : matplotlib Axes, optional
        Where to draw; a figure of its own by default.
    width : float
        Inches across of a figure of its own.

    Returns
    -------
    matplotlib Axes
    """
    own = axes is None
    axes = own_axes(4.6 if width >= WIDTH else 5.4, width) if axes is None else axes
    _lay_out(axes, recommendation)
    _draw_curve(axes, recommendation)
    _draw_baselines(axes, recommendation)
    _draw_choice(axes, recommendation)
    _draw_bounds(axes, recommendation)
    quiet_frame(
        axes,
        "y",
        title=f"Recommended ratio {recommendation.ratio:.2f}; "
        + _title_of_interval(recommendation),
    )
    if own:
        legend_below(axes)
    else:
        axes.legend(frameon=False, fontsize=REMARK)
    return axes


def plot_choice(recommendation: Recommendation, released: float) -> Axes:
    """Draw why this ratio, and nothing else: the curve, the choice, and what none would give.

    Parameters
    ----------
    recommendation : Recommendation
    released : float
        Ratio of the release, which need not be the recommended one.

    Returns
    -------
    matplotlib Axes
    """
    axes = own_axes(3.7, PAGE_WIDTH)
    _lay_out(axes, recommendation)
    if recommendation.score is None:
        _draw_risks(axes, recommendation)
    if recommendation.refits:
        _draw_refits(axes, recommendation)
    _draw_none(axes, recommendation)
    _draw_choice(axes, recommendation)
    if abs(released - recommendation.ratio) > 0.5 / recommendation.n_real:
        axes.axvline(released, color=INK, lw=1.5, ls="--", label=f"released, ratio {released:.2f}")
    quiet_frame(axes, "y", title="Lower is better" if recommendation.score is None else "")
    legend_below(axes)
    return axes


def _lay_out(axes: Axes, recommendation: Recommendation) -> None:
    """Scales, ticks and labels."""
    curve = recommendation.curve
    highest = curve[-1].ratio
    # The grid is geometric: show it so, without losing the ratio 0.
    axes.set_xscale(
        "symlog", linthresh=max(curve[1].ratio if len(curve) > 1 else 1.0, 1e-3), linscale=0.3
    )
    axes.set_xlim(0, max(highest * 1.15, 1e-3))
    ticks = [tick for tick in _TICKS if tick <= highest]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.margins(y=0.12)
    axes.set_xlabel("ratio: synthetic rows per real row")
    named = "predicted risk\n({})" if recommendation.score is None else "cross-validated\n{}"
    wide = axes.figure.figure.get_figwidth() >= WIDTH
    metric = recommendation.metric
    axes.set_ylabel(named.format(metric if wide else textwrap.fill(metric, _NARROW_LABEL)))


def _draw_choice(axes: Axes, recommendation: Recommendation) -> None:
    """The recommended ratio and its interval."""
    low, high = recommendation.interval
    if low < high:
        _draw_interval(axes, low, high, recommendation.meaning_of_interval)
    axes.plot(
        [recommendation.ratio],
        [recommendation.shown["recommended"]],
        "o",
        ms=9,
        color=CHOSEN,
        mec=PAPER,
        zorder=5,
        clip_on=False,
        label=f"recommended, ratio {recommendation.ratio:.2f}",
    )


def _title_of_interval(recommendation: Recommendation) -> str:
    low, high = recommendation.interval
    if low == high and recommendation.experience is None:
        return "every other ratio is worse by more than chance"
    return f"{low:.2f}\N{EN DASH}{high:.2f}: {recommendation.meaning_of_interval}"


def _draw_curve(axes: Axes, recommendation: Recommendation) -> None:
    if recommendation.score is not None:
        # The path predicts another risk: it proposed the mixes, and has no place on this axis.
        _draw_refits(axes, recommendation)
        return
    if recommendation.experience is not None:
        axes.plot(
            [point.ratio for point in recommendation.curve],
            recommendation.experience.path_risks,
            color=QUIET,
            lw=1.2,
            ls="-.",
            label="predicted from these rows alone",
        )
    _draw_risks(axes, recommendation)
    if recommendation.refits:
        _draw_refits(axes, recommendation)


def _draw_risks(axes: Axes, recommendation: Recommendation) -> None:
    """The predicted risk with its band."""
    curve = recommendation.curve
    ratios = [point.ratio for point in curve]
    axes.fill_between(
        ratios,
        [point.risk - point.excess_error for point in curve],
        [point.risk + point.excess_error for point in curve],
        color=CURVE,
        alpha=0.18,
        lw=0,
        label="standard error of the difference from the best",
    )
    axes.plot(ratios, [point.risk for point in curve], color=CURVE, lw=2, label="predicted risk")


def _draw_refits(axes: Axes, recommendation: Recommendation) -> None:
    """What the learner itself was measured to do, at the mixes that the path proposed."""
    refits, score = recommendation.refits, recommendation.score
    what = "risk" if score is None else score.name
    axes.errorbar(
        [point.ratio for point in refits],
        [point.risk if score is None else score.shown(point.risk) for point in refits],
        yerr=[point.excess_error for point in refits],
        fmt="D",
        ms=5,
        color=CHOSEN,
        mfc=PAPER,
        capsize=3,
        clip_on=False,
        label=f"cross-validated {what} of {recommendation.learner}, used for the choice",
    )


def _draw_interval(axes: Axes, low: float, high: float, meaning: str) -> None:
    axes.axvspan(low, high, color=CHOSEN, alpha=0.05, lw=0)
    axes.plot(
        [low, high],
        [0.012, 0.012],
        transform=axes.get_xaxis_transform(),
        color=CHOSEN,
        lw=5,
        alpha=0.55,
        solid_capstyle="butt",
        label=meaning,
    )


def _draw_baselines(axes: Axes, recommendation: Recommendation) -> None:
    risks = recommendation.shown
    _draw_none(axes, recommendation)
    ratios = {"one_to_one": 1.0, "all": recommendation.curve[-1].ratio}
    for name, (label, marker) in _GUESSES.items():
        if name in risks and ratios[name]:
            axes.plot(
                [ratios[name]],
                [risks[name]],
                marker,
                color=QUIET,
                mfc=PAPER,
                ms=7,
                clip_on=False,
                label=label,
            )


def _draw_none(axes: Axes, recommendation: Recommendation) -> None:
    risk = recommendation.shown["none"]
    axes.axhline(risk, color=QUIET, lw=1.2, ls=":", label="no synthetic rows")


def _draw_bounds(axes: Axes, recommendation: Recommendation) -> None:
    """Lines with their names beside them; names of bounds that agree share a line."""
    for step, (at, names) in enumerate(_groups(axes, recommendation)):
        beyond = at > recommendation.curve[-1].ratio
        where = min(at, axes.get_xlim()[1])
        place = _place(axes, where)
        if not beyond:
            axes.axvline(at, color=PRIOR, lw=1.2, ls="--", zorder=1.5)
        axes.annotate(
            f"{', '.join(names)} {'bound' if len(names) == 1 else 'bounds'}, {at:.2f}"
            + (" →" if beyond else ""),
            (place, 0.97 - 0.075 * step),
            xycoords="axes fraction",
            xytext=(-5 if place > 0.5 else 5, 0),
            textcoords="offset points",
            ha="right" if place > 0.5 else "left",
            va="top",
            fontsize=REMARK,
            color=INK,
            bbox=HALO,
        )


def _groups(axes: Axes, recommendation: Recommendation) -> Iterator[tuple[float, list[str]]]:
    """Ratios of the bounds in order, each with the names of those that are drawn there."""
    at, names = 0.0, list[str]()
    for bound in sorted(recommendation.bounds, key=lambda each: each.row_ratio):
        if names and _place(axes, bound.row_ratio) - _place(axes, at) > _TOGETHER:
            yield at, names
            names = []
        if not names:
            at = bound.row_ratio
        names.append(bound.name)
    if names:
        yield at, names


def _place(axes: Axes, ratio: float) -> float:
    """Where on its axis a ratio lies, from 0 to 1."""
    pixels = axes.transData.transform((ratio, 0.0))
    return float(axes.transAxes.inverted().transform(pixels)[0])


def recommendation_html(recommendation: Recommendation) -> str:
    """Return a recommendation as HTML for a notebook."""
    return render("ratio/templates/recommendation.html.jinja", advice=recommendation)


def risk_curve_markdown(recommendation: Recommendation) -> str:
    """Return the risk curve as Markdown with the picture inside it, which Dagster's UI shows."""
    return f"![Predicted risk against ratio]({picture(plot_risk_curve(recommendation))})"
