"""Frames of other libraries as Arrow tables."""

from typing import Any, Protocol

import pandas as pd
import pyarrow as pa

from synthmix_dagster.data.stored_files import require_unique
from synthmix_dagster.errors import DataError
from synthmix_dagster.redaction import cause_of


class ArrowStream(Protocol):
    """Any frame that hands its rows over by Arrow's stream protocol: polars, duckdb and others."""

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        """Export the rows as a capsule."""


def to_arrow(source: Any, name: str) -> pa.Table:
    """The rows of a frame as an Arrow table.

    Raises
    ------
    DataError
        It is not a frame, or has columns of several types.
    """
    if isinstance(source, pd.DataFrame):
        require_unique([str(column) for column in source.columns], name)
    try:
        if isinstance(source, pa.Table):
            return source
        if isinstance(source, pd.DataFrame):
            named = any(name is not None for name in source.index.names)
            rows = source.reset_index() if named else source
            return pa.Table.from_pandas(rows, preserve_index=False)
        if hasattr(source, "__arrow_c_stream__"):
            return pa.table(source)
    except (ValueError, TypeError, pa.ArrowException) as error:
        raise DataError(
            f"it cannot be converted to an Arrow table ({error})",
            dataset=name,
            fix="Give every column one type",
        ) from cause_of(error)
    raise DataError(
        f"it is a {type(source).__name__}",
        dataset=name,
        fix="Pass a path, a pandas, polars or duckdb frame, or an Arrow table",
    )
