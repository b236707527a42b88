"""Which rows: exactly k of every stratum, by their priorities, without a sort."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from synthmix_dagster.data.dataset import Dataset
from synthmix_dagster.data.identity import Ints, Rows
from synthmix_dagster.data.priority import LEADING_BITS, PRIORITY_BITS, leading_bits, priorities
from synthmix_dagster.errors import ConfigError, DataError, did_you_mean

#: Cells of the histogram of all strata, as a power of two, and bits of one stratum at most.
_HISTOGRAM_BITS, _TOP_BITS = 20, 16
#: What a quota of all rows is cut off at.
_ABOVE_ALL = (1 << PRIORITY_BITS, 0)

#: Identities and strata of consecutive rows, as numbers of the strata's names.
Labelled = tuple[Ints, Ints]
#: What is done with all of them, or with a part.
Kernel = Callable[[Iterable[Labelled]], Any]


def quotas(sizes: Mapping[str, int], k: int) -> dict[str, int]:
    """Split k over strata in proportion to their sizes, by largest remainder.

    Equal remainders go to the larger stratum, then by name.

    Examples
    --------
    >>> quotas({"a": 50, "b": 30, "c": 20}, 7)
    {'a': 4, 'b': 2, 'c': 1}
    """
    total = sum(sizes.values())
    shares = {name: divmod(size * k, total) for name, size in sizes.items()}
    taken = {name: whole for name, (whole, _) in shares.items()}
    order = sorted(shares, key=lambda name: (-shares[name][1], -sizes[name], name))
    for name in order[: k - sum(taken.values())]:
        taken[name] += 1
    return taken


@dataclass(frozen=True)
class Selection:
    """Exactly as many rows of every stratum as its quota, those of lowest priority.

    Attributes
    ----------
    seed : int
    stratify : str, optional
        Column of the strata.
    quotas : mapping of str to int
        Rows by stratum; one of no name without strata.
    cuts : mapping of str to (int, int)
        Priority and identity of the last row of each stratum.
    """

    seed: int
    stratify: str | None
    quotas: Mapping[str, int]
    cuts: Mapping[str, tuple[int, int]]

    def mask(self, ids: Ints, table: pa.Table) -> NDArray[np.bool_]:
        """Which rows are chosen, whatever the batch they come in.

        Parameters
        ----------
        ids : ndarray of int of shape (n_rows,)
        table : pyarrow.Table
            Their columns, that of the strata among them.
        """
        codes = Strata(self.stratify, list(self.quotas)).codes(table, len(ids))
        cut = np.array([self.cuts[name] for name in self.quotas], dtype=np.int64).reshape(-1, 2)
        upper = leading_bits(ids, self.seed, LEADING_BITS)
        of_cut = (cut[:, 0] >> LEADING_BITS)[codes]
        chosen = upper < of_cut
        level = np.flatnonzero(upper == of_cut)
        found, (last, identity) = priorities(ids[level], self.seed), cut[codes[level]].T
        chosen[level] = (found < last) | ((found == last) & (ids[level] <= identity))
        return chosen


def select_exactly(
    over: Callable[[Kernel], Iterable[Any]],
    sizes: Mapping[str, int],
    k: int,
    seed: int,
    stratify: str | None = None,
    given: Mapping[str, int] | None = None,
    name: str = "synthetic",
) -> Selection:
    """Find the cut-off of exactly k rows in two passes, whatever their number.

    The first pass counts the priorities of each stratum by their top bits, which says in which
    cell the last row of the stratum lies; the second sorts that one cell.

    Parameters
    ----------
    over : callable
        Hands all rows to a kernel, of identities and strata that are numbered in the order of
        `sizes`, and returns what it makes of each part of them.
    sizes : mapping of str to int
        Rows by stratum.
    k : int
        Rows to choose, at most as many as there are.
    seed : int
    stratify : str, optional
        Column of the strata, kept in the result.
    given : mapping of str to int, optional
        Rows to choose of each stratum, k in all; by default its share of them.
    name : str
        What messages call the dataset.

    Raises
    ------
    DataError
        The rows are not the same in each pass.

    Examples
    --------
    >>> ids = np.arange(9)
    >>> rows = [(ids, ids % 2)]
    >>> chosen = select_exactly(lambda kernel: [kernel(rows)], {"even": 5, "odd": 4}, 4, seed=0)
    >>> chosen.quotas
    {'even': 2, 'odd': 2}
    """
    quota = quotas(sizes, k) if given is None else dict.fromkeys(sizes, 0)
    for stratum_name, rows in (given or {}).items():
        if rows:
            quota[spelled(stratum_name, sizes)] = rows
    due = np.array(list(quota.values()), dtype=np.int64)
    whole = due == np.array(list(sizes.values()))
    cuts = np.where(whole[:, None], np.array(_ABOVE_ALL), -1)
    if not (whole | (due == 0)).all():
        bits = min(_TOP_BITS, _HISTOGRAM_BITS - (len(sizes) - 1).bit_length())
        counted = partial(_counted_cells, seed, bits, len(sizes))
        cells = np.sum([*over(counted)], axis=0)
        by_stratum = cells.reshape(len(sizes), -1)
        _require_same(by_stratum.sum(axis=1), list(sizes.values()), name)
        upto = by_stratum.cumsum(axis=1)
        cut_cell = (upto < due[:, None]).sum(axis=1)
        before = np.where(cut_cell > 0, upto[np.arange(len(sizes)), cut_cell - 1], 0)
        found = list(over(partial(_in_cells, seed, bits, cut_cell)))
        priority, identity, stratum = (np.concatenate(part) for part in zip(*found, strict=True))
        here = np.bincount(stratum, minlength=len(sizes))
        _require_same(here, by_stratum[np.arange(len(sizes)), cut_cell], name)
        order = np.lexsort((identity, priority, stratum))
        starts = np.searchsorted(stratum[order], np.arange(len(sizes)))
        for code in np.flatnonzero(~whole & (due > 0)):
            last = order[starts[code] + due[code] - before[code] - 1]
            cuts[code] = priority[last], identity[last]
    named = zip(quota, cuts.tolist(), strict=True)
    return Selection(seed, stratify, quota, {each: (cut[0], cut[1]) for each, cut in named})


def _require_same(found: Ints, before: Sequence[int] | Ints, dataset: str) -> None:
    if not np.array_equal(found, before):
        raise DataError(
            "two passes over its rows see different rows",
            dataset=dataset,
            fix="Pass rows that are the same each time; write what is random to a table first",
        )


def in_strata(
    kernel: Kernel, stratify: str | None, names: Sequence[str], rows: Iterable[Rows]
) -> Any:
    """Hand rows to a kernel as `select_exactly` wants them: identities, and numbers of strata."""
    strata = Strata(stratify, list(names))
    return kernel((each.ids, strata.codes(each.table, len(each.ids))) for each in rows)


def _counted_cells(seed: int, bits: int, strata: int, rows: Iterable[Labelled]) -> Ints:
    """Rows by stratum and the top bits of their priorities."""
    cells = np.zeros(strata << bits, dtype=np.int64)
    for ids, codes in rows:
        top = leading_bits(ids, seed, bits)
        cells += np.bincount((codes << bits) | top, minlength=len(cells))
    return cells


def _in_cells(
    seed: int, bits: int, cut_cell: Ints, rows: Iterable[Labelled]
) -> tuple[Ints, Ints, Ints]:
    """Priorities, identities and strata of the rows in the cell where their stratum is cut."""
    none = np.empty(0, dtype=np.int64)
    found: list[tuple[Ints, Ints, Ints]] = [(none, none, none)]
    for ids, codes in rows:
        here = leading_bits(ids, seed, bits) == cut_cell[codes]
        found.append((priorities(ids[here], seed), ids[here], codes[here]))
    priority, identity, stratum = (np.concatenate(part) for part in zip(*found, strict=True))
    return priority, identity, stratum


def strata_of(dataset: Dataset, column: str) -> dict[str, int]:
    """Rows of a dataset by the values of a column."""
    require_strata(dataset, column)
    sizes: dict[str, int] = {}
    for part in dataset.select([column]).over(partial(_counted_strata, column)):
        for name, size in part.items():
            sizes[name] = sizes.get(name, 0) + size
        require_few(sizes, column)
    return sizes


def _counted_strata(column: str, tables: Iterable[pa.Table]) -> dict[str, int]:
    strata = Strata(column, [])
    sizes = np.zeros(0, dtype=np.int64)
    for table in tables:
        codes = strata.codes(table, table.num_rows)
        require_few(dict.fromkeys(strata.names), column)
        grown = np.bincount(codes, minlength=len(strata.names))
        grown[: len(sizes)] += sizes
        sizes = grown
    return dict(zip(strata.names, sizes.tolist(), strict=True))


class Strata:
    """The strata of a column, numbered.

    Parameters
    ----------
    column : str, optional
        Without one, all rows are one stratum of no name.
    names : list of str
        Names in the order of their numbers; new ones are added.

    Examples
    --------
    >>> strata = Strata("g", [])
    >>> strata.codes(pa.table({"g": ["a", None, "a"]}), 3).tolist(), strata.names
    ([0, 1, 0], ['a', '<missing>'])
    """

    def __init__(self, column: str | None, names: list[str]) -> None:
        self.column = column
        self.names = names if column is not None else [""]
        self._numbers = {name: number for number, name in enumerate(self.names)}

    def codes(self, table: pa.Table, rows: int) -> Ints:
        """Number of the stratum of every row.

        Missing values are the stratum ``<missing>``; a text that ends like it gets a leading
        backslash.
        """
        if self.column is None:
            return np.zeros(rows, dtype=np.int64)
        values = table.column(self.column)
        if pa.types.is_dictionary(values.type):
            values = values.cast(values.type.value_type)
        values = pc.dictionary_encode(values.combine_chunks(), null_encoding="encode")
        if isinstance(values, pa.ChunkedArray):
            values = values.combine_chunks()
        numbers = np.empty(len(values.dictionary), dtype=np.int64)
        for position, value in enumerate(values.dictionary.to_pylist()):
            name = _stratum(value)
            if name not in self._numbers:
                self._numbers[name] = len(self.names)
                self.names.append(name)
            numbers[position] = self._numbers[name]
        return numbers[values.indices.to_numpy(zero_copy_only=False)]


def spelled(name: str, strata: Mapping[str, Any]) -> str:
    """A stratum as a dataset has it: a number is whole on one side and not on the other.

    Examples
    --------
    >>> spelled("1", {"1.0": 3}), spelled("1.0", {"1": 3}), spelled("a", {"b": 3})
    ('1.0', '1', 'a')
    """
    other = name.removesuffix(".0") if name.endswith(".0") else f"{name}.0"
    return other if name not in strata and other in strata else name


def require_strata(dataset: Dataset, column: str) -> None:
    """Refuse a column that cannot stratify, with the nearest name."""
    if column not in dataset.columns:
        raise ConfigError(
            f"dataset '{dataset.name}' has no column '{column}'",
            option="stratify",
            fix=did_you_mean(column, dataset.columns),
        )
    kind = dataset.schema.field(column).type
    if pa.types.is_nested(kind):
        raise DataError(
            f"values of type {kind} cannot be strata",
            dataset=dataset.name,
            column=column,
            fix="Set 'stratify' to a column of scalar values",
        )


def require_few(strata: Mapping[str, Any], column: str) -> None:
    """Refuse more strata than the histogram has room for."""
    max_strata = 1 << (_HISTOGRAM_BITS - 4)
    if len(strata) > max_strata:
        raise ConfigError(
            f"column '{column}' has {len(strata)} different values; the maximum is {max_strata}",
            option="stratify",
            fix="Stratify by a column with fewer values",
        )


def _stratum(value: Any) -> str:
    if value is None or value != value:
        return "<missing>"
    text = str(value)
    return f"\\{text}" if text.endswith("<missing>") else text
