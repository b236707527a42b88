"""Drift alone, without mixing: two existing assets, or one dataset against its own past."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from synthmix_dagster.data.dataset import Dataset
from synthmix_dagster.distance.report import DistanceReport
from synthmix_dagster.drift.history import SERIES, Unit
from synthmix_dagster.drift.monitor import judge_history
from synthmix_dagster.drift.report import DriftReport
from synthmix_dagster.errors import DataError, SynthMixError
from synthmix_dagster.orchestration import metadata
from synthmix_dagster.orchestration.config.base import validated
from synthmix_dagster.orchestration.config.dataset import DatasetConfig
from synthmix_dagster.orchestration.config.monitor import MonitorConfig
from synthmix_dagster.orchestration.drift_watch.check import Watch, build_drift_check, read_history
from synthmix_dagster.orchestration.drift_watch.metadata import of_observations
from synthmix_dagster.orchestration.drift_watch.observer import Observer, failed_observation
from synthmix_dagster.orchestration.failures import at_the_edge
from synthmix_dagster.orchestration.partitions import current_partition
from synthmix_dagster.verbs.core import measure_distance


def build_drift_monitor(
    *,
    partitions_def: dg.PartitionsDefinition[Any] | None = None,
    automation_condition: dg.AutomationCondition[Any] | None = None,
    **options: Any,
) -> dg.Definitions:
    """Build a monitor of two datasets, or of one against its own past: an asset and its check.

    Parameters
    ----------
    partitions_def : PartitionsDefinition, optional
        Partitions of the datasets, which are then the batches; without them every run is one.
    automation_condition : AutomationCondition, optional
        When to run, such as ``AutomationCondition.eager()``: whenever a dataset was updated.
    **options
        The fields of `MonitorConfig`. ``real`` and ``synthetic`` are keys of assets, of any I/O
        manager, or mappings such as ``{"path": "data/real.parquet"}``.

    Returns
    -------
    Definitions
        The asset ``<name>/distribution_distance`` and its check ``drift``.

    Raises
    ------
    ConfigError
        An option is unknown, missing or wrong.

    Examples
    --------
    >>> defs = build_drift_monitor(
    ...     name="flights",
    ...     real="warehouse/flights",
    ...     synthetic="warehouse/generated_flights",
    ...     generator_version="2026-11",
    ...     output_root="monitors",
    ... )
    >>> [asset.key.to_user_string() for asset in defs.assets]
    ['flights/distribution_distance']
    """
    config = validated(MonitorConfig, options, "monitor")
    watch = Watch(
        config.asset_key,
        config,
        config.units(*config.sides),
        config.threshold,
        partitions_def,
    )
    return dg.Definitions(
        assets=[_asset(config, partitions_def, automation_condition)],
        asset_checks=[build_drift_check(watch)],
    )


def drift_report(
    instance: dg.DagsterInstance,
    asset: str | dg.AssetKey,
    *,
    delta: float = 0.01,
    history: int = 5,
    units: Mapping[str, Unit] | None = None,
    threshold: float | None = None,
    partitions_def: dg.PartitionsDefinition[Any] | None = None,
) -> DriftReport:
    """Judge the recorded history of a mix or a monitor, in a notebook say.

    Parameters
    ----------
    instance : DagsterInstance
    asset : asset key
        The asset ``distribution_distance`` of the mix or monitor.
    delta, history : see `DriftConfig`
    units : mapping of str to {"batch", "block"}, optional
        The series to judge, and what to rank in each. By default every series that was recorded,
        by batch.
    threshold : float, optional
        Largest gap that may be released, to be shown.
    partitions_def : PartitionsDefinition, optional
        Gives partitions their order; without it they are ordered by their keys.

    Returns
    -------
    DriftReport

    Examples
    --------
    >>> drift_report(dg.DagsterInstance.ephemeral(), "flights/distribution_distance").status
    'short'
    """
    key = dg.AssetKey(asset.split("/")) if isinstance(asset, str) else asset
    batches, notes = read_history(instance, key, partitions_def)
    recorded = {name for batch in batches for name in batch.series} or set(SERIES)
    by_batch: dict[str, Unit] = {name: "batch" for name in SERIES if name in recorded}
    return judge_history(
        batches,
        units=units or by_batch,
        delta=delta,
        history=history,
        threshold=threshold,
        notes=notes,
    )


def observe_step(config: MonitorConfig, frames: Mapping[str, Any]) -> dg.MaterializeResult[Any]:
    """Measure one batch and record what was found, or why nothing could be."""
    options, version = config.observe_options(), config.generator_version
    observer = Observer(config, config.references, options)
    try:
        sides = [_open(name, source, frames) for name, source in config.sides.items()]
    except SynthMixError as error:
        seen = dict.fromkeys(config.units(*config.sides), failed_observation(error))
        return dg.MaterializeResult(metadata=of_observations(seen, version, []))
    report = _distance(config, sides) if len(sides) == 2 else None
    accepted = not isinstance(report, Exception)
    found: dict[str, Any] = {}
    if isinstance(report, DistanceReport):
        accepted = config.threshold is None or report.gap <= config.threshold
        found |= metadata.of_distance(report, config.threshold)
    seen, notes = observer.batch(sides, key=current_partition(), accepted=accepted, report=report)
    return dg.MaterializeResult(metadata={**found, **of_observations(seen, version, notes)})


def _asset(
    config: MonitorConfig,
    partitions_def: dg.PartitionsDefinition[Any] | None,
    automation_condition: dg.AutomationCondition[Any] | None,
) -> dg.AssetsDefinition:
    def compute(**frames: Any) -> dg.MaterializeResult[Any]:
        with at_the_edge():
            return observe_step(config, frames)

    sources = config.sides.items()
    return dg.asset(
        key=config.asset_key,
        description="How far each batch is from the others before it: the history that the check "
        "'drift' judges.",
        group_name=config.group_name or config.name,
        owners=list(config.owners),
        tags=dict(config.tags),
        kinds={"python"},
        ins={name: dg.AssetIn(side.asset) for name, side in sources if side.asset is not None},
        deps=[dep for _, side in sources for dep in side.deps],
        partitions_def=partitions_def,
        automation_condition=automation_condition,
    )(compute)


def _open(name: str, source: DatasetConfig, frames: Mapping[str, Any]) -> Dataset:
    if source.asset is None:
        return source.open(source.path, name)
    rows = frames[name]
    if isinstance(rows, dict):
        raise DataError(
            f"it arrived in {len(rows)} partitions at once",
            dataset=name,
            fix="Give the monitor the 'partitions_def' of its datasets",
        )
    return source.open(rows, name)


def _distance(config: MonitorConfig, sides: Sequence[Dataset]) -> DistanceReport | Exception:
    try:
        return measure_distance(*sides, permutations=0, **config.observe_options())
    except Exception as error:  # recorded as the reason why there is no gap
        return error
