"""How the code of a column is learnt from the real rows, and applied to both sides.

Scales and levels come from the real rows alone. The synthetic rows only decide whether a slot for
missing values or for unseen levels has to exist at all, so that neither can hide.

scikit-learn's QuantileTransformer makes the ranks. Its scalers and one-hot encoder are not used:
they know no dates, no column that is constant in real only, and no slot that exists for the sake of
the other side.
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from synthmix_dagster.encoding.codes import (
    MISSING,
    RARE,
    UNSEEN,
    ColumnCode,
    Points,
    differs,
    rounding_of,
)
from synthmix_dagster.encoding.columns import (
    ROUNDING,
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
from synthmix_dagster.encoding.embed import embedded, fit_embedding
from synthmix_dagster.encoding.options import Scaling
from synthmix_dagster.errors import DataError

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
    slots = (MISSING,) if missing else ()
    origin = origin_of(real) if kind in ("numeric", "datetime") else 0.0
    numbers, others = (_known(as_numbers(side, origin)) for side in (real, synthetic))
    rounded = rounding_of(real, origin)
    plain = ColumnCode(name, kind, 0, 1 + len(slots), weight, origin=origin, slots=slots)
    if is_constant(numbers, rounded):
        center = float(np.mean(numbers))
        if not np.any(differs(others, center, rounded)):
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
    slots = (MISSING,) if missing else ()
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
    slots = [slot for slot, used in ((RARE, pooled), (UNSEEN, unseen)) if used]
    if missing:
        slots.append(MISSING)
    if unseen:
        notes.append(
            f"{name}: {rows} synthetic rows have levels unseen in real: {some_names(unseen)}"
            + same_levels(unseen, map(str, counts.index))
        )
    if not levels and slots == [RARE]:
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
