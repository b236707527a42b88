"""The schema contract of a dataset: missing and extra columns, types, missing values, levels."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from synthmix_dagster.data.alignment import unpacked
from synthmix_dagster.data.dataset import Dataset
from synthmix_dagster.data.plain_types import printed
from synthmix_dagster.errors import look_alikes

#: A column with more different texts than this has no contract of levels.
MAX_LEVELS = 1_000
#: Levels that are named when they are new.
_NAMED = 5
#: Probability below which the real rows would have shown what the synthetic ones have.
_CHANCE = 0.01


@dataclass(frozen=True)
class ColumnContract:
    """What one column is held to.

    Attributes
    ----------
    type : str, optional
        Arrow type, such as ``int64``, or one of ``number``, ``text``, ``boolean`` and ``time``.
    nullable : bool
        Whether values may be missing.
    levels : frozenset of str, optional
        The only values there may be, as text.
    rows : int, optional
        Rows that it was derived from. What so many rows may lack by chance does not break it.
    counts : mapping of str to int
        How many of these rows have each level. A level that other rows lack breaks it, unless
        chance may have hidden it.
    """

    type: str | None = None
    nullable: bool = True
    levels: frozenset[str] | None = None
    rows: int | None = None
    counts: Mapping[str, int] = field(default_factory=dict)

    def broken_by(self, count: int, rows: int) -> bool:
        """Whether something in `count` of `rows` rows is more than chance may have hidden before.

        A share of q is absent from n rows with probability ``(1 - q)^n``.
        """
        if count == 0 or self.rows is None:
            return count > 0
        return bool((1 - count / rows) ** self.rows < _CHANCE)

    def absent_from(self, seen: Collection[str], rows: int) -> list[str]:
        """Levels that so many rows would have shown, the most frequent first.

        If two datasets have one distribution, all r rows of a level are among the first n of n + m
        rows with probability ``(n / (n + m))^r`` at most. That allows for the share being an
        estimate, so it is never below ``(1 - r / n)^m``. The levels of a column share the chance of
        one false alarm.
        """
        if not self.rows:
            return []
        hidden = self.rows / (self.rows + rows)
        return [
            level
            for level, count in sorted(self.counts.items(), key=lambda item: (-item[1], item[0]))
            if level not in seen and hidden**count * len(self.counts) < _CHANCE
        ]


@dataclass(frozen=True)
class Violation:
    """One way in which a dataset breaks its contract.

    Attributes
    ----------
    dataset, column : str
    rule : {"missing", "extra", "type", "nullability", "levels", "absent"}
    found : str
        What was expected and what is there.
    """

    dataset: str
    column: str
    rule: str
    found: str


def contract_of(
    real: Dataset, categorical: Collection[str] = (), *, free: Collection[str] = ()
) -> dict[str, ColumnContract]:
    """Derive the contract of every column from the real rows, which are all read in pieces.

    Parameters
    ----------
    real : Dataset
    categorical : collection of str
        Columns that are categories although numbers.
    free : collection of str
        Columns of free text; their values are not levels.

    Returns
    -------
    dict of str to ColumnContract
    """
    levelled = [name for name in _with_levels(real, categorical) if name not in free]
    seen = _Seen(real, levelled)
    return {
        column.name: ColumnContract(
            kind_of(column.type),
            seen.nulls[column.name] > 0,
            _levels(seen.levels.get(column.name)),
            real.rows,
            dict(seen.levels.get(column.name) or {}),
        )
        for column in real.schema
    }


def violations(
    dataset: Dataset,
    contract: Mapping[str, ColumnContract],
    *,
    optional: Collection[str] = (),
    extra: bool = False,
) -> list[Violation]:
    """Compare a dataset with a contract. All of it is read, some rows at a time.

    Parameters
    ----------
    dataset : Dataset
    contract : mapping of str to ColumnContract
    optional : collection of str
        Columns that may be missing.
    extra : bool
        Whether there may be further columns.

    Returns
    -------
    list of Violation
        In the order of the contract's columns, extra ones last.

    Examples
    --------
    >>> import pandas as pd
    >>> from synthmix_dagster.data.dataset import open_dataset
    >>> real = open_dataset(pd.DataFrame({"x": [1] * 9, "kind": ["a"] * 9}), "real")
    >>> made = open_dataset(pd.DataFrame({"x": [1, None], "kind": ["a", "c"]}), "synthetic")
    >>> [(found.column, found.rule) for found in violations(made, contract_of(real))]
    [('x', 'nullability'), ('kind', 'levels')]
    """
    kinds = {column.name: unpacked(column.type) for column in dataset.schema}
    listed = [name for name in contract if name in kinds and contract[name].levels is not None]
    seen = _Seen(dataset, listed)
    found = []
    for name, held in contract.items():
        if name not in kinds:
            if name not in optional:
                found.append(Violation(dataset.name, name, "missing", "column not found"))
            continue
        kind = kinds[name]
        if held.type is not None and held.type not in (kind_of(kind), _name_of(kind)):
            words = f"it is {_name_of(kind)}, not {held.type}"
            found.append(Violation(dataset.name, name, "type", words))
        if not held.nullable and held.broken_by(seen.nulls[name], dataset.rows):
            words = f"{seen.nulls[name]} of {dataset.rows} values are missing"
            found.append(Violation(dataset.name, name, "nullability", words))
        if held.levels is not None:
            words = _new_levels(held, seen.levels[name], dataset.rows)
            if words:
                found.append(Violation(dataset.name, name, "levels", words))
            # What is left out of distances may be missing: its values are nobody's levels.
            words = (
                "" if name in optional else _absent_levels(held, seen.levels[name], dataset.rows)
            )
            if words:
                found.append(Violation(dataset.name, name, "absent", words))
    if not extra:
        more = [name for name in kinds if name not in contract]
        found += [Violation(dataset.name, name, "extra", "unexpected column") for name in more]
    return found


def absent_levels(
    real: Dataset, synthetic: Dataset, categorical: Collection[str], optional: Collection[str]
) -> tuple[str, ...]:
    """Classes and levels that real rows have and synthetic ones lack, beyond chance, one a column.

    Examples
    --------
    >>> import pandas as pd
    >>> from synthmix_dagster.data.dataset import open_dataset
    >>> real = open_dataset(pd.DataFrame({"kind": ["a", "b"] * 40}), "real")
    >>> absent_levels(real, open_dataset(pd.DataFrame({"kind": ["a"] * 80}), "made"), (), ())
    ("kind: 'b' (50.0% of the real rows) is absent",)
    """
    contract = contract_of(real, categorical)
    found = violations(synthetic, contract, optional=optional, extra=True)
    return tuple(f"{each.column}: {each.found}" for each in found if each.rule == "absent")


def kind_of(kind: pa.DataType) -> str:
    """The family of a type, within which values can be exchanged.

    Examples
    --------
    >>> kind_of(pa.int8()), kind_of(pa.dictionary(pa.int32(), pa.string()))
    ('number', 'text')
    """
    kind = unpacked(kind)
    types = pa.types
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return "number"
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return "text"
    if types.is_boolean(kind):
        return "boolean"
    return "time" if types.is_temporal(kind) else str(kind)


def _name_of(kind: pa.DataType) -> str:
    """Its name in Arrow, whatever the width of its offsets."""
    return str(kind).removeprefix("large_")


class _Seen:
    """Missing values of every column, and the levels of some, over all rows."""

    def __init__(self, dataset: Dataset, listed: Collection[str]) -> None:
        self.nulls = dict.fromkeys(dataset.columns, 0)
        self.levels: dict[str, Counter[str] | None] = {name: Counter() for name in listed}
        for nulls, levels in dataset.over(partial(_seen_in, dataset.columns, list(listed))):
            for name, missing in nulls.items():
                self.nulls[name] += missing
            for name, known in levels.items():
                merged = self.levels[name]
                if merged is not None:
                    merged.update(known or {})
                    few = known is not None and len(merged) <= MAX_LEVELS
                    self.levels[name] = merged if few else None


def _seen_in(
    columns: Sequence[str], listed: Sequence[str], tables: Iterable[pa.Table]
) -> tuple[dict[str, int], dict[str, dict[str, int] | None]]:
    """Missing values and levels of some rows; no levels where there are too many."""
    nulls = dict.fromkeys(columns, 0)
    levels: dict[str, dict[str, int] | None] = {name: {} for name in listed}
    for table in tables:
        for name in columns:
            nulls[name] += _missing(table[name])
        for name, known in levels.items():
            if known is not None:
                values = table[name].cast(unpacked(table[name].type)).drop_null()
                values, counts = pc.value_counts(values).flatten()
                for level, count in zip(printed(values), counts.to_pylist(), strict=True):
                    known[level] = known.get(level, 0) + count
                levels[name] = known if len(known) <= MAX_LEVELS else None
    return nulls, levels


def _missing(values: pa.ChunkedArray) -> int:
    """Missing values; for pandas and the numerics, what is not a number is missing."""
    missing = int(values.null_count)
    if pa.types.is_floating(values.type):
        missing += int(pc.sum(pc.is_nan(values)).as_py() or 0)
    return missing


def _with_levels(dataset: Dataset, categorical: Collection[str]) -> list[str]:
    kinds = {column.name: kind_of(column.type) for column in dataset.schema}
    return [
        name for name, kind in kinds.items() if kind in ("text", "boolean") or name in categorical
    ]


def _levels(seen: Counter[str] | None) -> frozenset[str] | None:
    return None if seen is None else frozenset(seen)


def _new_levels(held: ColumnContract, seen: Counter[str] | None, rows: int) -> str:
    """Which levels are not in the contract; empty if all are."""
    if seen is None:
        return f"it has more than {MAX_LEVELS} different values"
    known = held.levels or frozenset()
    counts = {level: seen[level] for level in seen if level not in known}
    new = sorted(level for level, count in counts.items() if held.broken_by(count, rows))
    if not new:
        return ""
    named = f"{_some([repr(level) for level in new])} {'is' if len(new) == 1 else 'are'} new"
    alike = list(look_alikes(new, sorted(known)).items())[:_NAMED]
    return named + "".join(f"; {level!r} looks like {old!r}" for level, old in alike)


def _absent_levels(held: ColumnContract, seen: Counter[str] | None, rows: int) -> str:
    """Which levels of the real rows are lacking; empty if none is."""
    if seen is None or held.rows is None:
        return ""
    absent = held.absent_from(seen, rows)
    if not absent:
        return ""
    named = [
        f"{level!r} ({held.counts[level] / held.rows:.1%} of the real rows)" for level in absent
    ]
    return f"{_some(named)} {'is' if len(absent) == 1 else 'are'} absent"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
