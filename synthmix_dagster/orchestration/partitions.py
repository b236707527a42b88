"""The partitions of a step, and what was loaded for each of them."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from synthmix_dagster.errors import DataError
from synthmix_dagster.orchestration.config.dataset import DatasetConfig


def partitions_of(
    context: dg.OpExecutionContext | dg.AssetExecutionContext,
) -> Sequence[str | None]:
    """Keys of the partitions of a run; one that is None where there are no partitions."""
    if context.has_partition_key:
        return [context.partition_key]
    return list(context.partition_keys) if context.has_partition_key_range else [None]


def require_apart(
    context: dg.OpExecutionContext | dg.AssetExecutionContext,
    frames: Mapping[str, Any],
    sources: Mapping[str, DatasetConfig],
) -> None:
    """Refuse a run of several partitions when rows cannot be assigned to partitions.

    Parameters
    ----------
    context : OpExecutionContext
    frames : mapping of str to object
        Datasets by name, as they were loaded. A database returns one frame for all partitions.
    sources : mapping of str to DatasetConfig

    Raises
    ------
    DataError
    """
    if len(partitions_of(context)) == 1:
        return
    for name, frame in frames.items():
        source = sources[name]
        if isinstance(frame, Mapping):
            together = source.partition_mapping is not None
        else:
            together = not source.is_filtered_by_partition and _is_partitioned(context, name)
        if together:
            raise DataError(
                "all partitions arrived as one frame, so rows cannot be assigned to partitions",
                dataset=name,
                fix="Use a 'backfill_policy' of one partition per run, or select the rows with "
                "'filters' that contain {partition_key}",
            )


def _is_partitioned(context: dg.OpExecutionContext | dg.AssetExecutionContext, name: str) -> bool:
    try:
        context.asset_partitions_def_for_input(name)
    except dg.DagsterInvariantViolationError:
        return False
    return True


def frames_of(
    frames: Mapping[str, Any], partition: str | None, partitions: Sequence[str | None]
) -> dict[str, Any]:
    """The part of one partition in what was loaded for all partitions of a run.

    Parameters
    ----------
    frames : mapping of str to object
        Datasets by name. One that has partitions of its own arrives as a mapping of them.
    partition : str, optional
    partitions : sequence of str
        All of the run. With a single one, whatever was loaded belongs to it.

    Raises
    ------
    DataError
        Nothing was loaded for the partition.
    """
    if len(partitions) == 1:
        return dict(frames)
    own = {}
    for name, frame in frames.items():
        if isinstance(frame, Mapping) and partition not in frame:
            raise DataError(
                f"partition '{partition}' was not loaded; loaded partitions: "
                f"{', '.join(map(str, frame))}",
                dataset=name,
                fix="Materialise it, or use a 'backfill_policy' of one partition per run",
            )
        own[name] = frame[partition] if isinstance(frame, Mapping) else frame
    return own


def current_partition() -> str | None:
    """Partition of the running step, if it has one."""
    try:
        context = dg.AssetExecutionContext.get()
    except dg.DagsterInvariantViolationError:
        # Called directly, for example by a test: there is no step.
        return None
    return context.partition_key if context.has_partition_key else None
