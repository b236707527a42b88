"""The sections of a report: each answers one question a reviewer has, from the manifest.

A section is what its template, of the same name, lays out: values by name. What was not measured is
there as None, and the template says so.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from synthmix_dagster.display.formatting import readable
from synthmix_dagster.display.style import PAGE_WIDTH
from synthmix_dagster.distance.display import plot_distance
from synthmix_dagster.distance.report import DistanceReport
from synthmix_dagster.gates.evidence import Evidence, of_generator
from synthmix_dagster.gates.other_verdicts import judge_memorisation, judge_recommendation
from synthmix_dagster.gates.threshold import GATES
from synthmix_dagster.gates.verdicts import Verdict
from synthmix_dagster.ratio.answers import Answer, ratios_of
from synthmix_dagster.ratio.decision import EQUIVALENT
from synthmix_dagster.ratio.display import plot_risk_curve
from synthmix_dagster.ratio.recommendation import Recommendation
from synthmix_dagster.ratio.shares import Amounts
from synthmix_dagster.release.display import plot_composition
from synthmix_dagster.release.manifest import Input, InputView, Manifest, Portion
from synthmix_dagster.release.report.changes import changes
from synthmix_dagster.release.report.pictures import Picture, draw
from synthmix_dagster.release.report.reproducing import program
from synthmix_dagster.release.sources import REAL

#: What comes of a check.
Result = Literal["passed", "failed", "warning", "not configured"]

#: Values that a template lays out, by name.
Values = dict[str, Any]

_BASELINES = {
    "none": "no synthetic rows",
    "one_to_one": "as many as real rows",
    "all": "all synthetic rows",
    "recommended": "recommended",
}


@dataclass(frozen=True)
class Sources:
    """What a report is made from.

    Attributes
    ----------
    manifest : Manifest
    evidence : Evidence
        Of that manifest.
    previous : Manifest, optional
        Of the release before.
    """

    manifest: Manifest
    evidence: Evidence
    previous: Manifest | None


@dataclass(frozen=True)
class Check:
    """A row of the table of checks."""

    name: str
    result: Result
    sentence: str


def released(sources: Sources) -> Values:
    """Rows by source, strata and columns."""
    manifest = sources.manifest
    portions = manifest.composition()
    names = [portion.name for portion in portions]
    return {
        "manifest": manifest,
        "composition": draw(
            lambda: plot_composition(manifest, width=PAGE_WIDTH),
            "composition",
            "Composition of the release",
            f"Bars for the share of every input: {_in_words(portions)}.",
        ),
        "portions": [
            {**asdict(portion), "source": portion.source, "percent": round(100 * portion.share, 2)}
            for portion in portions
        ],
        "strata": [
            (stratum, counts["rows"], *(counts.get(name) for name in names))
            for stratum, counts in manifest.realised.strata.items()
        ],
        "stratum_columns": [
            (title, place) for place, title in enumerate(("value", "rows", *names))
        ],
        "columns": [
            {**asdict(column), "nulls": manifest.realised.nulls.get(column.name)}
            for column in manifest.columns
        ],
    }


def inputs(sources: Sources) -> Values:
    """Datasets, their identity and their files."""
    given = sorted(sources.manifest.inputs.items(), key=lambda item: (item[0] != REAL, item[0]))
    return {
        "inputs": [
            {
                "name": name,
                "rows": source.rows,
                "identity": _identity(source),
                "view": _view(source.view) if source.origin is None else _query(source.origin),
                "fingerprint": source.fingerprint,
            }
            for name, source in given
        ],
        "files": [
            {"input": name, **asdict(file)} for name, source in given for file in source.files
        ],
    }


def ratio(sources: Sources) -> Values:
    """The recommendation and its reasons."""
    manifest, advice = sources.manifest, sources.evidence.recommendation
    common: Values = {"manifest": manifest, "advice": advice}
    if advice is None:
        return {**common, "unread": "optimal_ratio" in sources.evidence.unread}
    if not isinstance(advice, Recommendation):
        found = {"deviates": deviates(manifest, advice), "amounts": Amounts.of(advice)}
        return {**common, **found}
    results = (advice.weighted, advice.exchange)
    return {
        **common,
        "deviates": deviates(manifest, advice),
        "meaning": _meaning_of_interval(advice),
        "risk_curve": _risk_curve(advice),
        "baselines": _baselines(advice),
        "reasons": [result.reason for result in results if result is not None],
        "notes": [note for note in advice.notes if note != advice.provenance.sentence],
    }


def deviates(manifest: Manifest, advice: Answer) -> bool:
    """Whether a release holds another ratio than was recommended."""
    ratios = ratios_of(advice)
    # Of every generator or class a whole number of rows is released.
    rounded = 0.5 * (len(ratios) if isinstance(ratios, dict) else 1)
    return abs(manifest.realised.ratio - advice.ratio) > rounded / advice.n_real


def _meaning_of_interval(advice: Recommendation) -> str:
    """What may be concluded from the interval of the ratio, in plain words."""
    low, high = advice.interval
    if advice.experience is not None:
        return (
            f"Of ten intervals made like this one, {low:.2f} to {high:.2f}, nine held the ratio "
            "that was truly best, on datasets that the method had not seen. These rows cannot tell "
            "which ratio inside it is best."
        )
    return (
        f"Ratios {low:.2f} to {high:.2f} are statistically indistinguishable from the best one: "
        "their predicted error is above the lowest by less than "
        f"{EQUIVALENT:g} standard errors of the difference. Of two equal ratios, chance alone "
        "makes one look worse by more than that in one case of ten. These rows cannot tell which "
        "ratio inside it is best."
    )


def distance(sources: Sources) -> Values:
    """The gap, chance, and the columns that contribute to it, of each generator."""
    evidence = sources.evidence
    reports = dict(evidence.distances) if evidence.distance is None else {"": evidence.distance}
    return {
        "unread": [name for name in evidence.unread if name.startswith("distribution_distance")],
        "distances": [
            {
                "generator": name,
                "report": report,
                "gap": _gap(
                    report, evidence.thresholds.get(of_generator("wasserstein_gap", name)), name
                ),
            }
            for name, report in reports.items()
        ],
    }


def checked(sources: Sources) -> Values:
    """Gates, those that were not configured, and what every release is checked for."""
    evidence, verdicts = sources.evidence, verdicts_of(sources.evidence)
    missing = [
        Check(name, "not configured", "No threshold was set, so it could not stop the release.")
        for name in GATES
        if "checks" not in evidence.unread
        and not any(check == name or check.startswith(f"{name} of ") for check in verdicts)
    ]
    if evidence.recommendation is None:
        reason = "No recommendation was computed."
        missing.append(Check("recommendation_usable", "not configured", reason))
    return {
        "checks": [
            *(Check(name, _result(v), v.sentence) for name, v in verdicts.items()),
            *missing,
            _recount(sources.manifest),
        ],
        "overrides": dict(sorted(evidence.overrides.items())),
        "unread": [
            name for name in evidence.unread if name in ("checks", "thresholds", "overrides")
        ],
    }


def verdicts_of(evidence: Evidence) -> dict[str, Verdict]:
    """The recorded verdicts, and those on a recommendation, which can be given at any time."""
    verdicts, advice = dict(evidence.checks), evidence.recommendation
    if advice is not None:
        verdicts.setdefault("recommendation_usable", judge_recommendation(advice))
        verdicts.setdefault("memorisation", judge_memorisation(advice, "WARN"))
    return verdicts


def changed(sources: Sources) -> Values:
    """What is different from the release before."""
    previous = sources.previous
    return {
        "manifest": sources.manifest,
        "previous": previous,
        "changes": [] if previous is None else changes(previous, sources.manifest),
    }


def reproduce(sources: Sources) -> Values:
    """The call that makes the same bytes, the versions, and how to verify the files."""
    return {"manifest": sources.manifest, "program": program(sources.manifest)}


def glossary(sources: Sources) -> Values:
    """What the words mean, which is the same in every report."""
    return {}


def _in_words(portions: list[Portion]) -> str:
    return "; ".join(f"{p.name} {p.rows:,} rows, {p.share:.1%}" for p in portions)


def _identity(source: Input) -> str:
    """What identifies a row, in words."""
    columns = ", ".join(source.identity.columns)
    return {
        "content": "content hash",
        "file and row number": "file and row number",
        "key": f"key {columns}",
    }[source.identity.by]


def _query(origin: Mapping[str, Any]) -> str:
    values = ", ".join(f"{{{n}}} = {v!r}" for n, v in enumerate(origin.get("parameters", ()), 1))
    with_values = f" with {values}" if values else ""
    return f"query on '{origin['connection']}': {origin['query']}{with_values}"


def _view(view: InputView | None) -> str:
    """Filters, columns and new names, in words."""
    if view is None:
        return "unfiltered"
    groups = [" and ".join(_condition(*condition) for condition in group) for group in view.filters]
    parts = [
        f"rows where {' or '.join(groups)}" if groups else "",
        f"columns {', '.join(view.columns)}" if view.columns is not None else "",
        ", ".join(f"{old} renamed to {new}" for old, new in sorted(view.rename.items())),
    ]
    return "; ".join(part for part in parts if part) or "unfiltered"


def _condition(column: str, operator: str, value: object) -> str:
    return f"{column} {operator}" if value is None else f"{column} {operator} {value!r}"


def _risk_curve(advice: Recommendation) -> Picture:
    low, high = advice.interval
    return draw(
        lambda: plot_risk_curve(advice, width=PAGE_WIDTH),
        "risk-curve",
        "Predicted risk at every ratio",
        f"A curve of the {advice.metric} from ratio 0 to {readable(advice.curve[-1].ratio)}. "
        f"It is {advice.shape}. Ratio {readable(advice.ratio)} is recommended; the interval "
        f"{readable(low)}\N{EN DASH}{readable(high)}: {advice.meaning_of_interval}.",
    )


def _baselines(advice: Recommendation) -> list[Values]:
    risks = advice.shown
    none = risks["none"]
    # A score need not have a zero that means anything.
    change = "{:+.1%}" if advice.score is None else "{:+.4g}"

    def changed(value: float) -> float:
        return value / none - 1 if advice.score is None else value - none

    return [
        {
            "name": title,
            "risk": risks[name],
            "change": change.format(changed(risks[name])) if name != "none" and none != 0 else "",
        }
        for name, title in _BASELINES.items()
        if name in risks
    ]


def _gap(report: DistanceReport, threshold: float | None, generator: str) -> Picture:
    limit = "" if threshold is None else f", the threshold {threshold:g}"
    interval = ""
    if report.interval is not None:
        interval = " (95 % interval {:.3f} to {:.3f})".format(*report.interval)
    largest = ", ".join(f"{column.column} {column.part:.3f}" for column in report.columns[:3])
    return draw(
        lambda: plot_distance(report, threshold=threshold, width=PAGE_WIDTH),
        f"distance-{generator}" if generator else "distance",
        "Gap, chance and threshold, and the contribution of every column",
        f"The gap is {report.gap:.3f}{interval}, the floor {report.floor:.3f}{limit}. "
        f"Largest contributions to the squared gap: {largest}.",
    )


def _result(verdict: Verdict) -> Result:
    if verdict.passed:
        return "passed"
    return "warning" if verdict.severity == "WARN" else "failed"


def _recount(manifest: Manifest) -> Check:
    identities = (
        "No row identity occurs twice."
        if manifest.mix.provenance
        else "The files carry no row identities, so only totals were compared."
    )
    return Check(
        "recount",
        "passed",
        f"Before publication the files were read again: {manifest.realised.rows:,} rows; sources, "
        f"strata and missing values are as listed above. {identities}",
    )
