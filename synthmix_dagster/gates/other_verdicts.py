"""Verdicts that judge no distance: on columns, on a recommendation, on what a release holds."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from synthmix_dagster.data.schema_contract import Violation
from synthmix_dagster.gates.threshold import Severity
from synthmix_dagster.gates.verdicts import Verdict
from synthmix_dagster.ratio.answers import Answer, provenances_of
from synthmix_dagster.ratio.provenance import Provenance
from synthmix_dagster.ratio.recommendation import Recommendation
from synthmix_dagster.ratio.wording import headline_on_absent

if TYPE_CHECKING:
    from synthmix_dagster.release.manifest import Manifest

#: Violations of a schema that a sentence names.
_NAMED = 5


def judge_schema(found: Sequence[Violation], severity: Severity) -> Verdict:
    """Say how the columns differ from what they are held to."""
    if not found:
        return Verdict(True, "All columns are as they should be.")
    said = "; ".join(f"{v.dataset} '{v.column}' ({v.rule}): {v.found}" for v in found[:_NAMED])
    more = f"; and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return Verdict(
        False,
        f"Columns are not as they should be: {said}{more}. Fix the data, or change 'contract' if "
        "this is intended.",
        severity,
    )


def judge_memorisation(answer: Answer, severity: Severity) -> Verdict:
    """Judge whether synthetic rows appear to be derived from the real rows, of any generator."""
    verdicts = {
        name: _judge_memorisation(provenance, severity)
        for name, provenance in provenances_of(answer).items()
    }
    failed = [name for name, verdict in verdicts.items() if not verdict.passed]
    said = [
        f"'{name}': {verdicts[name].sentence}" if name else verdicts[name].sentence
        for name in failed or verdicts
    ]
    if not said:
        return Verdict(True, "No test was made.")
    return Verdict(False, " ".join(said), severity) if failed else Verdict(True, " ".join(said))


def _judge_memorisation(provenance: Provenance, severity: Severity) -> Verdict:
    test = provenance.memorisation
    if test is None:
        return Verdict(True, f"No test was made. {provenance.sentence}")
    if not test.memorised:
        return Verdict(True, test.reason)
    return Verdict(False, f"{test.reason} {provenance.sentence}".strip(), severity)


def judge_recommendation(answer: Answer, severity: Severity = "WARN") -> Verdict:
    """Say whether the risk may decide, tells one ratio from another, and has turned."""
    if isinstance(answer, Recommendation):
        return _judge_one_ratio(answer, severity)
    barred = [name for name, of in provenances_of(answer).items() if not of.trusted]
    return Verdict(False, answer.reason, severity) if barred else Verdict(True, answer.reason)


def _judge_one_ratio(recommendation: Recommendation, severity: Severity) -> Verdict:
    if not recommendation.provenance.trusted:
        return Verdict(False, recommendation.reason, severity)
    if recommendation.absent and recommendation.ratio > 0:
        return Verdict(
            False,
            f"{headline_on_absent(recommendation.absent)}A ratio of {recommendation.ratio:.2f} "
            "makes them rarer in the training data. Have the generator make them.",
            severity,
        )
    highest = recommendation.curve[-1].ratio
    if recommendation.undecided:
        return Verdict(
            False,
            f"The risk curve is flat. {recommendation.reason} More real rows may tell the ratios "
            "apart.",
            severity,
        )
    if recommendation.shape == "flat":
        return Verdict(True, recommendation.reason)
    judged = recommendation.refits or recommendation.curve
    lowest = min(judged, key=lambda point: point.risk)
    if highest > 0 and lowest.ratio == highest:
        return Verdict(
            False,
            f"The risk is still falling at {highest:.2f}, the highest ratio considered. Generate "
            "more rows, or raise 'max_ratio', to find its lowest point. "
            f"{recommendation.reason}",
            severity,
        )
    return Verdict(True, recommendation.reason)


def flat_curve_objection(answer: Answer) -> str:
    """Why a recommendation may not be released as it stands; empty where it may."""
    if not isinstance(answer, Recommendation) or not answer.undecided:
        return ""
    return (
        f"the risk curve is flat, and 'flat_curve' does not say what to release. {answer.reason} "
        "Set 'flat_curve' to none or rows, or set a ratio"
    )


def judge_realised(
    recommended: float,
    manifest: "Manifest",
    severity: Severity = "ERROR",
    *,
    requested: float | None = None,
) -> Verdict:
    """Compare what a release holds with what was recommended, or requested in its place.

    Parameters
    ----------
    recommended : float
        Recommended synthetic rows per real row.
    manifest : Manifest
        Of a release that was verified, so that its counts are those on disk.
    severity : {"ERROR", "WARN"}
    requested : float, optional
        Synthetic rows per real row that the run asked for; by default those recommended.
    """
    ratio = recommended if requested is None else requested
    realised, notes = manifest.realised, manifest.notes
    real, synthetic = realised.real_rows, realised.synthetic_rows
    due_real, due = manifest.real.rows, round(ratio * real)
    if notes:
        due = min(due, manifest.mix.synthetic_rows)
    held = f"{real} real and {synthetic} synthetic rows, ratio {realised.ratio:.4f}"
    asked = ratio != recommended
    found = _strata_not_due(manifest)
    if found:
        return Verdict(False, f"{found} Materialise 'training_data' again.", severity)
    # With weights every synthetic row is there, and all of them weigh as much as those due.
    weight = round(realised.ratio * real) if manifest.mix.weighted else synthetic
    if (real, weight) != (due_real, due):
        return Verdict(
            False,
            f"The release holds {held}, where {due_real} real and {due} synthetic rows, ratio "
            f"{ratio:.4f}, were {'requested' if asked else 'recommended'}. Materialise "
            "'training_data' again.",
            severity,
        )
    how = f"as requested in the run config; {recommended:.4f} was recommended"
    if not asked:
        how = f"with a reason for fewer: {'; '.join(notes)}" if notes else "exactly as recommended"
    return Verdict(True, f"The release holds {held}, {how}.")


def _strata_not_due(manifest: "Manifest") -> str:
    """Which stratum of a generator has other rows than its own ratio asks for; empty if none."""
    for generator, request in manifest.mix.generators.items():
        for name, of_stratum in (request.strata or {}).items():
            held = manifest.realised.strata.get(name, {}).get(generator, 0)
            if held != of_stratum.rows:
                return (
                    f"The release holds {held} rows of '{name}', where {of_stratum.rows} are due."
                )
    return ""
