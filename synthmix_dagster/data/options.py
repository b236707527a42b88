"""How files are read: options of a dataset, each declared once for Python, YAML and command line.

Everything here is plain Python, so that settings can be read without loading an engine.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any, Literal, TypeAlias, get_args

from synthmix_dagster.errors import ConfigError, did_you_mean

#: Formats of files, and of tables, that a user can state.
FormatName: TypeAlias = Literal["parquet", "arrow", "csv", "json", "orc", "delta", "iceberg"]
#: Those that are tables of several files and have versions.
TABLES = ("delta", "iceberg")

#: What a CSV file has in the place of a missing value, unless it is said.
NULLS = ("", "NaN", "nan", "NULL", "null")


@dataclass(frozen=True)
class CsvOptions:
    """The dialect of CSV files.

    Attributes
    ----------
    delimiter : str, optional
        What separates columns, such as ``;`` or a tab; a comma by default.
    decimal : str
        Decimal point.
    encoding : str
        Encoding of the text, such as ``latin-1``.
    quote : str, optional
        What encloses text that holds a delimiter; none at all with an empty text.
    header : bool
        Whether the first line has the names of the columns.
    names : sequence of str
        Names of the columns, if there is no header or in its place.
    skip_rows : int
        Lines to skip before the header.
    null_values : sequence of str
        What stands for a missing value.
    types : mapping of str to str
        Arrow types of columns, such as ``{zip: string}``; the others are inferred.
    time_formats : sequence of str
        How times are written beside ISO 8601, such as ``%d.%m.%Y %H:%M``; tried in this order.
    """

    delimiter: str | None = None
    decimal: str = "."
    encoding: str = "utf-8"
    quote: str = '"'
    header: bool = True
    names: tuple[str, ...] = ()
    skip_rows: int = 0
    null_values: tuple[str, ...] = NULLS
    types: Mapping[str, str] = field(default_factory=dict)
    time_formats: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("names", "null_values", "time_formats"):
            value = getattr(self, name)
            listed = (value,) if isinstance(value, str) else tuple(map(str, value))
            object.__setattr__(self, name, listed)
        object.__setattr__(self, "types", dict(self.types))
        for name in ("delimiter", "decimal"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, str) or len(value) != 1):
                _refuse(name, f"it is {value!r}", "Set it to a single character")
        if not isinstance(self.quote, str) or len(self.quote) > 1:
            _refuse("quote", f"it is {self.quote!r}", "Set it to a single character, or to ''")
        if self.decimal == (self.delimiter or ","):
            _refuse(
                "delimiter",
                f"'{self.decimal}' is the decimal point as well",
                "Set 'delimiter' to what separates the columns, such as ';'",
            )
        try:
            "".encode(self.encoding)  # some codecs are not of texts
        except (LookupError, TypeError, ValueError):
            _refuse("encoding", f"unknown encoding {self.encoding!r}", "Use one such as latin-1")
        for each in self.time_formats:
            _require_time_format(each)
        if not isinstance(self.skip_rows, int) or self.skip_rows < 0:
            _refuse("skip_rows", f"it is {self.skip_rows!r}", "Set it to 0 or more")

    @classmethod
    def of(cls, values: "CsvOptions | Mapping[str, Any] | None") -> "CsvOptions":
        """Read what a user wrote.

        Raises
        ------
        ConfigError
            An option is unknown or wrong.

        Examples
        --------
        >>> CsvOptions.of({"delimiter": ";", "decimal": ","}).delimiter
        ';'
        """
        if isinstance(values, CsvOptions):
            return values
        known = [each.name for each in fields(cls)]
        for name in values or {}:
            if name not in known:
                _refuse(name, f"unknown option '{name}'", did_you_mean(name, known))
        return cls(**(values or {}))


@dataclass(frozen=True)
class ReadOptions:
    """How the rows of a dataset are read.

    Attributes
    ----------
    csv : CsvOptions
        The dialect of CSV files.
    timezone : str, optional
        Time zone of timestamps that have none, such as ``UTC``.
    version : int or str, optional
        Version of a Delta table; snapshot, branch or tag of an Iceberg table; the newest by
        default.
    format : {"parquet", "arrow", "csv", "json", "orc", "delta", "iceberg"}, optional
        Format of the files; by default what their names end in, and what lies in the folder.
    key : sequence of str
        Columns that identify a row. An index that pandas stored is read only if it is one of them.
    """

    csv: CsvOptions = CsvOptions()
    timezone: str | None = None
    version: int | str | None = None
    format: FormatName | None = None
    key: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        csv: CsvOptions | Mapping[str, Any] | None = None,
        timezone: str | None = None,
        version: int | str | None = None,
        format: FormatName | None = None,  # noqa: A002
        key: Sequence[str] = (),
    ) -> "ReadOptions":
        """Read what a user wrote.

        Raises
        ------
        ConfigError
            An option is unknown or wrong.
        """
        if timezone is not None:
            _require_zone(timezone)
        if format is not None and format not in get_args(FormatName):
            raise ConfigError(
                f"unknown format {format!r}",
                option="format",
                fix=did_you_mean(str(format), get_args(FormatName)),
            )
        if version is not None and format is not None and format not in TABLES:
            raise ConfigError(
                f"files of the format {format} have no versions",
                option="version",
                fix="Leave it out, or set 'format' to delta or iceberg",
            )
        return cls(CsvOptions.of(csv), timezone, version, format, tuple(key))

    @property
    def said(self) -> dict[str, Any]:
        """What differs from the defaults and changes rows, as plain values for a fingerprint."""
        dialect = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self.csv).items()
        }
        usual = CsvOptions()
        changed = {
            name: dialect[name]
            for name in dialect
            if getattr(self.csv, name) != getattr(usual, name)
        }
        said = {
            "csv": changed,
            "timezone": self.timezone,
            "version": self.version,
            "format": self.format,
        }
        return {name: value for name, value in said.items() if value not in ({}, None)}


def _require_time_format(text: str) -> None:
    # Directives that Python knows; one that it does not know is left as it is, or refused.
    moment = datetime(2026, 11, 28, 13, 5, 7)
    # Newer Pythons warn of a day without a year before they can be asked.
    whole = any(directive in text for directive in ("%Y", "%y", "%G", "%c", "%x"))
    try:
        if whole:
            whole = datetime.strptime(moment.strftime(text), text).date() == moment.date()
    except ValueError:
        whole = False
    if not whole:
        _refuse(
            "time_formats",
            f"{text!r} does not say day, month and year",
            "Use directives of strptime, such as '%d.%m.%Y' or '%m/%d/%y %H:%M:%S'",
        )


def _require_zone(timezone: str) -> None:
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(timezone)
    except (ValueError, OSError, KeyError, TypeError):
        raise ConfigError(
            f"unknown time zone {timezone!r}",
            option="timezone",
            fix="Use a name such as 'UTC' or 'Europe/Berlin'",
        ) from None


def _refuse(name: str, problem: str, fix: str) -> None:
    raise ConfigError(problem, option=f"csv.{name}", fix=fix)
