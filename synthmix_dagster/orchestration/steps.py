"""What each asset of a mix does. Thin: open, call one verb, leave a record, say what was found.

`release` trusts no earlier run: it reads the stored distance, makes sure that it was measured on
these very rows with these very settings, and judges it again before anything is written.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import dagster as dg

from synthmix_dagster.data.alignment import require_fit
from synthmix_dagster.data.dataset import Dataset
from synthmix_dagster.distance.report import DistanceReport
from synthmix_dagster.errors import GateError
from synthmix_dagster.gates.evidence import Evidence
from synthmix_dagster.gates.threshold import Threshold, number_of
from synthmix_dagster.gates.verdicts import (
    Verdict,
    judge,
    judge_memorisation,
    judge_recommendation,
    judge_schema,
)
from synthmix_dagster.orchestration import metadata
from synthmix_dagster.orchestration.config.mix import MixConfig
from synthmix_dagster.orchestration.drift_watch.check import standing_alarm, watch_of
from synthmix_dagster.orchestration.drift_watch.metadata import of_observations
from synthmix_dagster.orchestration.drift_watch.observer import Observer
from synthmix_dagster.orchestration.generator_resource import generate
from synthmix_dagster.orchestration.inputs import (
    Sides,
    open_side,
    open_sides,
    put_aside,
    schema_violations,
)
from synthmix_dagster.ratio.recommendation import Recommendation
from synthmix_dagster.release.mixing import mix_datasets
from synthmix_dagster.verbs.core import measure_distance, recommend_ratio

#: Raise it when the same inputs and settings would give another result.
CODE_VERSION = "4"

#: Options of a run that stand for the threshold of each gate.
_THRESHOLDS = {"wasserstein_gap": "threshold", "conditional_gap": "conditional_threshold"}


@dataclass(frozen=True)
class Inputs:
    """What a step is given beside the settings.

    Attributes
    ----------
    frames : mapping of str to object
        Datasets that are assets, as their I/O managers loaded them.
    overrides : mapping of str to object
        What was set for this run.
    resources : mapping of str to object
        Generators, by their keys.
    """

    frames: Mapping[str, Any]
    overrides: Mapping[str, Any]
    resources: Mapping[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What a step found.

    Attributes
    ----------
    metadata : mapping of str to object
    data_version : str, optional
        Says that what was materialised is what it was.
    value : object, optional
        What the asset's I/O manager stores.
    warning : str, optional
        Belongs into the log.
    """

    metadata: Mapping[str, Any]
    data_version: str | None = None
    value: Any = None
    warning: str | None = None


def ingest_real(config: MixConfig, given: Inputs) -> Outcome:
    """Read the real rows from files and record what was found."""
    return _ingested(config, "real")


def make_generator_input(config: MixConfig, given: Inputs) -> Outcome:
    """Hand on the real rows without the evaluation rows, as the kind of frame they came in."""
    rest, aside = put_aside(config, open_side(config, given.frames, "real"))
    return Outcome(
        {
            **metadata.of_dataset(rest),
            "synthmix/evaluation_rows": 0 if aside is None else aside.rows,
        },
        rest.fingerprint,
        value=_like(given.frames.get("real"), rest),
    )


def ingest_synthetic(config: MixConfig, given: Inputs) -> Outcome:
    """Read the synthetic rows from files, or have a generator make them."""
    if config.synthetic.generator is not None:
        generator = given.resources[config.synthetic.generator]
        real, _ = put_aside(config, open_side(config, given.frames, "real"))
        generate(config, generator, real)
    return _ingested(config, "synthetic")


def measure(config: MixConfig, given: Inputs) -> Outcome:
    """Measure the gap and record it with the fingerprints it belongs to."""
    config = overridden(config, given.overrides)
    sides, _ = open_sides(config, given.frames)
    if not config.from_files:
        found = [asdict(violation) for violation in schema_violations(config, sides)]
        config.records.write("schema", {"result": found})
    report = measure_distance(*sides, **config.measure_options())
    # What the release would refuse is refused here, before a gate is green.
    require_fit(sides[1], sides[0], [*config.ignore, *config.key])
    record = {
        **_evidence_key(config, sides, "measure"),
        "overrides": dict(given.overrides),
        "result": report.to_dict(),
    }
    config.records.write("distribution_distance", record)
    limit = number_of(Threshold.parse(config.threshold), report)
    return Outcome(
        {
            **metadata.of_distance(report, limit),
            **metadata.of_overrides(given.overrides),
            **_observed(config, sides, report),
        }
    )


def recommend(config: MixConfig, given: Inputs) -> Outcome:
    """Recommend a ratio and record it."""
    config = overridden(config, given.overrides)
    sides, aside = open_sides(config, given.frames)
    report = DistanceReport.from_dict(fresh(config, sides, "distribution_distance"))
    if config.evaluation is not None:
        aside = open_side(config, given.frames, "evaluation")
    recommendation = recommend_ratio(
        *sides,
        evaluation=aside,
        distance=report,
        **config.recommend_options(),
    )
    record = {
        **_evidence_key(config, sides, "recommend"),
        "overrides": dict(given.overrides),
        "result": recommendation.to_dict(),
    }
    config.records.write("optimal_ratio", record)
    return Outcome(
        {**metadata.of_recommendation(recommendation), **metadata.of_overrides(given.overrides)}
    )


def release(config: MixConfig, given: Inputs) -> Outcome:
    """Judge the stored distance again and publish the mix, or refuse with the reason."""
    sides, _ = open_sides(config, given.frames)
    report = DistanceReport.from_dict(fresh(config, sides, "distribution_distance"))
    said = dict(given.overrides)
    reason = said.get("release_anyway")
    # A gate that failed is the reason to give, and after it nothing was recommended.
    advice = _recommendation(config, sides) if config.judged_after_ratio else None
    thresholds = {gate: said[option] for gate, option in _THRESHOLDS.items() if option in said}
    verdicts = judge_all(config, report, advice, thresholds)
    if config.stops("schema_matches"):
        verdicts["schema_matches"] = judge_schema(schema_violations(config, sides), "ERROR")
    failed = [*_failed(config, verdicts), *_drift_alarm(config)]
    _refuse(config, failed, reason)
    recommendation = advice or _recommendation(config, sides)
    advised = _advised(config, recommendation)
    failed += _failed(config, advised)
    _refuse(config, failed, reason)
    verdicts |= advised
    overridden_mix = overridden(config, {name: said[name] for name in ("seed",) if name in said})
    ratio = said.get("ratio", recommendation.ratio)
    published = mix_datasets(
        *sides,
        ratio=ratio,
        **overridden_mix.mix_options(),
        evidence=Evidence(
            mix=config.name,
            distance=report,
            recommendation=recommendation,
            thresholds={
                name: found.limit for name, found in verdicts.items() if found.limit is not None
            },
            checks=verdicts,
            overrides=said,
        ),
    )
    record = {
        **_evidence_key(config, sides, "recommend"),
        "overrides": said,
        "result": {"id": published.release_id, "ratio": ratio},
    }
    config.records.write("training_data", record)
    return Outcome(
        {**metadata.of_release(published, _lineage(config, sides)), **metadata.of_overrides(said)},
        published.release_id,
        warning=_warning(failed, reason),
    )


#: What materialises each asset.
STEPS: Mapping[str, Callable[[MixConfig, Inputs], Outcome]] = {
    "real": ingest_real,
    "generator_input": make_generator_input,
    "synthetic": ingest_synthetic,
    "distribution_distance": measure,
    "optimal_ratio": recommend,
    "training_data": release,
}


def judge_all(
    config: MixConfig,
    report: DistanceReport,
    recommendation: Recommendation | None = None,
    thresholds: Mapping[str, float] | None = None,
) -> dict[str, Verdict]:
    """Ask every gate, with thresholds for this run where there are any."""
    critical = None if recommendation is None else recommendation.critical_gap
    verdicts = {}
    for gate in config.gates:
        if thresholds and gate.name in thresholds:
            limit = Threshold("number", thresholds[gate.name])
            gate = replace(gate, threshold=limit, warn=None)
        verdicts[gate.name] = judge(gate, report, critical)
    return verdicts


def overridden(config: MixConfig, said: Mapping[str, Any]) -> MixConfig:
    """The settings with those of a run in their place."""
    return config.model_copy(update=dict(said)) if said else config


def fresh(config: MixConfig, sides: Sides, role: str) -> dict[str, Any]:
    """Return a stored result, or refuse one that belongs to other rows or settings.

    A run that set some options itself left a result that is as good as any, so those are taken as
    they were set.

    Raises
    ------
    GateError
    """
    record = config.records.read(role)
    verb = "measure" if role == "distribution_distance" else "recommend"
    if record is None:
        problem = f"'{role}' was never materialised"
    elif record.get("code_version") != CODE_VERSION:
        problem = f"'{role}' was computed by another version of synthmix-dagster"
    else:
        key = _evidence_key(overridden(config, record["overrides"]), sides, verb)
        if record["inputs"] != key["inputs"]:
            problem = f"'{role}' was computed from other rows than these"
        elif record["settings"] != key["settings"]:
            problem = f"'{role}' was computed with other settings than these"
        else:
            result: dict[str, Any] = record["result"]
            return result
    raise GateError(
        problem,
        mix=config.name,
        fix=f"Materialise '{config.asset_key(role).to_user_string()}' and what follows it",
    )


def _recommendation(config: MixConfig, sides: Sides) -> Recommendation:
    return Recommendation.from_dict(fresh(config, sides, "optimal_ratio"))


def _lineage(
    config: MixConfig, sides: Sides
) -> dict[dg.AssetKey, tuple[list[str], Mapping[str, str]]]:
    """Columns of each asset, and what those that were renamed are called there."""
    return {
        config.asset_key(side.name): (side.columns, config.dataset(side.name).original_columns)
        for side in sides
    }


def _warning(failed: list[str], reason: object) -> str | None:
    if not failed:
        return None
    return f"Released although a gate failed, as '{reason}'. In detail: {' '.join(failed)}"


def _advised(config: MixConfig, recommendation: Recommendation) -> dict[str, Verdict]:
    """Checks of the recommendation, as far as they stop a release."""
    verdicts = {
        "memorisation": judge_memorisation(recommendation.provenance, "ERROR"),
        "recommendation_usable": judge_recommendation(recommendation, "ERROR"),
    }
    return {name: verdict for name, verdict in verdicts.items() if config.stops(name)}


def _failed(config: MixConfig, verdicts: Mapping[str, Verdict]) -> list[str]:
    """What forbids a release."""
    return [
        f"the check '{name}' failed. {verdict.sentence}"
        for name, verdict in verdicts.items()
        if not verdict.passed and verdict.severity == "ERROR" and config.stops(name)
    ]


def _drift_alarm(config: MixConfig) -> list[str]:
    if config.drift is None or not config.drift.blocking:
        return []
    instance = dg.AssetExecutionContext.get().instance
    alarm = standing_alarm(watch_of(config, config.drift), instance)
    return [f"the check 'drift' failed. {alarm}"] if alarm else []


def _refuse(config: MixConfig, failed: list[str], reason: object) -> None:
    """Refuse a release that a check forbids, unless there is a reason to go on."""
    if failed and reason is None:
        raise GateError(
            f"release refused, {failed[0]}", mix=config.name, fix="No release was touched"
        )


def _ingested(config: MixConfig, side: str) -> Outcome:
    dataset = open_side(config, {}, side)
    config.records.write(side, {"fingerprint": dataset.fingerprint})
    place = config.dataset(side).path or str(config.generated)
    return Outcome(metadata.of_dataset(dataset, place), dataset.fingerprint)


def _like(frame: Any, dataset: Dataset) -> Any:
    """Rows as the kind of frame that a project's I/O manager knows: the kind it loaded."""
    kind = type(frame).__module__.partition(".")[0]
    if kind == "pyarrow":
        return dataset.table
    if kind == "polars":
        import polars

        return polars.from_arrow(dataset.table)
    return dataset.frame()


def _observed(config: MixConfig, sides: Sides, report: DistanceReport) -> dict[str, Any]:
    """What this batch adds to the history of drift."""
    if config.drift is None:
        return {}
    observer = Observer(config.drift, config.references, config.observe_options())
    # What needs the recommendation cannot be asked yet.
    verdicts = judge_all(config, report)
    asked = [gate for gate in config.gates if gate.threshold.kind != "auto"]
    accepted = all(
        verdicts[gate.name].passed or verdicts[gate.name].severity == "WARN" for gate in asked
    )
    seen, notes = observer.batch(sides, key=config.partition, accepted=accepted, report=report)
    return of_observations(seen, config.drift.generator_version, notes)


def _evidence_key(config: MixConfig, sides: Sides, verb: str) -> dict[str, Any]:
    """What a record belongs to: these rows, these settings."""
    options = config.measure_options() if verb == "measure" else config.recommend_options()
    return {
        "code_version": CODE_VERSION,
        "inputs": {side.name: side.fingerprint for side in sides},
        "settings": options,
    }
