"""The history of drift, read back from Dagster's instance.

There is no other state: all that is known is what materialisations of the distance asset recorded.
"""

import math
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

import dagster as dg

from synthmix_dagster.drift.history import Batch, Observation
from synthmix_dagster.orchestration.metadata_keys import DriftRecord

#: Records read from the instance at a time.
_PAGE = 1_000


def read_history(
    instance: dg.DagsterInstance,
    asset_key: dg.AssetKey,
    partitions_def: dg.PartitionsDefinition[Any] | None = None,
) -> tuple[list[Batch], list[str]]:
    """Read every batch that an asset recorded.

    Parameters
    ----------
    instance : DagsterInstance
    asset_key : AssetKey
    partitions_def : PartitionsDefinition, optional
        Gives partitions their order; without it they are ordered by their keys.

    Returns
    -------
    batches : list of Batch
    notes : list of str
        Which records could not be read.
    """
    places: dict[str, int] = {}
    if partitions_def is not None:
        keys = partitions_def.get_partition_keys(dynamic_partitions_store=instance)
        places = {key: place for place, key in enumerate(keys)}
    batches, unread, cursor = [], 0, None
    while True:
        page = instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=asset_key), limit=_PAGE, cursor=cursor
        )
        for record in page.records:
            materialisation = record.asset_materialization
            if materialisation is None:
                continue
            try:
                entry = DriftRecord.extract(materialisation.metadata).drift
                if entry is not None:
                    batches.append(_batch(record, entry.value, places))
            except (KeyError, TypeError, ValueError, AttributeError):
                unread += 1
        cursor = page.cursor
        if not page.has_more:
            break
    notes = [f"{unread} recorded batches are unreadable and left out"] if unread else []
    return batches, notes


def _batch(record: Any, entry: Any, places: Mapping[str, int]) -> Batch:
    partition = record.partition_key
    when = datetime.fromtimestamp(record.timestamp, tz=timezone.utc)
    return Batch(
        label=partition or when.strftime("%Y-%m-%d %H:%M:%S"),
        # Materialisations reported outside of a run have none.
        key=partition or record.run_id or str(record.storage_id),
        partition=partition,
        # A partition that is no longer defined is older than all that are.
        position=places.get(partition, -1) if places else 0,
        time=float(record.timestamp),
        version=str(entry["version"]),
        series={
            name: Observation.from_dict(values)
            for name, values in entry["series"].items()
            if math.isfinite(values["rows"])
        },
    )
