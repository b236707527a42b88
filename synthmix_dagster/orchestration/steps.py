"""What each asset of a mix does. Thin: open, call one verb, store the result, describe it.

`release` trusts no earlier run: it reads the stored distance, requires that it was measured on
these very rows with these very settings, and judges it again before anything is written.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import dagster as dg

from synthmix_dagster.data.alignment import require_fit
from synthmix_dagster.data.dataset import Dataset
from synthmix_dagster.distance.report import DistanceReport
from synthmix_dagster.gates.evidence import Evidence
from synthmix_dagster.gates.threshold import Threshold, number_of
from synthmix_dagster.gates.verdicts import Verdict
from synthmix_dagster.orchestration import metadata
from synthmix_dagster.orchestration.config.mix import MixConfig
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
from synthmix_dagster.orchestration.outcome import Inputs, Outcome
from synthmix_dagster.orchestration.paths import MixPaths
from synthmix_dagster.orchestration.release_gates import (
    drift_failures,
    failures_of,
    gate_verdicts,
    judge_all,
    recommendation_verdicts,
    refuse,
)
from synthmix_dagster.orchestration.stored_results import (
    overridden,
    store,
    stored_distance,
    stored_recommendation,
)
from synthmix_dagster.ratio.recommendation import Recommendation
from synthmix_dagster.release.handle import Release
from synthmix_dagster.release.mixing import mix_datasets
from synthmix_dagster.verbs.core import measure_distance, recommend_ratio


def ingest_real(config: MixConfig, inputs: Inputs) -> Outcome:
    """Read the real rows from files and record their fingerprint."""
    return _ingested(config, "real")


def make_generator_input(config: MixConfig, inputs: Inputs) -> Outcome:
    """Hand on the real rows without the evaluation rows, as the kind of frame they came in."""
    rest, evaluation = put_aside(config, open_side(config, inputs.frames, "real"))
    return Outcome(
        metadata.of_dataset(rest, evaluation_rows=0 if evaluation is None else evaluation.rows),
        rest.fingerprint,
        value=_like(inputs.frames.get("real"), rest),
    )


def ingest_synthetic(config: MixConfig, inputs: Inputs) -> Outcome:
    """Read the synthetic rows from files, or have a generator make them."""
    if config.synthetic.generator is not None:
        generator = inputs.resources[config.synthetic.generator]
        real, _ = put_aside(config, open_side(config, inputs.frames, "real"))
        generate(config, generator, real)
    return _ingested(config, "synthetic")


def measure(config: MixConfig, inputs: Inputs) -> Outcome:
    """Measure the gap and store it with the fingerprints it belongs to."""
    config = overridden(config, inputs.overrides)
    sides, _ = open_sides(config, inputs.frames)
    if not config.from_files:
        violations = [asdict(violation) for violation in schema_violations(config, sides)]
        MixPaths.of(config).records.write("schema", {"result": violations})
    report = measure_distance(*sides, **config.measure_options())
    # What the release would refuse is refused here, before a gate is green.
    require_fit(sides[1], sides[0], [*config.ignore, *config.key])
    store(config, sides, "distribution_distance", inputs.overrides, report.to_dict())
    limit = number_of(Threshold.parse(config.threshold), report)
    return Outcome(
        {
            **metadata.of_distance(report, limit),
            **metadata.of_overrides(inputs.overrides),
            **_observed(config, sides, report),
        }
    )


def recommend(config: MixConfig, inputs: Inputs) -> Outcome:
    """Recommend a ratio and store it."""
    config = overridden(config, inputs.overrides)
    sides, evaluation = open_sides(config, inputs.frames)
    report = stored_distance(config, sides)
    if config.evaluation is not None:
        evaluation = open_side(config, inputs.frames, "evaluation")
    recommendation = recommend_ratio(
        *sides,
        evaluation=evaluation,
        distance=report,
        **config.recommend_options(),
    )
    store(config, sides, "optimal_ratio", inputs.overrides, recommendation.to_dict())
    return Outcome(
        {**metadata.of_recommendation(recommendation), **metadata.of_overrides(inputs.overrides)}
    )


def release(config: MixConfig, inputs: Inputs) -> Outcome:
    """Judge the stored distance again and publish the mix, or refuse with the reason."""
    options = inputs.overrides
    reason = options.get("release_anyway")
    sides, _ = open_sides(config, inputs.frames)
    report = stored_distance(config, sides)

    # A gate that failed is the reason to give: after it nothing was recommended.
    verdicts = gate_verdicts(config, sides, report, options)
    failures = [*failures_of(config, verdicts), *drift_failures(config)]
    refuse(config, failures, reason)

    recommendation = stored_recommendation(config, sides)
    of_recommendation = recommendation_verdicts(config, recommendation)
    failures += failures_of(config, of_recommendation)
    refuse(config, failures, reason)

    ratio = options.get("ratio", recommendation.ratio)
    evidence = _evidence(config, report, recommendation, verdicts | of_recommendation, options)
    published = _publish(config, sides, ratio, evidence, options)
    result = {"id": published.release_id, "ratio": ratio}
    store(config, sides, "training_data", options, result)
    return Outcome(
        {
            **metadata.of_release(published, _lineage(config, sides)),
            **metadata.of_overrides(options),
        },
        published.release_id,
        warning=_warning(failures, reason),
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


def _evidence(
    config: MixConfig,
    report: DistanceReport,
    recommendation: Recommendation,
    verdicts: Mapping[str, Verdict],
    overrides: Mapping[str, Any],
) -> Evidence:
    """What the manifest says of how the release came about."""
    return Evidence(
        mix=config.name,
        distance=report,
        recommendation=recommendation,
        thresholds={
            name: verdict.limit for name, verdict in verdicts.items() if verdict.limit is not None
        },
        checks=verdicts,
        overrides=overrides,
    )


def _publish(
    config: MixConfig,
    sides: Sides,
    ratio: float,
    evidence: Evidence,
    overrides: Mapping[str, Any],
) -> Release:
    """Mix and publish. Of what may be set for a run, only the seed is an option of the mix."""
    seed = {name: value for name, value in overrides.items() if name == "seed"}
    return mix_datasets(
        *sides,
        ratio=ratio,
        output=MixPaths.of(config).output,
        **overridden(config, seed).mix_options(),
        evidence=evidence,
    )


def _lineage(
    config: MixConfig, sides: Sides
) -> dict[dg.AssetKey, tuple[list[str], Mapping[str, str]]]:
    """Columns of each asset, and the original names of those that were renamed."""
    return {
        config.asset_key(side.name): (side.columns, config.dataset(side.name).original_columns)
        for side in sides
    }


def _warning(failures: list[str], reason: object) -> str | None:
    if not failures:
        return None
    return f"Released although a gate failed. Reason given: '{reason}'. {' '.join(failures)}"


def _ingested(config: MixConfig, side: str) -> Outcome:
    dataset = open_side(config, {}, side)
    MixPaths.of(config).records.write(side, {"fingerprint": dataset.fingerprint})
    place = config.dataset(side).path or str(MixPaths.of(config).generated)
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


def _observed(config: MixConfig, sides: Sides, report: DistanceReport) -> Mapping[str, Any]:
    """What this batch adds to the history of drift."""
    if config.drift is None:
        return {}
    observer = Observer(config.drift, MixPaths.of(config).references, config.observe_options())
    # A gate that needs the recommendation cannot be judged yet.
    verdicts = judge_all(config, report)
    judged = [verdicts[gate.name] for gate in config.gates if gate.threshold.kind != "auto"]
    accepted = all(verdict.passed or verdict.severity == "WARN" for verdict in judged)
    observations, notes = observer.batch(
        sides, key=config.partition, accepted=accepted, report=report
    )
    return of_observations(observations, config.drift.generator_version, notes)
