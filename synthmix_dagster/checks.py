"""The asset checks of a mix. Thin: read a record, ask for the verdict, show it.

They are steps of their own, so that a gate can be judged again from the Dagster UI, say with
another threshold, without measuring anything again.
"""

from typing import Any

import dagster as dg

from synthmix_dagster.assets import at_the_edge
from synthmix_dagster.config import MixConfig
from synthmix_dagster.distance.report import DistanceReport
from synthmix_dagster.errors import GateError
from synthmix_dagster.gate import judge_gap, judge_realised, judge_recommendation
from synthmix_dagster.presentation import metadata
from synthmix_dagster.ratio.recommendation import Recommendation
from synthmix_dagster.tables.releases import verify_release


def build_checks(config: MixConfig) -> list[dg.AssetChecksDefinition]:
    """Build the checks of one mix."""

    @dg.asset_check(
        asset=config.asset_key("distribution_distance"),
        blocking=True,
        description=f"Fails when the gap goes over {config.threshold:g} real standard deviations, "
        "and then stops the release of training data.",
    )
    def wasserstein_gap() -> dg.AssetCheckResult:
        with at_the_edge():
            report = DistanceReport.from_dict(_result(config, "distribution_distance"))
            verdict = judge_gap(report, config.threshold)
            return dg.AssetCheckResult(
                passed=verdict.passed,
                description=verdict.sentence,
                metadata=metadata.of_gate(report, config.threshold),
            )

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

    return [wasserstein_gap, recommendation_usable, mix_as_recommended]


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
