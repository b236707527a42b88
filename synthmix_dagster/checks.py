"""The asset checks of a mix. Thin: read a record, ask for the verdict, show it.

They are steps of their own, so that a gate can be judged again from the Dagster UI, say with
another threshold, without measuring anything again.
"""

from typing import Any

import dagster as dg

from synthmix_dagster.assets import at_the_edge
from synthmix_dagster.config import MixConfig
from synthmix_dagster.distance.report import DistanceReport
from synthmix_dagster.drift_check import build_drift_check, watch_of
from synthmix_dagster.errors import GateError
from synthmix_dagster.gate import GATES, judge_realised, judge_recommendation
from synthmix_dagster.presentation import metadata
from synthmix_dagster.ratio.recommendation import Recommendation
from synthmix_dagster.tables.releases import verify_release

_DESCRIPTIONS = {
    "wasserstein_gap": "Fails when the gap goes over {threshold:g} real standard deviations, "
    "and then stops the release of training data.",
    "conditional_gap": "Fails when rows that are alike have other labels in synthetic than real, "
    "by more than {threshold:g} standard deviations, and then stops the release of training data.",
}


def build_checks(config: MixConfig) -> list[dg.AssetChecksDefinition]:
    """Build the checks of one mix."""

    @dg.asset_check(
        asset=config.asset_key("optimal_ratio"),
        description="Warns when the recommendation says little: a flat curve, or an optimum at the "
        "end of what was available.",
    )
    def recommendation_usable() -> dg.AssetCheckResult:
        with at_the_edge():
            recommendation = Recommendation.from_dict(_result(config, "optimal_ratio"))
            verdict = judge_recommendation(recommendation)
            return dg.AssetCheckResult(
                passed=verdict.passed,
                severity=dg.AssetCheckSeverity.WARN,
                description=verdict.sentence,
            )

    @dg.asset_check(
        asset=config.asset_key("training_data"),
        blocking=True,
        description="Recounts the released shards and compares them with what was recommended.",
    )
    def mix_as_recommended() -> dg.AssetCheckResult:
        with at_the_edge():
            recommendation = Recommendation.from_dict(_result(config, "optimal_ratio"))
            published = str(_result(config, "training_data")["id"])
            release = verify_release(config.output_folder / "releases" / published)
            verdict = judge_realised(recommendation.ratio, release.manifest)
            return dg.AssetCheckResult(
                passed=verdict.passed,
                description=verdict.sentence,
                metadata=metadata.of_realised(release),
            )

    gates = [_gate(config, name, threshold) for name, threshold in config.gates.items()]
    drift = [build_drift_check(watch_of(config, config.drift))] if config.drift else []
    return [*gates, *drift, recommendation_usable, mix_as_recommended]


def _gate(config: MixConfig, name: str, threshold: float) -> dg.AssetChecksDefinition:
    def check() -> dg.AssetCheckResult:
        with at_the_edge():
            report = DistanceReport.from_dict(_result(config, "distribution_distance"))
            verdict = GATES[name](report, threshold)
            return dg.AssetCheckResult(
                passed=verdict.passed,
                description=verdict.sentence,
                metadata=metadata.of_gate(report, threshold),
            )

    return dg.asset_check(
        name=name,
        asset=config.asset_key("distribution_distance"),
        blocking=True,
        description=_DESCRIPTIONS[name].format(threshold=threshold),
    )(check)


def _result(config: MixConfig, role: str) -> dict[str, Any]:
    record = config.records.read(role)
    if record is None:
        raise GateError(
            f"'{role}' was never materialised",
            mix=config.name,
            fix=f"Materialise '{config.asset_key(role).to_user_string()}' first",
        )
    result: dict[str, Any] = record["result"]
    return result
