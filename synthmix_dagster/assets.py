"""The five assets of a mix. Thin: open, call one verb, leave a record, materialise with metadata.

`training_data` trusts no earlier run: it reads the stored distance, makes sure that it was measured
on these very rows with these very settings, and judges it again before anything is written.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import dagster as dg

from synthmix_dagster.api import measure_distance, recommend_ratio
from synthmix_dagster.config import MixConfig
from synthmix_dagster.distance.report import DistanceReport
from synthmix_dagster.drift_check import standing_alarm, watch_of
from synthmix_dagster.errors import GateError, SynthMixError
from synthmix_dagster.gate import GATES
from synthmix_dagster.observe import Observer
from synthmix_dagster.presentation import metadata
from synthmix_dagster.presentation.drift_metadata import of_observations
from synthmix_dagster.ratio.recommendation import Recommendation
from synthmix_dagster.tables.alignment import require_fit
from synthmix_dagster.tables.dataset import Dataset
from synthmix_dagster.tables.mixing import mix_datasets
from synthmix_dagster.tables.splitting import split_by_column

Step = Callable[[MixConfig, Mapping[str, Any]], dg.MaterializeResult[Any]]

#: Raise it when the same inputs and settings would give another result.
CODE_VERSION = "3"

_DESCRIPTIONS = {
    "real": "Real rows, read from files. Recorded with a fingerprint, so that what is measured "
    "and what is released are known to be the same rows.",
    "synthetic": "Generated rows, read from files and recorded with a fingerprint.",
    "distribution_distance": "How far the generated rows are from the real ones: debiased "
    "Wasserstein gap in real standard deviations, its floor and its p-value.",
    "optimal_ratio": "How many generated rows to add for each real one: predicted test risk at "
    "every ratio, and the recommended one.",
    "training_data": "The training set: every real row once and exactly the recommended number "
    "of generated ones, published as an immutable release once the gap is within its threshold.",
}


def build_assets(config: MixConfig) -> list[dg.AssetsDefinition]:
    """Build the assets of one mix.

    Parameters
    ----------
    config : MixConfig

    Returns
    -------
    list of AssetsDefinition
        ``real`` and ``synthetic`` only where they come from files.
    """
    ingested = [
        _ingestion(config, side)
        for side in ("real", "synthetic")
        if config.dataset(side).asset is None
    ]
    return [
        *ingested,
        _asset(config, "distribution_distance", measure_step),
        _asset(config, "optimal_ratio", recommend_step, "distribution_distance"),
        _asset(config, "training_data", release_step, "distribution_distance", "optimal_ratio"),
    ]


def ingest_step(config: MixConfig, side: str) -> dg.MaterializeResult[Any]:
    """Read one dataset from files and record what was found."""
    source = config.dataset(side)
    dataset = source.open(source.path, side)
    config.records.write(side, {"fingerprint": dataset.fingerprint})
    return dg.MaterializeResult(
        metadata=metadata.of_dataset(dataset),
        data_version=dg.DataVersion(dataset.fingerprint),
    )


def measure_step(config: MixConfig, frames: Mapping[str, Any]) -> dg.MaterializeResult[Any]:
    """Measure the gap and record it with the fingerprints it belongs to."""
    sides = _open_sides(config, frames)
    report = measure_distance(*sides, **config.measure_options())
    # What the release would refuse is refused here, before a gate is green.
    require_fit(sides[1], sides[0], [*config.ignore, *config.key])
    record = {**_evidence_key(config, sides, "measure"), "result": report.to_dict()}
    config.records.write("distribution_distance", record)
    found = {**metadata.of_distance(report, config.threshold), **_observed(config, sides, report)}
    return dg.MaterializeResult(metadata=found)


def recommend_step(config: MixConfig, frames: Mapping[str, Any]) -> dg.MaterializeResult[Any]:
    """Recommend a ratio and record it."""
    sides = _open_sides(config, frames)
    report = DistanceReport.from_dict(_fresh(config, sides, "distribution_distance", "measure"))
    judges = _open_evaluation(config, frames)
    recommendation = recommend_ratio(
        *sides, evaluation=judges, distance=report, **config.recommend_options()
    )
    record = {**_evidence_key(config, sides, "recommend"), "result": recommendation.to_dict()}
    config.records.write("optimal_ratio", record)
    return dg.MaterializeResult(metadata=metadata.of_recommendation(recommendation))


def release_step(config: MixConfig, frames: Mapping[str, Any]) -> dg.MaterializeResult[Any]:
    """Judge the stored distance again and publish the mix, or refuse with the reason."""
    sides = _open_sides(config, frames)
    report = DistanceReport.from_dict(_fresh(config, sides, "distribution_distance", "measure"))
    verdicts = {gate: GATES[gate](report, most) for gate, most in config.gates.items()}
    for gate, verdict in verdicts.items():
        if not verdict.passed:
            raise GateError(
                f"release refused, the check '{gate}' failed. {verdict.sentence}",
                mix=config.name,
                fix="No release was touched",
            )
    if config.drift is not None and config.drift.blocking:
        instance = dg.AssetExecutionContext.get().instance
        if alarm := standing_alarm(watch_of(config, config.drift), instance):
            raise GateError(
                f"release refused, the check 'drift' failed. {alarm}",
                mix=config.name,
                fix="No release was touched",
            )
    recommendation = Recommendation.from_dict(_fresh(config, sides, "optimal_ratio", "recommend"))
    release = mix_datasets(
        *sides,
        ratio=recommendation.ratio,
        **config.mix_options(),
        evidence={
            "mix": config.name,
            "thresholds": config.gates,
            "distribution_distance": report.to_dict(),
            "optimal_ratio": recommendation.to_dict(),
            "checks": {
                gate: {"passed": True, "sentence": verdict.sentence}
                for gate, verdict in verdicts.items()
            },
        },
    )
    record = {**_evidence_key(config, sides, "recommend"), "result": {"id": release.release_id}}
    config.records.write("training_data", record)
    return dg.MaterializeResult(
        metadata=metadata.of_release(release), data_version=dg.DataVersion(release.release_id)
    )


def current_partition() -> str | None:
    """Partition of the step that runs, if it has one."""
    try:
        context = dg.AssetExecutionContext.get()
    except dg.DagsterInvariantViolationError:
        # Called directly, say by a test: there is no step.
        return None
    return context.partition_key if context.has_partition_key else None


@contextmanager
def at_the_edge() -> Iterator[None]:
    """Turn this package's errors into failures that Dagster shows in full and does not retry."""
    try:
        yield
    except SynthMixError as error:
        raise dg.Failure(description=str(error), allow_retries=False) from error


def _ingestion(config: MixConfig, side: str) -> dg.AssetsDefinition:
    def ingest() -> dg.MaterializeResult[Any]:
        with at_the_edge():
            return ingest_step(config, side)

    deps = list(config.dataset(side).deps)
    return dg.asset(**_asset_options(config, side), deps=deps)(ingest)


def _asset(config: MixConfig, role: str, step: Step, *upstream: str) -> dg.AssetsDefinition:
    def compute(**frames: Any) -> dg.MaterializeResult[Any]:
        with at_the_edge():
            return step(config, frames)

    datasets = ["real", "synthetic"]
    if role == "optimal_ratio" and config.evaluation is not None:
        datasets.append("evaluation")
    return dg.asset(**_asset_options(config, role), **_inputs(config, datasets, upstream))(compute)


def _asset_options(config: MixConfig, role: str) -> dict[str, Any]:
    kinds = {"parquet"} if role == "training_data" else {"python"}
    return {
        "key": config.asset_key(role),
        "description": _DESCRIPTIONS[role],
        "group_name": config.group_name or config.name,
        "owners": list(config.owners),
        "tags": dict(config.tags),
        "kinds": kinds,
        "code_version": CODE_VERSION,
    }


def _inputs(config: MixConfig, datasets: Sequence[str], upstream: Sequence[str]) -> dict[str, Any]:
    """Load datasets that are assets through their own I/O managers; depend on all others."""
    ins, deps = {}, [config.asset_key(role) for role in upstream]
    for name in datasets:
        source = config.dataset(name)
        if source.asset is not None:
            ins[name] = dg.AssetIn(source.asset)
        elif name == "evaluation":
            deps += source.deps
        else:
            deps.append(config.asset_key(name))
    return {"ins": ins, "deps": deps}


def _open_sides(config: MixConfig, frames: Mapping[str, Any]) -> tuple[Dataset, Dataset]:
    return _open_side(config, frames, "real"), _open_side(config, frames, "synthetic")


def _open_side(config: MixConfig, frames: Mapping[str, Any], side: str) -> Dataset:
    source = config.dataset(side)
    if source.asset is not None:
        dataset = source.open(frames[side], side)
    else:
        dataset = source.open(source.path, side)
        record = config.records.read(side)
        if record is None or record["fingerprint"] != dataset.fingerprint:
            found = "was never ingested" if record is None else "has changed since it was ingested"
            raise GateError(
                f"the {side} dataset at '{source.path}' {found}",
                mix=config.name,
                fix=f"Materialise '{config.asset_key(side).to_user_string()}' and what follows it",
            )
    if side == "real" and config.evaluation_column is not None:
        return split_by_column(dataset, config.evaluation_column)[0]
    return dataset


def _open_evaluation(config: MixConfig, frames: Mapping[str, Any]) -> Dataset | None:
    """Rows that judge, if there are any; they are neither measured nor mixed."""
    if config.evaluation_column is not None:
        source, name = config.real, "real"
    elif config.evaluation is not None:
        source, name = config.evaluation, "evaluation"
    else:
        return None
    dataset = source.open(source.path if source.asset is None else frames[name], name)
    if config.evaluation_column is not None:
        return split_by_column(dataset, config.evaluation_column)[1]
    return dataset


def _observed(
    config: MixConfig, sides: tuple[Dataset, Dataset], report: DistanceReport
) -> dict[str, Any]:
    """What this batch adds to the history of drift."""
    if config.drift is None:
        return {}
    observer = Observer(config.drift, config.references, config.observe_options())
    accepted = all(GATES[gate](report, most).passed for gate, most in config.gates.items())
    seen, notes = observer.batch(sides, key=current_partition(), accepted=accepted, report=report)
    return of_observations(seen, config.drift.generator_version, notes)


def _evidence_key(config: MixConfig, sides: tuple[Dataset, Dataset], verb: str) -> dict[str, Any]:
    """What a record belongs to: these rows, these settings."""
    options = config.measure_options() if verb == "measure" else config.recommend_options()
    return {
        "code_version": CODE_VERSION,
        "inputs": {side.name: side.fingerprint for side in sides},
        "settings": options,
    }


def _fresh(
    config: MixConfig, sides: tuple[Dataset, Dataset], role: str, verb: str
) -> dict[str, Any]:
    """Return a stored result, or refuse one that belongs to other rows or settings."""
    record = config.records.read(role)
    key = _evidence_key(config, sides, verb)
    if record is None:
        problem = f"'{role}' was never materialised"
    elif record.get("code_version") != CODE_VERSION:
        problem = f"'{role}' was computed by another version of synthmix-dagster"
    elif record["inputs"] != key["inputs"]:
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
