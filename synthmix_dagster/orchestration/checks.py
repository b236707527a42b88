"""The asset checks of a mix. Thin: read a record, ask for the verdict, show it.

They are steps of their own, so that a gate can be judged again from the Dagster UI, say with
another threshold, without measuring anything again.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import dagster as dg

from synthmix_dagster.data.schema_contract import Violation
from synthmix_dagster.distance.report import DistanceReport
from synthmix_dagster.errors import GateError
from synthmix_dagster.gates.verdicts import (
    judge_memorisation,
    judge_realised,
    judge_recommendation,
    judge_schema,
)
from synthmix_dagster.orchestration import metadata
from synthmix_dagster.orchestration.assets import Mix
from synthmix_dagster.orchestration.check_results import Judged, check_result, judge_partitions
from synthmix_dagster.orchestration.config.mix import MixConfig
from synthmix_dagster.orchestration.config.run import GateRun, overrides
from synthmix_dagster.orchestration.drift_watch.check import build_drift_check, watch_of
from synthmix_dagster.orchestration.failures import at_the_edge
from synthmix_dagster.orchestration.inputs import open_side, put_aside, schema_violations
from synthmix_dagster.orchestration.partitions import partitions_of
from synthmix_dagster.orchestration.steps import judge_all
from synthmix_dagster.ratio.recommendation import Recommendation
from synthmix_dagster.release.verification import verify_release

_DESCRIPTIONS = {
    "wasserstein_gap": "Fails when the gap goes over {threshold} real standard deviations, and "
    "then stops the release of training data.",
    "conditional_gap": "Fails when rows that are alike have other labels in synthetic than real, "
    "by more than {threshold} standard deviations, and then stops the release of training data.",
    "schema_matches": "Looks for missing, extra and retyped columns, missing values and levels "
    "that should not be there.",
    "memorisation": "Fails when synthetic rows betray that they were made from the very rows that "
    "judge them.",
    "recommendation_usable": "Warns when the recommendation says little: a flat curve, or an "
    "optimum at the end of what was available.",
    "mix_as_recommended": "Recounts the released shards and compares them with what was "
    "recommended.",
}


#: From the settings for one partition and what was set for the run.
Judge = Callable[[MixConfig, Mapping[str, Any]], Judged]


def build_checks(mix: Mix) -> list[dg.AssetChecksDefinition]:
    """Build the checks of one mix."""
    gates = [
        _check(
            mix,
            gate.name,
            # What needs the recommendation is judged after it.
            "optimal_ratio" if gate.threshold.kind == "auto" else "distribution_distance",
            partial(_gate, name=gate.name),
            threshold=str(gate.threshold),
            schema=GateRun,
        )
        for gate in mix.gates
    ]
    drift = [build_drift_check(watch_of(mix, mix.drift))] if mix.drift else []
    return [
        *gates,
        *drift,
        _check(
            mix,
            "schema_matches",
            "synthetic" if mix.from_files else "distribution_distance",
            _schema,
        ),
        _check(mix, "memorisation", "optimal_ratio", _memorisation),
        _check(mix, "recommendation_usable", "optimal_ratio", _usable),
        _check(mix, "mix_as_recommended", "training_data", _as_recommended),
    ]


def _gate(config: MixConfig, said: Mapping[str, Any], *, name: str) -> Judged:
    report = DistanceReport.from_dict(_result(config, "distribution_distance"))
    after = config.judged_after_ratio and name == "wasserstein_gap"
    advice = Recommendation.from_dict(_result(config, "optimal_ratio")) if after else None
    thresholds = {name: said["threshold"]} if "threshold" in said else {}
    verdict = judge_all(config, report, advice, thresholds)[name]
    found = {**metadata.of_gate(report, verdict.limit), **metadata.of_overrides(said)}
    if name == "wasserstein_gap":
        found |= metadata.picture_of(report, verdict.limit)
    return Judged(verdict, found)


def _schema(config: MixConfig, said: Mapping[str, Any]) -> Judged:
    if config.from_files:
        real, _ = put_aside(config, open_side(config, {}, "real"))
        found = schema_violations(config, (real, open_side(config, {}, "synthetic")))
    else:
        found = [Violation(**each) for each in _result(config, "schema")]
    severity, _ = config.acts("schema_matches")
    return Judged(judge_schema(found, severity), metadata.of_violations(found))


def _memorisation(config: MixConfig, said: Mapping[str, Any]) -> Judged:
    advice = Recommendation.from_dict(_result(config, "optimal_ratio"))
    severity, _ = config.acts("memorisation")
    return Judged(
        judge_memorisation(advice.provenance, severity),
        metadata.of_memorisation(advice.provenance.memorisation),
    )


def _usable(config: MixConfig, said: Mapping[str, Any]) -> Judged:
    advice = Recommendation.from_dict(_result(config, "optimal_ratio"))
    severity, _ = config.acts("recommendation_usable")
    return Judged(judge_recommendation(advice, severity))


def _as_recommended(config: MixConfig, said: Mapping[str, Any]) -> Judged:
    record = _result(config, "training_data")
    release = verify_release(config.output_folder / "releases" / str(record["id"]))
    severity, _ = config.acts("mix_as_recommended")
    return Judged(
        judge_realised(float(record["ratio"]), release.manifest, severity),
        metadata.of_realised(release),
    )


def _check(
    mix: Mix,
    name: str,
    role: str,
    judge: Judge,
    *,
    threshold: str = "",
    schema: type[GateRun] | None = None,
) -> dg.AssetChecksDefinition:
    _, blocking = mix.acts(name)

    def check(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        step = context.op_execution_context
        with at_the_edge():
            said = {} if schema is None else overrides(schema, step.op_config)
            judged = judge_partitions(
                [name],
                partitions_of(step),
                {},
                lambda partition, _: {name: judge(mix.at(partition), said)},
                # Nobody looks at a release again after its recount.
                judged_again=role != "training_data",
            )
        return check_result(judged[name])

    key = mix.asset_key(role)
    spec = dg.AssetCheckSpec(
        name,
        asset=key,
        description=_DESCRIPTIONS[name].format(threshold=threshold),
        blocking=blocking,
    )
    return dg.multi_asset_check(
        name="__".join([*key.path, name]),
        specs=[spec],
        config_schema=None if schema is None else schema.to_fields_dict(),
        op_tags=dict(mix.op.tags),
        pool=mix.op.pool,
        retry_policy=None if mix.op.retry is None else mix.op.retry.policy,
    )(check)


def _result(config: MixConfig, role: str) -> Any:
    record = config.records.read(role)
    if record is None:
        raise GateError(
            f"'{role}' was never recorded",
            mix=config.name,
            fix="Materialise the asset that this check is of first",
        )
    return record["result"]
