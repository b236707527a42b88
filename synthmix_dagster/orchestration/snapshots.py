"""Queried datasets: unloaded once by the step that ingests them, read by every later one."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from synthmix_dagster.data.dataset import Dataset
from synthmix_dagster.data.snapshots import Asked, Snapshot, prune, unload
from synthmix_dagster.data.store import Store
from synthmix_dagster.data.view import View
from synthmix_dagster.data.warehouse import TIME_LIMIT, Warehouse
from synthmix_dagster.errors import GateError
from synthmix_dagster.orchestration.config.dataset import DatasetConfig
from synthmix_dagster.orchestration.config.mix import MixConfig
from synthmix_dagster.orchestration.connection import warehouse_of
from synthmix_dagster.orchestration.paths import MixPaths


def ingest(config: MixConfig, side: str, resources: Mapping[str, Any]) -> Dataset:
    """Unload the rows of a query, record the snapshot, and remove those that nothing needs.

    Raises
    ------
    QueryError
        The query fails, or returns no rows or other columns than before; what was stored is
        unchanged.
    """
    paths = MixPaths.of(config)
    key = config.dataset(side).connection or ""
    before = _recorded(paths, side)
    folder = paths.snapshots(side)
    asked = asked_of(config.dataset(side), side, warehouse_of(resources[key], key))
    snapshot = unload(asked, folder, before)
    dataset = snapshot.open(side)
    paths.records.write(
        side,
        {
            "fingerprint": dataset.fingerprint,
            "snapshot": snapshot.to_dict(),
            "asked": asked.digest,
        },
    )
    prune(folder, snapshot, set(_released(paths.output)), config.keep_snapshots)
    return dataset


def unloaded(config: MixConfig, side: str) -> Dataset:
    """The rows that were unloaded last; the warehouse is not asked.

    Raises
    ------
    GateError
        There are none, or they are those of another query.
    """
    paths = MixPaths.of(config)
    record = paths.records.read(side) or {}
    snapshot = _recorded(paths, side)
    key = config.dataset(side).connection or ""
    asked = asked_of(config.dataset(side), side, Warehouse(key, None))
    if snapshot is None or record.get("asked") != asked.digest:
        how = "was never ingested" if snapshot is None else "was ingested by another query"
        role = config.evaluation_role if side == "evaluation" else side
        asset = config.asset_key(role or side).to_user_string()
        raise GateError(
            f"the {side} dataset at '{config.dataset(side).place}' {how}",
            mix=config.name,
            fix=f"Materialise '{asset}' and everything downstream",
        )
    return snapshot.open(side)


def asked_of(source: DatasetConfig, side: str, warehouse: Warehouse) -> Asked:
    """What is unloaded for a dataset."""
    return Asked(
        warehouse,
        source.statement,
        side,
        View.of(source.columns, source.rename, source.filters),
        source.timezone,
        source.time_limit or TIME_LIMIT,
    )


def _recorded(paths: MixPaths, side: str) -> Snapshot | None:
    record = (paths.records.read(side) or {}).get("snapshot")
    return None if record is None else Snapshot(paths.snapshots(side), **record)


def _released(output: Store) -> Iterator[str]:
    """Fingerprints of unloaded rows that the releases of an output were made from."""
    releases = output.below("releases")
    for name in releases.folders():
        try:
            manifest = json.loads(releases.below(name).read("manifest.json"))
        except (OSError, ValueError):
            # A release that is being written or removed.
            continue
        for given in manifest.get("inputs", {}).values():
            if (given.get("origin") or {}).get("fingerprint"):
                yield given["origin"]["fingerprint"]
