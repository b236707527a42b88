"""What a column holds: its kind, its values as numbers or as level names, and what is refused."""

import re
from collections.abc import Collection, Iterable
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synthmix_dagster.encoding.options import MIN_ROWS, Columns
from synthmix_dagster.errors import ConfigError, DataError, did_you_mean, look_alikes

Kind = Literal[
    "numeric", "boolean", "datetime", "categorical", "vector", "constant", "presence", "empty"
]

#: Pairs of levels that a message shows, and texts that may mean a missing value.
_MAX_ALIKE, _MAX_MARKS = 3, 3
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_COMMA = re.compile(r"[+-]?\d*,\d+")


def require_known(names: Collection[str], columns: Collection[str], option: str) -> None:
    """Refuse an option that names a column which no dataset has."""
    for name in names:
        if name not in columns:
            raise ConfigError(
                f"column '{name}' is in neither dataset",
                option=option,
                fix=did_you_mean(name, set(columns)),
            )


def require_named(columns: Columns, names: Collection[str]) -> None:
    """Refuse options that name a column which no dataset has."""
    for option in ("categorical", "ignore", "key", "weights", "embed"):
        require_known(getattr(columns, option), names, option)
    if columns.groups is not None:
        require_known([columns.groups], names, "groups")


def shared_columns(
    real: Collection[str], synthetic: Collection[str], ignore: Collection[str]
) -> list[str]:
    """Columns of both datasets, in the order of the real ones; at least one has to be left.

    Examples
    --------
    >>> shared_columns(["id", "x", "y"], ["y", "x"], ignore=["y"])
    ['x']
    """
    wanted = [name for name in real if name not in set(ignore)]
    shared = [name for name in wanted if name in set(synthetic)]
    if not wanted:
        raise DataError(
            "it has no column in common with the synthetic one beside "
            + some_names(set(ignore) & set(real)),
            dataset="real",
            fix="Provide another column, or take one out of 'ignore'",
        )
    if not shared:
        raise DataError(
            f"it has no column in common with the real dataset ({some_names(wanted)})",
            dataset="synthetic",
            fix="Give the generator's columns the names of the real ones",
        )
    return shared


def column_kind(values: pd.Series, dataset: str, *, categorical: bool) -> Kind:
    """Say what a column holds, or refuse what cannot be compared."""
    if values.isna().all():
        return "empty"
    dtype = values.dtype
    if categorical:
        require_levels(values, dataset)
        return "categorical"
    if pd.api.types.is_bool_dtype(dtype):
        return "boolean"
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return "datetime"
    if isinstance(dtype, pd.CategoricalDtype | pd.StringDtype):
        return "categorical"
    if pd.api.types.is_timedelta64_dtype(dtype) or pd.api.types.is_numeric_dtype(dtype):
        return "numeric"
    sample = values.dropna()
    kinds = {type(v) for v in sample}
    if kinds <= {bool, np.bool_}:
        return "boolean"
    if all(issubclass(kind, str) for kind in kinds):  # numpy has a type of its own
        return "categorical"
    if kinds <= {list, tuple, np.ndarray}:
        _require_vectors(sample, dataset)
        return "vector"
    raise DataError(
        f"it holds values of type {', '.join(sorted(k.__name__ for k in kinds))}",
        dataset=dataset,
        column=str(values.name),
        fix="Use numbers, booleans, dates, strings or vectors, or add the column to 'ignore'",
    )


def require_levels(
    values: pd.Series, dataset: str, fix: str = "Take it out of 'categorical'"
) -> None:
    """Refuse values such as lists, which cannot be told apart as levels."""
    if values.dtype != object:
        return
    compound = {type(v) for v in values.dropna()} & {list, tuple, dict, set, np.ndarray}
    if compound:
        raise DataError(
            f"it holds values of type {', '.join(sorted(k.__name__ for k in compound))}, which "
            "cannot be levels of a category",
            dataset=dataset,
            column=str(values.name),
            fix=f"{fix}, or add it to 'ignore'",
        )


def _require_vectors(sample: pd.Series, dataset: str) -> None:
    lengths = {len(vector) for vector in sample}
    problem = ""
    if len(lengths) > 1 or lengths == {0}:
        problem = f"its vectors have {min(lengths)} to {max(lengths)} numbers"
    else:
        try:
            finite = bool(np.isfinite(as_vectors(sample)).all())
        except (TypeError, ValueError):
            problem = "its lists hold other values than numbers"
        else:
            problem = "" if finite else "its vectors hold values that are missing or infinite"
    if problem:
        raise DataError(
            problem,
            dataset=dataset,
            column=str(sample.name),
            fix="Give every row a vector of as many numbers, or add the column to 'ignore'",
        )


def level_names(values: pd.Series) -> "pd.Series[Any]":
    """Levels as text, the same for ``1`` and ``1.0``, missing values kept missing."""
    codes, distinct = pd.factorize(values)
    names = np.array([*(_level_name(level) for level in distinct.astype(object)), None])
    # What is missing has the code -1, which takes the last name.
    return pd.Series(names[codes], index=values.index, name=values.name, dtype=object)


def _level_name(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    try:
        return str(value)
    except NotImplementedError:  # a time before the year 1 or after 9999
        return f"{value.to_datetime64()}{'' if value.tz is None else 'Z'}"


#: Relative rounding of a number that was computed in a few steps.
ROUNDING = 16 * float(np.finfo(np.float64).eps)
#: Numbers whose range is smaller than this part of their size are counted from one of them.
_FAR = 1e-6


def as_numbers(values: pd.Series, origin: float = 0.0) -> NDArray[np.float64]:
    """Numbers, booleans and moments as floats, missing values as NaN.

    Parameters
    ----------
    values : Series
    origin : float
        Subtracted before anything is rounded: integers above 2^53 stay apart.

    Examples
    --------
    >>> as_numbers(pd.Series([2**62, 2**62 + 1]), origin=float(2**62)).tolist()
    [0.0, 1.0]
    """
    if origin and pd.api.types.is_integer_dtype(values.dtype):
        return _from_integers(values, origin)
    return _as_floats(values) - origin


def _from_integers(values: pd.Series, origin: float) -> NDArray[np.float64]:
    kind = np.uint64 if pd.api.types.is_unsigned_integer_dtype(values.dtype) else np.int64
    known = values.notna().to_numpy()
    integers = values[known].to_numpy(dtype=kind)
    # Modulo 2^64 the difference is right wherever it fits into 63 bits.
    start = np.asarray(int(origin) % 2**64, dtype=np.uint64)
    near = (integers.view(np.uint64) - start).view(np.int64).astype(np.float64)
    far = integers.astype(np.float64) - origin
    numbers = np.full(len(values), np.nan)
    numbers[known] = np.where(np.abs(far) < 2.0**62, near, far)
    return numbers


def origin_of(values: pd.Series) -> float:
    """Where to count numbers from: 0, or one of them if all lie far out and close together."""
    numbers = _as_floats(values)
    lowest, highest = float(np.nanmin(numbers)), float(np.nanmax(numbers))
    if not np.isfinite(lowest + highest):
        return 0.0
    return lowest if highest - lowest <= _FAR * max(abs(lowest), abs(highest)) else 0.0


def _as_floats(values: pd.Series) -> NDArray[np.float64]:
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        if isinstance(values.dtype, pd.DatetimeTZDtype):
            values = values.dt.tz_convert(None)
        return _seconds(values.to_numpy())
    if pd.api.types.is_timedelta64_dtype(values.dtype):
        return _seconds(values.to_numpy())
    numbers = pd.to_numeric(values, errors="coerce")
    return np.asarray(numbers.to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64)


def as_vectors(values: pd.Series) -> NDArray[np.float64]:
    """Vectors that are there, as rows of a matrix."""
    known = values.dropna()
    return np.array(known.tolist(), dtype=np.float64).reshape(len(known), -1)


#: Units of times in a second.
_IN_A_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000}


def _seconds(times: NDArray[Any]) -> NDArray[np.float64]:
    """Times as seconds, nanoseconds cut off; in their own unit, as another may not hold them."""
    unit, counts = np.datetime_data(times.dtype)[0], times.astype(np.int64)
    seconds = counts // 1000 / 1e6 if unit == "ns" else counts / _IN_A_SECOND[unit]
    return np.where(np.isnat(times), np.nan, seconds)


def is_constant(numbers: NDArray[np.float64], origin: float = 0.0) -> bool:
    """Whether numbers differ by no more than their own rounding.

    Parameters
    ----------
    numbers : ndarray
    origin : float
        What was subtracted from them after they had been rounded; 0 for integers.
    """
    largest = float(np.nanmax(np.abs(numbers + origin)))
    with np.errstate(over="ignore"):
        return bool(np.nanmax(numbers) - np.nanmin(numbers) <= ROUNDING * largest)


def require_finite(values: pd.Series, dataset: str) -> None:
    """Refuse infinite values."""
    infinite = int(np.sum(np.isinf(as_numbers(values))))
    if infinite:
        raise DataError(
            f"{infinite} of its {len(values)} values {'is' if infinite == 1 else 'are'} infinite",
            dataset=dataset,
            column=str(values.name),
            fix="Replace them by missing values or drop those rows",
        )


def some_names(names: Collection[Any], max_names: int = 5) -> str:
    """List a few names, and say how many more there are."""
    ordered = sorted(str(name) for name in names)
    more = f" and {len(ordered) - max_names} more" if len(ordered) > max_names else ""
    return ", ".join(ordered[:max_names]) + more


def same_levels(unseen: Iterable[str], known: Iterable[str]) -> str:
    """Guess which levels are meant to be known ones; empty if none looks like one.

    Examples
    --------
    >>> same_levels(["a ", "x"], ["a", "b"])
    " ('a ' looks like 'a')"
    """
    alike = sorted(look_alikes(sorted(unseen), known).items())
    shown = [f"{new!r} looks like {level!r}" for new, level in alike[:_MAX_ALIKE]]
    return f" ({', '.join(shown)})" if shown else ""


def number_hint(levels: Iterable[Any]) -> str:
    """How to read levels that look like numbers as numbers; empty if they do not.

    Examples
    --------
    >>> number_hint(["0,5", "-1,25"])
    "its values look like numbers with a decimal comma: set csv: {decimal: ','}"
    >>> number_hint(["1", "2.5", "n/a"])
    "its values are numbers except 'n/a': set csv: {null_values: ['', 'n/a']}"
    """
    texts = [str(level) for level in levels]
    others = [text for text in texts if not _NUMBER.fullmatch(text.strip())]
    if others and all(_COMMA.fullmatch(text.strip()) for text in others):
        return "its values look like numbers with a decimal comma: set csv: {decimal: ','}"
    if 0 < len(others) <= _MAX_MARKS and len(texts) > 2 * len(others):
        marks = ["", *sorted(others)]
        return (
            f"its values are numbers except {', '.join(map(repr, marks[1:]))}: set csv: "
            f"{{null_values: {marks}}}"
        )
    return ""


def reading_hint(texts: "pd.Series[Any]", kinds: Collection[str]) -> str:
    """What to do about numbers that were read as text."""
    if "categorical" not in kinds or pd.api.types.is_numeric_dtype(texts.dtype):
        return ""
    hint = number_hint(texts.dropna().unique())
    return f"{hint[0].upper()}{hint[1:]}" if hint else ""


def require_rows(rows: int, dataset: str) -> None:
    """Refuse a dataset too small to judge."""
    if rows < MIN_ROWS:
        raise DataError(
            f"it has {rows} row{'' if rows == 1 else 's'}",
            dataset=dataset,
            fix=f"Provide at least {MIN_ROWS} rows",
        )
