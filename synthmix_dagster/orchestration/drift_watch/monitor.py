"""Drift alone, without mixing: two existing assets, or one dataset against its own past."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg

from synthmix_dagster.drift.series import SERIES, Unit
from synthmix_dagster.orchestration.config.base import validated
from synthmix_dagster.orchestration.config.dataset import require_placeholders
from synthmix_dagster.orchestration.config.drift import DriftConfig
from synthmix_dagster.orchestration.config.monitor import MonitorConfig
from synthmix_dagster.orchestration.directories import claim
from synthmix_dagster.orchestration.drift_watch.check import (
    Watch,
    drift_spec,
    judge_drift,
    schedule_of,
)
from synthmix_dagster.orchestration.drift_watch.kept_alarms import KeptAlarms
from synthmix_dagster.orchestration.failures import at_the_edge
from synthmix_dagster.orchestration.paths import MixPaths

if TYPE_CHECKING:
    from synthmix_dagster.drift.report import DriftReport


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
        When to run, such as ``AutomationCondition.eager()``: whenever a dataset is updated.
    **options
        The fields of `MonitorConfig`. ``real`` and ``synthetic`` are keys of assets, of any I/O
        manager, or mappings such as ``{"path": "data/real.parquet"}`` or ``{"table":
        "main.customers", "connection": "warehouse"}``.

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
    for name, source in config.sides.items():
        require_placeholders(name, source, partitions_def)
    claim(config)
    watch = Watch(
        config.asset_key,
        config,
        config.units(*config.sides),
        KeptAlarms(lambda: MixPaths.of(config).drift_records),
        config.threshold,
        partitions_def,
    )
    return dg.Definitions(assets=[_asset(config, watch, partitions_def, automation_condition)])


def drift_report(
    instance: dg.DagsterInstance,
    asset: str | dg.AssetKey,
    *,
    delta: float = 0.01,
    history: int = 5,
    season: float | tuple[float, ...] | None = None,
    units: Mapping[str, Unit] | None = None,
    threshold: float | None = None,
    partitions_def: dg.PartitionsDefinition[Any] | None = None,
) -> "DriftReport":
    """Judge the recorded history of a mix or a monitor, for example in a notebook.

    Parameters
    ----------
    instance : DagsterInstance
    asset : asset key
        The asset ``distribution_distance`` of the mix or monitor.
    delta, history, season : see `DriftConfig`
    units : mapping of str to {"batch", "block"}, optional
        The series to judge, and what to rank in each. By default every series that was recorded,
        by batch.
    threshold : float, optional
        Maximum gap to release, to be shown.
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
    from synthmix_dagster.drift.monitor import judge_history
    from synthmix_dagster.orchestration.drift_watch.history import read_history

    key = dg.AssetKey(asset.split("/")) if isinstance(asset, str) else asset
    batches, notes = read_history(instance, key, partitions_def)
    recorded = {name for batch in batches for name in batch.series} or set(SERIES)
    by_batch: dict[str, Unit] = {name: "batch" for name in SERIES if name in recorded}
    return judge_history(
        batches,
        units=units or by_batch,
        delta=delta,
        history=history,
        seasons=DriftConfig(season=season).seasons(schedule_of(partitions_def)),
        threshold=threshold,
        notes=notes,
    )


def _asset(
    config: MonitorConfig,
    watch: Watch,
    partitions_def: dg.PartitionsDefinition[Any] | None,
    automation_condition: dg.AutomationCondition[Any] | None,
) -> dg.AssetsDefinition:
    def compute(context: dg.AssetExecutionContext, **frames: Any) -> Any:
        from synthmix_dagster.orchestration.check_results import check_result

        if context.selected_asset_keys:
            from synthmix_dagster.orchestration.drift_watch.monitor_step import observe_step

            resources = {key: getattr(context.resources, key) for key in config.connections}
            with at_the_edge():
                observed = observe_step(config, frames, resources, partitions_def)
            yield observed
        if context.selected_asset_check_keys:
            # The batch is in the history by now.
            yield check_result(judge_drift(watch, context.instance))

    sources = config.sides.items()
    spec = dg.AssetSpec(
        config.asset_key,
        deps=[dep for _, side in sources for dep in side.deps]
        + [dg.AssetDep(side.asset) for _, side in sources if side.asset is not None],
        description="Distance of each batch from earlier ones: the history that the check 'drift' "
        "judges.",
        group_name=config.group_name or config.name,
        owners=list(config.owners),
        tags=dict(config.tags),
        kinds={"python"},
        partitions_def=partitions_def,
        automation_condition=automation_condition,
    )
    return dg.multi_asset(
        name="__".join(config.asset_key.path),
        specs=[spec],
        check_specs=[drift_spec(watch)],
        can_subset=True,
        ins={name: dg.AssetIn(side.asset) for name, side in sources if side.asset is not None},
        required_resource_keys={*config.storages, *config.connections},
        partitions_def=partitions_def,
    )(compute)
