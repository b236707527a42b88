"""Every picture by one door, and each as Markdown that carries it.

The pictures lie in modules of their own: `risk_curve`, `distance`, `composition`, `drift`.
"""

from synthmix_dagster.distance.report import DistanceReport
from synthmix_dagster.presentation.composition import plot_composition
from synthmix_dagster.presentation.distance import MOST_COLUMNS, plot_distance
from synthmix_dagster.presentation.rendering import picture, png
from synthmix_dagster.presentation.risk_curve import plot_risk_curve
from synthmix_dagster.presentation.style import CHOSEN, CURVE, PRIOR, QUIET
from synthmix_dagster.ratio.recommendation import Recommendation
from synthmix_dagster.tables.releases import Release

__all__ = [
    "CHOSEN",
    "CURVE",
    "MOST_COLUMNS",
    "PRIOR",
    "QUIET",
    "composition_markdown",
    "distance_markdown",
    "picture",
    "plot_composition",
    "plot_distance",
    "plot_risk_curve",
    "png",
    "risk_curve_markdown",
]


def risk_curve_markdown(recommendation: Recommendation) -> str:
    """Return the risk curve as Markdown with the picture inside it, which Dagster's UI shows."""
    return f"![Predicted risk against ratio]({picture(plot_risk_curve(recommendation))})"


def distance_markdown(report: DistanceReport, threshold: float | None) -> str:
    """Return the gap and its parts as Markdown with the picture inside it."""
    axes = plot_distance(report, threshold=threshold)
    return f"![Part of every column in the gap]({picture(axes)})"


def composition_markdown(release: Release) -> str:
    """Return the composition of a release as Markdown with the picture inside it."""
    axes = plot_composition(release.manifest)
    return f"![Rows of a release by where they come from]({picture(axes)})"
