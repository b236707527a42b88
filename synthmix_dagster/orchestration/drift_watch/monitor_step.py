"""What the asset of a monitor does: measure one batch and record it."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from synthmix_dagster.data.dataset import Dataset
from synthmix_dagster.distance.report import DistanceReport
from synthmix_dagster.errors import DataError, SynthMixError
from synthmix_dagster.orchestration import metadata
from synthmix_dagster.orchestration.config.dataset import DatasetConfig
from synthmix_dagster.orchestration.config.monitor import MonitorConfig
from synthmix_dagster.orchestration.drift_watch.metadata import of_observations
from synthmix_dagster.orchestration.drift_watch.observer import Observer, failed_observation
from synthmix_dagster.orchestration.partitions import current_partition
from synthmix_dagster.orchestration.paths import MixPaths
from synthmix_dagster.verbs.core import measure_distance


def observe_step(
    config: MonitorConfig,
    frames: Mapping[str, Any],
    partitions_def: dg.PartitionsDefinition[Any] | None = None,
) -> dg.MaterializeResult[Any]:
    """Measure one batch and record the result, or why there is none."""
    version, partition = config.generator_version, current_partition()
    observer = Observer(config, MixPaths.of(config).references, config.observe_options())
    try:
        sources = config.sides
        if partition is not None:
            sources = {name: s.at(partition, partitions_def) for name, s in sources.items()}
        sides = [_open(name, source, frames) for name, source in sources.items()]
    except SynthMixError as error:
        failed = dict.fromkeys(config.units(*config.sides), failed_observation(error))
        return dg.MaterializeResult(metadata=of_observations(failed, version, []))
    report = _distance(config, sides) if len(sides) == 2 else None
    accepted = not isinstance(report, Exception)
    measured: Mapping[str, Any] = {}
    if isinstance(report, DistanceReport):
        accepted = config.threshold is None or report.gap <= config.threshold
        measured = metadata.of_distance(report, config.threshold)
    observations, notes = observer.batch(sides, key=partition, accepted=accepted, report=report)
    recorded = of_observations(observations, version, notes)
    return dg.MaterializeResult(metadata={**measured, **recorded})


def _open(name: str, source: DatasetConfig, frames: Mapping[str, Any]) -> Dataset:
    if source.asset is None:
        return source.open(source.path, name)
    rows = frames[name]
    if isinstance(rows, dict):
        raise DataError(
            f"{len(rows)} partitions arrived at once",
            dataset=name,
            fix="Give the monitor the 'partitions_def' of its datasets",
        )
    return source.open(rows, name)


def _distance(config: MonitorConfig, sides: Sequence[Dataset]) -> DistanceReport | Exception:
    try:
        return measure_distance(*sides, permutations=0, **config.observe_options())
    except Exception as error:  # recorded as the reason why there is no gap
        return error
