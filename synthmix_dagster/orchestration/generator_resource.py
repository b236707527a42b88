"""Synthetic rows from a generator that the project has as a resource."""

import os

import pyarrow as pa
import pyarrow.parquet as pq

from synthmix_dagster.data.dataset import Dataset
from synthmix_dagster.errors import DataError, ReleaseError
from synthmix_dagster.orchestration.config.mix import MixConfig
from synthmix_dagster.ratio.crossfit import Generator
from synthmix_dagster.release.atomic_files import flush, hidden_beside


def generate(config: MixConfig, generator: Generator, real: Dataset) -> None:
    """Fit a generator, sample from it, and keep its rows as the files of `synthetic`.

    Parameters
    ----------
    config : MixConfig
    generator : Generator
        Anything with ``fit(frame)`` and ``sample(rows)``. How it is seeded is its own affair.
    real : Dataset
        Real rows without the evaluation rows.

    Raises
    ------
    DataError
        The generator failed, or did not return so many rows.
    ReleaseError
        The rows cannot be written.
    """
    wanted, name = config.synthetic.generator_rows or 0, type(generator).__name__
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
            fix=f"Let the resource '{config.synthetic.generator}' have fit(frame) and sample(rows)",
        ) from error
    if table.num_rows != wanted:
        raise DataError(
            f"the generator {name} returned {table.num_rows} rows where {wanted} were asked for",
            dataset="synthetic",
            fix="Let its sample(rows) return so many rows",
        )
    target = config.generated / "rows.parquet"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        hidden = hidden_beside(target)
        pq.write_table(table, hidden)
        flush(hidden)
        os.replace(hidden, target)
    except OSError as error:
        raise ReleaseError(
            f"the generated rows cannot be written ({error})",
            path=target.parent,
            fix="Check space and permissions there",
        ) from error
