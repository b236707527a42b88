"""Synthetic rows from a generator that is a resource of the project."""

import pyarrow as pa
import pyarrow.parquet as pq

from synthmix_dagster.data.dataset import Dataset
from synthmix_dagster.errors import DataError, ReleaseError
from synthmix_dagster.orchestration.config.mix import MixConfig
from synthmix_dagster.orchestration.paths import MixPaths
from synthmix_dagster.ratio.crossfit import Generator
from synthmix_dagster.redaction import cause_of


def generate(config: MixConfig, generator: Generator, real: Dataset) -> None:
    """Fit a generator, sample from it, and write its rows as the files of `synthetic`.

    Parameters
    ----------
    config : MixConfig
    generator : Generator
        Anything with ``fit(frame)`` and ``sample(rows)``. It seeds itself.
    real : Dataset
        Real rows without the evaluation rows.

    Raises
    ------
    DataError
        The generator failed, or returned another number of rows.
    ReleaseError
        The rows cannot be written.
    """
    source = config.dataset("synthetic")
    wanted, name = source.generator_rows or 0, type(generator).__name__
    try:
        generator.fit(real.frame())
        rows = generator.sample(wanted)
        table = (
            rows if isinstance(rows, pa.Table) else pa.Table.from_pandas(rows, preserve_index=False)
        )
    except Exception as error:
        raise DataError(
            f"the generator {name} failed ({type(error).__name__}: {error})",
            dataset="synthetic",
            fix=f"The resource '{source.generator}' needs fit(frame) and sample(rows)",
        ) from cause_of(error)
    if table.num_rows != wanted:
        raise DataError(
            f"the generator {name} returned {table.num_rows} rows; {wanted} were requested",
            dataset="synthetic",
            fix="sample(rows) must return exactly `rows` rows",
        )
    target = MixPaths.of(config).generated
    try:
        sink = target.create("rows.parquet")
        try:
            with pa.PythonFile(sink, mode="w") as file:
                pq.write_table(table, file)
            sink.finish()
        except BaseException:
            sink.discard()
            raise
    except OSError as error:
        raise ReleaseError(
            f"the generated rows cannot be written ({error})",
            path=target.uri,
            fix="Check disk space and permissions",
        ) from cause_of(error)
