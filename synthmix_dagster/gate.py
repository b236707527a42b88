"""The gate: one judgement of a stored distance, shared by the check and by the release.

`checks.py` shows the verdict in Dagster; `assets.py` asks for it again before it releases anything,
because a blocking check only stops the run it is part of.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from synthmix_dagster.distance.conditional import LEAST_OVERLAP
from synthmix_dagster.distance.report import DistanceReport
from synthmix_dagster.ratio.recommendation import Recommendation


@dataclass(frozen=True)
class Verdict:
    """What a gate decided, and the sentence a person reads.

    Attributes
    ----------
    passed : bool
    sentence : str
        What was found and what to do next.
    """

    passed: bool
    sentence: str


def judge_gap(report: DistanceReport, threshold: float) -> Verdict:
    """Fail when the gap goes over the threshold; a gap that is not a number fails as well.

    Parameters
    ----------
    report : DistanceReport
    threshold : float
        Largest acceptable gap, in real standard deviations.
    """
    evidence = f"floor {report.floor:.3f}, "
    if report.interval is not None and report.p_value is not None:
        low, high = report.interval
        evidence = f"95 % interval {low:.2f} to {high:.2f}, {evidence}p = {report.p_value:.3f}, "
    evidence += f"{report.n_real} real and {report.n_synthetic} synthetic rows"
    if report.gap <= threshold:
        return Verdict(
            True, f"The gap of {report.gap:.3f} is within the threshold {threshold:g} ({evidence})."
        )
    whole = sum(column.part for column in report.columns)
    worst = ", ".join(f"{c.column} ({c.part / whole:.0%})" for c in report.columns[:3])
    return Verdict(
        False,
        f"The gap of {report.gap:.3f} is over the threshold {threshold:g} ({evidence}). "
        f"Columns that make up most of it: {worst}. "
        "Mend or retrain the generator, or raise 'threshold' if this gap is acceptable.",
    )


def judge_conditional_gap(report: DistanceReport, threshold: float) -> Verdict:
    """Fail when the target moved too far for given inputs, or when that cannot be told.

    Parameters
    ----------
    report : DistanceReport
    threshold : float
        Largest acceptable conditional gap, in real standard deviations of the target.
    """
    gap, overlap = report.conditional_gap, report.overlap
    if gap is None or overlap is None:
        return Verdict(
            False,
            "The conditional gap was not measured: the target, or everything beside it, says "
            "nothing in the real rows. Take 'conditional_threshold' out, or check the real rows.",
        )
    if overlap < LEAST_OVERLAP:
        return Verdict(
            False,
            f"The conditional gap cannot be judged: {overlap:.0%} of the real rows have synthetic "
            "ones with inputs like theirs, so that labels can hardly be compared. Mend the inputs "
            "first, beginning with the columns that have the largest parts of the gap.",
        )
    found = f"The conditional gap of {gap:.3f}"
    if report.conditional_interval is not None:
        low, high = report.conditional_interval
        found += f" (95 % interval {low:.2f} to {high:.2f})"
    if gap <= threshold:
        return Verdict(
            True,
            f"{found} is within its threshold {threshold:g}, judged for the {overlap:.0%} of the "
            "real rows that have synthetic ones with inputs like theirs.",
        )
    return Verdict(
        False,
        f"{found} is over its threshold {threshold:g}: rows that are alike have other labels in "
        "synthetic than in real. Mend how the generator labels its rows, or raise "
        "'conditional_threshold' if this is acceptable.",
    )


#: Gates by the name of their check: what each says of a distance and a threshold.
GATES: Mapping[str, Callable[[DistanceReport, float], Verdict]] = {
    "wasserstein_gap": judge_gap,
    "conditional_gap": judge_conditional_gap,
}


def judge_recommendation(recommendation: Recommendation) -> Verdict:
    """Say whether the risk may decide, tells one ratio from another, and has turned."""
    if not recommendation.provenance.trusted:
        return Verdict(False, recommendation.reason)
    low, high = recommendation.interval
    highest = recommendation.curve[-1].ratio
    if recommendation.shape == "flat" and highest > 0:
        return Verdict(
            False,
            f"The risk curve is flat: neither {low:.2f} nor {high:.2f} differs from the best ratio "
            "by more than chance. More real rows would tell them apart.",
        )
    judged = recommendation.refits or recommendation.curve
    lowest = min(judged, key=lambda point: point.risk)
    if highest > 0 and lowest.ratio == highest:
        return Verdict(
            False,
            f"The risk is still falling at {highest:.2f}, the highest ratio considered. Generate "
            "more rows, or raise 'max_ratio', to find its lowest point.",
        )
    return Verdict(True, recommendation.reason)


def judge_realised(ratio: float, manifest: Mapping[str, Any]) -> Verdict:
    """Compare what a release holds with what was recommended.

    Parameters
    ----------
    ratio : float
        Recommended synthetic rows per real row.
    manifest : mapping
        Manifest of a release that was verified, so that its counts are those on disk.
    """
    realised, notes = manifest["realised"], manifest["notes"]
    real, synthetic = int(realised["real_rows"]), int(realised["synthetic_rows"])
    due_real, due = int(manifest["inputs"]["real"]["rows"]), round(ratio * real)
    if notes:
        due = min(due, int(manifest["mix"]["synthetic_rows"]))
    found = f"{real} real and {synthetic} synthetic rows, ratio {realised['ratio']:.4f}"
    # With weights every synthetic row is there, and all of them weigh as much as those due.
    weight = synthetic if manifest["mix"]["mode"] == "rows" else round(realised["ratio"] * real)
    if (real, weight) == (due_real, due):
        said = f"with a reason for fewer: {'; '.join(notes)}" if notes else "exactly as recommended"
        return Verdict(True, f"The release holds {found}, {said}.")
    return Verdict(
        False,
        f"The release holds {found}, where {due_real} real and {due} synthetic rows, ratio "
        f"{ratio:.4f}, were recommended. Materialise 'training_data' again.",
    )
