"""Snapshots: the rows of a query, unloaded once and read by every later step.

Rows are written as they come, as Parquet beside the records of a mix, with a hash of the content of
each. A table has no order, so the fingerprint is that of the same rows in memory: it follows from
the sorted hashes, and so do the identities of rows. The commit protocol is that of releases: a
snapshot appears as a whole, and what a killed writer left is removed by the next.

    <folder>/releases/<name>/manifest.json
    <folder>/releases/<name>/data/part-00000.parquet
    <folder>/releases/<name>/repeated.bin           hashes that occur more than once
"""

import hashlib
import json
import uuid
from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa

from synthmix_dagster.data.dataset import Dataset, seen
from synthmix_dagster.data.fingerprint import SpilledHashes, digest_of_schema, row_hashes
from synthmix_dagster.data.locations import find_files
from synthmix_dagster.data.plain_types import (
    notes_on_types,
    plain_schema,
    plain_table,
    without_precision,
)
from synthmix_dagster.data.reading import HASH, StoredRows
from synthmix_dagster.data.snapshot_files import Parts, require_space, settled
from synthmix_dagster.data.sql import Query
from synthmix_dagster.data.store import (
    Draft,
    Place,
    Scratch,
    Store,
    is_tombstone,
    json_bytes,
)
from synthmix_dagster.data.view import View
from synthmix_dagster.data.warehouse import TIME_LIMIT, Stream, Warehouse
from synthmix_dagster.errors import DataError, QueryError, ReleaseError
from synthmix_dagster.redaction import cause_of

_MANIFEST, _REPEATED = "manifest.json", "repeated.bin"


@dataclass(frozen=True)
class Asked:
    """What is unloaded: a query on a connection, and what is kept of its rows.

    Attributes
    ----------
    warehouse : Warehouse
    query : Query
    dataset : str
        What messages call it.
    view : View
        Columns, names and filters; what is left out is not stored.
    timezone : str, optional
        Of timestamps that have none.
    time_limit : float
        Seconds.
    """

    warehouse: Warehouse
    query: Query
    dataset: str
    view: View = field(default_factory=View)
    timezone: str | None = None
    time_limit: float = TIME_LIMIT

    def to_dict(self) -> dict[str, Any]:
        """Plain values, without anything secret: what a manifest says of it."""
        view = self.view.to_dict() if self.view else {}
        values = {
            "connection": self.warehouse.key,
            "query": self.query.whole,
            "parameters": list(self.query.values),
            "timezone": self.timezone,
            **view,
        }
        return {name: value for name, value in values.items() if value not in (None, [], {})}

    @property
    def digest(self) -> str:
        """Of all of it, by which another query is told apart."""
        return hashlib.sha256(json_bytes(self.to_dict())).hexdigest()

    def failed(self, problem: str, fix: str) -> QueryError:
        """An error of this query."""
        return QueryError(
            problem,
            connection=self.warehouse.key,
            query=self.query.shown,
            dataset=self.dataset,
            fix=fix,
        )


@dataclass(frozen=True)
class Snapshot:
    """Rows that were unloaded.

    Attributes
    ----------
    folder : Store
        Of all snapshots of one dataset.
    name : str
    digest : str
        Of its manifest, by which a record names it.
    """

    folder: Store
    name: str
    digest: str

    def to_dict(self) -> dict[str, str]:
        """Plain values for a record."""
        return {"name": self.name, "digest": self.digest}

    @property
    def store(self) -> Store:
        """Folder of this one."""
        return self.folder.below("releases", self.name)

    def manifest(self, dataset: str) -> dict[str, Any]:
        """What was unloaded.

        Raises
        ------
        DataError
            It is gone, or was changed since.
        """
        try:
            content = self.store.read(_MANIFEST)
            if is_tombstone(content):
                raise FileNotFoundError(_MANIFEST)
            if hashlib.sha256(content).hexdigest() != self.digest:
                raise _changed(self, dataset)
            found: dict[str, Any] = json.loads(content)
        except FileNotFoundError as error:
            raise DataError(
                f"its snapshot '{self.store.uri}' is gone",
                dataset=dataset,
                fix="Materialise the dataset again; 'keep_snapshots' says how many are kept",
            ) from error
        return found

    def open(self, dataset: str) -> Dataset:
        """Its rows, which stay where they are.

        Raises
        ------
        DataError
            It is gone, or was changed since.
        """
        manifest = self.manifest(dataset)
        rows = StoredRows.open(find_files(self.store.below("data"), dataset, "parquet"), dataset)
        stated = [shard["sha256"] for shard in manifest["shards"]]
        repeated = self.store.read(_REPEATED)
        if [each.sha256 for each in rows.files] != stated or (
            hashlib.sha256(repeated).hexdigest() != manifest["repeated"]
        ):
            raise _changed(self, dataset)
        shown = tuple(each for each in rows.names if each[0] != HASH)
        rows = replace(rows, names=shown, repeated=np.frombuffer(repeated, np.uint64))
        return Dataset(
            dataset,
            rows,
            manifest["fingerprint"],
            notes=tuple(manifest["notes"]),
            origin={**manifest["asked"], "fingerprint": manifest["fingerprint"]},
        )


class _UnchangedError(Exception):
    """The rows are those of the snapshot before, which stays the one that is read."""


def unload(asked: Asked, folder: Store, before: Snapshot | None = None) -> Snapshot:
    """Unload the rows of a query, unless they are those of the snapshot before.

    Parameters
    ----------
    asked : Asked
    folder : Store
        Of all snapshots of this dataset.
    before : Snapshot, optional
        The one that is read now. Rows of the same query must have its columns.

    Raises
    ------
    QueryError
        The query fails, takes too long, or returns no rows or other columns than before.
    """
    name = uuid.uuid4().hex[:16]
    manifest = None if before is None else _known(before, asked.dataset)
    try:
        with folder.shelf().hold(name) as place:
            try:
                content = _written(asked, place, manifest)
            except _UnchangedError:
                assert before is not None
                return before
            place.point("latest")
    except (OSError, pa.ArrowException) as error:
        raise ReleaseError(
            f"the snapshot of '{asked.dataset}' cannot be written ({error})",
            path=folder.uri,
            fix="Check disk space, permissions and column types. What was stored before is "
            "unchanged",
        ) from cause_of(error)
    return Snapshot(folder, name, hashlib.sha256(content).hexdigest())


def prune(
    folder: Store, current: Snapshot, needed: Collection[str], keep: int | None = None
) -> None:
    """Remove snapshots that nothing needs.

    Parameters
    ----------
    folder : Store
    current : Snapshot
        The one that a record names.
    needed : collection of str
        Fingerprints of rows that releases were made from.
    keep : int, optional
        How many are kept at most, the newest, whatever releases were made from.
    """
    with folder.shelf().hold(current.name) as place:
        others = [name for name in place.shown() if name != current.name]
        kept = [name for name in others if _fingerprint(folder, name) in needed]
        if keep is not None:
            kept = kept[max(0, len(kept) + 1 - keep) :]
        for name in others:
            if name not in kept:
                place.remove(name)


def _fingerprint(folder: Store, name: str) -> str:
    found = json.loads(folder.below("releases", name).read(_MANIFEST))
    return str(found.get("fingerprint"))


def _known(before: Snapshot, dataset: str) -> Mapping[str, Any] | None:
    """The snapshot before; one that is damaged is replaced."""
    try:
        before.open(dataset)
        return before.manifest(dataset)
    except (DataError, OSError):
        return None


def _written(asked: Asked, place: Place, before: Mapping[str, Any] | None) -> bytes:
    with place.draft() as draft, _reading(asked) as stream, draft.folder.scratch() as scratch:
        manifest = _fill(asked, stream, draft, scratch)
        if not manifest["rows"]:
            raise asked.failed(
                "the query returned no rows",
                "Check its conditions and what fills the table. What was stored is unchanged",
            )
        if before is not None and before["asked_digest"] == asked.digest:
            _require_same_columns(asked, before["columns"], manifest["columns"])
        if before is not None and _same(before, manifest):
            raise _UnchangedError
        content = json_bytes(manifest)
        draft.show(_MANIFEST, content)
        return content


def _reading(asked: Asked) -> AbstractContextManager[Stream]:
    return asked.warehouse.reading(asked.query, asked.dataset, asked.time_limit)


def _same(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    return all(before[name] == now[name] for name in ("fingerprint", "asked_digest", "notes"))


def _fill(asked: Asked, stream: Stream, draft: Draft, scratch: Scratch) -> dict[str, Any]:
    """Write all rows, and return the manifest."""
    raw, batches = settled(stream, asked.dataset, scratch)
    plain = plain_schema(raw, asked.timezone)
    handed_out = seen(plain.empty_table(), asked.dataset, asked.view).schema
    hashes, rows = SpilledHashes(scratch.path), 0
    with Parts(draft, handed_out) as parts:
        for batch in batches:
            table = plain_table(pa.Table.from_batches([batch]), raw, plain)
            table = seen(table, asked.dataset, asked.view)
            content = row_hashes(table)
            rows += table.num_rows
            require_space(scratch, 8 * rows, asked.dataset)
            hashes.add(content)
            parts.add(table.append_column(HASH, pa.array(content)))
    digest = digest_of_schema(handed_out)
    repeated = hashes.finish(digest).tobytes()
    draft.put(_REPEATED, repeated)
    unsettled = set(without_precision(stream.schema))
    return {
        "fingerprint": digest.hexdigest(),
        "rows": rows,
        "asked": asked.to_dict(),
        "asked_digest": asked.digest,
        # Of numbers of any length the type follows from the values.
        "columns": [
            [each.name, "number" if each.name in unsettled else str(each.type)]
            for each in handed_out
        ],
        "notes": notes_on_types(raw, asked.timezone),
        "repeated": hashlib.sha256(repeated).hexdigest(),
        "shards": parts.shards,
    }


def _require_same_columns(asked: Asked, before: list[list[str]], now: list[list[str]]) -> None:
    """Refuse rows of the same query that have other columns than before."""
    had, has = dict(before), dict(now)
    changes = [
        *(f"'{name}' is missing" for name in had if name not in has),
        *(f"'{name}' is new" for name in has if name not in had),
        *(f"'{n}' was {had[n]} and is {has[n]}" for n in had if n in has and had[n] != has[n]),
    ]
    if changes:
        raise asked.failed(
            f"it returns other columns than before ({'; '.join(changes)})",
            "Restore the table, or, if that is meant, list what you want in 'query' or 'columns'. "
            "What was stored before is unchanged",
        )


def _changed(snapshot: Snapshot, dataset: str) -> DataError:
    return DataError(
        f"its snapshot '{snapshot.store.uri}' was changed after it was written",
        dataset=dataset,
        fix="Materialise the dataset again",
    )
