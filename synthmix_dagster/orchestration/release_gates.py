"""What decides whether a release may be published: gates, checks of the recommendation, drift."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import dagster as dg

from synthmix_dagster.distance.report import DistanceReport
from synthmix_dagster.errors import GateError
from synthmix_dagster.gates.threshold import GATES, Threshold
from synthmix_dagster.gates.verdicts import (
    Verdict,
    judge,
    judge_memorisation,
    judge_recommendation,
    judge_schema,
)
from synthmix_dagster.orchestration.config.mix import MixConfig
from synthmix_dagster.orchestration.drift_watch.check import standing_alarm, watch_of
from synthmix_dagster.orchestration.inputs import Sides, schema_violations
from synthmix_dagster.orchestration.stored_results import stored_recommendation
from synthmix_dagster.ratio.recommendation import Recommendation


def judge_all(
    config: MixConfig,
    report: DistanceReport,
    recommendation: Recommendation | None = None,
    thresholds: Mapping[str, float] | None = None,
) -> dict[str, Verdict]:
    """Judge a distance by every gate, with the thresholds of this run where there are any."""
    critical = None if recommendation is None else recommendation.critical_gap
    verdicts = {}
    for gate in config.gates:
        if thresholds and gate.name in thresholds:
            limit = Threshold("number", thresholds[gate.name])
            gate = replace(gate, threshold=limit, warn=None)
        verdicts[gate.name] = judge(gate, report, critical)
    return verdicts


def gate_verdicts(
    config: MixConfig, sides: Sides, report: DistanceReport, overrides: Mapping[str, Any]
) -> dict[str, Verdict]:
    """Verdicts that need no recommendation, or only its critical gap."""
    recommendation = stored_recommendation(config, sides) if config.judged_after_ratio else None
    thresholds = {gate: overrides[name] for gate, name in GATES.items() if name in overrides}
    verdicts = judge_all(config, report, recommendation, thresholds)
    if config.stops("schema_matches"):
        verdicts["schema_matches"] = judge_schema(schema_violations(config, sides), "ERROR")
    return verdicts


def recommendation_verdicts(
    config: MixConfig, recommendation: Recommendation
) -> dict[str, Verdict]:
    """Verdicts on the recommendation, of the checks that are set to stop a release."""
    verdicts = {
        "memorisation": judge_memorisation(recommendation.provenance, "ERROR"),
        "recommendation_usable": judge_recommendation(recommendation, "ERROR"),
    }
    return {name: verdict for name, verdict in verdicts.items() if config.stops(name)}


def failures_of(config: MixConfig, verdicts: Mapping[str, Verdict]) -> list[str]:
    """The failed checks that forbid a release, one sentence each."""
    return [
        f"the check '{name}' failed. {verdict.sentence}"
        for name, verdict in verdicts.items()
        if not verdict.passed and verdict.severity == "ERROR" and config.stops(name)
    ]


def drift_failures(config: MixConfig) -> list[str]:
    """The standing alarm of drift, where it is set to stop a release."""
    if config.drift is None or not config.drift.blocking:
        return []
    instance = dg.AssetExecutionContext.get().instance
    alarm = standing_alarm(watch_of(config, config.drift), instance)
    return [f"the check 'drift' failed. {alarm}"] if alarm else []


def refuse(config: MixConfig, failures: list[str], reason: object) -> None:
    """Refuse a release that a check forbids, unless the run gives a reason to release anyway.

    Raises
    ------
    GateError
    """
    if failures and reason is None:
        raise GateError(
            f"release refused, {failures[0]}",
            mix=config.name,
            fix="Existing releases are unchanged",
        )
