"""The gate: one judgement of a stored distance, shared by the check and by the release.

`checks.py` shows the verdict in Dagster; `assets.py` asks for it again before it releases anything,
because a blocking check only stops the run it is part of.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from synthmix_dagster.distance.classes import ClassShift
from synthmix_dagster.distance.conditional import MIN_OVERLAP
from synthmix_dagster.distance.report import DistanceReport
from synthmix_dagster.encoding.columns import some_names
from synthmix_dagster.gates.threshold import GATES, Gate, Severity, Threshold

#: Part of a gap that makes a column worth naming.
_LEAST_SHARE = 0.01


@dataclass(frozen=True)
class Verdict:
    """What a gate decided, and the sentence a person reads.

    Attributes
    ----------
    passed : bool
    sentence : str
        What was found and what to do next.
    severity : {"ERROR", "WARN"}
        Of a verdict that did not pass: whether it fails or warns.
    limit : float, optional
        The number that was compared with.
    """

    passed: bool
    sentence: str
    severity: Severity = "ERROR"
    limit: float | None = None


def judge_gap(report: DistanceReport, gate: Gate, critical_gap: float | None = None) -> Verdict:
    """Fail when the gap goes over the threshold; a gap that is not a number fails as well.

    Parameters
    ----------
    report : DistanceReport
    gate : Gate
    critical_gap : float, optional
        Of the recommendation, for a threshold that is ``auto``.
    """
    limit = gate.threshold.limit(report.floor, critical_gap)
    if limit is None:
        return Verdict(False, _no_limit(gate), gate.severity)
    value = gate.compared(report.gap, report.interval)
    if value is None:
        return Verdict(False, _no_interval(gate), gate.severity, limit)
    evidence = f"floor {report.floor:.3f}, "
    if report.interval is not None and report.p_value is not None:
        low, high = report.interval
        evidence = f"95 % interval {low:.2f} to {high:.2f}, {evidence}p = {report.p_value:.3f}, "
    evidence += f"{report.n_real} real and {report.n_synthetic} synthetic rows"
    found, threshold = _found(gate, "gap", value), _named(gate.threshold, limit)
    if value <= limit:
        warn = None if gate.warn is None else gate.warn.limit(report.floor, critical_gap)
        if warn is not None and value > warn and gate.warn is not None:
            return Verdict(
                False,
                f"{found} is over the warning threshold {_named(gate.warn, warn)}, and within "
                f"the threshold {threshold} ({evidence}). {_worst(report)} Nothing is stopped yet; "
                "look at the generator before it is.",
                "WARN",
                limit,
            )
        return Verdict(
            True, f"{found} is within the threshold {threshold} ({evidence}).", limit=limit
        )
    return Verdict(
        False,
        f"{found} is over the threshold {threshold} ({evidence}). {_worst(report)} "
        "Fix or retrain the generator, or raise 'threshold' if this gap is acceptable.",
        gate.severity,
        limit,
    )


def judge_conditional_gap(
    report: DistanceReport, gate: Gate, critical_gap: float | None = None
) -> Verdict:
    """Fail when the target moved too far for given inputs, or when that cannot be told.

    Parameters
    ----------
    report : DistanceReport
    gate : Gate
        Its threshold is in real standard deviations of the target.
    critical_gap : float, optional
        Says nothing here.
    """
    gap, overlap = report.conditional_gap, report.overlap
    limit = gate.threshold.value
    if gap is None or overlap is None:
        return Verdict(
            False,
            "The conditional gap was not measured: the target, or everything beside it, says "
            "nothing in the real rows. Take 'conditional_threshold' out, or check the real rows.",
            gate.severity,
            limit,
        )
    if overlap < MIN_OVERLAP:
        return Verdict(
            False,
            f"The conditional gap cannot be judged: {overlap:.0%} of the real rows have synthetic "
            "ones with inputs like theirs, so that labels can hardly be compared. Fix the inputs "
            "first, beginning with the columns that have the largest parts of the gap.",
            gate.severity,
            limit,
        )
    value = gate.compared(gap, report.conditional_interval)
    if value is None:
        return Verdict(False, _no_interval(gate), gate.severity, limit)
    found = _found(gate, "conditional gap", value)
    if report.conditional_interval is not None:
        low, high = report.conditional_interval
        found += f" (95 % interval {low:.2f} to {high:.2f})"
    judged = f", judged for the {overlap:.0%} of the real rows that have synthetic ones like theirs"
    return _about_labels(gate, found, value, judged, "similar rows")


def judge_class_gap(
    report: DistanceReport, gate: Gate, critical_gap: float | None = None
) -> Verdict:
    """Fail when the labels of one class moved too far for given inputs, or that cannot be told.

    Two numbers are compared with the threshold: the class gap, and the share of the labels that
    rows which look like the class have surely lost or gained.

    Parameters
    ----------
    report : DistanceReport
    gate : Gate
        Its threshold is a largest gap of a class.
    critical_gap : float, optional
        Says nothing here.
    """
    limit = gate.threshold.value
    if not report.classes:
        return Verdict(
            False,
            "The labels of classes were not compared. That needs a target of classes with at "
            "least 20 rows each, and 'permutations' above 0. Set them so, or remove "
            "'class_threshold'.",
            gate.severity,
            limit,
        )
    hidden = [shift for shift in report.classes if shift.overlap < MIN_OVERLAP]
    if hidden:
        named = some_names([shift.name for shift in hidden])
        return Verdict(
            False,
            f"The labels of some classes cannot be judged ({named}): the synthetic data has hardly "
            "any rows with inputs like theirs. Fix the inputs first.",
            gate.severity,
            limit,
        )
    values = [
        *((_gap_of(gate, shift), shift, False) for shift in report.classes),
        *((shift.moved(gate.compare), shift, True) for shift in report.classes),
    ]
    # A gap that is not a number comes first, and passes no threshold.
    value, worst, moved = max(values, key=lambda found: (math.isnan(found[0]), found[0]))
    rows = f"{worst.real_rows:,} real and {worst.synthetic_rows:,} synthetic rows"
    if moved and worst.kept_interval is not None and worst.kept is not None:
        low, high = worst.kept_interval
        end = "at most" if gate.compare == "upper" else "at least"
        found = (
            f"Rows that look like class {worst.name!r} carry its label {worst.kept:.2f} times as "
            f"often as real ones (interval {low:.2f} to {high:.2f}, {rows}), so that a share of "
            f"{end} {value:.3f} has moved, which"
        )
    else:
        low, high = worst.interval
        found = (
            f"{_found(gate, f'class gap of {worst.name!r}', value)} (interval {low:.2f} to "
            f"{high:.2f}, {rows}), the largest of {len(report.classes)} compared,"
        )
    return _about_labels(gate, found, value, "", "rows that look like this class")


def _gap_of(gate: Gate, shift: ClassShift) -> float:
    value = gate.compared(shift.gap, shift.interval)
    return float("nan") if value is None else value


def _about_labels(gate: Gate, found: str, value: float, judged: str, rows: str) -> Verdict:
    """Compare what was found of labels, and say what it means."""
    limit = gate.threshold.value
    if value <= limit:
        return Verdict(True, f"{found} is within its threshold {limit:g}{judged}.", limit=limit)
    return Verdict(
        False,
        f"{found} is over its threshold {limit:g}: {rows} carry different labels in the synthetic "
        "data than in the real data. Fix how the generator assigns labels, or raise "
        f"'{GATES[gate.name]}' if this is acceptable.",
        gate.severity,
        limit,
    )


def judge_classifier(
    report: DistanceReport, gate: Gate, critical_gap: float | None = None
) -> Verdict:
    """Fail when a classifier tells synthetic rows from real ones too well.

    Parameters
    ----------
    report : DistanceReport
    gate : Gate
        Its threshold is a largest balanced accuracy.
    critical_gap : float, optional
        Says nothing here.
    """
    test, limit = report.classifier, gate.threshold.value
    if test is None:
        return Verdict(
            False,
            "No classifier was trained to tell synthetic rows from real ones. Measure the distance "
            "again with 'classifier' set, or remove 'classifier_threshold'.",
            gate.severity,
            limit,
        )
    value = gate.compared(test.accuracy, test.interval)
    low, high = test.interval
    found = (
        f"{_found(gate, 'accuracy of a classifier', value or 0.0)} (95 % interval {low:.2f} to "
        f"{high:.2f}, p = {test.p_value:.3f}, {test.n_real:,} real and {test.n_synthetic:,} "
        "synthetic rows judged; 0.5 is guessing)"
    )
    if value is not None and value <= limit:
        return Verdict(True, f"{found} is within its threshold {limit:g}.", limit=limit)
    return Verdict(
        False,
        f"{found} is over its threshold {limit:g}: synthetic rows can be distinguished from "
        "real ones by how their columns go together. Fix or retrain the generator, or raise "
        "'classifier_threshold' if this is acceptable.",
        gate.severity,
        limit,
    )


def judge_distinct_rows(
    report: DistanceReport, gate: Gate, critical_gap: float | None = None
) -> Verdict:
    """Fail when too few of the synthetic rows are distinct.

    Parameters
    ----------
    report : DistanceReport
    gate : Gate
        Its threshold is a smallest share.
    critical_gap : float, optional
        Says nothing here.
    """
    limit, share = gate.threshold.value, report.distinct_share
    if share is None:
        return Verdict(
            False,
            "Repeated synthetic rows cannot be judged: rows of the real data repeat as well, or "
            "another version measured the distance. Measure it again, or remove "
            "'min_distinct_share'.",
            gate.severity,
            limit,
        )
    found = f"The synthetic rows that were compared count as {share:.1%} distinct ones"
    if share >= limit:
        return Verdict(True, f"{found}; at least {limit:.1%} are required.", limit=limit)
    return Verdict(
        False,
        f"{found}, and at least {limit:.1%} are required: rows are repeated more often than in the "
        "real data. Generate new rows instead of repeating some, or lower 'min_distinct_share'.",
        gate.severity,
        limit,
    )


def judge(gate: Gate, report: DistanceReport, critical_gap: float | None = None) -> Verdict:
    """Ask a gate for its verdict on a distance."""
    return _JUDGES[gate.name](report, gate, critical_gap)


_JUDGES: Mapping[str, Callable[[DistanceReport, Gate, float | None], Verdict]] = {
    "wasserstein_gap": judge_gap,
    "conditional_gap": judge_conditional_gap,
    "class_gap": judge_class_gap,
    "classifier_accuracy": judge_classifier,
    "distinct_rows": judge_distinct_rows,
}


def _found(gate: Gate, what: str, value: float) -> str:
    if gate.compare == "estimate":
        return f"The {what} of {value:.3f}"
    return f"The {gate.compare} end of the interval of the {what}, {value:.3f},"


def _named(threshold: Threshold, limit: float) -> str:
    return f"{limit:g}" if threshold.kind == "number" else f"{limit:.3g} ({threshold})"


def _worst(report: DistanceReport) -> str:
    whole = sum(column.part for column in report.columns)
    if whole <= 0 or (report.interval is not None and report.interval[0] <= 0):
        # A gap that may be zero has no shares.
        first = some_names([column.column for column in report.columns[:3]])
        return (
            "The gap itself may be zero; more rows on the smaller side make its interval shorter. "
            f"The columns that may differ most: {first}."
        )
    shares = [(column.column, column.part / whole) for column in report.columns[:3]]
    # The first is named even where no column says much by itself.
    named = [share for share in shares if share[1] >= _LEAST_SHARE] or shares[:1]
    worst = ", ".join(f"{name} ({share:.0%})" for name, share in named)
    return f"Columns that make up most of it: {worst}."


def _no_limit(gate: Gate) -> str:
    lack = "no floor was measured" if gate.threshold.kind == "floor" else "no gap is critical here"
    return (
        f"The gap cannot be judged by the threshold '{gate.threshold}', as {lack}. Set 'threshold' "
        "to a number of real standard deviations."
    )


def _no_interval(gate: Gate) -> str:
    return (
        f"The gap cannot be judged by the {gate.compare} end of its interval, as no interval was "
        "measured. Set 'permutations' above 0, or 'compare' to 'estimate'."
    )
