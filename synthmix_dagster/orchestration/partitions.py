"""Which partitions a step is for, and what was loaded for each of them."""

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
    """Refuse a run of several partitions when it cannot be told which rows belong to which.

    Parameters
    ----------
    context : OpExecutionContext
    frames : mapping of str to object
        Datasets by name, as they were loaded. A database hands on one frame for all partitions.
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
                "its partitions were loaded at once, and which of its rows belong to which "
                "partition of the mix cannot be told",
                dataset=name,
                fix="Take a 'backfill_policy' of one partition a run, or cut the rows by 'filters' "
                "with {partition_key}",
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
    """What belongs to one partition, out of what was loaded for all of a run.

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
    found = {}
    for name, frame in frames.items():
        if isinstance(frame, Mapping) and partition not in frame:
            raise DataError(
                f"nothing was loaded for the partition '{partition}'; its partitions are "
                f"{', '.join(map(str, frame))}",
                dataset=name,
                fix="Materialise it there, or take a 'backfill_policy' of one partition a run",
            )
        found[name] = frame[partition] if isinstance(frame, Mapping) else frame
    return found


def current_partition() -> str | None:
    """Partition of the step that runs, if it has one."""
    try:
        context = dg.AssetExecutionContext.get()
    except dg.DagsterInvariantViolationError:
        # Called directly, say by a test: there is no step.
        return None
    return context.partition_key if context.has_partition_key else None
