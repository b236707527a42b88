"""The answer of each asset in words, which Dagster's web UI shows first: one sentence or two."""

from synthmix_dagster.data.dataset import Dataset
from synthmix_dagster.distance.report import DistanceReport
from synthmix_dagster.gates.evidence import Evidence
from synthmix_dagster.ratio.recommendation import Recommendation
from synthmix_dagster.release.manifest import Manifest
from synthmix_dagster.release.report.summary import decision


def of_dataset(dataset: Dataset, evaluation_rows: int | None) -> str:
    """How much there is."""
    aside = f"; {evaluation_rows:,} rows are set aside for evaluation" if evaluation_rows else ""
    return f"{dataset.rows:,} rows, {len(dataset.columns)} columns{aside}."


def of_distance(report: DistanceReport, threshold: float | None) -> str:
    """How far apart the two sides are, and whether that is too far.

    A threshold that follows the recommendation is not known yet.
    """
    low, high = report.interval or (report.gap, report.gap)
    span = f" (95 % interval {low:.2f} to {high:.2f})" if report.interval else ""
    if low <= 0:
        found = f"The gap may be zero: {report.gap:.2f}{span}"
    else:
        found = f"The gap is {report.gap:.2f} real standard deviations{span}"
    worst = f" Largest contribution: {report.columns[0].column}." if report.columns else ""
    if threshold is None:
        return f"{found}.{worst}"
    over = report.gap > threshold
    return f"{found}, {'over' if over else 'within'} the threshold {threshold:.2g}.{worst}"


def of_recommendation(advice: Recommendation) -> str:
    """How many synthetic rows, and what for."""
    low, high = advice.interval
    if not advice.provenance.trusted:
        return f"{of_ratio(advice.ratio)} A safe choice: the predicted error may not decide."
    if advice.undecided:
        return (
            "Synthetic rows make no measurable difference. Set 'flat_curve' to none or rows to "
            "release."
        )
    if not advice.ratio:
        return f"{of_ratio(0)} They are not predicted to lower the error."
    span = f" The best ratio lies between {low:.2g} and {high:.2g}." if low < high else ""
    if advice.score is not None:
        return f"{of_ratio(advice.ratio)}{span}"
    gain = 1 - advice.baselines["recommended"] / advice.baselines["none"]
    return f"{of_ratio(advice.ratio)} The predicted error is {gain:.0%} lower.{span}"


def of_ratio(ratio: float) -> str:
    """A ratio in words."""
    if not ratio:
        return "Add no synthetic rows."
    return f"Add {ratio:.3g} synthetic rows for each real one."


def of_release(manifest: Manifest) -> str:
    """What was released, and whether all gates passed."""
    realised = manifest.realised
    judged = decision(Evidence.from_dict(manifest.evidence))
    return (
        f"{realised.rows:,} rows: {realised.real_rows:,} real, {realised.synthetic_rows:,} "
        f"synthetic (ratio {realised.ratio:.3g}). {judged.headline.removeprefix('Released. ')}"
    )
