"""Which engine a verb works with: the one that is asked for, or where the rows are."""

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any, TypeAlias

from synthmix_dagster.data.dataset import Dataset, IntoDataset, open_dataset
from synthmix_dagster.data.remote import is_remote
from synthmix_dagster.errors import ConfigError, DataError
from synthmix_dagster.release.arrow_engine import ArrowEngine
from synthmix_dagster.release.engine import Engine
from synthmix_dagster.release.options import MixOptions
from synthmix_dagster.spark.engine import SparkEngine
from synthmix_dagster.spark.opening import open_spark_dataset
from synthmix_dagster.spark.session import SparkAccess
from synthmix_dagster.spark.workers import ready_session

#: An engine, how to reach a cluster, or nothing for this machine and where rows are already.
IntoEngine: TypeAlias = Engine | SparkAccess | None


def opened_by(
    engine: IntoEngine, source: IntoDataset, name: str, *, key: Sequence[str] = ()
) -> Dataset:
    """Open a dataset where an engine works with it; one that is open stays where it is.

    Raises
    ------
    ConfigError, ClusterError, DataError
        The cluster cannot be reached, or the source cannot be read.
    """
    session = session_of(engine)
    if session is None or isinstance(source, Dataset):
        return open_dataset(source, name, key=key)
    return open_spark_dataset(source, name, session=session, key=key)


def open_on_cluster(
    cluster: SparkAccess, source: Any, name: str, *, table: str | None = None, **options: Any
) -> Dataset:
    """Open a dataset whose rows stay on a cluster.

    Parameters
    ----------
    cluster : SparkAccess
    source : path, Store, DataFrame or None
    name : str
    table : str, optional
        A table of the catalogue, in the place of `source`.
    **options
        Those of `open_dataset`.

    Raises
    ------
    ConfigError, ClusterError, DataError
        The cluster cannot be reached, or the source cannot be read.
    """
    session = ready_session(cluster)
    rows = source if table is None else _table_of(session, table, name)
    return open_spark_dataset(rows, name, session=session, **options)


def united(frames: Mapping[str, Any], name: str) -> Any:
    """DataFrames of several partitions below each other, in the order of their keys.

    Raises
    ------
    DataError
        There are none, or one is of another kind.
    """
    for key, frame in frames.items():
        if not hasattr(frame, "unionByName"):
            raise DataError(
                f"partition '{key}' is a {type(frame).__name__}, whose rows are not on the cluster",
                dataset=name,
                fix="Load the asset as a DataFrame of Spark, or use the engine 'arrow'",
            )
    if not frames:
        raise DataError(
            "no partition arrived", dataset=name, fix="Materialise the partitions upstream"
        )
    return reduce(
        lambda above, below: above.unionByName(below), (frames[k] for k in sorted(frames))
    )


def _table_of(session: Any, table: str, name: str) -> Any:
    from pyspark.errors import AnalysisException

    try:
        found = session.table(table)
        # Of a Connect server nothing is asked before the columns are.
        _ = found.columns
    except AnalysisException as error:
        said = str(error).strip().splitlines()[0]
        raise DataError(
            f"the catalogue has no table '{table}' that can be read ({said})",
            dataset=name,
            fix="Name it as catalog.schema.table, and check that the session may read it",
        ) from error
    return found


def session_of(engine: IntoEngine) -> Any:
    """The session of an engine that has one; that of a cluster is opened, if it is not yet."""
    if isinstance(engine, SparkAccess):
        return ready_session(engine)
    return getattr(engine, "session", None)


def engine_of(
    engine: IntoEngine, datasets: Sequence[Dataset], memory_mb: int = MixOptions.memory_mb
) -> Engine:
    """The engine that is asked for, or else the one that works where the rows are.

    Raises
    ------
    ConfigError
        Some of the rows are here and some on a cluster.
    """
    sources = [each.source for each in datasets]
    remote = [is_remote(source) for source in sources]
    if any(remote) and not all(remote):
        here, there = (
            " and ".join(each.name for each, far in zip(datasets, remote, strict=True) if far is of)
            for of in (False, True)
        )
        raise ConfigError(
            f"the rows of {there} are on a cluster, and those of {here} are not",
            option="engine",
            fix="Open all datasets by one engine",
        )
    if engine is not None and not isinstance(engine, SparkAccess):
        return engine
    if any(remote):
        # Every kind of rows on a cluster knows its session.
        first: Any = sources[0]
        found: Any = SparkEngine(first.session, memory_mb=memory_mb)
        return found
    return ArrowEngine(memory_mb)
