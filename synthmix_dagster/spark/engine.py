"""The engine of a cluster: executors move the rows, the driver sees samples and counts."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from synthmix_dagster.data.alignment import require_fit
from synthmix_dagster.data.dataset import Dataset, Found
from synthmix_dagster.data.fingerprint import file_sha256
from synthmix_dagster.data.identity import Ints, Rows, key_name, require_key, twice_there
from synthmix_dagster.data.priority import PRIORITY_BITS, in_priority_order, priorities
from synthmix_dagster.data.remote import Stretch
from synthmix_dagster.data.store import Draft, Store
from synthmix_dagster.encoding.options import require_min
from synthmix_dagster.errors import SynthMixError
from synthmix_dagster.release.engine import Counts, Layout, Part, Written
from synthmix_dagster.release.options import MIN_MEMORY_MB
from synthmix_dagster.release.recount import counted_shard, merged
from synthmix_dagster.release.selection import (
    Labelled,
    Selection,
    in_strata,
    select_exactly,
    strata_of,
)
from synthmix_dagster.spark.rows import collected, over_each, rows_of
from synthmix_dagster.spark.shuffle import shuffle
from synthmix_dagster.spark.states import decoded, encoded

#: Standard deviations by which a first cut of a sample is set too high, so that one pass will do.
_SURE = 8.0


@dataclass(frozen=True)
class SparkEngine:
    """Does on a Spark cluster what `ArrowEngine` does on one machine, with the same rows.

    Datasets are those of `open_spark_dataset`. Of files it writes the same bytes as well.

    Parameters
    ----------
    session : pyspark.sql.SparkSession
        Classic or Connect.
    memory_mb : int
        Memory budget of one task on an executor in MB, in addition to that of Spark.
    """

    session: Any = field(repr=False)
    memory_mb: int = 1_000

    def __post_init__(self) -> None:
        require_min(self.memory_mb, MIN_MEMORY_MB, option="memory_mb")

    def over(
        self,
        dataset: Dataset,
        kernel: Callable[[Iterable[Rows]], Found],
        key: Sequence[str] = (),
        columns: Sequence[str] | None = None,
    ) -> list[Found]:
        require_key(dataset, key)
        source = rows_of(dataset)
        if columns is not None:
            source = source.select(columns)
        return list(source.over(partial(_as_rows, kernel), key))

    def identify(self, dataset: Dataset, key: Sequence[str] = ()) -> dict[str, Any]:
        if not key:
            has_places = rows_of(dataset).has_places
            return {"by": "file and row number" if has_places else "content"}
        require_key(dataset, key)
        from pyspark.sql import functions as f

        ids = rows_of(dataset).select([]).mapped(_ids, "id bigint, said binary", key)
        found = collected(
            self.session,
            ids.groupBy("id")
            .agg(f.count(f.lit(1)).alias("n"), f.max("said").alias("said"))
            .filter((f.col("n") > 1) | f.col("said").isNotNull())
            .orderBy("id")
            .limit(1),
        )
        if found and found[0]["said"] is not None:
            decoded(bytes(found[0]["said"]))
        if found:
            named = partial(_named, list(key), int(found[0]["id"]))
            names = [name for name in self.over(dataset, named, key, key) if name is not None]
            raise twice_there(names[0], dataset, key)
        return {"by": "key", "columns": list(key)}

    def fit(self, synthetic: Dataset, real: Dataset, optional: Sequence[str] = ()) -> None:
        require_fit(synthetic, real, optional)

    def sample(
        self, dataset: Dataset, rows: int, seed: int | str, key: Sequence[str] = ()
    ) -> pa.Table:
        require_key(dataset, key)
        rows = min(rows, dataset.rows)
        expected = rows + _SURE * (rows + _SURE) ** 0.5
        while True:
            share = min(1.0, expected / dataset.rows)
            cut = int(share * 2**PRIORITY_BITS)
            kernel = partial(_first, seed, cut, rows, dataset.schema)
            found = list(rows_of(dataset).over(kernel, key))
            ids = np.concatenate([ids for ids, _ in found])
            if len(ids) >= rows or share == 1.0:
                break
            expected *= 4
        table = pa.concat_tables([table for _, table in found])
        return table.take(pa.array(in_priority_order(ids, seed)[:rows]))

    def strata(self, dataset: Dataset, column: str) -> dict[str, int]:
        return strata_of(dataset, column)

    def select(
        self,
        dataset: Dataset,
        k: int,
        seed: int,
        key: Sequence[str] = (),
        stratify: str | None = None,
        quotas: Mapping[str, int] | None = None,
    ) -> Selection:
        sizes = {"": dataset.rows} if stratify is None else self.strata(dataset, stratify)
        columns = [] if stratify is None else [stratify]

        def over(kernel: Callable[[Iterable[Labelled]], Any]) -> list[Any]:
            labelled = partial(in_strata, kernel, stratify, list(sizes))
            return self.over(dataset, labelled, key, columns)

        return select_exactly(over, sizes, k, seed, stratify, quotas, dataset.name)

    def shuffle(self, parts: Sequence[Part], draft: Draft, layout: Layout) -> Written:
        return shuffle(self.session, parts, draft, layout, self.memory_mb)

    def recount(
        self, folder: Store, shards: Sequence[str], layout: Layout, names: Sequence[str]
    ) -> Counts:
        def counted(number: int) -> tuple[dict[str, Any], list[tuple[int, ...]]]:
            counts, ends = counted_shard(folder, shards[number], layout, names)
            return vars(counts), ends

        found = over_each(self.session, counted, len(shards))
        return merged([(Counts(**counts), ends) for counts, ends in found], folder, layout, names)

    def digests(self, folder: Store, files: Sequence[str]) -> list[str]:
        return over_each(self.session, lambda n: file_sha256(folder, files[n]), len(files))


def _as_rows(kernel: Callable[[Iterable[Rows]], Found], rows: Iterable[Stretch]) -> Found:
    return kernel(Rows(each.ids, each.table) for each in rows)


def _ids(task: int, rows: Iterator[Stretch]) -> Iterator[pa.RecordBatch]:
    """Identities of all rows, or the reason why there are none."""
    try:
        for ids, _, _ in rows:
            yield _ids_batch(ids, None)
    except SynthMixError as error:
        yield _ids_batch(np.zeros(1, np.int64), encoded(error))


def _ids_batch(ids: Ints, said: bytes | None) -> pa.RecordBatch:
    texts = pa.nulls(len(ids), pa.binary()) if said is None else pa.array([said], pa.binary())
    return pa.record_batch([pa.array(ids), texts], names=["id", "said"])


def _named(key: Sequence[str], identity: int, rows: Iterable[Rows]) -> str | None:
    """The key of a row as its owner knows it, if it is here."""
    for ids, table in rows:
        for position in np.flatnonzero(ids == identity).tolist():
            return key_name(table.slice(position, 1), key)
    return None


def _first(
    seed: int | str, cut: int, most: int, schema: pa.Schema, rows: Iterable[Stretch]
) -> tuple[Ints, pa.Table]:
    """The rows of lowest priority among those below a cut."""
    kept, tables = [np.empty(0, np.int64)], [schema.empty_table()]
    for ids, _, table in rows:
        here = np.flatnonzero(priorities(ids, seed) < cut)
        kept.append(ids[here])
        tables.append(table.take(pa.array(here)))
    found, table = np.concatenate(kept), pa.concat_tables(tables)
    lowest = in_priority_order(found, seed)[:most]
    return found[lowest], table.take(pa.array(lowest))
