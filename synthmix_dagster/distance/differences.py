"""What differs: the plain statistics of a column on both sides, for a person to read."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from synthmix_dagster.encoding.codes import ColumnCode
from synthmix_dagster.encoding.columns import as_numbers, level_names

Value = float | str | None
Row = tuple[str, Value, Value]

#: Levels listed for a categorical column.
TOP_LEVELS = 5


@dataclass(frozen=True)
class Difference:
    """One statistic of one column on both sides.

    Attributes
    ----------
    column : str
    statistic : str
        ``mean``, ``spread`` (standard deviation), ``lowest``, ``highest``, ``missing`` (share),
        ``true`` (share), ``share of <level>``.
    real, synthetic : float, str or None
        Dates as text, spreads of dates in days; None where a side has no values.
    """

    column: str
    statistic: str
    real: Value
    synthetic: Value


def differences(code: ColumnCode, real: pd.Series, synthetic: pd.Series) -> list[Difference]:
    """Compare one column.

    Parameters
    ----------
    code : ColumnCode
        How the column was read.
    real, synthetic : Series

    Examples
    --------
    >>> from synthmix_dagster.encoding.fit_codes import fit_code
    >>> real, synthetic = pd.Series([1.0, 2.0, 3.0] * 9), pd.Series([2.0, 3.0, None] * 9)
    >>> code, _ = fit_code(real.rename("x"), synthetic.rename("x"))
    >>> [(d.statistic, d.real, d.synthetic) for d in differences(code, real, synthetic)][0]
    ('mean', 2.0, 2.5)
    """
    rows: list[Row]
    if code.kind == "categorical":
        rows = _shares(real, synthetic)
    else:
        ours, theirs = (_summary(code, side) for side in (real, synthetic))
        rows = [(statistic, ours[statistic], theirs[statistic]) for statistic in ours]
    if real.isna().any() or synthetic.isna().any():
        rows.append(("missing", float(real.isna().mean()), float(synthetic.isna().mean())))
    return [Difference(code.column, *row) for row in rows]


def _summary(code: ColumnCode, values: pd.Series) -> dict[str, Value]:
    kind = code.kind
    if kind == "presence":
        return {}
    if kind == "vector":
        # One mean a coordinate would not be read by anybody: the length of the mean is.
        vectors = code.vectors(values)
        if not len(vectors):
            return {"length of the mean": None, "spread": None}
        return {
            "length of the mean": float(np.linalg.norm(np.mean(vectors, axis=0))),
            "spread": float(np.sqrt(np.sum(np.var(vectors, axis=0)))),
        }
    numbers = as_numbers(values)
    numbers = numbers[~np.isnan(numbers)]
    if kind == "boolean":
        return {"true": float(np.mean(numbers)) if len(numbers) else None}
    if not len(numbers):
        return dict.fromkeys(("mean", "spread", "lowest", "highest"))
    lowest, highest = float(np.min(numbers)), float(np.max(numbers))
    # Ranks take numbers whose squares overflow.
    unit = max(abs(lowest), abs(highest)) or 1.0
    mean, spread = (float(of(numbers / unit)) * unit for of in (np.mean, np.std))
    if kind == "datetime":
        first, middle, last = (
            str(np.datetime64(round(moment), "s")).replace("T", " ")
            for moment in (lowest, mean, highest)
        )
        return {"mean": middle, "spread": spread / 86_400, "lowest": first, "highest": last}
    return {"mean": mean, "spread": spread, "lowest": lowest, "highest": highest}


def _shares(real: pd.Series, synthetic: pd.Series) -> list[Row]:
    """Shares of the levels that differ most."""
    ours, theirs = (
        level_names(side).value_counts(normalize=True, dropna=False).to_dict()
        for side in (real, synthetic)
    )
    shares = {
        str(level): (float(ours.get(level, 0.0)), float(theirs.get(level, 0.0)))
        for level in {**ours, **theirs}
        if level is not None
    }
    by_size = sorted(shares, key=lambda level: (-abs(shares[level][0] - shares[level][1]), level))
    return [(f"share of {level}", *shares[level]) for level in by_size[:TOP_LEVELS]]
