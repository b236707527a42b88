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
from synthmix_dagster.errors import GateError
from synthmix_dagster.gates.coverage import RELEASED_ROWS
from synthmix_dagster.gates.evidence import Evidence, of_generator, refusals
from synthmix_dagster.gates.verdicts import Verdict
from synthmix_dagster.gates.waiver import Waiver
from synthmix_dagster.orchestration import metadata
from synthmix_dagster.orchestration.answering import LeftOut, answered, requested_ratio
from synthmix_dagster.orchestration.config.mix import MixConfig
from synthmix_dagster.orchestration.config.mix_datasets import OTHER
from synthmix_dagster.orchestration.drift_watch.metadata import of_observations
from synthmix_dagster.orchestration.drift_watch.observer import Observer
from synthmix_dagster.orchestration.generator_resource import generate
from synthmix_dagster.orchestration.inputs import (
    Opened,
    Sides,
    open_each,
    open_inputs,
    open_side,
    put_aside,
    schema_violations,
)
from synthmix_dagster.orchestration.outcome import Inputs, Outcome
from synthmix_dagster.orchestration.paths import MixPaths
from synthmix_dagster.orchestration.publishing import publish_table, send, table_of
from synthmix_dagster.orchestration.refusals import record_refusal
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
    undecided,
    waiver_of,
)
from synthmix_dagster.orchestration.snapshots import ingest
from synthmix_dagster.orchestration.stored_results import (
    DISTANCE,
    RATIO,
    TRAINING_DATA,
    Stored,
    overridden,
    store,
    stored,
)
from synthmix_dagster.ratio.answers import Answer
from synthmix_dagster.release.coverage import judge_selected
from synthmix_dagster.release.mixing import MixPlan, plan_mix
from synthmix_dagster.release.signing import Sign
from synthmix_dagster.verbs.core import measure_distance
from synthmix_dagster.verbs.engines import engine_of


def ingest_real(config: MixConfig, inputs: Inputs) -> Outcome:
    """Read the real rows from files or a query, and record their fingerprint."""
    return _ingested(config, "real", inputs)


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
    key = config.dataset("synthetic").generator
    if key is not None:
        generator = inputs.resources[key]
        real, _ = put_aside(config, open_side(config, inputs.frames, "real", as_ingested=True))
        generate(config, generator, real)
    return _ingested(config, "synthetic", inputs)


def measure(config: MixConfig, inputs: Inputs) -> Outcome:
    """Measure the gap and store it with the fingerprints it belongs to."""
    configured, config = config, overridden(config, inputs.overrides)
    _ingest_evaluation(config, DISTANCE, inputs)
    opened = open_inputs(config, inputs.frames)
    sides = opened.sides
    if not config.from_files:
        violations = [asdict(violation) for violation in schema_violations(config, sides)]
        MixPaths.of(config).records.write("schema", {"result": violations})
    report = measure_distance(*sides, **config.measure_options())
    # What the release would refuse is refused here, before a gate is green.
    require_fit(sides[1], sides[0], [*config.ignore, *config.key])
    place = store(config, {"": opened}, DISTANCE, inputs.overrides, report.to_dict())
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
    """Recommend a ratio, or one for each generator or class, and store it."""
    _ingest_evaluation(config, RATIO, inputs)
    opened = open_each(config.views, inputs.frames)
    measured = _measured(config, opened)
    config = overridden(config, inputs.overrides)
    answer = answered(config, opened, measured)
    place = store(config, opened, RATIO, inputs.overrides, answer.to_dict())
    return Outcome(
        {**metadata.of_answer(answer), **metadata.of_overrides(inputs.overrides), **place},
        value=answer,
    )


def release(config: MixConfig, inputs: Inputs) -> Outcome:
    """Publish the mix, or refuse with the reason, which the history keeps."""
    try:
        return _released(config, inputs)
    except GateError as error:
        record_refusal(config, str(error))
        raise


def _released(config: MixConfig, inputs: Inputs) -> Outcome:
    """Follow the evidence back, judge it again, and publish the mix."""
    options = inputs.overrides
    reason = options.get("release_anyway")
    opened = open_each(config.views, inputs.frames)
    measured = _measured(config, opened)
    advised = stored(config, opened, RATIO) if config.judged_after_ratio else None
    early = None if advised is None else advised.recommendation
    verdicts, objections = _judged(config, opened, measured, early, options)
    # A gate that failed is the reason to give: after it nothing was recommended.
    waiver_of(config, objections, reason)

    advised = advised or stored(config, opened, RATIO)
    answer = advised.recommendation
    of_recommendation = recommendation_verdicts(config, answer)
    requested = requested_ratio(config, answer, options)
    left_out = LeftOut.of(config, verdicts, requested)
    objections += [
        *failures_of(config, of_recommendation),
        *on_other_terms(RATIO, advised.overrides),
        *undecided(answer, options),
        *left_out.objections,
    ]
    plan = _planned(config, opened, requested, options)
    reports = {name: each.distance for name, each in measured.items()}
    selected = _judged_rows(plan, reports)
    objections += refusals(selected)
    results = {config.views[n].qualified_role(DISTANCE): each for n, each in measured.items()}
    results[RATIO] = advised
    evidence = Evidence(
        mix=config.name,
        distance=reports.get(""),
        distances=reports if config.is_whole else {},
        recommendation=answer,
        thresholds=limits_of(verdicts),
        checks={**left_out.verdicts, **of_recommendation, **selected},
        overrides=options,
        upstream_overrides={n: each.overrides for n, each in results.items() if each.overrides},
        waiver=waiver_of(config, objections, reason),
        chain={name: each.digest for name, each in results.items()},
    )
    output, signer = MixPaths.of(config).output, _signer(config, inputs)
    published = plan.publish(output, evidence, signer, table_of(config))
    if evidence.waiver is not None:
        tag_run(evidence.waiver)
    result = {
        "id": published.release_id,
        "manifest": published.details.digest,
        "recommended": answer.ratio,
        "requested": options.get("ratio", answer.ratio),
    }
    store(config, opened, TRAINING_DATA, options, result)
    return Outcome(
        {
            **metadata.of_release(published, _lineage(config, opened)),
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
    "published_table": publish_table,
}


def _measured(config: MixConfig, opened: Mapping[str, Opened]) -> dict[str, Stored]:
    """The stored distance of each generator, by its name."""
    return {name: stored(view, {"": opened[name]}, DISTANCE) for name, view in config.views.items()}


def _judged(
    config: MixConfig,
    opened: Mapping[str, Opened],
    measured: Mapping[str, Stored],
    answer: Answer | None,
    options: Mapping[str, Any],
) -> tuple[dict[str, Verdict], list[str]]:
    """Judge each generator by its own gates: all verdicts, and what forbids a release."""
    verdicts: dict[str, Verdict] = {}
    objections: list[str] = []
    for name, view in config.views.items():
        report = measured[name].distance
        found = gate_verdicts(view, opened[name], report, answer, options)
        objections += [
            *failures_of(view, found, name),
            *loosened(view, report, answer, options),
            *on_other_terms(view.qualified_role(DISTANCE), measured[name].overrides),
            *drift_failures(view),
        ]
        verdicts |= {of_generator(check, name): verdict for check, verdict in found.items()}
    return verdicts, objections


def _judged_rows(plan: MixPlan, reports: Mapping[str, DistanceReport]) -> dict[str, Verdict]:
    """Compare the rows to be released of each generator with those of it that were measured."""
    return {
        of_generator(RELEASED_ROWS, name): judge_selected(plan, report, name or "synthetic")
        for name, report in reports.items()
    }


def _planned(
    config: MixConfig,
    opened: Mapping[str, Opened],
    ratio: float | Mapping[str, float],
    overrides: Mapping[str, Any],
) -> MixPlan:
    """Select the rows. Of what may be set for a run, only the seed is an option of the mix."""
    seed = {name: value for name, value in overrides.items() if name == "seed"}
    first = next(iter(opened.values()))
    generators = {name: each.sides[1] for name, each in opened.items()}
    return plan_mix(
        first.sides[0],
        generators if config.is_whole else first.sides[1],
        ratio=ratio,
        domains=[name for name in generators if name == OTHER],
        options=overridden(config, seed).mix_options,
        key=config.columns.key,
        optional=[*config.ignore, *config.key],
        engine=engine_of(None, [first.sides[0], *generators.values()], config.memory_mb),
    )


def _signer(config: MixConfig, inputs: Inputs) -> Sign | None:
    """The method ``sign`` of the resource, or the resource itself where it is a callable."""
    if config.sign is None:
        return None
    resource = inputs.resources[config.sign]
    signer: Sign = getattr(resource, "sign", resource)
    return signer


def _lineage(
    config: MixConfig, opened: Mapping[str, Opened]
) -> dict[dg.AssetKey, tuple[list[str], Mapping[str, str]]]:
    """Columns of each asset, and the original names of those that were renamed."""
    return {
        view.asset_key(side.name): (side.columns, view.dataset(side.name).original_columns)
        for name, view in config.views.items()
        for side in opened[name].sides
    }


def _warning(waiver: Waiver | None) -> str | None:
    if waiver is None:
        return None
    return (
        "Released although something forbade it. "
        f"Reason given: '{waiver.reason}'. {' '.join(waiver.objections)}"
    )


def _ingested(config: MixConfig, side: str, inputs: Inputs) -> Outcome:
    _ingest_evaluation(config, side, inputs)
    source = config.dataset(side)
    if config.is_unloaded(source):
        dataset = ingest(config, side, inputs.resources)
        return Outcome(metadata.of_dataset(dataset, origin=source.place), dataset.fingerprint)
    dataset = open_side(config, {}, side)
    record: dict[str, Any] = {"fingerprint": dataset.fingerprint}
    if dataset.options.version is not None:
        record["table"] = {"requested": source.version, "version": dataset.options.version}
    MixPaths.of(config).records.write(side, record)
    place = source.place or MixPaths.of(config).generated.uri
    return Outcome(metadata.of_dataset(dataset, place), dataset.fingerprint)


def _ingest_evaluation(config: MixConfig, role: str, inputs: Inputs) -> None:
    if role == config.evaluation_role:
        ingest(config, "evaluation", inputs.resources)


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
