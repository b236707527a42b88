"""Where a dataset comes from: files, a query, an existing asset, or a generator."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import dagster as dg
from pydantic import PrivateAttr, field_validator, model_validator

from synthmix_dagster.data.options import CsvOptions, FormatName, ReadOptions
from synthmix_dagster.data.sql import Query, names_of, require_reading
from synthmix_dagster.data.view import View
from synthmix_dagster.errors import ConfigError, DataError
from synthmix_dagster.orchestration.config.base import Settings
from synthmix_dagster.orchestration.config.placeholders import (
    bound,
    filled,
    is_named,
    path_of,
    require_filled,
    values_of,
)
from synthmix_dagster.redaction import cause_of

if TYPE_CHECKING:
    from synthmix_dagster.data.dataset import Dataset
    from synthmix_dagster.spark.session import SparkAccess

#: An object of Dagster's, given in Python or by a template in YAML.
PartitionMapping = Annotated[
    dg.PartitionMapping | None, dg.Resolver.default(model_field_type=str | None)
]


class CsvConfig(Settings, described_by=(CsvOptions,)):
    """The dialect of CSV files."""

    delimiter: str | None = CsvOptions.delimiter
    decimal: str = CsvOptions.decimal
    encoding: str = CsvOptions.encoding
    quote: str = CsvOptions.quote
    header: bool = CsvOptions.header
    names: Sequence[str] = CsvOptions.names
    skip_rows: int = CsvOptions.skip_rows
    null_values: Sequence[str] = CsvOptions.null_values
    types: Mapping[str, str] = {}
    time_formats: Sequence[str] = CsvOptions.time_formats

    @model_validator(mode="after")
    def _is_a_dialect(self) -> "CsvConfig":
        try:
            _ = self.options
        except ConfigError as error:
            raise ValueError(f"{error.problem}. {error.fix}") from None
        return self

    @property
    def options(self) -> CsvOptions:
        """The dialect as the readers take it."""
        return CsvOptions(**{name: getattr(self, name) for name in type(self).model_fields})


class DatasetConfig(Settings):
    """Where one dataset comes from: set `path`, `query`, `table`, `asset` or `generator`.

    Attributes
    ----------
    path : str, optional
        A file, a folder (also a Hive-partitioned one) or a glob of Parquet, Arrow, ORC, CSV, JSON
        lines or JSON, or a URI of one, such as ``s3://bucket/folder``. ``{partition_key}`` is
        replaced by the partition key; with multi-dimensional partitions, ``{day}`` and the like are
        replaced by the key of the dimension of that name. Or the folder of a Delta or Iceberg
        table.
    csv : CsvConfig, optional
        The dialect of CSV files at `path`.
    timezone : str, optional
        Time zone of timestamps that have none, such as ``UTC``.
    version : int or str, optional
        Version of a Delta table, or snapshot, branch or tag of an Iceberg table, at `path`; the
        newest by default.
    format : {"parquet", "arrow", "csv", "json", "orc", "delta", "iceberg"}, optional
        Format of what is at `path`; by default what names end in, and what lies in the folder.
    query : str, optional
        A SELECT on `connection`. Its rows are unloaded once a run, beside the records; every later
        step reads that snapshot. ``{partition_key}``, ``{partition_start}`` and the like are bound
        as parameters: write them without quotes.
    table : str, optional
        A table on `connection`, such as ``main.customers``, in the place of a query.
    connection : str, optional
        Key of a resource: a `SynthMixConnection`, a ``DuckDBResource``, or another one whose
        ``get_connection()`` gives a connection of ADBC or DuckDB.
    time_limit : float, optional
        Seconds that the query may take, reading its rows included; 3600 by default.
    asset : asset key, optional
        An existing asset, loaded through its own I/O manager.
    generator : str, optional
        For `synthetic`: key of a resource with ``fit(frame)`` and ``sample(rows)``. It generates
        the rows, fitted on the real rows without the evaluation rows.
    generator_rows : int, optional
        Number of rows to generate.
    deps : sequence of asset key
        Assets that write the files at `path` or the tables of the query, such as dbt models.
    storage : str, optional
        Key of a `SynthMixStorage` resource, by which an object store at `path` is reached.
    partition_mapping : PartitionMapping, optional
        Which partitions of `asset` belong to a partition of the mix; Dagster's default if omitted.
    columns : sequence of str, optional
        Columns to keep, by their names in the source; all by default.
    rename : mapping of str to str
        New column names, by the names in the source.
    filters : sequence
        Conditions such as ``[year, ">=", 2024]`` that every row must meet, by the names in the
        source. A list of such lists is a set of groups, of which a row must meet at least one.
        ``{partition_key}`` is replaced by the partition key.
    """

    path: str | None = None
    csv: CsvConfig | None = None
    timezone: str | None = None
    version: int | str | None = None
    format: FormatName | None = None
    query: str | None = None
    table: str | None = None
    connection: str | None = None
    time_limit: float | None = None
    asset: dg.ResolvedAssetKey | None = None
    generator: str | None = None
    generator_rows: int | None = None
    deps: Sequence[dg.ResolvedAssetKey] = ()
    storage: str | None = None
    partition_mapping: PartitionMapping = None
    columns: Sequence[str] | None = None
    rename: Mapping[str, str] = {}
    filters: Sequence[Any] = ()

    _values: Mapping[str, Any] = PrivateAttr(default_factory=dict)

    @field_validator("asset", mode="before")
    @classmethod
    def _asset_key(cls, value: Any) -> Any:
        return None if value is None else asset_key_of(value)

    @field_validator("deps", mode="before")
    @classmethod
    def _dep_keys(cls, value: Any) -> Any:
        single = isinstance(value, dg.AssetKey) or not isinstance(value, list | tuple)
        keys = [value] if single else value
        return [asset_key_of(key) for key in keys]

    @model_validator(mode="after")
    def _one_source(self) -> "DatasetConfig":
        sources = (self.path, self.query, self.table, self.asset, self.generator)
        if sum(source is not None for source in sources) != 1:
            raise ValueError(
                "set exactly one of 'path', 'query', 'table' and 'asset', or 'generator' for "
                "'synthetic'"
            )
        for option in ("csv", "version", "format"):
            if getattr(self, option) is not None and self.path is None:
                raise ValueError(f"'{option}' requires 'path'. Remove it")
        if self.deps and self.path is None and not self.is_queried:
            raise ValueError(
                "'deps' requires 'path', 'query' or 'table'; an 'asset' has its own lineage"
            )
        if self.storage is not None and self.path is None:
            raise ValueError("'storage' goes with 'path'; an 'asset' is loaded by its I/O manager")
        if self.partition_mapping is not None and self.asset is None:
            raise ValueError("'partition_mapping' requires 'asset'")
        if (self.generator is None) != (self.generator_rows is None):
            raise ValueError("set 'generator' and 'generator_rows' together")
        if self.generator_rows is not None and self.generator_rows < 1:
            raise ValueError(f"'generator_rows' is {self.generator_rows}. Set it to 1 or more")
        return self

    @model_validator(mode="after")
    def _query_can_be_asked(self) -> "DatasetConfig":
        if self.is_queried != (self.connection is not None):
            raise ValueError(
                "set 'connection' together with 'query' or 'table'. It is the key of a resource, "
                "such as a SynthMixConnection"
            )
        if self.time_limit is not None and not (self.is_queried and self.time_limit > 0):
            raise ValueError("'time_limit' is a number of seconds above 0, for 'query' or 'table'")
        try:
            if self.query is not None:
                require_reading(self.query)
            if self.table is not None:
                names_of(self.table)
        except ConfigError as error:
            raise ValueError(f"{error.problem}. {error.fix}") from None
        return self

    @model_validator(mode="after")
    def _view_can_be_read(self) -> "DatasetConfig":
        # What is wrong with a condition is said when the project loads, not when a run starts.
        try:
            View.of(self.columns, self.rename, self.filters)
            ReadOptions.of(None, self.timezone, self.version, self.format)
        except ConfigError as error:
            raise ValueError(f"{error.problem}. {error.fix}") from None
        return self

    @property
    def is_queried(self) -> bool:
        """Whether the rows are those of a query or a table."""
        return self.query is not None or self.table is not None

    @property
    def statement(self) -> Query:
        """What is asked of the connection, for the partition of these settings."""
        if self.table is not None:
            return Query(table=self.table)
        return bound(self.query or "", self._values)

    @property
    def place(self) -> str | None:
        """Where the rows are, for people."""
        if self.is_queried:
            return f"{self.connection}: {self.statement.shown}"
        return self.path

    @property
    def original_columns(self) -> Mapping[str, str]:
        """Names that renamed columns have at the source."""
        return {new: old for old, new in self.rename.items()}

    @property
    def dependency(self) -> dg.AssetDep | None:
        """What depends on `asset`: where it is loaded as well, the mapping belongs here alone."""
        if self.asset is None:
            return None
        return dg.AssetDep(self.asset, partition_mapping=self.partition_mapping)

    @property
    def is_filtered_by_partition(self) -> bool:
        """Whether a condition picks the rows of a partition."""
        return is_named(self.filters)

    def at(
        self, partition: str, partitions_def: dg.PartitionsDefinition[Any] | None = None
    ) -> "DatasetConfig":
        """These settings for one partition.

        Parameters
        ----------
        partition : str
        partitions_def : PartitionsDefinition, optional
            Gives the dimensions of the partition, where it has several.

        Raises
        ------
        ConfigError
            The key would lead a path elsewhere.
        """
        values = values_of(partition, partitions_def)
        copy = self.model_copy(
            update={"path": path_of(self.path, values), "filters": filled(self.filters, values)}
        )
        copy.fill_in(values)
        return copy

    @property
    def values(self) -> Mapping[str, Any]:
        """What the partition of these settings fills in."""
        return self._values

    def fill_in(self, values: Mapping[str, Any]) -> None:
        """Say what the placeholders of the query stand for."""
        self._values = values

    def open(
        self,
        source: Any,
        name: str,
        key: Sequence[str] = (),
        cluster: "SparkAccess | None" = None,
    ) -> "Dataset":
        """Open a path, a frame, or the frames of several partitions as these settings want them.

        Parameters
        ----------
        source : path, frame, mapping of str to frame, or None
            Of a table of the catalogue there is none.
        name : str
        key : sequence of str
            Columns that identify a row.
        cluster : SparkAccess, optional
            Where the rows are to be read; on this machine by default.

        Raises
        ------
        DataError
            No partition arrived, or the source cannot be read.
        """
        from synthmix_dagster.data.dataset import open_dataset
        from synthmix_dagster.data.opening import open_store
        from synthmix_dagster.orchestration.storage import reached
        from synthmix_dagster.verbs.engines import open_on_cluster, united

        if isinstance(source, Mapping):
            source = joined(source, name) if cluster is None else united(source, name)
        elif self.storage is not None and isinstance(source, str):
            source = open_store(source, reached(self.storage))
        options: dict[str, Any] = {
            "columns": self.columns,
            "rename": self.rename,
            "filters": self.filters,
            "csv": None if self.csv is None else self.csv.options,
            "timezone": self.timezone,
            "version": self.version,
            "format": self.format,
            "key": key,
        }
        if cluster is None:
            return open_dataset(source, name, **options)
        return open_on_cluster(cluster, source, name, table=self.table, **options)


def joined(frames: Mapping[str, Any], name: str) -> Any:
    """Put the frames of several partitions below each other, in the order of their keys."""
    import pyarrow as pa

    from synthmix_dagster.data.dataset import open_dataset

    if not frames:
        raise DataError(
            "no partition was loaded", dataset=name, fix="Materialise its partitions first"
        )
    tables = [open_dataset(frames[key], name).table for key in sorted(frames)]
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise DataError(
            f"the {len(tables)} partitions do not have the same columns ({error})",
            dataset=name,
            fix="Give all partitions the same schema, or select the common columns with 'columns'",
        ) from cause_of(error)


def require_placeholders(
    name: str, source: DatasetConfig, partitions_def: dg.PartitionsDefinition[Any] | None
) -> None:
    """Refuse a placeholder that no partition would fill in.

    Raises
    ------
    ConfigError
        A name in braces is unknown in the path, or there are no partitions.
    """
    require_filled(name, source.path, source.filters, partitions_def, source.query)


def asset_key_of(value: Any) -> dg.AssetKey:
    """Read ``"a/b"`` as a key of two parts, as Dagster's YAML does."""
    if isinstance(value, dg.AssetKey):
        return value
    parts = value if isinstance(value, list | tuple) else [value]
    if not parts or not all(isinstance(part, str) and part for part in parts):
        raise ValueError(
            f"{value!r} is not an asset key. Write it as 'warehouse/flights', or as a list of names"
        )
    return dg.AssetKey.from_coercible(value.split("/") if isinstance(value, str) else value)


def an_asset(value: Any) -> Any:
    """A key alone is an asset; so is what has one."""
    if isinstance(value, str | dg.AssetKey):
        return {"asset": value}
    return {"asset": value.key} if isinstance(value, dg.AssetsDefinition | dg.AssetSpec) else value
