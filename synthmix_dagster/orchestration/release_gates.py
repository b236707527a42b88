"""What decides whether a release may be published: gates, checks of the recommendation, drift."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import dagster as dg

from synthmix_dagster.distance.report import DistanceReport
from synthmix_dagster.gates.evidence import critical_gap_of, of_generator
from synthmix_dagster.gates.other_verdicts import (
    flat_curve_objection,
    judge_memorisation,
    judge_recommendation,
    judge_schema,
)
from synthmix_dagster.gates.threshold import GATES, MINIMA, Threshold
from synthmix_dagster.gates.verdicts import Verdict, judge
from synthmix_dagster.gates.waiver import Waiver, require_no_objection
from synthmix_dagster.orchestration.config.mix import MixConfig
from synthmix_dagster.orchestration.drift_watch.check import standing_alarm, watch_of
from synthmix_dagster.orchestration.inputs import Opened, schema_violations
from synthmix_dagster.ratio.answers import Answer

#: Tag of a run that published although something forbade it.
RELEASE_ANYWAY_TAG = "synthmix/release_anyway"


def judge_all(
    config: MixConfig,
    report: DistanceReport,
    recommendation: Answer | None = None,
    thresholds: Mapping[str, float] | None = None,
) -> dict[str, Verdict]:
    """Judge a distance by every gate, with the thresholds of this run where there are any."""
    critical = critical_gap_of(recommendation)
    verdicts = {}
    for gate in config.gates:
        if thresholds and gate.name in thresholds:
            limit = Threshold("number", thresholds[gate.name])
            gate = replace(gate, threshold=limit, warn=None)
        verdicts[gate.name] = judge(gate, report, critical)
    return verdicts


def thresholds_by_gate(overrides: Mapping[str, Any]) -> dict[str, float]:
    """The thresholds among the options of a run, by the gates that they belong to."""
    return {gate: overrides[name] for gate, name in GATES.items() if name in overrides}


def gate_verdicts(
    config: MixConfig,
    opened: Opened,
    report: DistanceReport,
    recommendation: Answer | None,
    overrides: Mapping[str, Any],
) -> dict[str, Verdict]:
    """Verdicts that need no recommendation, or only its critical gap.

    A run may tighten a threshold; one that it loosens is judged as it is configured.
    """
    configured = judge_all(config, report, recommendation)
    tightened = judge_all(config, report, recommendation, thresholds_by_gate(overrides))
    verdicts = {
        name: tightened[name]
        if _strictness(name, verdict) < _strictness(name, tightened[name])
        else verdict
        for name, verdict in configured.items()
    }
    if config.refuses("schema_matches"):
        verdicts["schema_matches"] = judge_schema(schema_violations(config, opened.sides), "ERROR")
    return verdicts


def loosened(
    config: MixConfig,
    report: DistanceReport,
    recommendation: Answer | None,
    overrides: Mapping[str, Any],
) -> list[str]:
    """Thresholds that a run sets above the configured ones, one sentence each."""
    configured = judge_all(config, report, recommendation)
    return [
        f"the run config sets '{GATES[name]}' to {threshold:g}, "
        f"{'below' if name in MINIMA else 'above'} the configured {configured[name].limit:g}. "
        "A run may tighten a gate, not loosen it."
        for name, threshold in thresholds_by_gate(overrides).items()
        if name in configured
        and _strictness(name, Verdict(True, "", limit=threshold))
        < _strictness(name, configured[name])
    ]


def limits_of(verdicts: Mapping[str, Verdict]) -> dict[str, float]:
    """The number that each gate compared with."""
    return {name: verdict.limit for name, verdict in verdicts.items() if verdict.limit is not None}


def on_other_terms(role: str, overrides: Mapping[str, Any]) -> list[str]:
    """Why a result that was computed with options of a run is good for looking only."""
    if not overrides:
        return []
    options = ", ".join(f"{name}: {value}" for name, value in sorted(overrides.items()))
    return [
        f"'{role}' was computed with options of its run ({options}) and not with the configured "
        "ones. Materialise it without run config."
    ]


def _strictness(gate: str, verdict: Verdict) -> float:
    """A number that rises as a gate is tightened; the lowest where nothing was compared."""
    if verdict.limit is None:
        return -math.inf
    return verdict.limit if gate in MINIMA else -verdict.limit


def recommendation_verdicts(config: MixConfig, recommendation: Answer) -> dict[str, Verdict]:
    """Verdicts on the recommendation, of the checks that are set to stop a release."""
    verdicts = {
        "memorisation": judge_memorisation(recommendation, "ERROR"),
        "recommendation_usable": judge_recommendation(recommendation, "ERROR"),
    }
    return {name: verdict for name, verdict in verdicts.items() if config.stops(name)}


def undecided(answer: Answer, overrides: Mapping[str, Any]) -> list[str]:
    """Why nothing is released on a flat curve, unless the settings or the run say what."""
    objection = "" if "ratio" in overrides else flat_curve_objection(answer)
    return [f"{objection}."] if objection else []


def failures_of(
    config: MixConfig, verdicts: Mapping[str, Verdict], generator: str = ""
) -> list[str]:
    """The failed checks that forbid a release, one sentence each."""
    return [
        f"the check '{of_generator(name, generator)}' failed. {verdict.sentence}"
        for name, verdict in verdicts.items()
        if not verdict.passed and verdict.severity == "ERROR" and config.stops(name)
    ]


def drift_failures(config: MixConfig) -> list[str]:
    """The standing alarm of drift, where it is set to stop a release."""
    if config.drift is None or not config.drift.blocking:
        return []
    instance = dg.AssetExecutionContext.get().instance
    alarm = standing_alarm(watch_of(config, config.drift), instance)
    if not alarm:
        return []
    return [
        f"the check 'drift' failed. {alarm} To release once all the same, state why in "
        "'release_anyway'"
    ]


def waiver_of(config: MixConfig, objections: Sequence[str], reason: str | None) -> Waiver | None:
    """Refuse a release that something forbids, unless the run states a reason to publish it.

    Raises
    ------
    GateError
    """
    run, by = "", ""
    if objections and reason:
        context = dg.AssetExecutionContext.get()
        run, by = context.run.run_id, context.run.tags.get("user", "")
    return require_no_objection(objections, reason, mix=config.name, run=run, by=by)


def tag_run(waiver: Waiver) -> None:
    """Mark the run that published although something forbade it."""
    instance = dg.AssetExecutionContext.get().instance
    instance.add_run_tags(waiver.run, {RELEASE_ANYWAY_TAG: waiver.reason})
