"""What the values of each column look like, counted in a few cells that further rows are held to.

Cells are made from some rows, and then any rows can be counted in them, some at a time. Numbers and
times get cells around quantiles, one for each quantile itself and one for what lies between two;
texts and booleans one for each level, or for each of some hashes where there are many. Beside that
a coarser table counts each column together with the target.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

#: Quantiles whose values are the edges of cells.
_QUANTILES = (0, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1)
#: More levels than this are counted by their hashes, in so many cells as a power of two.
_MAX_LEVELS, _HASH_BITS = 50, 5
#: Coarse cells of a column beside the target, missing values not counted.
_COARSE = 4


@dataclass(frozen=True)
class Cells:
    """Cells of one column, and how many of the first rows lie in each.

    Attributes
    ----------
    kind : {"number", "level", "hash"}
    edges : tuple of float
        For numbers: cell ``2 i`` lies below edge ``i``, and cell ``2 i + 1`` is the edge itself.
    levels : tuple of str
        For levels: one cell each, and one for all others behind them.
    counts : tuple of int
        Rows in each cell; the last one is for missing values.
    with_target : tuple of int
        Rows by coarse cell of the target and of this column; empty without a target.
    extent : pair of float, optional
        The smallest and the largest finite number; None without any.
    infinite : int
        Infinite numbers.
    """

    kind: str
    edges: tuple[float, ...] = ()
    levels: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
    with_target: tuple[int, ...] = ()
    extent: tuple[float, float] | None = None
    infinite: int = 0

    @property
    def size(self) -> int:
        """Number of cells."""
        if self.kind == "hash":
            return 2**_HASH_BITS + 1
        return len(self.levels) + 2 if self.kind == "level" else 2 * len(self.edges) + 2

    def of(self, values: "pa.ChunkedArray | Floats") -> Ints:
        """The cell of every value, or of every one of some numbers."""
        if isinstance(values, np.ndarray):
            edges = np.array(self.edges)
            found = np.searchsorted(edges, values) + np.searchsorted(edges, values, "right")
            return np.where(np.isnan(values), self.size - 1, found)
        codes, names = _levels(values)
        if self.kind == "hash":
            cell_of = [
                crc32(name.encode(errors="surrogateescape")) % 2**_HASH_BITS for name in names
            ]
        else:
            known = {name: place for place, name in enumerate(self.levels)}
            cell_of = [known.get(name, len(known)) for name in names]
        return np.array([*cell_of, self.size - 1])[codes]

    def coarse(self, cells: Ints) -> Ints:
        """A few cells in the place of many, by the counts of the first rows."""
        counts = np.array(self.counts[:-1])
        if self.kind == "number":
            # Cells of about as many rows each; values outside of the first rows' go to the ends.
            middle = (np.cumsum(counts) - counts / 2) / max(1, counts.sum())
            group = np.minimum((middle * _COARSE).astype(np.int64), _COARSE - 1)
        else:
            group = np.arange(len(counts)) % _COARSE
        return np.array([*group, _COARSE])[cells]


#: Counts of cells, of those beside the target, extent, and infinite values of a column.
Counted = tuple[list[int], list[int], tuple[float, float] | None, int]


@dataclass(frozen=True)
class Profile:
    """Cells of the columns of some rows.

    Attributes
    ----------
    rows : int
        Rows that the cells were made from.
    target : str, optional
        Column that the others are counted together with.
    columns : mapping of str to Cells
    """

    rows: int
    target: str | None
    columns: Mapping[str, Cells]

    @classmethod
    def of(cls, table: pa.Table, names: Sequence[str], target: str | None = None) -> "Profile":
        """Make cells from some rows and count them.

        Examples
        --------
        >>> table = pa.table({"x": [1.0, 2.0, 2.0, None], "kind": ["a", "b", "a", "a"]})
        >>> cells = Profile.of(table, ["x", "kind"]).columns
        >>> cells["x"].edges, cells["x"].counts
        ((1.0, 2.0), (0, 1, 0, 2, 0, 1))
        >>> cells["kind"].levels, cells["kind"].counts
        (('a', 'b'), (3, 1, 0, 0))
        """
        columns = {name: _made(table[name]) for name in names}
        first = cls(table.num_rows, target, columns)
        counted = _filled(first, [table], with_target=False)
        return _filled(counted, [table], with_target=True)

    def count(self, tables: Iterable[pa.Table]) -> "Profile":
        """The same cells with the counts of other rows, however many."""
        return _filled(self, tables, with_target=True)

    @property
    def counts(self) -> tuple[int, dict[str, Counted]]:
        """What was counted, as plain values."""
        return self.rows, {
            name: (list(cells.counts), list(cells.with_target), cells.extent, cells.infinite)
            for name, cells in self.columns.items()
        }

    def with_counts(self, counts: tuple[int, Mapping[str, Counted]]) -> "Profile":
        """The same cells with what was counted in them elsewhere."""
        rows, counted = counts
        columns = {
            name: replace(
                cells,
                counts=tuple(counted[name][0]),
                with_target=tuple(counted[name][1]),
                extent=counted[name][2],
                infinite=counted[name][3],
            )
            for name, cells in self.columns.items()
        }
        return replace(self, rows=rows, columns=columns)

    def plus(self, other: "Profile") -> "Profile":
        """The same cells with the counts of both.

        Examples
        --------
        >>> cells = Profile.of(pa.table({"x": [1.0, 2.0]}), ["x"])
        >>> cells.plus(cells).columns["x"].counts, cells.plus(cells).rows
        ((0, 2, 0, 2, 0, 0), 4)
        """
        columns = {name: _sum(cells, other.columns[name]) for name, cells in self.columns.items()}
        return replace(self, rows=self.rows + other.rows, columns=columns)


def _sum(one: Cells, other: Cells) -> Cells:
    extents = [each.extent for each in (one, other) if each.extent is not None]
    pairs = zip(one.with_target, other.with_target, strict=True)
    return replace(
        one,
        counts=tuple(a + b for a, b in zip(one.counts, other.counts, strict=True)),
        with_target=tuple(a + b for a, b in pairs),
        extent=(min(e[0] for e in extents), max(e[1] for e in extents)) if extents else None,
        infinite=one.infinite + other.infinite,
    )


def _filled(profile: Profile, tables: Iterable[pa.Table], *, with_target: bool) -> Profile:
    counters = {name: _Counter(cells) for name, cells in profile.columns.items()}
    target = profile.target if with_target else None
    rows = 0
    for table in tables:
        rows += table.num_rows
        found = {name: counter.add(table[name]) for name, counter in counters.items()}
        if target is not None:
            of_target = profile.columns[target].coarse(found[target])
            for name, counter in counters.items():
                if name != target:
                    counter.add_beside(of_target, found[name])
    filled = {name: counter.filled for name, counter in counters.items()}
    return Profile(rows, profile.target, filled)


class _Counter:
    """Counts rows in the cells of one column."""

    def __init__(self, cells: Cells) -> None:
        self.cells = cells
        self.counts = np.zeros(cells.size, dtype=np.int64)
        self.joint: Ints | None = None
        self.extent: tuple[float, float] | None = None
        self.infinite = 0

    def add(self, values: pa.ChunkedArray) -> Ints:
        """Count some values, and return their cells."""
        if self.cells.kind == "number":
            numbers = _numbers(values)
            self._widen(numbers)
            found = self.cells.of(numbers)
        else:
            found = self.cells.of(values)
        self.counts += np.bincount(found, minlength=self.cells.size)
        return found

    def add_beside(self, of_target: Ints, found: Ints) -> None:
        """Count rows by the coarse cells of target and column."""
        width = _COARSE + 1
        both = np.bincount(of_target * width + self.cells.coarse(found), minlength=width**2)
        self.joint = both if self.joint is None else self.joint + both

    def _widen(self, numbers: Floats) -> None:
        finite = numbers[np.isfinite(numbers)]
        self.infinite += int(np.isinf(numbers).sum())
        if len(finite):
            low, high = float(finite.min()), float(finite.max())
            known = self.extent or (low, high)
            self.extent = min(low, known[0]), max(high, known[1])

    @property
    def filled(self) -> Cells:
        """The cells with what was counted."""
        return replace(
            self.cells,
            counts=tuple(self.counts.tolist()),
            with_target=() if self.joint is None else tuple(self.joint.tolist()),
            extent=self.extent,
            infinite=self.infinite,
        )


def _made(values: pa.ChunkedArray) -> Cells:
    """Cells of a column without counts."""
    if _is_text(values):
        _, names = _levels(values)
        if len(names) > _MAX_LEVELS:
            return Cells("hash")
        return Cells("level", levels=tuple(sorted(names)))
    numbers = _numbers(values)
    numbers = numbers[np.isfinite(numbers)]
    if not len(numbers):
        return Cells("number")
    quantiles = np.quantile(numbers, _QUANTILES, method="inverted_cdf")
    return Cells("number", edges=tuple(np.unique(quantiles).tolist()))


def _is_text(values: pa.ChunkedArray) -> bool:
    types, kind = pa.types, values.type
    kind = kind.value_type if types.is_dictionary(kind) else kind
    return bool(
        types.is_string(kind)
        or types.is_large_string(kind)
        or types.is_boolean(kind)
        or types.is_binary(kind)
        or types.is_large_binary(kind)
        or types.is_fixed_size_binary(kind)
        or types.is_interval(kind)
    )


def _levels(values: pa.ChunkedArray) -> tuple[Ints, list[str]]:
    """Codes of values and the names of the codes; what is missing has the code behind them."""
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    codes, names = pd.factorize(values.to_pandas())
    return np.where(codes < 0, len(names), codes), [str(name) for name in names]


def _numbers(values: pa.ChunkedArray) -> Floats:
    """Values as floats, what is missing as nan; of a vector its length."""
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    kind = values.type
    if pa.types.is_temporal(kind):
        values = pc.cast(values, pa.int64() if kind.bit_width == 64 else pa.int32())
    if pa.types.is_nested(kind) or pa.types.is_null(kind):
        lengths = [_length(value) for value in values.to_pylist()]
        return np.array(lengths, dtype=np.float64)
    return np.asarray(values.cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64)


def _length(value: Any) -> float:
    if not isinstance(value, list):
        return float("nan")
    return float(np.linalg.norm(np.array(value, dtype=np.float64)))
