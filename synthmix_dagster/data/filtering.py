"""Which rows of a table meet the filters of a view."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from synthmix_dagster.data.view import View
from synthmix_dagster.errors import ConfigError
from synthmix_dagster.redaction import cause_of

_COMPARISONS: Mapping[str, Callable[[pa.ChunkedArray, Any], pa.ChunkedArray]] = {
    "==": pc.equal,
    "!=": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}


def filter_mask(view: View, table: pa.Table) -> pa.ChunkedArray:
    """Which rows meet the filters; a missing value meets none except ``is null``.

    Parameters
    ----------
    view : View
        With at least one condition.
    table : Table

    Raises
    ------
    ConfigError
        A value cannot be compared with its column.
    """
    groups = []
    for group in view.filters:
        met = [_met(table.column(column), *rest) for column, *rest in group]
        groups.append(_reduced(pc.and_, met))
    return pc.fill_null(_reduced(pc.or_, groups), False)


def _met(values: pa.ChunkedArray, operator: str, value: Any) -> pa.ChunkedArray:
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if operator in ("is null", "is not null"):
        return pc.is_null(values) if operator == "is null" else pc.is_valid(values)
    try:
        if operator in _COMPARISONS:
            return pc.fill_null(_COMPARISONS[operator](values, _scalar(value, values.type)), False)
        among = pc.is_in(values, value_set=pa.array(list(value)).cast(values.type))
        wanted = among if operator == "in" else pc.invert(among)
        return pc.and_(wanted, pc.is_valid(values))
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise ConfigError(
            f"values of type {values.type} cannot be compared with {value!r} ({error})",
            option="filters",
            fix="Write a value of the column's type",
        ) from cause_of(error)


def _scalar(value: Any, kind: pa.DataType) -> pa.Scalar:
    """The value in the column's own type where it is text, such as a date out of YAML."""
    scalar = pa.scalar(value)
    return scalar.cast(kind) if pa.types.is_string(scalar.type) else scalar


def _reduced(join: Callable[[Any, Any], Any], masks: Sequence[Any]) -> Any:
    joined = masks[0]
    for mask in masks[1:]:
        joined = join(joined, mask)
    return joined
