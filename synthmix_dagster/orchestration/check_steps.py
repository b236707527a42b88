"""What each check does. Thin: read a stored result, ask for the verdict, show its numbers."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import dagster as dg

from synthmix_dagster.data.schema_contract import Violation
from synthmix_dagster.distance.report import DistanceReport
from synthmix_dagster.errors import GateError, SynthMixError
from synthmix_dagster.gates.other_verdicts import (
    judge_memorisation,
    judge_realised,
    judge_recommendation,
    judge_schema,
)
from synthmix_dagster.gates.threshold import GATES
from synthmix_dagster.gates.verdicts import Verdict, judge
from synthmix_dagster.orchestration import metadata
from synthmix_dagster.orchestration.check_results import Judged, check_result, judge_partitions
from synthmix_dagster.orchestration.checks import check_specs
from synthmix_dagster.orchestration.config.measuring import keywords
from synthmix_dagster.orchestration.config.mix import MixConfig
from synthmix_dagster.orchestration.config.pair import PairConfig
from synthmix_dagster.orchestration.drift_watch.check import judge_drift, watch_of
from synthmix_dagster.orchestration.failures import without_secrets_in_errors
from synthmix_dagster.orchestration.inputs import open_side, put_aside, schema_violations
from synthmix_dagster.orchestration.partitions import partitions_of
from synthmix_dagster.orchestration.paths import MixPaths
from synthmix_dagster.orchestration.refusals import record_refusal
from synthmix_dagster.orchestration.release_gates import judge_all, thresholds_by_gate
from synthmix_dagster.ratio.answers import Answer, read_answer
from synthmix_dagster.release.verification import verify_release
from synthmix_dagster.verbs.core import measure_distance

#: From the settings for one partition and the thresholds of the run.
Judge = Callable[[MixConfig, Mapping[str, Any]], Judged]


def judge_checks(
    config: MixConfig,
    role: str,
    context: dg.AssetExecutionContext,
    thresholds: Mapping[str, Any],
) -> Iterator[dg.AssetCheckResult]:
    """Judge those checks of an asset that are selected, in every partition of the run.

    A check that cannot be judged fails with the reason, and keeps no other from being judged.

    Parameters
    ----------
    config : MixConfig
    role : str
        Role of the asset.
    context : AssetExecutionContext
    thresholds : mapping of str to float
        Those set for this run, by their options.
    """
    for spec in check_specs(config, role):
        if spec.key not in context.selected_asset_check_keys:
            continue
        with without_secrets_in_errors():
            judged = _judged(config, spec.name, role, context, thresholds)
        yield check_result(judged, check_name=spec.name, asset_key=spec.asset_key)


def _judged(
    config: MixConfig,
    name: str,
    role: str,
    context: dg.AssetExecutionContext,
    thresholds: Mapping[str, Any],
) -> Judged:
    partitions = partitions_of(context)
    if name == "drift" and config.drift is not None:
        # Over all partitions: they are its history.
        judged = judge_drift(watch_of(config, config.drift), context.instance)
        for partition in partitions if config.drift.blocking else ():
            _record_refused(config.at(partition), name, role, judged, context)
        return judged
    option = GATES.get(name, "")
    options = {option: thresholds[option]} if option in thresholds else {}

    def judge_one(partition: str | None, _: Mapping[str, Any]) -> Mapping[str, Judged]:
        judged = _JUDGES[name](config.at(partition), options)
        if config.stops(name):
            _record_refused(config.at(partition), name, role, judged, context)
        return {name: judged}

    try:
        return judge_partitions(
            [name],
            partitions,
            {},
            judge_one,
            # Nothing judges a release again after its recount.
            judged_again=role != "training_data",
        )[name]
    except SynthMixError as error:
        return Judged(Verdict(False, str(error)))


def _record_refused(
    config: MixConfig, name: str, role: str, judged: Judged, context: dg.AssetExecutionContext
) -> None:
    """Keep for the history that a gate stopped a run on its way to a release."""
    verdict = judged.verdict
    refuses = not verdict.passed and verdict.severity == "ERROR"
    if refuses and config.asset_key(role) in context.selected_asset_keys:
        record_refusal(config, f"the check '{name}' failed. {verdict.sentence}")


def judge_pair(
    config: PairConfig, partition: str | None, frames: Mapping[str, Any]
) -> dict[str, Judged]:
    """Compare one partition of two assets; the verdict of each check, by its name."""
    real, synthetic = (
        source.open(frames.get(name, source.path), name)
        for name, source in config.at(partition).items()
    )
    report = measure_distance(
        real,
        synthetic,
        target=config.target,
        task=config.task,
        **keywords(config.columns, config.distance_options) | config.measured_for_gates(),
    )
    judged = {}
    for gate in config.gates:
        verdict = judge(gate, report)
        judged[gate.name] = Judged(verdict, metadata.of_distance(report, verdict.limit))
    severity, _ = config.acts("schema_matches")
    violations = schema_violations(config, (real, synthetic))
    judged["schema_matches"] = Judged(
        judge_schema(violations, severity), metadata.of_violations(violations)
    )
    return judged


def _gate(config: MixConfig, options: Mapping[str, Any], *, name: str) -> Judged:
    report = DistanceReport.from_dict(_result(config, "distribution_distance"))
    after = config.judged_after_ratio and name == "wasserstein_gap"
    recommendation = _recommendation(config) if after else None
    verdict = judge_all(config, report, recommendation, thresholds_by_gate(options))[name]
    numbers = metadata.of_gate(report, verdict.limit, picture=name == "wasserstein_gap")
    return Judged(verdict, {**numbers, **metadata.of_overrides(options)})


def _schema(config: MixConfig, options: Mapping[str, Any]) -> Judged:
    if config.from_files:
        real, _ = put_aside(config, open_side(config, {}, "real", as_ingested=True))
        synthetic = open_side(config, {}, "synthetic", as_ingested=True)
        violations = schema_violations(config, (real, synthetic))
    else:
        violations = [Violation(**values) for values in _result(config, "schema")]
    severity, _ = config.acts("schema_matches")
    return Judged(judge_schema(violations, severity), metadata.of_violations(violations))


def _memorisation(config: MixConfig, options: Mapping[str, Any]) -> Judged:
    answer = _recommendation(config)
    severity, _ = config.acts("memorisation")
    return Judged(judge_memorisation(answer, severity), metadata.of_memorisation(answer))


def _usable(config: MixConfig, options: Mapping[str, Any]) -> Judged:
    severity, _ = config.acts("recommendation_usable")
    return Judged(judge_recommendation(_recommendation(config), severity))


def _as_recommended(config: MixConfig, options: Mapping[str, Any]) -> Judged:
    published = _result(config, "training_data")
    release = verify_release(MixPaths.of(config).output.below("releases", str(published["id"])))
    severity, _ = config.acts("mix_as_recommended")
    verdict = judge_realised(
        float(published["recommended"]),
        release.details,
        severity,
        requested=float(published["requested"]),
    )
    if release.details.digest != published["manifest"]:
        verdict = Verdict(
            False,
            f"The manifest of release {release.release_id} is not the one that 'training_data' "
            "published. Materialise 'training_data' again.",
            severity,
        )
    return Judged(verdict, metadata.of_realised(release))


#: What judges each check.
_JUDGES: Mapping[str, Judge] = {
    "wasserstein_gap": partial(_gate, name="wasserstein_gap"),
    "conditional_gap": partial(_gate, name="conditional_gap"),
    "class_gap": partial(_gate, name="class_gap"),
    "classifier_accuracy": partial(_gate, name="classifier_accuracy"),
    "distinct_rows": partial(_gate, name="distinct_rows"),
    "schema_matches": _schema,
    "memorisation": _memorisation,
    "recommendation_usable": _usable,
    "mix_as_recommended": _as_recommended,
}


def _recommendation(config: MixConfig) -> Answer:
    return read_answer(_result(config, "optimal_ratio"))


def _result(config: MixConfig, role: str) -> Any:
    record = MixPaths.of(config).records.read(role)
    if record is None:
        raise GateError(
            f"'{role}' has no stored result",
            mix=config.name,
            fix="Materialise the checked asset first",
        )
    return record["result"]
