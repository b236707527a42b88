"""Drift alone, without mixing: two existing assets, or one dataset against its own past."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import dagster as dg
from pydantic import field_validator, model_validator

from synthmix_dagster.api import measure_distance
from synthmix_dagster.assets import at_the_edge
from synthmix_dagster.config.base import below_root, plain_name, validated, weights_above_zero
from synthmix_dagster.config.dataset import DatasetConfig
from synthmix_dagster.config.drift import DriftConfig
from synthmix_dagster.distance.report import DistanceReport
from synthmix_dagster.drift.history import SERIES, Unit
from synthmix_dagster.drift.monitor import judge_history
from synthmix_dagster.drift.report import DriftReport
from synthmix_dagster.drift_check import Watch, build_drift_check, read_history
from synthmix_dagster.errors import DataError, SynthMixError
from synthmix_dagster.observe import Observer, failed_observation
from synthmix_dagster.partitions import current_partition
from synthmix_dagster.presentation import metadata
from synthmix_dagster.presentation.drift_metadata import of_observations
from synthmix_dagster.tables.dataset import Dataset
from synthmix_dagster.tables.disk import inside

#: Name of the asset that keeps the history.
ROLE = "distribution_distance"


class MonitorConfig(DriftConfig):
    """Everything a user may set for a monitor, beside what `DriftConfig` has.

    Attributes
    ----------
    name : str
        Name of the monitor; its asset is ``<key_prefix>/<name>/distribution_distance``.
    real, synthetic : DatasetConfig, optional
        The datasets; at least one. With one of them, it is watched against its own past.
    output_root : str
        Directory below which the reference samples are kept.
    output : str, optional
        Folder of this monitor below `output_root`, by default its key prefix and name.
    threshold : float, optional
        Batches with a larger gap are left out of the references.
    categorical, ignore, key, weights, scaling, groups, sample_rows, directions, seed
        As for a mix.
    key_prefix, group_name, owners, tags
        As in Dagster.
    """

    name: str
    output_root: str
    real: DatasetConfig | None = None
    synthetic: DatasetConfig | None = None
    output: str | None = None
    threshold: float | None = None
    categorical: Sequence[str] = ()
    ignore: Sequence[str] = ()
    key: Sequence[str] = ()
    weights: Mapping[str, float] = {}
    scaling: Literal["standard", "robust", "rank"] = "standard"
    groups: str | None = None
    sample_rows: int = 20_000
    directions: int = 100
    seed: int = 0
    key_prefix: Sequence[str] = ()
    group_name: str | None = None
    owners: Sequence[str] = ()
    tags: Mapping[str, str] = {}

    @field_validator("real", "synthetic", mode="before")
    @classmethod
    def _an_asset(cls, value: Any) -> Any:
        """A key alone is an asset; so is what has one."""
        if isinstance(value, str | dg.AssetKey):
            return {"asset": value}
        return {"asset": value.key} if isinstance(value, dg.AssetsDefinition) else value

    @field_validator("categorical", "ignore", "key", "key_prefix", "owners", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @field_validator("sample_rows", "directions")
    @classmethod
    def _positive(cls, value: int) -> int:
        if value < 1:
            raise ValueError(f"it is {value}. Set it to 1 or more")
        return value

    _name = field_validator("name")(plain_name)
    _below = field_validator("output")(below_root)
    _weights = field_validator("weights")(weights_above_zero)

    @model_validator(mode="after")
    def _something_to_watch(self) -> "MonitorConfig":
        if not self.sides:
            raise ValueError("there is nothing to watch. Set 'real', 'synthetic' or both")
        if self.threshold is not None and len(self.sides) < 2:
            raise ValueError("'threshold' is of a gap. Set both 'real' and 'synthetic' with it")
        return self

    @property
    def sides(self) -> dict[str, DatasetConfig]:
        """The datasets that are watched, by name."""
        named = {"real": self.real, "synthetic": self.synthetic}
        return {name: side for name, side in named.items() if side is not None}

    @property
    def asset_key(self) -> dg.AssetKey:
        """Key of the asset that keeps the history."""
        return dg.AssetKey([*self.key_prefix, self.name, ROLE])

    @property
    def observer(self) -> Observer:
        """What observes its batches."""
        folder = "/".join([*self.key_prefix, self.name])
        output = inside(Path(self.output_root).expanduser(), self.output or folder)
        options = {
            "categorical": list(self.categorical),
            "ignore": list(self.ignore),
            "key": list(self.key),
            "weights": dict(self.weights),
            "scaling": self.scaling,
            "groups": self.groups,
            "sample_rows": self.sample_rows,
            "directions": self.directions,
            "seed": self.seed,
        }
        return Observer(self, inside(inside(output, "references"), folder), options)


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
    observer, version = config.observer, config.generator_version
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
        return measure_distance(*sides, permutations=0, **config.observer.options)
    except Exception as error:  # recorded as the reason why there is no gap
        return error
