"""The first screen of a report: released or not, how much, why this ratio, and what may be wrong.

Everything here is said once more, with its numbers, in the sections below it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from synthmix_dagster.display.formatting import readable, shown, signed
from synthmix_dagster.distance.report import DistanceReport
from synthmix_dagster.gates.evidence import Evidence, of_generator
from synthmix_dagster.ratio.answers import Answer, provenances_of
from synthmix_dagster.ratio.display import plot_choice
from synthmix_dagster.ratio.embedding import EmbeddingOptimum
from synthmix_dagster.ratio.provenance import Provenance
from synthmix_dagster.ratio.recommendation import Recommendation
from synthmix_dagster.release.manifest import Manifest
from synthmix_dagster.release.report.changes import Change
from synthmix_dagster.release.report.pictures import Picture, draw
from synthmix_dagster.release.report.sections import Sources, Values, deviates, verdicts_of

#: What could be wrong, of which a person reads so many.
MAX_DOUBTS = 3
#: Letters of a sentence of a check that the first screen has room for.
_MAX_LETTERS = 220


@dataclass(frozen=True)
class Decision:
    """Whether the release passed its gates.

    Attributes
    ----------
    state : {"passed", "failed", "warning"}
    headline, remark : str
    """

    state: Literal["passed", "failed", "warning"]
    headline: str
    remark: str = ""


@dataclass(frozen=True)
class Key:
    """One of the few numbers that matter most."""

    name: str
    value: str
    remark: str


@dataclass(frozen=True)
class Doubt:
    """Something that could be wrong, and the section that has its numbers."""

    sentence: str
    anchor: str


def summary(sources: Sources) -> Values:
    """What the first screen lays out."""
    manifest, evidence = sources.manifest, sources.evidence
    return {
        "manifest": manifest,
        "decision": decision(evidence),
        "keys": _keys(manifest, evidence),
        "why": why(manifest, evidence),
        "choice": _choice(manifest, evidence.recommendation),
        "doubts": doubts(sources)[:MAX_DOUBTS],
        "previous": sources.previous,
        "compared": [] if sources.previous is None else _compared(sources.previous, manifest),
    }


def decision(evidence: Evidence) -> Decision:
    """Whether the gates passed, and who let it through if they did not."""
    failed = [name for name, v in evidence.checks.items() if not v.passed and v.severity == "ERROR"]
    waiver = evidence.waiver
    if waiver is not None:
        more = len(waiver.objections) - 1
        return Decision(
            "failed",
            "Released although "
            + (f"a gate failed: {', '.join(failed)}." if failed else "something forbade it."),
            f"Reason given by {waiver.by} at {waiver.at}: “{waiver.reason}”. "
            f"What forbade it: {_short(waiver.objections[0])}"
            + (f" (and {more} more)" if more else ""),
        )
    if "checks" in evidence.unread:
        return Decision(
            "warning", "The recorded results of the gates cannot be read by this version."
        )
    if failed:
        return Decision("failed", f"Released although a gate failed: {', '.join(failed)}.")
    if not evidence.checks:
        return Decision(
            "warning", "No gates were configured.", "Nothing could have stopped this release."
        )
    warned = [name for name, verdict in evidence.checks.items() if not verdict.passed]
    remark = f"With a warning: {', '.join(warned)}." if warned else ""
    return Decision("warning" if warned else "passed", "Released. All gates passed.", remark)


def why(manifest: Manifest, evidence: Evidence) -> str:
    """Why this ratio, in a sentence."""
    advice, ratio = evidence.recommendation, readable(manifest.realised.ratio)
    if advice is None:
        return f"The ratio {ratio} was set by the user. No recommendation was computed."
    if deviates(manifest, advice):
        return f"The released ratio is {ratio}; {readable(advice.ratio)} was recommended."
    return advice.reason


def doubts(sources: Sources) -> list[Doubt]:
    """What could be wrong, the most serious first; what no report can rule out comes last."""
    evidence = sources.evidence
    found = [*_unknown(evidence), *_warned(evidence), *_uncertain(sources), *_always(sources)]
    # A sentence that says the same as one before it takes the place of another.
    return list({doubt.sentence: doubt for doubt in found}.values())


def _unknown(evidence: Evidence) -> Iterator[Doubt]:
    """What was not measured or cannot be read."""
    for name in evidence.unread:
        yield Doubt(f"'{name}' was written by another version and cannot be read.", "checked")
    if evidence.distance is None and not evidence.distances:
        yield Doubt(
            "The distance was not measured, so synthetic rows may be far from real rows.",
            "distance",
        )
    if evidence.recommendation is None:
        yield Doubt("No other ratio was compared, so another one may be better.", "ratio")


def _warned(evidence: Evidence) -> Iterator[Doubt]:
    """Checks that did not pass, and rows that may not judge."""
    barred = {name: of for name, of in _provenances(evidence).items() if not of.trusted}
    for name, provenance in barred.items():
        said = f"'{name}': {provenance.sentence}" if name else provenance.sentence
        yield Doubt(_short(said), "ratio")
    for name, verdict in verdicts_of(evidence).items():
        if not verdict.passed and not (barred and not name.startswith("wasserstein_gap")):
            yield Doubt(_short(verdict.sentence), "checked")


def _provenances(evidence: Evidence) -> dict[str, Provenance]:
    return {} if evidence.recommendation is None else provenances_of(evidence.recommendation)


def _reports(evidence: Evidence) -> dict[str, DistanceReport]:
    """The distance of each generator; of the only one, by no name."""
    return dict(evidence.distances) if evidence.distance is None else {"": evidence.distance}


def _uncertain(sources: Sources) -> Iterator[Doubt]:
    """What the numbers leave open."""
    evidence = sources.evidence
    advice = evidence.recommendation
    if any(of.judged == "unknown" for of in _provenances(evidence).values()):
        yield Doubt(
            "If the generator was fitted on these real rows, the predicted error is too low and "
            "the ratio may be too high.",
            "ratio",
        )
    reports = _reports(evidence)
    for name, report in reports.items():
        limit = evidence.thresholds.get(of_generator("wasserstein_gap", name))
        if report.interval is None or limit is None:
            continue
        high = report.interval[1]
        if report.gap <= limit < high:
            whose = f" of '{name}'" if name else ""
            yield Doubt(
                f"The gap{whose} may be above its threshold of {limit:g}: its 95 % interval "
                f"reaches {high:.3f}.",
                "distance",
            )
    labelled = any(report.conditional_gap is not None for report in reports.values())
    if labelled and not any(check.startswith("conditional_gap") for check in evidence.checks):
        yield Doubt(
            "Labels were not gated ('conditional_threshold' is not set), so rows with wrong labels "
            "would have passed.",
            "checked",
        )
    low, high = (0.0, 0.0)
    if isinstance(advice, Recommendation | EmbeddingOptimum):
        low, high = advice.interval
    if low < high:
        yield Doubt(
            f"Another ratio may be better: the interval is {low:.2f} to {high:.2f}.", "ratio"
        )


def _always(sources: Sources) -> Iterator[Doubt]:
    """What no measurement on these rows can rule out."""
    manifest = sources.manifest
    advice = sources.evidence.recommendation
    if isinstance(advice, EmbeddingOptimum):
        yield Doubt("No target was named, so wrong labels are invisible here.", "ratio")
    elif advice is not None:
        learner = advice.learner if isinstance(advice, Recommendation) else "kernel"
        yield Doubt(
            f"The error is predicted for the learner '{learner}'. A model of another kind "
            "may need another ratio.",
            "ratio",
        )
    for report in list(_reports(sources.evidence).values())[:1]:
        yield Doubt(
            f"The distance was measured on {report.n_real:,} real and {report.n_synthetic:,} "
            "synthetic rows. Faults in few rows can go unseen.",
            "distance",
        )
    yield Doubt(
        f"The {manifest.realised.real_rows:,} real rows may not be like the rows that the model "
        "will meet.",
        "inputs",
    )
    yield Doubt("Nothing here replaces a test of the model on rows of its own.", "released")


def _keys(manifest: Manifest, evidence: Evidence) -> list[Key]:
    realised, report, advice = manifest.realised, evidence.distance, evidence.recommendation
    recommended = "no recommendation" if advice is None else f"recommended {advice.ratio:.2f}"
    if evidence.distances:
        gaps = {name: each.gap for name, each in evidence.distances.items()}
        worst = max(gaps, key=gaps.__getitem__)
        gap = Key("largest gap", f"{gaps[worst]:.3f}", worst)
    elif report is None:
        gap = Key("gap", "-", "not measured")
    else:
        threshold = evidence.thresholds.get("wasserstein_gap")
        limit = "no threshold" if threshold is None else f"threshold {threshold:g}"
        gap = Key("gap", f"{report.gap:.3f}", limit)
    passed = sum(verdict.passed for verdict in evidence.checks.values())
    gates = f"{passed} of {len(evidence.checks)}" if evidence.checks else "none"
    rows = f"{realised.real_rows:,} real, {realised.synthetic_rows:,} synthetic"
    return [
        Key("rows", f"{realised.rows:,}", rows),
        Key("ratio", f"{realised.ratio:.2f}", recommended),
        gap,
        Key("gates passed", gates, ", ".join(evidence.checks)),
    ]


def _choice(manifest: Manifest, advice: Answer | None) -> Picture | None:
    if not isinstance(advice, Recommendation):
        return None
    return draw(
        lambda: plot_choice(advice, manifest.realised.ratio),
        "choice",
        "Why this ratio",
        f"A curve of the {advice.metric} from ratio 0 to {readable(advice.curve[-1].ratio)}, with "
        f"the recommended ratio {readable(advice.ratio)} and a line for no synthetic rows.",
    )


def _compared(before: Manifest, now: Manifest) -> list[Change]:
    """The numbers of two releases side by side, whether they changed or not."""
    old, new = (Evidence.from_dict(side.evidence) for side in (before, now))
    gaps = [None if side.distance is None else side.distance.gap for side in (old, new)]
    limits = [side.thresholds.get("wasserstein_gap") for side in (old, new)]
    return [
        _change("rows", before.realised.rows, now.realised.rows),
        _change("ratio", before.realised.ratio, now.realised.ratio),
        _change("gap", *gaps),
        _change("threshold", *limits),
    ]


def _change(name: str, before: float | None, now: float | None) -> Change:
    if before == now:
        difference = "unchanged"
    elif before is None or now is None:
        difference = ""
    else:
        difference = signed(now - before)
    return Change(name, shown(before), shown(now), difference)


def _short(sentence: str) -> str:
    """The first sentence, cut where it is long."""
    first = sentence.partition(". ")[0].rstrip(".")
    if len(first) > _MAX_LETTERS:
        first = first[:_MAX_LETTERS].rpartition(" ")[0] + " …"
    return first + "."
