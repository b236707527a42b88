"""What stands in braces in a path or a filter, and is filled in for each partition.

``{partition_key}`` is the key, ``{partition_start:%Y/%m/%d}`` and ``{partition_end}`` are the ends
of its window in time. With several dimensions each has its own, such as ``{region}``,
``{day_start:%Y-%m}``.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import dagster as dg

from synthmix_dagster.data.sql import Query, pieces
from synthmix_dagster.errors import ConfigError

#: Stands for the key of the partition.
PARTITION = "{partition_key}"
_PLACEHOLDER = re.compile(r"\{([^{}:]*)(?::([^{}]*))?\}")
#: Names that mean a partition wherever they stand, whatever the partitions are.
_RESERVED = ("partition_key", "partition_start", "partition_end")


def placeholders(partitions_def: dg.PartitionsDefinition[Any] | None) -> list[str]:
    """Names that partitions fill in.

    Examples
    --------
    >>> placeholders(dg.StaticPartitionsDefinition(["a"])), placeholders(None)
    (['partition_key'], [])
    >>> placeholders(dg.DailyPartitionsDefinition("2026-01-01"))
    ['partition_key', 'partition_start', 'partition_end']
    """
    if partitions_def is None:
        return []
    dimensions = dict(_dimensions(partitions_def))
    windows = [name for name, each in dimensions.items() if _is_window(each)]
    names = ["partition_key", *dimensions]
    names += [f"{name}_{end}" for name in windows for end in ("start", "end")]
    if _is_window(partitions_def) or len(windows) == 1:
        names += ["partition_start", "partition_end"]
    return names


def require_filled(
    name: str,
    path: str | None,
    filters: Any,
    partitions_def: dg.PartitionsDefinition[Any] | None,
    query: str | None = None,
) -> None:
    """Refuse a placeholder that no partition would fill in.

    Parameters
    ----------
    name : str
        The option that holds the dataset.
    path, filters, query
        Of the dataset.
    partitions_def : PartitionsDefinition, optional

    Raises
    ------
    ConfigError
        A name in braces is unknown, has no such format, or there are no partitions.
    """
    known = placeholders(partitions_def)
    used = [("path", *found.groups()) for found in _PLACEHOLDER.finditer(path or "")]
    used += [("filters", *each) for each in _used_in(filters) if each[0] in (*_RESERVED, *known)]
    used += [("query", *found.groups()) for found in _parameters(name, query or "", known)]
    for option, placeholder, form in used:
        if placeholder not in known:
            valid = ", ".join(f"{{{each}}}" for each in known)
            raise ConfigError(
                f"unknown placeholder '{{{placeholder}}}' in '{option}'",
                option=name,
                fix=f"Valid placeholders: {valid}"
                if known
                else "Set 'partitions_def', or write the value instead",
            )
        if form is not None:
            _require_format(name, placeholder, form)


def values_of(
    partition: str, partitions_def: dg.PartitionsDefinition[Any] | None
) -> dict[str, str | datetime]:
    """What a partition fills in, by the names of `placeholders`."""
    values: dict[str, str | datetime] = {"partition_key": partition}
    if partitions_def is None:
        return values
    windows: list[tuple[str, dg.TimeWindowPartitionsDefinition, str]] = []
    if isinstance(partitions_def, dg.TimeWindowPartitionsDefinition):
        windows.append(("partition", partitions_def, partition))
    elif isinstance(partitions_def, dg.MultiPartitionsDefinition):
        keys = partitions_def.get_partition_key_from_str(partition).keys_by_dimension
        values |= keys
        own = [
            (name, each)
            for name, each in _dimensions(partitions_def)
            if isinstance(each, dg.TimeWindowPartitionsDefinition)
        ]
        windows += [(name, each, keys[name]) for name, each in own]
        windows += [("partition", each, keys[name]) for name, each in own if len(own) == 1]
    for name, definition, key in windows:
        window = definition.time_window_for_partition_key(key)
        values |= {f"{name}_start": window.start, f"{name}_end": window.end}
    return values


def is_named(filters: Any) -> bool:
    """Whether a condition picks the rows of a partition."""
    return any(name in _RESERVED for name, _ in _used_in(filters))


def path_of(path: str | None, values: Mapping[str, str | datetime]) -> str | None:
    """Fill in a path; keys must not lead it elsewhere.

    Raises
    ------
    ConfigError
    """
    if path is None:
        return None

    def fill(found: re.Match[str]) -> str:
        value = values.get(found[1])
        if isinstance(value, str) and (
            not re.fullmatch(r"[^/\\*?\[\]]+", value) or set(value) == {"."}
        ):
            raise ConfigError(
                f"the partition key '{value}' cannot be part of a path",
                option="path",
                fix="Use keys without slashes and wildcards, or select the rows with 'filters'",
            )
        return _text(found, value)

    return _PLACEHOLDER.sub(fill, path)


def filled(value: Any, values: Mapping[str, str | datetime]) -> Any:
    """Fill in the texts of filters."""
    if isinstance(value, str):
        return _PLACEHOLDER.sub(lambda found: _text(found, values.get(found[1])), value)
    if isinstance(value, list | tuple):
        return [filled(part, values) for part in value]
    return value


def bound(query: str, values: Mapping[str, str | datetime]) -> Query:
    """A statement with its placeholders as parameters; what a partition says is never pasted.

    Examples
    --------
    >>> bound("select '{x}' from t where day = {partition_key}", {"partition_key": "2026-01-01"})
    Query(parts=("select '{x}' from t where day = ", ''), values=('2026-01-01',), table='')
    """
    parts, texts = [""], []
    for is_code, text in pieces(query):
        at = 0
        for found in _PLACEHOLDER.finditer(text) if is_code else ():
            if found[1] in values:
                parts[-1] += text[at : found.start()]
                parts.append("")
                texts.append(_text(found, values[found[1]]))
                at = found.end()
        parts[-1] += text[at:]
    return Query(tuple(parts), tuple(texts))


def _parameters(name: str, query: str, known: list[str]) -> Iterator[re.Match[str]]:
    """Placeholders of a statement; one in quotes would be a text, and no parameter."""
    for is_code, text in pieces(query):
        for found in _PLACEHOLDER.finditer(text):
            is_ours = found[1] in (*_RESERVED, *known)
            if is_code and (is_ours or (found[2] is None and found[1].isidentifier())):
                yield found
            elif is_ours and not is_code and not text.startswith(("--", "/*")):
                raise ConfigError(
                    f"'{found[0]}' stands in quotes in 'query'",
                    option=name,
                    fix=f"Write {found[0]} without quotes: it is bound as a parameter",
                )


def _text(found: re.Match[str], value: str | datetime | None) -> str:
    if isinstance(value, datetime):
        return value.strftime(found[2]) if found[2] else value.replace(tzinfo=None).isoformat()
    return found[0] if value is None else value


def _require_format(name: str, placeholder: str, form: str) -> None:
    if not placeholder.endswith(("_start", "_end")):
        raise ConfigError(
            f"'{{{placeholder}:{form}}}' has a format, but is not a time",
            option=name,
            fix=f"Write '{{{placeholder}}}'",
        )
    if "%" not in form or datetime(2026, 1, 2, 3, 4).strftime(form) == form:
        raise ConfigError(
            f"'{form}' is not a format of times",
            option=name,
            fix="Write it as in strftime, such as '{partition_start:%Y/%m/%d}'",
        )


def _used_in(value: Any) -> Iterator[tuple[str, str | None]]:
    if isinstance(value, str):
        yield from ((found[1], found[2]) for found in _PLACEHOLDER.finditer(value))
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _used_in(part)


def _dimensions(
    partitions_def: dg.PartitionsDefinition[Any],
) -> list[tuple[str, dg.PartitionsDefinition[Any]]]:
    if not isinstance(partitions_def, dg.MultiPartitionsDefinition):
        return []
    return [(each.name, each.partitions_def) for each in partitions_def.partitions_defs]


def _is_window(partitions_def: dg.PartitionsDefinition[Any]) -> bool:
    return isinstance(partitions_def, dg.TimeWindowPartitionsDefinition)
