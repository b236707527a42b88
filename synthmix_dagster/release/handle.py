"""Releases as their readers see them: found and loaded.

<output>/latest -> releases/<release_id>
<output>/releases/<release_id>/manifest.json
<output>/releases/<release_id>/README.md           the dataset card
<output>/releases/<release_id>/croissant.json
<output>/releases/<release_id>/report.html         the report
<output>/releases/<release_id>/data/part-00000.parquet
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from synthmix_dagster.errors import ReleaseError
from synthmix_dagster.redaction import cause_of
from synthmix_dagster.release.atomic_files import inside
from synthmix_dagster.release.manifest import Manifest

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Release:
    """A published mix.

    Attributes
    ----------
    path : Path
        Directory of the release; it never changes once published.
    manifest : mapping
        What it was made from, what was requested and what was realised, as the file
        ``manifest.json`` has it.
    """

    path: Path
    manifest: Mapping[str, Any]

    @cached_property
    def details(self) -> Manifest:
        """The manifest with types: ``release.details.realised.synthetic_rows``."""
        return Manifest.from_dict(self.manifest)

    @property
    def release_id(self) -> str:
        """Hash of inputs and configuration, which is also the directory's name."""
        return self.details.release_id

    @property
    def shards(self) -> list[Path]:
        """The Parquet files, in the order of the rows."""
        return [inside(self.path, shard.path) for shard in self.details.shards]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON-serialisable values."""
        return {"path": str(self.path), "manifest": dict(self.manifest)}

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """All rows in order, a bounded number at a time, for what does not fit in memory."""
        for shard in self.shards:
            with pq.ParquetFile(shard) as opened:
                yield from opened.iter_batches(columns=None if columns is None else list(columns))

    def to_arrow(self, columns: Sequence[str] | None = None) -> pa.Table:
        """All rows, as a pyarrow table."""
        wanted = None if columns is None else list(columns)
        return pa.concat_tables(
            pq.read_table(shard, columns=wanted, partitioning=None) for shard in self.shards
        )

    def to_pandas(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """All rows, as a pandas frame."""
        return self.to_arrow(columns).to_pandas()

    def to_polars(self, columns: Sequence[str] | None = None) -> Any:
        """All rows, as a polars frame."""
        import polars as pl

        return pl.from_arrow(self.to_arrow(columns))

    def to_torch(self, columns: Sequence[str]) -> dict[str, Any]:
        """Columns of numbers, as one torch tensor each.

        Raises
        ------
        ReleaseError
            A column holds something else, or whole numbers with missing values.
        """
        import torch

        tensors = {}
        table = self.to_arrow(columns)
        for name, column in zip(table.column_names, table.columns, strict=True):
            values = column.to_numpy()
            if values.dtype.kind not in "biuf":
                raise ReleaseError(
                    f"column '{name}' holds {column.type}, which does not fit a tensor",
                    path=self.path,
                    fix="Encode it first, or name numeric columns",
                )
            # Arrow's memory is not to be written to, a tensor's is.
            tensors[name] = torch.from_numpy(values.copy())
        return tensors

    def to_datasets(self) -> Any:
        """All rows, as a dataset of Hugging Face's library, which keeps its own copy on disk."""
        import datasets

        return datasets.Dataset.from_parquet([str(shard) for shard in self.shards])

    def plot(self, axes: "Axes | None" = None) -> "Axes":
        """Draw what share of the rows every input has."""
        from synthmix_dagster.release.display import plot_composition

        return plot_composition(self.details, axes)


def load_release(path: Path | str) -> Release:
    """Open a release, or the one that ``latest`` points to.

    Parameters
    ----------
    path : path
        A release directory, or an output directory that holds ``latest``.

    Returns
    -------
    Release
        Its rows come with ``to_pandas``, ``to_arrow``, ``batches`` and, where those are installed,
        ``to_polars``, ``to_torch`` and ``to_datasets``.

    Raises
    ------
    ReleaseError
        There is no manifest, or it cannot be read; the message names what is wrong in it.

    Examples
    --------
    >>> import tempfile
    >>> from synthmix_dagster import mix
    >>> with tempfile.TemporaryDirectory() as output:
    ...     real, synthetic = pd.DataFrame({"x": [1, 2]}), pd.DataFrame({"x": [3, 4, 5]})
    ...     made = mix(real, synthetic, ratio=0.5, output=output)
    ...     load_release(output).to_pandas(["x", "synthmix_source"]).shape
    (3, 2)
    """
    folder = Path(path)
    # A release is complete in itself: no link is followed inside of it.
    if not (folder / "manifest.json").is_file() and (folder / "latest").exists():
        folder = inside(folder, "latest")
    folder = folder.resolve()
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ReleaseError(
            f"its manifest cannot be read ({error})",
            path=path,
            fix="Pass a directory that holds manifest.json, or publish a release first",
        ) from cause_of(error)
    release = Release(folder, manifest)
    try:
        # Read here, so that whoever has a release has one of the right shape.
        _ = release.details
    except ValueError as error:
        raise ReleaseError(
            f"its manifest is not valid ({error})",
            path=path,
            fix="Restore it from a copy, or publish the release again",
        ) from cause_of(error)
    return release
