"""Rows on a cluster, as a dataset knows them: executors read them and hand them to a kernel.

Two kinds: files, which executors open with the readers of this package, and DataFrames. Either way
a kernel sees Arrow tables with the identities that the Arrow engine gives the same rows.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from synthmix_dagster.data.dataset import Dataset
from synthmix_dagster.data.remote import Kernel, Stretch
from synthmix_dagster.errors import ClusterError, DataError, StoreError, SynthMixError
from synthmix_dagster.redaction import cause_of, without_secrets
from synthmix_dagster.spark.digests import WORDS, Words, digests_of_buckets, sorted_words
from synthmix_dagster.spark.shipping import ship
from synthmix_dagster.spark.states import decoded, encoded

#: Work on the rows of one task: its number and the rows in, batches of a DataFrame out.
Work = Callable[[int, Iterator[Stretch]], Iterator[pa.RecordBatch]]
#: Columns of the DataFrames that work gives.
FOUND = "task bigint, found binary"
CELLS = "cell bigint, n bigint"


class SparkRows(ABC):
    """Rows of a dataset that lie on a cluster; satisfies `RemoteRows`."""

    session: Any

    @property
    @abstractmethod
    def schema(self) -> pa.Schema: ...

    @property
    @abstractmethod
    def has_places(self) -> bool: ...

    @abstractmethod
    def select(self, columns: Sequence[str]) -> "SparkRows": ...

    @abstractmethod
    def mapped(self, work: Work, out: str, key: Sequence[str] = (), most: int | None = None) -> Any:
        """A DataFrame of what work makes of all rows.

        Parameters
        ----------
        work : callable
            Called once a task, on an executor.
        out : str
            Columns of the DataFrame in Spark's language.
        key : sequence of str
            Columns that identify a row.
        most : int, optional
            Maximum number of tasks, where each sends much.
        """

    @abstractmethod
    def first(self, rows: int) -> pa.Table:
        """A few rows, whichever are the quickest to get."""

    @property
    def column_names(self) -> list[str]:
        return list(self.schema.names)

    def over(self, kernel: Kernel, key: Sequence[str] = ()) -> Iterator[Any]:
        found = self.mapped(_Found(kernel), FOUND, key, parallelism(self.session))
        return (decoded(bytes(row["found"])) for row in _in_order(collected(self.session, found)))

    def summed(self, kernel: Kernel, size: int, key: Sequence[str] = ()) -> NDArray[np.int64]:
        cells = self.mapped(_Counted(kernel), CELLS, key, parallelism(self.session))
        return summed(self.session, cells, size)

    def digested(self, words: Kernel, bits: int) -> dict[int, bytes]:
        frame = sorted_words(self.mapped(Words(words, bits), WORDS)).mapInArrow(_digested, FOUND)
        whole: dict[int, bytes] = {}
        for row in collected(self.session, frame):
            whole |= decoded(bytes(row["found"]))
        return whole


def rows_of(dataset: Dataset) -> SparkRows:
    """The rows of a dataset that lie on a cluster.

    Raises
    ------
    DataError
        They lie elsewhere.
    """
    if not isinstance(dataset.source, SparkRows):
        raise DataError(
            "its rows are not on the cluster",
            dataset=dataset.name,
            fix="Open it with 'open_spark_dataset', or use the engine 'arrow' for all datasets",
        )
    return dataset.source


def _digested(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    yield found_batch(0, digests_of_buckets(batches))


class _Counted:
    """Work that gives the whole numbers that a kernel returns, without zeros."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    def __call__(self, task: int, rows: Iterator[Stretch]) -> Iterator[pa.RecordBatch]:
        yield cells_batch(self.kernel(rows))


class _Found:
    """Work that gives what a kernel returns, or the error that it raises."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    def __call__(self, task: int, rows: Iterator[Stretch]) -> Iterator[pa.RecordBatch]:
        yield found_batch(task, caught(lambda: self.kernel(rows)))


def found_batch(task: int, value: Any) -> pa.RecordBatch:
    """What a task has found, as a row of `FOUND`."""
    return found_of(task, encoded(value))


def found_of(task: int, content: bytes) -> pa.RecordBatch:
    """What is encoded already, as a row of `FOUND`."""
    return pa.record_batch(
        [pa.array([task], pa.int64()), pa.array([content], pa.binary())], names=["task", "found"]
    )


def caught(work: Callable[[], Any]) -> Any:
    """What work returns, or its error if a second attempt would not help."""
    try:
        return work()
    except StoreError as error:
        if error.transient:
            raise
        return error
    except SynthMixError as error:
        return error


def cells_batch(cells: NDArray[np.int64]) -> pa.RecordBatch:
    """A histogram as rows of `CELLS`, without empty cells."""
    there = np.flatnonzero(cells)
    return pa.record_batch([pa.array(there), pa.array(cells[there])], names=["cell", "n"])


def summed(session: Any, cells: Any, size: int) -> NDArray[np.int64]:
    """Sum of all histograms in a DataFrame of `CELLS`; executors add them up."""
    from pyspark.sql import functions as f

    table = asked(session, lambda: cells.groupBy("cell").agg(f.sum("n").alias("n")).toArrow())
    whole = np.zeros(size, dtype=np.int64)
    whole[table["cell"].to_numpy()] = table["n"].to_numpy()
    return whole


def collected(session: Any, frame: Any) -> list[Any]:
    """The few rows of a DataFrame of results."""
    return list(asked(session, frame.collect))


def asked(session: Any, ask: Callable[[], Any]) -> Any:
    """Ask the cluster for something, in terms of this package if it fails.

    Raises
    ------
    ClusterError
    """
    from pyspark.errors import PySparkException

    try:
        return ask()
    except PySparkException as error:
        said = _last_line(str(error))
        raise ClusterError(
            f"a job failed ({said})",
            cluster=place_of(session),
            fix="See the logs of the executors. Existing releases are unchanged",
        ) from cause_of(error)


def place_of(session: Any) -> str:
    """The cluster of a session as messages name it."""
    return without_secrets(str(session.conf.get("spark.master", "Spark Connect")))


def _last_line(text: str) -> str:
    """What a traceback ends with, else the first line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "Error: " in line and not line.startswith(("at ", "File "))]
    return (errors or lines or [""])[0][:500]


def _in_order(rows: Iterable[Any]) -> list[Any]:
    return sorted(rows, key=lambda row: int(row["task"]))


def parallelism(session: Any) -> int:
    """Tasks into which aggregations are cut: as many as Spark cuts a shuffle into."""
    return max(1, int(session.conf.get("spark.sql.shuffle.partitions")))


def spread(
    session: Any, work: Callable[[int], Iterator[pa.RecordBatch]], tasks: int, out: str
) -> Any:
    """A DataFrame of what work makes of some task numbers, each in a task of its own."""
    ship(session)
    return session.range(0, tasks, 1, tasks).mapInArrow(_Numbered(work), out)


class _Numbered:
    def __init__(self, work: Callable[[int], Iterator[pa.RecordBatch]]) -> None:
        self.work = work

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for number in batch.column(0).to_pylist():
                yield from self.work(number)


def over_each(session: Any, work: Callable[[int], Any], tasks: int) -> list[Any]:
    """What work finds for every task number, in their order."""

    def found(task: int) -> Iterator[pa.RecordBatch]:
        yield found_batch(task, caught(lambda: work(task)))

    rows = _in_order(collected(session, spread(session, found, tasks, FOUND)))
    return [decoded(bytes(row["found"])) for row in rows]
