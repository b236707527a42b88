"""Columns that number rows and are not data: an index that pandas stored, or one written to CSV."""

import json
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pyarrow as pa

#: What pandas calls a column that had no name in its file.
_UNNAMED = ("", "Unnamed: 0")


def stored_index(schema: pa.Schema, key: Sequence[str] = ()) -> list[str]:
    """Columns that pandas stored as the index of its rows, but for those that are the key.

    Examples
    --------
    >>> import pandas as pd
    >>> stored = pa.Schema.from_pandas(pd.DataFrame({"x": [1, 2]}, index=[3, 7]))
    >>> stored_index(stored)
    ['__index_level_0__']
    """
    try:
        said = json.loads((schema.metadata or {}).get(b"pandas", b"{}"))
        columns = said.get("index_columns", [])
    except (ValueError, AttributeError):
        return []
    there = set(schema.names) - set(key)
    return [name for name in columns if isinstance(name, str) and name in there]


def running_number(
    schema: pa.Schema, read: Callable[[pa.Schema], Iterator[tuple[int, pa.Table]]]
) -> str | None:
    """Name of a first column without a name that counts its rows, if it is not the only one."""
    first = schema.names[0] if len(schema.names) > 1 else None
    if first not in _UNNAMED or not pa.types.is_integer(schema.field(0).type):
        return None
    begin = None
    for start, table in read(pa.schema([schema.field(0)])):
        column = table.column(0)
        if column.null_count:
            return None
        values = column.to_numpy()
        if begin is None and len(values):
            begin = int(values[0]) - start
        if not np.array_equal(values, np.arange(len(values)) + start + (begin or 0)):
            return None
    return first


def note(name: str) -> str:
    """What a reader should know of a column that was left out."""
    shown = (
        f"the index '{name}' that pandas stored"
        if name not in _UNNAMED
        else ("the unnamed first column, a running number,")
    )
    return f"{shown} is not data and was left out"
