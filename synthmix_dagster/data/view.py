"""Which part of a dataset is meant: filters, then columns, then new names, in that order.

Filters and columns speak of the names that the data have where they lie. Filters are data, never
code: a comparison is a triple such as ``["year", ">=", 2024]``. Settings are read
with this module, so it needs no engine; which rows meet the filters is in `filtering`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from synthmix_dagster.errors import ConfigError, UnknownChoiceError, did_you_mean

Condition = tuple[str, str, Any]

COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
OPERATORS = (*COMPARISONS, "in", "not in", "is null", "is not null")


@dataclass(frozen=True)
class View:
    """What to hand out of a dataset.

    Attributes
    ----------
    columns : tuple of str, optional
        Columns to keep, all by default.
    rename : mapping of str to str
        New names of columns.
    filters : tuple of tuples of conditions
        Rows that meet all conditions of any of the groups; all rows without any.
    """

    columns: tuple[str, ...] | None = None
    rename: Mapping[str, str] = field(default_factory=dict)
    filters: tuple[tuple[Condition, ...], ...] = ()

    @classmethod
    def of(
        cls,
        columns: Sequence[str] | None = None,
        rename: Mapping[str, str] | None = None,
        filters: Sequence[Any] | None = None,
    ) -> "View":
        """Read what a user wrote: conditions are one group, a list of lists is several.

        Examples
        --------
        >>> View.of(filters=[("x", ">", 1), ("y", "is not null")]).filters
        ((('x', '>', 1), ('y', 'is not null', None)),)
        """
        if isinstance(columns, str):
            columns = [columns]
        groups = list(filters or ())
        if groups and _is_condition(groups[0]):
            groups = [groups]
        return cls(
            None if columns is None else tuple(columns),
            dict(rename or {}),
            tuple(tuple(_condition(condition) for condition in group) for group in groups),
        )

    def __bool__(self) -> bool:
        return bool(self.columns is not None or self.rename or self.filters)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a manifest or a fingerprint."""
        conditions = [[[c, o, _plain(v)] for c, o, v in group] for group in self.filters]
        columns = None if self.columns is None else list(self.columns)
        return {"columns": columns, "rename": dict(self.rename), "filters": conditions}

    def handed_out(self, names: Sequence[str], dataset: str) -> dict[str, str]:
        """Column where it lies by the name it is handed out under, in order."""
        kept = list(names if self.columns is None else self.columns)
        there, selected = set(names), set(kept)
        for option, asked in {
            "columns": kept,
            "rename": list(self.rename),
            "filters": [column for group in self.filters for column, _, _ in group],
        }.items():
            for column in asked:
                if column not in (there if option != "rename" else selected):
                    raise ConfigError(
                        f"dataset '{dataset}' has no column '{column}'",
                        option=option,
                        fix=did_you_mean(column, names),
                    )
        renamed = [self.rename.get(column, column) for column in kept]
        for name, count in Counter(renamed).items():
            if count > 1:
                raise ConfigError(
                    f"two columns of dataset '{dataset}' would have the name '{name}'",
                    option="rename" if self.rename else "columns",
                    fix="Give each column its own name",
                )
        return dict(zip(renamed, kept, strict=True))

    @property
    def filtered_columns(self) -> list[str]:
        """Columns that filters look at."""
        return list(dict.fromkeys(column for group in self.filters for column, _, _ in group))


def _is_condition(found: Any) -> bool:
    return not isinstance(found, str) and len(found) > 0 and isinstance(found[0], str)


def _condition(found: Any) -> Condition:
    if not _is_condition(found) or len(found) not in (2, 3):
        raise ConfigError(
            f"{found!r} is not a valid condition",
            option="filters",
            fix="Write it as [column, operator, value], such as ['year', '>=', 2024]",
        )
    column, operator, *value = found
    operator = {"=": "==", "not null": "is not null"}.get(operator, operator)
    if operator not in OPERATORS:
        raise UnknownChoiceError(operator, option="filters", known=OPERATORS)
    if bool(value) == operator.endswith("null"):
        raise ConfigError(
            f"'{operator}' of '{column}' has {len(value)} values",
            option="filters",
            fix="Give one value to every operator but 'is null' and 'is not null'",
        )
    if operator in ("in", "not in") and (isinstance(value[0], str) or not _iterable(value[0])):
        raise ConfigError(
            f"'{operator}' of '{column}' needs a list, not {value[0]!r}",
            option="filters",
            fix="Write the values as a list",
        )
    return (column, operator, value[0] if value else None)


def _iterable(value: Any) -> bool:
    return isinstance(value, list | tuple | set | frozenset)


def _plain(value: Any) -> Any:
    if _iterable(value):
        return sorted(map(_plain, value), key=repr)
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
