"""One column of the user as a run of encoded coordinates: learnt from real, applied to both sides.

Scales and levels come from the real rows alone. The synthetic rows only decide whether a slot for
missing values or for unseen levels has to exist at all, so that neither can hide.

scikit-learn's QuantileTransformer makes the ranks. Its scalers and one-hot encoder are not used:
they know no dates, no column that is constant in real only, and no slot that exists for the sake of
the other side.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synthmix_dagster.encoding.columns import (
    ROUNDING,
    Kind,
    as_numbers,
    as_vectors,
    column_kind,
    is_constant,
    level_names,
    origin_of,
    reading_hint,
    require_finite,
    same_levels,
    some_names,
)
from synthmix_dagster.encoding.embed import Embedding, embedded, fit_embedding
from synthmix_dagster.encoding.options import Scaling
from synthmix_dagster.errors import DataError

if TYPE_CHECKING:
    from sklearn.preprocessing import QuantileTransformer

Points = NDArray[Any]

#: A level rarer than this share of the real rows, or seen fewer than five times, is pooled.
RARE_SHARE = 0.01
RARE_COUNT = 5
#: More distinct values than this share of the rows, if there are so many or if they have so many
#: words, are identifiers or free text rather than categories.
TEXT_SHARE = 0.5
TEXT_LEVELS = 50
TEXT_WORDS = 5
#: Quartiles of a normal distribution are this many standard deviations apart.
_QUARTILES_APART = 1.3489795
#: Points at which ranks are tabulated; between them they are interpolated.
_RANKS = 1_000

_MISSING, _RARE, _UNSEEN = "missing", "rare", "unseen"


@dataclass(frozen=True, eq=False)
class ColumnCode:
    """How one column of the user becomes a run of encoded coordinates.

    Attributes
    ----------
    column : str
        Name in the user's data.
    kind : str
        ``numeric``, ``boolean``, ``datetime``, ``categorical``, ``vector``; ``constant`` for a
        number that is the same in all real rows (one slot: is it another?); ``presence`` for a
        column whose values say nothing but which is missing in some rows.
    start, stop : int
        The coordinates this column occupies, as a half-open range.
    weight : float
        Factor on the column's part of a squared distance.
    center : float or ndarray
        What becomes the origin: a number, or for vectors one number a coordinate.
    scale : float
        What becomes one unit.
    scaling : str
        Where `scale` comes from: ``standard``, ``robust``, ``rank``, or empty where a unit is a
        unit.
    ranks : QuantileTransformer, optional
        With ranks: from values to their share of the real rows that are lower.
    levels : tuple of str
        Levels that have a slot of their own (categorical columns).
    pooled : frozenset of str
        Levels that share the slot ``rare``.
    slots : tuple of str
        Extra slots, in order, out of ``rare``, ``unseen`` and ``missing``.
    unseen, clipped : int
        Synthetic values with a level that no real row has, whichever slot they share; beyond the
        real extremes, where ranks end.
    origin : float
        Subtracted from numbers, exactly, before anything else is done with them.
    embedding : Embedding, optional
        What makes vectors of the values.
    """

    column: str
    kind: Kind
    start: int
    stop: int
    weight: float = 1.0
    center: Any = 0.0
    scale: float = 1.0
    scaling: Scaling | Literal[""] = ""
    ranks: "QuantileTransformer | None" = None
    levels: tuple[str, ...] = ()
    pooled: frozenset[str] = frozenset()
    slots: tuple[str, ...] = ()
    unseen: int = 0
    clipped: int = 0
    origin: float = 0.0
    embedding: Embedding | None = None

    @property
    def tells_missing(self) -> bool:
        """Whether a missing value lies elsewhere than a usual one."""
        return self.kind == "presence" or _MISSING in self.slots

    def fill(self, block: Points, values: pd.Series) -> None:
        """Write the encoded values into `block`, zeros of shape (n_rows, stop - start)."""
        if self.kind == "categorical":
            self._fill_levels(block, values)
        elif self.kind == "presence":
            block[:, 0] = values.isna()
        elif self.kind == "vector":
            known = values.notna().to_numpy()
            block[known, : len(self.center)] = self._scaled(self.vectors(values))
        else:
            numbers = as_numbers(values, self.origin)
            known = ~np.isnan(numbers)
            if self.kind == "constant":
                rounded = _rounded(values, self.origin)
                block[known, 0] = _differs(numbers[known], self.center, rounded)
            else:
                block[known, 0] = self._scaled(numbers[known])
        if self.slots and self.kind != "categorical":
            block[values.isna().to_numpy(), -1] = 1.0
        if self.weight != 1.0:
            block *= np.sqrt(self.weight)

    def vectors(self, values: pd.Series) -> Points:
        """Vectors of the values that are there, before they are scaled."""
        if self.embedding is None:
            return as_vectors(values)
        return as_vectors(embedded(values, self.embedding, "synthetic"))

    def _scaled(self, numbers: Points) -> Points:
        if self.ranks is not None:
            numbers = self.ranks.transform(numbers[:, None])[:, 0] if len(numbers) else numbers
        return np.asarray((numbers - self.center) / self.scale)

    def _fill_levels(self, block: Points, values: pd.Series) -> None:
        codes, distinct = pd.factorize(level_names(values))
        if block.shape[1] == 1:
            # What is neither level is as far from the one as from the other.
            place = {self.levels[0]: 0.0, self.levels[1]: 1.0}
            places = np.array([*(place.get(level, 0.5) for level in distinct), 0.5])
            block[:, 0] = places[codes]
            return
        position = {level: i for i, level in enumerate(self.levels)}
        extra = {slot: len(self.levels) + i for i, slot in enumerate(self.slots)}
        position |= dict.fromkeys(self.pooled, extra.get(_RARE, -1))
        # A level met for the first time after fitting goes where unseen or rare levels live; with
        # neither slot it stays at the origin, equally far from every known level.
        fallback = extra.get(_UNSEEN, extra.get(_RARE, -1))
        slots = [position.get(level, fallback) for level in distinct]
        # factorize numbers what is missing -1, which takes the last entry.
        at = np.array([*slots, extra.get(_MISSING, -1)])[codes]
        rows = np.flatnonzero(at >= 0)
        block[rows, at[rows]] = np.sqrt(0.5)


def fit_code(
    real: pd.Series,
    synthetic: pd.Series,
    *,
    categorical: bool = False,
    scaling: Scaling = "standard",
    weight: float = 1.0,
    embed: str | None = None,
) -> tuple[ColumnCode | None, list[str]]:
    """Learn the code of one column, starting at coordinate 0.

    Parameters
    ----------
    real, synthetic : Series
        The column on both sides.
    categorical : bool
        Treat it as a category although it holds numbers.
    scaling : {"standard", "robust", "rank"}
        See `Encoder.fit`.
    weight : float
    embed : str, optional
        How it becomes a vector, see `Columns`.

    Returns
    -------
    code : ColumnCode or None
        None where the column says nothing.
    notes : list of str
        What a reader has to know of it.

    Raises
    ------
    DataError
        The sides hold different types, values are infinite, or it is free text.
    """
    name = str(real.name)
    if embed is not None and real.notna().any():
        embedding = fit_embedding(embed, real)
        sides = embedded(real, embedding, "real"), embedded(synthetic, embedding, "synthetic")
        missing = bool(real.isna().any() or synthetic.isna().any())
        code, notes = _fit_vectors(*sides, missing, weight)
        if code is not None and code.kind == "vector":
            code = replace(code, embedding=embedding)
        return code, notes
    kind = column_kind(real, "real", categorical=categorical)
    other = column_kind(synthetic, "synthetic", categorical=categorical)
    if kind == "empty":
        return None, [f"dropped, no value in real: {name}"]
    if other not in (kind, "empty"):
        text = real if kind == "categorical" else synthetic
        raise DataError(
            f"it is {other} ({synthetic.dtype}) but {kind} ({real.dtype}) in the real dataset",
            dataset="synthetic",
            column=name,
            fix=reading_hint(text, {kind, other})
            or "Convert one of them, or add the column to 'ignore'",
        )
    missing = bool(real.isna().any() or synthetic.isna().any())
    if kind == "categorical":
        return _fit_levels(real, synthetic, missing, weight)
    if kind == "vector":
        return _fit_vectors(real, synthetic, missing, weight)
    require_finite(real, "real")
    require_finite(synthetic, "synthetic")
    slots = (_MISSING,) if missing else ()
    origin = origin_of(real) if kind in ("numeric", "datetime") else 0.0
    numbers, others = (_known(as_numbers(side, origin)) for side in (real, synthetic))
    rounded = _rounded(real, origin)
    plain = ColumnCode(name, kind, 0, 1 + len(slots), weight, origin=origin, slots=slots)
    if is_constant(numbers, rounded):
        center = float(np.mean(numbers))
        if not np.any(_differs(others, center, rounded)):
            return _without_values(name, missing, weight)
        code = plain if kind == "boolean" else replace(plain, kind="constant", center=center)
        both = len(others) and is_constant(others, rounded)
        what = "another one" if both else "not"
        return code, [f"{name} is constant in real but {what} in synthetic"]
    code, notes = (plain, []) if kind == "boolean" else _scaled(plain, numbers, others, scaling)
    if len(others) and is_constant(others, rounded):
        notes.append(_constant_in_synthetic(name))
    return code, notes


def _scaled(
    plain: ColumnCode, numbers: Points, others: Points, scaling: Scaling
) -> tuple[ColumnCode, list[str]]:
    """Give a number or date its origin and its unit."""
    if scaling == "rank":
        return _fit_ranks(plain, numbers, others)
    if scaling == "robust":
        low, median, high = (float(q) for q in np.percentile(numbers, [25, 50, 75]))
        if high > low:
            scale = (high - low) / _QUARTILES_APART
            return replace(plain, center=median, scale=scale, scaling="robust"), []
    with np.errstate(over="ignore"):
        center, scale = float(np.mean(numbers)), float(np.std(numbers))
    if not np.isfinite(scale):
        raise DataError(
            f"its values are too large for a standard deviation, up to {np.abs(numbers).max():.3g}",
            dataset="real",
            column=plain.column,
            fix="Replace what stands for a missing value by one, or set 'scaling' to 'rank'",
        )
    code = replace(plain, center=center, scale=scale, scaling="standard")
    if scaling == "standard":
        return code, []
    return code, [f"{plain.column}: half of its real values are equal, so its scale is not robust"]


def _fit_ranks(plain: ColumnCode, numbers: Points, others: Points) -> tuple[ColumnCode, list[str]]:
    from sklearn.preprocessing import QuantileTransformer

    n = len(numbers)
    ranks = QuantileTransformer(n_quantiles=min(n, _RANKS), subsample=max(n, _RANKS))
    share = ranks.fit_transform(numbers[:, None])[:, 0]
    clipped = int(np.sum((others < numbers.min()) | (others > numbers.max())))
    code = replace(
        plain,
        center=float(np.mean(share)),
        scale=float(np.std(share)),
        scaling="rank",
        ranks=ranks,
        clipped=clipped,
    )
    beyond = (
        f"{plain.column}: {clipped} synthetic values lie beyond the real extremes and were clipped"
    )
    return code, [beyond] if clipped else []


def _fit_vectors(
    real: pd.Series, synthetic: pd.Series, missing: bool, weight: float
) -> tuple[ColumnCode | None, list[str]]:
    """A block as large as one column: its total variance is 1."""
    name = str(real.name)
    vectors = as_vectors(real)
    others = as_vectors(synthetic)
    if len(others) and others.shape[1] != vectors.shape[1]:
        raise DataError(
            f"its vectors have {others.shape[1]} numbers but {vectors.shape[1]} in the real "
            "dataset",
            dataset="synthetic",
            column=name,
            fix="Embed both sides with one model, or add the column to 'ignore'",
        )
    center = np.mean(vectors, axis=0)
    spread = float(np.sqrt(np.sum(np.var(vectors, axis=0))))
    if spread <= ROUNDING * float(np.abs(vectors).max()):
        return _without_values(name, missing, weight)
    slots = (_MISSING,) if missing else ()
    width = len(center) + len(slots)
    code = ColumnCode(name, "vector", 0, width, weight, center, spread, "standard", slots=slots)
    return code, []


def _fit_levels(
    real: pd.Series, synthetic: pd.Series, missing: bool, weight: float
) -> tuple[ColumnCode | None, list[str]]:
    name, notes = str(real.name), []
    counts = level_names(real).value_counts()
    present = int(counts.sum())
    if _is_text(counts, present):
        raise DataError(
            f"it has {len(counts)} distinct values in {present} rows, an identifier or free text",
            dataset="real",
            column=name,
            fix=reading_hint(real, {"categorical"})
            or "Add it to 'ignore', name it as 'key', or turn text into a vector by 'embed'",
        )
    least = max(RARE_COUNT, RARE_SHARE * present)
    levels = tuple(sorted(str(level) for level, count in counts.items() if count >= least))
    pooled = {str(level) for level in counts.index} - set(levels)
    # A level that the real sample may well have missed by chance is rare, not news: without this
    # an honest generator looks guilty of every level that a small real sample does not contain.
    other = level_names(synthetic).value_counts()
    unseen = {str(level) for level in other.index} - set(levels) - pooled
    rows = int(sum(other[level] for level in unseen))
    # Good and Turing: the share of a distribution that a sample of it lacks is about the share of
    # its values that were seen once; three standard errors are allowed on top.
    singles = int((counts == 1).sum())
    allowed = (singles + 3 * np.sqrt(singles + 1)) / present
    mass = rows / max(1, int(other.sum()))
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
        notes.append(
            f"{name}: {rows} synthetic rows have levels unseen in real: {some_names(unseen)}"
            + same_levels(unseen, map(str, counts.index))
        )
    if not levels and slots == [_RARE]:
        return None, [*notes, f"dropped, every level is rare in real (text? embed it): {name}"]
    if len(levels) + len(slots) < 2:
        return None, [*notes, f"dropped, constant in real: {name}"]
    if len(other) == 1:
        notes.append(_constant_in_synthetic(name))
    if len(levels) == 2 and not slots:
        # Two levels need one coordinate, not two: the same distance at half the width.
        return ColumnCode(name, "categorical", 0, 1, weight, levels=levels), notes
    code = ColumnCode(
        name,
        "categorical",
        0,
        len(levels) + len(slots),
        weight,
        levels=levels,
        pooled=frozenset(pooled),
        slots=tuple(slots),
        unseen=rows,
    )
    return code, notes


def _is_text(counts: "pd.Series[int]", present: int) -> bool:
    """Whether levels are mostly distinct, and too many or too wordy for names of a category."""
    if len(counts) <= TEXT_SHARE * present:
        return False
    words = float(np.mean([len(str(level).split()) for level in counts.index]))
    return len(counts) > TEXT_LEVELS or words >= TEXT_WORDS


def _constant_in_synthetic(name: str) -> str:
    return f"{name} is constant in synthetic but not in real"


def _without_values(name: str, missing: bool, weight: float) -> tuple[ColumnCode | None, list[str]]:
    """A constant column says nothing, but where it is missing may."""
    if missing:
        note = f"{name} is constant in real: only where it is missing counts"
        return ColumnCode(name, "presence", 0, 1, weight), [note]
    return None, [f"dropped, constant in real: {name}"]


def _known(numbers: Points) -> Points:
    return numbers[~np.isnan(numbers)]


def _rounded(values: pd.Series, origin: float) -> float:
    """What rounding is relative to: the size of floats; integers have none."""
    return 0.0 if pd.api.types.is_integer_dtype(values.dtype) else origin


def _differs(numbers: Points, constant: float, rounded: float = 0.0) -> NDArray[np.bool_]:
    """Whether numbers are another than a constant, both without an origin that was `rounded`."""
    size = max(abs(constant + rounded), 1e-300)
    return np.asarray(np.abs(numbers - constant) > 1e-9 * size)
