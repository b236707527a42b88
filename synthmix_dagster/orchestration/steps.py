"""What each asset of a mix does. Thin: open, call one verb, store the result, describe it.

`release` trusts no earlier run: it follows the stored results back to these very rows and settings,
and judges them again before anything is written.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import dagster as dg

from synthmix_dagster.data.alignment import require_fit
from synthmix_dagster.data.dataset import Dataset
from synthmix_dagster.distance.report import DistanceReport
from synthmix_dagster.gates.coverage import RELEASED_ROWS
from synthmix_dagster.gates.evidence import Evidence, refusals
from synthmix_dagster.gates.waiver import Waiver
from synthmix_dagster.orchestration import metadata
from synthmix_dagster.orchestration.config.mix import MixConfig
from synthmix_dagster.orchestration.drift_watch.metadata import of_observations
from synthmix_dagster.orchestration.drift_watch.observer import Observer
from synthmix_dagster.orchestration.generator_resource import generate
from synthmix_dagster.orchestration.inputs import (
    Opened,
    Sides,
    open_inputs,
    open_side,
    put_aside,
    schema_violations,
)
from synthmix_dagster.orchestration.outcome import Inputs, Outcome
from synthmix_dagster.orchestration.paths import MixPaths
from synthmix_dagster.orchestration.publishing import send
from synthmix_dagster.orchestration.release_gates import (
    drift_failures,
    failures_of,
    gate_verdicts,
    judge_all,
    limits_of,
    loosened,
    on_other_terms,
    recommendation_verdicts,
    tag_run,
    waiver_of,
)
from synthmix_dagster.orchestration.stored_results import (
    DISTANCE,
    RATIO,
    TRAINING_DATA,
    overridden,
    store,
    stored,
)
from synthmix_dagster.release.coverage import judge_selected
from synthmix_dagster.release.mixing import MixPlan, plan_mix
from synthmix_dagster.release.signing import Sign
from synthmix_dagster.verbs.core import measure_distance, recommend_ratio


def ingest_real(config: MixConfig, inputs: Inputs) -> Outcome:
    """Read the real rows from files and record their fingerprint."""
    return _ingested(config, "real")


def make_generator_input(config: MixConfig, inputs: Inputs) -> Outcome:
    """Hand on the real rows without the evaluation rows, as the kind of frame they came in."""
    rest, evaluation = put_aside(config, open_side(config, inputs.frames, "real", as_ingested=True))
    return Outcome(
        metadata.of_dataset(rest, evaluation_rows=0 if evaluation is None else evaluation.rows),
        rest.fingerprint,
        value=_like(inputs.frames.get("real"), rest),
    )


def ingest_synthetic(config: MixConfig, inputs: Inputs) -> Outcome:
    """Read the synthetic rows from files, or have a generator make them."""
    if config.synthetic.generator is not None:
        generator = inputs.resources[config.synthetic.generator]
        real, _ = put_aside(config, open_side(config, inputs.frames, "real", as_ingested=True))
        generate(config, generator, real)
    return _ingested(config, "synthetic")


def measure(config: MixConfig, inputs: Inputs) -> Outcome:
    """Measure the gap and store it with the fingerprints it belongs to."""
    configured, config = config, overridden(config, inputs.overrides)
    opened = open_inputs(config, inputs.frames)
    sides = opened.sides
    if not config.from_files:
        violations = [asdict(violation) for violation in schema_violations(config, sides)]
        MixPaths.of(config).records.write("schema", {"result": violations})
    report = measure_distance(*sides, **config.measure_options())
    # What the release would refuse is refused here, before a gate is green.
    require_fit(sides[1], sides[0], [*config.ignore, *config.key])
    place = store(config, opened, DISTANCE, inputs.overrides, report.to_dict())
    limit = config.threshold.limit(report.floor)
    return Outcome(
        {
            **metadata.of_distance(report, limit),
            **metadata.of_overrides(inputs.overrides),
            **_observed(configured, sides, report, config.measure_options()),
            **place,
        },
        value=report,
    )


def recommend(config: MixConfig, inputs: Inputs) -> Outcome:
    """Recommend a ratio and store it."""
    opened = open_inputs(config, inputs.frames)
    measured = stored(config, opened, DISTANCE)
    config = overridden(config, inputs.overrides)
    recommendation = recommend_ratio(
        *opened.sides,
        evaluation=opened.evaluation,
        distance=measured.distance,
        **config.recommend_options(),
    )
    place = store(config, opened, RATIO, inputs.overrides, recommendation.to_dict())
    return Outcome(
        {
            **metadata.of_recommendation(recommendation),
            **metadata.of_overrides(inputs.overrides),
            **place,
        },
        value=recommendation,
    )


def release(config: MixConfig, inputs: Inputs) -> Outcome:
    """Follow the evidence back, judge it again, and publish the mix or refuse with the reason."""
    options = inputs.overrides
    reason = options.get("release_anyway")
    opened = open_inputs(config, inputs.frames)
    measured = stored(config, opened, DISTANCE)
    report = measured.distance
    advised = stored(config, opened, RATIO) if config.judged_after_ratio else None
    early = None if advised is None else advised.recommendation

    verdicts = gate_verdicts(config, opened, report, early, options)
    objections = [
        *failures_of(config, verdicts),
        *loosened(config, report, early, options),
        *on_other_terms(DISTANCE, measured.overrides),
        *drift_failures(config),
    ]
    # A gate that failed is the reason to give: after it nothing was recommended.
    waiver_of(config, objections, reason)

    advised = advised or stored(config, opened, RATIO)
    recommendation = advised.recommendation
    of_recommendation = recommendation_verdicts(config, recommendation)
    objections += [
        *failures_of(config, of_recommendation),
        *on_other_terms(RATIO, advised.overrides),
    ]
    ratio = options.get("ratio", recommendation.ratio)
    plan = _planned(config, opened, ratio, options)
    selected = {RELEASED_ROWS: judge_selected(plan, report)}
    objections += refusals(selected)
    evidence = Evidence(
        mix=config.name,
        distance=report,
        recommendation=recommendation,
        thresholds=limits_of(verdicts),
        checks=verdicts | of_recommendation | selected,
        overrides=options,
        upstream_overrides=_set({DISTANCE: measured.overrides, RATIO: advised.overrides}),
        waiver=waiver_of(config, objections, reason),
        chain={DISTANCE: measured.digest, RATIO: advised.digest},
    )
    published = plan.publish(MixPaths.of(config).output, evidence, _signer(config, inputs))
    if evidence.waiver is not None:
        tag_run(evidence.waiver)
    result = {
        "id": published.release_id,
        "manifest": published.details.digest,
        "recommended": recommendation.ratio,
        "requested": ratio,
    }
    store(config, opened, TRAINING_DATA, options, result)
    return Outcome(
        {
            **metadata.of_release(published, _lineage(config, opened.sides)),
            **metadata.of_overrides(options),
            **send(config, published),
        },
        published.release_id,
        value=published,
        warning=_warning(evidence.waiver),
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


def _planned(
    config: MixConfig, opened: Opened, ratio: float, overrides: Mapping[str, Any]
) -> MixPlan:
    """Select the rows. Of what may be set for a run, only the seed is an option of the mix."""
    seed = {name: value for name, value in overrides.items() if name == "seed"}
    return plan_mix(
        *opened.sides,
        ratio=ratio,
        options=overridden(config, seed).mix_options,
        key=config.columns.key,
        optional=[*config.ignore, *config.key],
    )


def _signer(config: MixConfig, inputs: Inputs) -> Sign | None:
    """The method ``sign`` of the resource, or the resource itself where it is a callable."""
    if config.sign is None:
        return None
    resource = inputs.resources[config.sign]
    signer: Sign = getattr(resource, "sign", resource)
    return signer


def _set(overrides: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    return {role: options for role, options in overrides.items() if options}


def _lineage(
    config: MixConfig, sides: Sides
) -> dict[dg.AssetKey, tuple[list[str], Mapping[str, str]]]:
    """Columns of each asset, and the original names of those that were renamed."""
    return {
        config.asset_key(side.name): (side.columns, config.dataset(side.name).original_columns)
        for side in sides
    }


def _warning(waiver: Waiver | None) -> str | None:
    if waiver is None:
        return None
    return (
        "Released although something forbade it. "
        f"Reason given: '{waiver.reason}'. {' '.join(waiver.objections)}"
    )


def _ingested(config: MixConfig, side: str) -> Outcome:
    dataset = open_side(config, {}, side)
    record: dict[str, Any] = {"fingerprint": dataset.fingerprint}
    if dataset.options.version is not None:
        requested = config.dataset(side).version
        record["table"] = {"requested": requested, "version": dataset.options.version}
    MixPaths.of(config).records.write(side, record)
    place = config.dataset(side).path or MixPaths.of(config).generated.uri
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


def _observed(
    config: MixConfig, sides: Sides, report: DistanceReport, measured: Mapping[str, Any]
) -> Mapping[str, Any]:
    """What this batch adds to the history of drift, which is made of the configured settings only.

    A run that measured with others is measured again, or it would begin a history of its own.
    """
    if config.drift is None:
        return {}
    observer = Observer(config.drift, MixPaths.of(config).references, config.observe_options())
    usual = report if measured == config.measure_options() else _measured_as_set(config, sides)
    accepted = isinstance(usual, DistanceReport) and _accepted(config, usual)
    observations, notes = observer.batch(
        sides, key=config.partition, accepted=accepted, report=usual
    )
    return of_observations(observations, config.drift.generator_version, notes)


def _measured_as_set(config: MixConfig, sides: Sides) -> DistanceReport | Exception:
    try:
        return measure_distance(*sides, **config.measure_options())
    except Exception as error:  # recorded as the reason why there is no score
        return error


def _accepted(config: MixConfig, report: DistanceReport) -> bool:
    """Whether the batch may become part of a reference."""
    # A gate that needs the recommendation cannot be judged yet.
    verdicts = judge_all(config, report)
    judged = [verdicts[gate.name] for gate in config.gates if gate.threshold.kind != "auto"]
    return all(verdict.passed or verdict.severity == "WARN" for verdict in judged)
