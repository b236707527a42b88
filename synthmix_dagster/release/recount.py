"""What shards hold, counted from the shards alone."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from synthmix_dagster.data.identity import Ints
from synthmix_dagster.data.store import Store
from synthmix_dagster.errors import ReleaseError
from synthmix_dagster.release.engine import Counts, Layout
from synthmix_dagster.release.selection import Strata
from synthmix_dagster.release.shuffle import (
    GENERATOR_COLUMN,
    ROW_ID_COLUMN,
    SOURCE_COLUMN,
    WEIGHT_COLUMN,
    order_of,
)
from synthmix_dagster.release.sources import SOURCES

#: Hash, part and identity of the first and the last row of a shard; nothing where none is known.
Ends = list[tuple[int, ...]]

_ROWS_AT_A_TIME = 2**17
_SHARDS_AT_A_TIME = 2


def recount(folder: Store, shards: Sequence[str], layout: Layout, names: Sequence[str]) -> Counts:
    """Read shards again, in their order.

    The rows of a release are strictly ordered by a hash of their identity, so a row that occurs
    twice, or out of order, is detected next to its neighbour. Without provenance columns neither
    that nor the part of a row can be determined.

    Parameters
    ----------
    folder : Store
        Folder of the release.
    shards : sequence of str
        Names of its shards, in their order.
    layout : Layout
    names : sequence of str
        Names of the parts, in their order.

    Raises
    ------
    ReleaseError
        A row belongs to no part.
    """
    with ThreadPoolExecutor(_SHARDS_AT_A_TIME) as pool:
        counted = list(pool.map(lambda shard: counted_shard(folder, shard, layout, names), shards))
    return merged(counted, folder, layout, names)


def counted_shard(
    folder: Store, shard: str, layout: Layout, names: Sequence[str]
) -> tuple[Counts, Ends]:
    """What one shard holds, and where in the order its rows begin and end."""
    counted = _Shard(layout, list(names), folder).read(shard)
    return counted.counts, counted.ends


def merged(
    shards: Sequence[tuple[Counts, Ends]], folder: Store, layout: Layout, names: Sequence[str]
) -> Counts:
    """What shards hold together, in their order."""
    known = list(names) if layout.provenance else [""]
    whole = Counts(dict.fromkeys(known, 0), {}, dict.fromkeys(layout.schema.names, 0))
    for counts, _ in shards:
        _add(whole, counts, folder)
    ends = [ends for _, ends in shards if ends]
    whole.duplicates += sum(later[0] <= earlier[1] for earlier, later in pairwise(ends))
    return whole


def _add(whole: Counts, part: Counts, folder: Store) -> None:
    """Add what one shard holds to what those before it hold."""
    for name, rows in part.rows.items():
        whole.rows[name] += rows
    for column, nulls in part.nulls.items():
        whole.nulls[column] += nulls
    for stratum, by_part in part.strata.items():
        found = whole.strata.setdefault(stratum, dict.fromkeys(whole.rows, 0))
        for name, rows in by_part.items():
            found[name] += rows
    whole.duplicates += part.duplicates
    for name, weight in part.weights.items():
        _weigh(whole, name, weight, folder)


def _weigh(counts: Counts, name: str, weight: float, folder: Store) -> None:
    """Record the weight of the rows of a part, which all rows share."""
    if counts.weights.setdefault(name, weight) != weight:
        raise ReleaseError(
            f"rows of '{name}' have weights {counts.weights[name]} and {weight}",
            path=folder.uri,
            fix="Publish the release again",
        )


class _Shard:
    """What one shard holds."""

    def __init__(self, layout: Layout, names: list[str], folder: Store) -> None:
        self.layout, self.names, self.folder = layout, names, folder
        self.known = names if layout.provenance else [""]
        #: Number of the source that the rows of every part have.
        self.sources = np.array([0, *(1 + (name in layout.domains) for name in names[1:])])
        rows, nulls = dict.fromkeys(self.known, 0), dict.fromkeys(layout.schema.names, 0)
        self.counts = Counts(rows, {}, nulls)
        #: Hash, part and identity of the first row and of the last one yet.
        self.ends: Ends = []

    def read(self, name: str) -> "_Shard":
        uncounted = [field.name for field in self.layout.schema if not _in_footer(field.type)]
        provenance = [SOURCE_COLUMN, GENERATOR_COLUMN, ROW_ID_COLUMN]
        repeated = provenance[:2] if self.layout.provenance else []
        columns = [*uncounted, *(provenance if self.layout.provenance else [])]
        if self.layout.stratify is not None:
            columns.append(self.layout.stratify)
        weighed = self.layout.weights and self.layout.provenance
        if weighed:
            columns.append(WEIGHT_COLUMN)
        with (
            self.folder.open(name) as opened,
            pq.ParquetFile(opened, read_dictionary=repeated) as shard,
        ):
            self._nulls_of_footer(shard)
            for batch in shard.iter_batches(_ROWS_AT_A_TIME, columns=columns):
                rows = pa.Table.from_batches([batch])
                for name in uncounted:
                    self.counts.nulls[name] += rows.column(name).null_count
                parts = self._parts(rows)
                if self.layout.provenance:
                    self._order(rows.column(ROW_ID_COLUMN).to_numpy(), parts)
                if weighed:
                    self._weights(rows.column(WEIGHT_COLUMN).to_numpy(), parts)
                self._rows(rows, parts)
        return self

    def _nulls_of_footer(self, shard: pq.ParquetFile) -> None:
        """Missing values of most columns, as the writer of each row group counted them."""
        leaves: list[str | None] = []
        for field in shard.schema_arrow:
            counted = _in_footer(field.type) and field.name in self.counts.nulls
            leaves += [field.name] if counted else [None] * _leaves(field.type)
        for group in range(shard.num_row_groups):
            of_group = shard.metadata.row_group(group)
            for number, name in enumerate(leaves):
                if name is None:
                    continue
                statistics = of_group.column(number).statistics
                if statistics is None or not statistics.has_null_count:
                    raise ReleaseError(
                        f"its shards do not count the missing values of column '{name}'",
                        path=self.folder.uri,
                        fix="Publish the release again",
                    )
                self.counts.nulls[name] += statistics.null_count

    def _parts(self, rows: pa.Table) -> Ints:
        """Number of the part that every row says it belongs to."""
        if not self.layout.provenance:
            return np.zeros(rows.num_rows, dtype=np.int64)
        of_source = _numbers(rows.column(SOURCE_COLUMN), SOURCES)
        parts = _numbers(rows.column(GENERATOR_COLUMN), [None, *self.names[1:]])
        if parts.max(initial=0) >= len(self.names) or (of_source != self.sources[parts]).any():
            raise ReleaseError(
                "it holds rows that belong to none of its inputs",
                path=self.folder.uri,
                fix="Publish the release again",
            )
        return parts

    def _order(self, ids: Ints, parts: Ints) -> None:
        """Count rows that do not come strictly after the one before them."""
        place = np.empty_like(ids)
        for number, name in enumerate(self.names):
            here = parts == number
            place[here] = order_of(ids[here], self.layout.seed, name)
        rising = place[1:] > place[:-1]
        # Where hashes agree, which is rare, the part and then the identity decide.
        for at in np.flatnonzero(place[1:] == place[:-1]).tolist():
            rising[at] = (parts[at + 1], ids[at + 1]) > (parts[at], ids[at])
        self.counts.duplicates += len(rising) - int(rising.sum())
        first, last = ((int(place[at]), int(parts[at]), int(ids[at])) for at in (0, len(ids) - 1))
        if self.ends:
            self.counts.duplicates += first <= self.ends[1]
        self.ends = [self.ends[0] if self.ends else first, last]

    def _weights(self, weights: NDArray[np.float64], parts: Ints) -> None:
        for number, name in enumerate(self.names):
            for weight in np.unique(weights[parts == number]).tolist():
                _weigh(self.counts, name, weight, self.folder)

    def _rows(self, rows: pa.Table, parts: Ints) -> None:
        sizes = np.bincount(parts, minlength=len(self.known))
        for name, size in zip(self.known, sizes.tolist(), strict=True):
            self.counts.rows[name] += size
        if self.layout.stratify is None:
            return
        strata = Strata(self.layout.stratify, [])
        codes = strata.codes(rows, rows.num_rows)
        width = len(self.known)
        table = np.bincount(codes * width + parts, minlength=len(strata.names) * width)
        for stratum, by_part in zip(strata.names, table.reshape(-1, width).tolist(), strict=True):
            found = self.counts.strata.setdefault(stratum, dict.fromkeys(self.known, 0))
            for name, size in zip(self.known, by_part, strict=True):
                found[name] += size


def _numbers(values: pa.ChunkedArray, names: Sequence[str | None]) -> Ints:
    """Place of every value of a dictionary among some names, behind them for any other."""
    places = {name: place for place, name in enumerate(names)}
    found = [np.zeros(0, dtype=np.int64)]
    for chunk in values.chunks:
        known = [*chunk.dictionary.to_pylist(), None]
        indices = chunk.indices.fill_null(len(known) - 1).to_numpy()
        found.append(np.array([places.get(name, len(names)) for name in known])[indices])
    return np.concatenate(found)


def _in_footer(kind: pa.DataType) -> bool:
    """Whether the footer of a Parquet file counts the missing values of a column."""
    return not (pa.types.is_nested(kind) or pa.types.is_null(kind))


def _leaves(kind: pa.DataType) -> int:
    """Columns that a type takes in a Parquet file."""
    if not pa.types.is_nested(kind):
        return 1
    return sum(_leaves(kind.field(number).type) for number in range(kind.num_fields))
