"""What shards hold, counted from the shards alone.

A mix compares this with what was meant to go in, and so does whoever verifies a release later.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from synthmix_dagster.errors import ReleaseError
from synthmix_dagster.tables.engine import Counts, Layout
from synthmix_dagster.tables.identity import Ints
from synthmix_dagster.tables.selection import Strata
from synthmix_dagster.tables.shuffle import (
    GENERATOR_COLUMN,
    ROW_ID_COLUMN,
    SOURCE_COLUMN,
    WEIGHT_COLUMN,
    order_of,
)

_ROWS_AT_A_TIME = 2**18


def recount(folder: Path, layout: Layout, names: Sequence[str]) -> Counts:
    """Read shards again, in their order.

    The rows of a release are strictly ordered by a hash of who they are, so that one that is there
    twice, or out of its place, shows beside its neighbour. Without provenance columns that cannot
    be told, nor which part a row belongs to.

    Parameters
    ----------
    folder : Path
        Directory of the release.
    layout : Layout
    names : sequence of str
        Names of the parts, in their order.

    Raises
    ------
    ReleaseError
        A row belongs to no part.
    """
    return _Recount(layout, list(names)).over(sorted((folder / "data").glob("*.parquet")), folder)


class _Recount:
    def __init__(self, layout: Layout, names: list[str]) -> None:
        self.layout, self.names = layout, names
        self.known = names if layout.provenance else [""]
        rows, nulls = dict.fromkeys(self.known, 0), dict.fromkeys(layout.schema.names, 0)
        self.counts = Counts(rows, {}, nulls)
        self._last = np.array([[-1], [-1], [-1]], dtype=np.int64)

    def over(self, shards: Sequence[Path], folder: Path) -> Counts:
        unsaid = [field.name for field in self.layout.schema if not _in_footer(field.type)]
        provenance = [SOURCE_COLUMN, GENERATOR_COLUMN, ROW_ID_COLUMN]
        repeated = provenance[:2] if self.layout.provenance else []
        columns = [*unsaid, *(provenance if self.layout.provenance else [])]
        if self.layout.stratify is not None:
            columns.append(self.layout.stratify)
        weighed = self.layout.weights and self.layout.provenance
        if weighed:
            columns.append(WEIGHT_COLUMN)
        for path in shards:
            with pq.ParquetFile(path, read_dictionary=repeated) as shard:
                self._nulls_of_footer(shard)
                for batch in shard.iter_batches(_ROWS_AT_A_TIME, columns=columns):
                    rows = pa.Table.from_batches([batch])
                    for name in unsaid:
                        self.counts.nulls[name] += rows.column(name).null_count
                    parts = self._parts(rows, folder)
                    if self.layout.provenance:
                        self._order(rows.column(ROW_ID_COLUMN).to_numpy(), parts)
                    if weighed:
                        self._weights(rows.column(WEIGHT_COLUMN).to_numpy(), parts, folder)
                    self._rows(rows, parts)
        return self.counts

    def _nulls_of_footer(self, shard: pq.ParquetFile) -> None:
        """Missing values of most columns, as the writer of each row group counted them."""
        leaves: list[str | None] = []
        for field in shard.schema_arrow:
            said = _in_footer(field.type) and field.name in self.counts.nulls
            leaves += [field.name] if said else [None] * _leaves(field.type)
        for group in range(shard.num_row_groups):
            of_group = shard.metadata.row_group(group)
            for number, name in enumerate(leaves):
                if name is not None:
                    self.counts.nulls[name] += of_group.column(number).statistics.null_count

    def _parts(self, rows: pa.Table, folder: Path) -> Ints:
        """Number of the part that every row says it belongs to."""
        if not self.layout.provenance:
            return np.zeros(rows.num_rows, dtype=np.int64)
        sources = Strata(SOURCE_COLUMN, ["real", "synthetic"])
        generators = Strata(GENERATOR_COLUMN, ["<missing>", *self.names[1:]])
        of_source = sources.codes(rows, rows.num_rows)
        parts = generators.codes(rows, rows.num_rows)
        if ((of_source == 0) != (parts == 0)).any() or parts.max(initial=0) >= len(self.names):
            raise ReleaseError(
                "it holds rows that are of none of its inputs",
                path=folder,
                fix="Publish the release again",
            )
        return parts

    def _order(self, ids: Ints, parts: Ints) -> None:
        place = np.empty_like(ids)
        for number, name in enumerate(self.names):
            here = parts == number
            place[here] = order_of(ids[here], self.layout.seed, name)
        both = np.hstack((self._last, np.stack((place, parts, ids))))
        self._last = both[:, -1:]
        self.counts.duplicates += int((~_after(both[:, 1:], both[:, :-1])).sum())

    def _weights(self, weights: NDArray[np.float64], parts: Ints, folder: Path) -> None:
        for number, name in enumerate(self.names):
            for weight in np.unique(weights[parts == number]).tolist():
                if self.counts.weights.setdefault(name, weight) != weight:
                    raise ReleaseError(
                        f"rows of '{name}' have weights {self.counts.weights[name]} and {weight}",
                        path=folder,
                        fix="Publish the release again",
                    )

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


def _after(rows: Ints, others: Ints) -> NDArray[np.bool_]:
    """Whether rows come strictly after others, by the first of their numbers that differs."""
    later = np.zeros(rows.shape[1], dtype=bool)
    for row, other in zip(rows[::-1], others[::-1], strict=True):
        later = (row > other) | ((row == other) & later)
    return later


def _in_footer(kind: pa.DataType) -> bool:
    """Whether the footer of a Parquet file counts the missing values of a column."""
    return not (pa.types.is_nested(kind) or pa.types.is_null(kind))


def _leaves(kind: pa.DataType) -> int:
    """Columns that a type takes in a Parquet file."""
    if not pa.types.is_nested(kind):
        return 1
    return sum(_leaves(kind.field(number).type) for number in range(kind.num_fields))
