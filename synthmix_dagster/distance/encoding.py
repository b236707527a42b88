"""Rows as points: the ground space in which distances and kernels are measured.

Scales and levels come from the real rows alone. The synthetic rows only decide whether a slot for
missing values or for unseen levels has to exist at all, so that neither can hide.

One unit is one real standard deviation. A categorical column becomes one slot a level, each worth
``1/sqrt(2)``, so that two different levels are exactly one unit apart; a boolean or a
missing-value indicator is one slot of 0 and 1, one unit apart as well.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synthmix_dagster.distance.columns import (
    Kind,
    as_numbers,
    column_kind,
    is_constant,
    level_names,
    require_finite,
    require_known,
    shared_columns,
    some_names,
)
from synthmix_dagster.errors import DataError

#: A level rarer than this share of the real rows, or seen fewer than five times, is pooled.
RARE_SHARE = 0.01
RARE_COUNT = 5
#: Above both, a text column is an identifier or free text rather than a category.
TEXT_LEVELS = 50
TEXT_SHARE = 0.5

_MISSING, _RARE, _UNSEEN = "missing", "rare", "unseen"


@dataclass(frozen=True)
class ColumnCode:
    """How one column of the user becomes a run of encoded coordinates.

    Attributes
    ----------
    column : str
        Name in the user's data.
    kind : str
        ``numeric``, ``boolean``, ``datetime``, ``categorical``; ``constant`` for a number that is
        the same in all real rows (one slot: is it another?); ``presence`` for a column whose values
        say nothing but which is missing in some rows.
    start, stop : int
        The coordinates this column occupies, as a half-open range.
    center, scale : float
        Real mean and standard deviation (numeric and datetime columns).
    levels : tuple of str
        Levels that have a slot of their own (categorical columns).
    pooled : frozenset of str
        Levels that share the slot ``rare``.
    slots : tuple of str
        Extra slots, in order, out of ``rare``, ``unseen`` and ``missing``.
    """

    column: str
    kind: Kind
    start: int
    stop: int
    center: float = 0.0
    scale: float = 1.0
    levels: tuple[str, ...] = ()
    pooled: frozenset[str] = frozenset()
    slots: tuple[str, ...] = ()


@dataclass(frozen=True)
class Encoder:
    """A fitted map from frames to points.

    Attributes
    ----------
    codes : tuple of ColumnCode
        One entry a column that is used, in the order of the real frame.
    dimension : int
        Number of encoded coordinates.
    notes : tuple of str
        What a reader has to know: columns dropped, values pooled, unseen or missing.
    """

    codes: tuple[ColumnCode, ...]
    dimension: int
    notes: tuple[str, ...]

    @classmethod
    def fit(
        cls,
        real: pd.DataFrame,
        synthetic: pd.DataFrame,
        *,
        categorical: Collection[str] = (),
        ignore: Collection[str] = (),
    ) -> "Encoder":
        """Learn scales and levels from `real`.

        Parameters
        ----------
        real, synthetic : DataFrame
            The two datasets; columns are matched by name.
        categorical : collection of str
            Columns to treat as categories although they hold numbers.
        ignore : collection of str
            Columns to leave out: keys, groups, free text.

        Raises
        ------
        ConfigError
            A name in `categorical` or `ignore` is in neither dataset.
        DataError
            No column is shared, types differ, values are infinite, or a column is free text.

        Examples
        --------
        >>> real = pd.DataFrame({"x": np.arange(30.0), "c": ["a", "b", "c"] * 10})
        >>> Encoder.fit(real, real).dimension
        4
        """
        columns = [*map(str, real.columns), *map(str, synthetic.columns)]
        require_known(categorical, columns, "categorical")
        require_known(ignore, columns, "ignore")
        shared = shared_columns(real.columns, synthetic.columns, ignore)
        notes: list[str] = []
        for side, ours, theirs in (("real", real, synthetic), ("synthetic", synthetic, real)):
            only = [c for c in ours.columns if c not in set(theirs.columns) and c not in ignore]
            if only:
                notes.append(f"left out, only in {side}: {some_names(only)}")
        codes: list[ColumnCode] = []
        start = 0
        for name in shared:
            code = _fit_column(str(name), real[name], synthetic[name], name in categorical, notes)
            if code is not None:
                width = code.stop
                codes.append(_moved(code, start))
                start += width
        if not codes:
            raise DataError(
                "every shared column is constant or empty",
                dataset="real",
                fix="Check that the right file was read, and that it has more than one row",
            )
        return cls(codes=tuple(codes), dimension=start, notes=tuple(notes))

    def require(self, frame: pd.DataFrame, dataset: str) -> None:
        """Refuse rows that lack a column, or hold it in another type, or with infinite values.

        Raises
        ------
        DataError
            The first column that cannot be encoded as the real ones were.
        """
        for code in self.codes:
            if code.column not in frame.columns:
                raise DataError(
                    "this column of the real dataset is not there",
                    dataset=dataset,
                    column=code.column,
                    fix="Add it, or add it to 'ignore'",
                )
            values = frame[code.column]
            kind = column_kind(values, dataset, categorical=code.kind == "categorical")
            expected = "numeric" if code.kind == "constant" else code.kind
            if code.kind != "presence" and kind not in (expected, "empty"):
                raise DataError(
                    f"it is {kind} ({values.dtype}) but {code.kind} in the real dataset",
                    dataset=dataset,
                    column=code.column,
                    fix="Convert it, or add the column to 'ignore'",
                )
            if kind in ("numeric", "datetime"):
                require_finite(values, dataset)

    def transform(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """Encode a frame.

        Parameters
        ----------
        frame : DataFrame
            Rows with every column the encoder was fitted on.

        Returns
        -------
        ndarray of shape (n_rows, dimension)
            Points in units of real standard deviations.
        """
        points = np.zeros((len(frame), self.dimension))
        for code in self.codes:
            _fill(points[:, code.start : code.stop], code, frame[code.column])
        return points


def _fit_column(
    name: str, real: pd.Series, synthetic: pd.Series, categorical: bool, notes: list[str]
) -> ColumnCode | None:
    """Return the code of one column, starting at coordinate 0, or None where it says nothing."""
    kind = column_kind(real, "real", categorical=categorical)
    other = column_kind(synthetic, "synthetic", categorical=categorical)
    if kind == "empty":
        notes.append(f"dropped, no value in real: {name}")
        return None
    if other not in (kind, "empty"):
        raise DataError(
            f"it is {other} ({synthetic.dtype}) but {kind} ({real.dtype}) in the real dataset",
            dataset="synthetic",
            column=name,
            fix="Convert one of them, or add the column to 'ignore'",
        )
    missing = bool(real.isna().any() or synthetic.isna().any())
    if kind == "categorical":
        return _fit_levels(name, real, synthetic, missing, notes)
    require_finite(real, "real")
    require_finite(synthetic, "synthetic")
    numbers = as_numbers(real)
    slots = (_MISSING,) if missing else ()
    if kind == "boolean":
        return ColumnCode(name, kind, 0, 1 + missing, slots=slots)
    center, scale = float(np.nanmean(numbers)), float(np.nanstd(numbers))
    if is_constant(numbers):
        others = as_numbers(synthetic)
        if np.any(np.abs(others[~np.isnan(others)] - center) > 1e-9 * max(abs(center), 1e-300)):
            notes.append(f"{name} is constant in real but not in synthetic")
            return ColumnCode(name, "constant", 0, 1 + missing, center=center, slots=slots)
        return _without_values(name, missing, notes)
    return ColumnCode(name, kind, 0, 1 + missing, center=center, scale=scale, slots=slots)


def _fit_levels(
    name: str, real: pd.Series, synthetic: pd.Series, missing: bool, notes: list[str]
) -> ColumnCode | None:
    counts = level_names(real).value_counts()
    present = int(counts.sum())
    if len(counts) > TEXT_LEVELS and len(counts) > TEXT_SHARE * present:
        raise DataError(
            f"it has {len(counts)} distinct values in {present} rows, an identifier or free text",
            dataset="real",
            column=name,
            fix="Add it to 'ignore', name it as 'key', or replace text by an embedding",
        )
    least = max(RARE_COUNT, RARE_SHARE * present)
    levels = tuple(sorted(str(level) for level, count in counts.items() if count >= least))
    pooled = {str(level) for level in counts.index} - set(levels)
    # A level that the real sample may well have missed by chance is rare, not news: without this
    # an honest generator looks guilty of every level that a small real sample does not contain.
    other = level_names(synthetic).value_counts()
    unseen = {str(level) for level in other.index} - set(levels) - pooled
    # Good and Turing: the share of a distribution that a sample of it lacks is about the share of
    # its values that were seen once; three standard errors are allowed on top.
    singles = int((counts == 1).sum())
    allowed = (singles + 3 * np.sqrt(singles + 1)) / present
    mass = float(sum(other[level] for level in unseen)) / max(1, int(other.sum()))
    if mass <= allowed:
        if unseen:
            notes.append(
                f"{name}: {mass:.1%} of synthetic rows have levels that real may have missed"
            )
        pooled |= unseen
        unseen = set()
    slots = [slot for slot, used in ((_RARE, pooled), (_UNSEEN, unseen)) if used]
    if missing:
        slots.append(_MISSING)
    if unseen:
        rows = int(sum(other[level] for level in unseen))
        notes.append(
            f"{name}: {rows} synthetic rows have levels unseen in real: {some_names(unseen)}"
        )
    if not levels and slots == [_RARE]:
        notes.append(f"dropped, every level is rare in real: {name}")
        return None
    if len(levels) + len(slots) < 2:
        return _without_values(name, False, notes)
    if len(levels) == 2 and not slots:
        # Two levels need one coordinate, not two: the same distance at half the width.
        return ColumnCode(name, "categorical", 0, 1, levels=levels)
    width = len(levels) + len(slots)
    return ColumnCode(
        name,
        "categorical",
        0,
        width,
        levels=levels,
        pooled=frozenset(pooled),
        slots=tuple(slots),
    )


def _without_values(name: str, missing: bool, notes: list[str]) -> ColumnCode | None:
    """A constant column says nothing, but where it is missing may."""
    if missing:
        notes.append(f"{name} is constant in real: only where it is missing counts")
        return ColumnCode(name, "presence", 0, 1)
    notes.append(f"dropped, constant in real: {name}")
    return None


def _fill(block: NDArray[np.float64], code: ColumnCode, values: pd.Series) -> None:
    if code.kind == "categorical":
        text = level_names(values)
        if block.shape[1] == 1:
            # What is neither level is as far from the one as from the other.
            place = {code.levels[0]: 0.0, code.levels[1]: 1.0}
            block[:, 0] = [place.get(level, 0.5) for level in text]
            return
        position = {level: i for i, level in enumerate(code.levels)}
        extra = {slot: len(code.levels) + i for i, slot in enumerate(code.slots)}
        position |= dict.fromkeys(code.pooled, extra.get(_RARE, -1))
        # A level met for the first time after fitting goes where unseen or rare levels live; with
        # neither slot it stays at the origin, equally far from every known level.
        fallback = extra.get(_UNSEEN, extra.get(_RARE, -1))
        slot = text.map(lambda level: position.get(level, fallback), na_action="ignore")
        at = slot.fillna(extra.get(_MISSING, -1)).to_numpy(dtype=np.int64)
        rows = np.flatnonzero(at >= 0)
        block[rows, at[rows]] = np.sqrt(0.5)
        return
    if code.kind == "presence":
        block[:, 0] = values.isna()
        return
    numbers = as_numbers(values)
    known = ~np.isnan(numbers)
    if code.kind == "constant":
        away = np.abs(numbers[known] - code.center) > 1e-9 * max(abs(code.center), 1e-300)
        block[known, 0] = away
    else:
        block[known, 0] = (numbers[known] - code.center) / code.scale
    if code.slots:
        block[~known, 1] = 1.0


def _moved(code: ColumnCode, start: int) -> ColumnCode:
    return replace(code, start=start, stop=start + code.stop)
