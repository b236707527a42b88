"""Types that everything behind the readers knows: extension types become what they stand for.

Database drivers hand numbers over as an extension over strings (``arrow.opaque``), and uuids and
JSON as types of their own. A release holds plain Arrow types.
"""

import re
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pyarrow as pa

_NUMERIC = re.compile(r"(?:numeric|decimal|number)\s*(?:\((\d+)\s*,\s*(-?\d+)\))?", re.IGNORECASE)
_NAME = b"ARROW:extension:name"
_PARAMETERS = b"ARROW:extension:metadata"


def plain_schema(schema: pa.Schema, timezone: str | None = None) -> pa.Schema:
    """The columns in plain types; timestamps without a zone are in the stated one.

    Examples
    --------
    >>> naive = pa.schema([("at", pa.timestamp("us"))])
    >>> plain_schema(naive, "Europe/Berlin").field("at").type
    TimestampType(timestamp[us, tz=Europe/Berlin])
    """
    fields = []
    for each in schema:
        kind, note = _plain(each, timezone)
        metadata = {k: v for k, v in (each.metadata or {}).items() if not k.startswith(b"ARROW:")}
        changed = kind != each.type or note
        fields.append(pa.field(each.name, kind, metadata=metadata or None) if changed else each)
    return pa.schema(fields, schema.metadata)


def plain_table(table: pa.Table, raw: pa.Schema, plain: pa.Schema) -> pa.Table:
    """Some of the columns, as `plain_schema` has them."""
    columns = []
    for name in table.column_names:
        column, kind = table.column(name), plain.field(name).type
        columns.append(column if column.type == kind else _converted(column, raw.field(name), kind))
    return pa.table(columns, names=table.column_names)


def notes_on_types(schema: pa.Schema, timezone: str | None = None) -> list[str]:
    """What a reader should know of columns whose type was changed."""
    return [f"'{each.name}' {note}" for each in schema if (note := _plain(each, timezone)[1])]


def _plain(each: pa.Field, timezone: str | None) -> tuple[pa.DataType, str]:
    name, parameters, storage = _extension(each)
    if name == "arrow.opaque":
        # The name of the type stands in its parameters, which pyarrow prints as well.
        numeric = _NUMERIC.search(parameters)
        if numeric is None:
            return pa.string(), "has a type of its database and is read as text"
        if numeric.group(1) is not None:
            return pa.decimal128(int(numeric.group(1)), int(numeric.group(2))), ""
        return pa.float64(), ""
    if name == "arrow.uuid":
        return pa.string(), "holds uuids and is read as text"
    if name == "arrow.json":
        return pa.string(), "holds JSON and is read as text"
    if name == "arrow.bool8":
        return pa.bool_(), ""
    if name:
        return storage, f"has the type {name} and is read as {storage}"
    if timezone is not None and pa.types.is_timestamp(each.type) and each.type.tz is None:
        return pa.timestamp(each.type.unit, timezone), ""
    return each.type, ""


def _extension(each: pa.Field) -> tuple[str, str, pa.DataType]:
    """Name, parameters and storage of an extension type; pyarrow does not know all of them."""
    metadata = each.metadata or {}
    if isinstance(each.type, pa.BaseExtensionType):
        serialised = getattr(each.type, "__arrow_ext_serialize__", lambda: b"")()
        parameters = f"{each.type} {serialised.decode(errors='replace')}"
        return str(each.type.extension_name), parameters, each.type.storage_type
    parameters = metadata.get(_PARAMETERS, b"").decode(errors="replace")
    return metadata.get(_NAME, b"").decode(), parameters, each.type


def _converted(column: pa.ChunkedArray, each: pa.Field, kind: pa.DataType) -> pa.ChunkedArray:
    name, _, storage = _extension(each)
    if not name:
        return _in_zone(column, kind)
    if isinstance(column.type, pa.BaseExtensionType):
        column = pa.chunked_array([chunk.storage for chunk in column.chunks], type=storage)
    if name == "arrow.uuid" and not pa.types.is_string(storage):
        return _mapped(column, lambda value: str(UUID(bytes=value)))
    return column.cast(kind)


def _in_zone(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """Local times of a zone; at a change of clocks the earlier ones."""
    import pyarrow.compute as pc

    return pc.assume_timezone(column, kind.tz, ambiguous="earliest", nonexistent="earliest")


def _mapped(column: pa.ChunkedArray, change: Callable[[Any], str]) -> pa.ChunkedArray:
    values = [None if value is None else change(value) for value in column.to_pylist()]
    return pa.chunked_array([pa.array(values, pa.string())], type=pa.string())
