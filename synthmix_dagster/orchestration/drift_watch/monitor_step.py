"""What the asset of a monitor does: measure one batch and record it."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dagster as dg

from synthmix_dagster.data.dataset import Dataset
from synthmix_dagster.data.opening import open_store
from synthmix_dagster.data.snapshots import unload
from synthmix_dagster.distance.report import DistanceReport
from synthmix_dagster.errors import DataError, SynthMixError
from synthmix_dagster.orchestration import metadata
from synthmix_dagster.orchestration.config.dataset import DatasetConfig
from synthmix_dagster.orchestration.config.monitor import MonitorConfig
from synthmix_dagster.orchestration.connection import warehouse_of
from synthmix_dagster.orchestration.drift_watch.metadata import of_observations
from synthmix_dagster.orchestration.drift_watch.observer import Observer, failed_observation
from synthmix_dagster.orchestration.partitions import current_partition
from synthmix_dagster.orchestration.paths import MixPaths
from synthmix_dagster.orchestration.snapshots import asked_of
from synthmix_dagster.verbs.core import measure_distance


def observe_step(
    config: MonitorConfig,
    frames: Mapping[str, Any],
    resources: Mapping[str, Any],
    partitions_def: dg.PartitionsDefinition[Any] | None = None,
) -> dg.MaterializeResult[Any]:
    """Measure one batch and record the result, or why there is none."""
    partition, sources = current_partition(), config.sides
    with ExitStack() as held:
        try:
            if partition is not None:
                sources = {name: s.at(partition, partitions_def) for name, s in sources.items()}
            given = {**frames, **_unloaded(sources, resources, held)}
            sides = [_open(name, source, given) for name, source in sources.items()]
        except SynthMixError as error:
            failed = dict.fromkeys(config.units(*config.sides), failed_observation(error))
            said = of_observations(failed, config.generator_version, [])
            return dg.MaterializeResult(metadata=said)
        return _observed(config, sides, partition)


def _observed(
    config: MonitorConfig, sides: Sequence[Dataset], partition: str | None
) -> dg.MaterializeResult[Any]:
    observer = Observer(config, MixPaths.of(config).references, config.observe_options())
    report = _distance(config, sides) if len(sides) == 2 else None
    accepted = not isinstance(report, Exception)
    measured: Mapping[str, Any] = {}
    if isinstance(report, DistanceReport):
        accepted = config.threshold is None or report.gap <= config.threshold
        measured = metadata.of_distance(report, config.threshold)
    observations, notes = observer.batch(sides, key=partition, accepted=accepted, report=report)
    recorded = of_observations(observations, config.generator_version, notes)
    return dg.MaterializeResult(metadata={**measured, **recorded})


def _unloaded(
    sources: Mapping[str, DatasetConfig], resources: Mapping[str, Any], held: ExitStack
) -> dict[str, Dataset]:
    """The rows of queries. Only this step reads them, so that they go at its end."""
    opened = {}
    for name, source in sources.items():
        if source.is_queried:
            key = str(source.connection)
            folder = Path(held.enter_context(TemporaryDirectory(prefix="synthmix-")))
            asked = asked_of(source, name, warehouse_of(resources[key], key))
            opened[name] = unload(asked, open_store(folder)).open(name)
    return opened


def _open(name: str, source: DatasetConfig, frames: Mapping[str, Any]) -> Dataset:
    if source.is_queried:
        dataset: Dataset = frames[name]
        return dataset
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
