"""Releases as their readers see them: found and loaded.

<output>/latest -> releases/<release_id>    in an object store a file that says as much
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
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from synthmix_dagster.data.opening import open_store
from synthmix_dagster.data.store import TOMBSTONE, Store, StoreAccess, pointed
from synthmix_dagster.errors import ReleaseError
from synthmix_dagster.redaction import cause_of
from synthmix_dagster.release.manifest import Manifest

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pyarrow.dataset import Dataset


@dataclass(frozen=True)
class Release:
    """A published mix.

    Attributes
    ----------
    store : Store
        Folder of the release; it never changes once published.
    manifest : mapping
        What it was made from, what was requested and what was realised, as the file
        ``manifest.json`` has it.
    """

    store: Store
    manifest: Mapping[str, Any]

    @property
    def uri(self) -> str:
        """Address of its folder: a local path, or a URI without anything secret."""
        return self.store.uri

    @property
    def path(self) -> Path:
        """Its directory; a `ReleaseError` where it lies in an object store."""
        return self.store.path

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
        """The Parquet files of a local release, in the order of the rows."""
        return [self.store.below(name).path for name in self.shard_names]

    @property
    def shard_names(self) -> list[str]:
        """Names of the Parquet files in its folder, in the order of the rows."""
        return [shard.path for shard in self.details.shards]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON-serialisable values."""
        return {"path": self.uri, "manifest": dict(self.manifest)}

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """All rows in order, a bounded number at a time, for what does not fit in memory."""
        for name in self.shard_names:
            with self.store.open(name) as shard, pq.ParquetFile(shard) as opened:
                yield from opened.iter_batches(columns=None if columns is None else list(columns))

    def to_arrow(self, columns: Sequence[str] | None = None) -> pa.Table:
        """All rows, as a pyarrow table."""
        wanted = None if columns is None else list(columns)
        return pa.concat_tables(self._shard(name, wanted) for name in self.shard_names)

    def _shard(self, name: str, columns: list[str] | None) -> pa.Table:
        with self.store.open(name) as shard:
            return pq.read_table(shard, columns=columns)

    def scan(self) -> "Dataset":
        """All rows as a dataset of Arrow's, of which engines read what they need."""
        from pyarrow import dataset

        filesystem, folder, _ = self.store.filesystem()
        shards = [f"{folder}/{name}" for name in self.shard_names]
        return dataset.dataset(shards, filesystem=filesystem, format="parquet")

    def to_pandas(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """All rows, as a pandas frame."""
        return self.to_arrow(columns).to_pandas()

    def to_polars(self, columns: Sequence[str] | None = None) -> Any:
        """All rows, as a polars frame."""
        return self._library("polars").from_arrow(self.to_arrow(columns))

    def to_lazyframe(self) -> Any:
        """All rows, as a polars frame that reads columns and rows when they are asked for."""
        polars = self._library("polars")
        if self._in_object_store:
            # By way of Arrow, because polars looks for credentials of its own.
            return polars.scan_pyarrow_dataset(self.scan())
        # Nothing in the path of a release is a pattern, or a column.
        return polars.scan_parquet(self.shards, glob=False, hive_partitioning=False)

    def to_torch(self, columns: Sequence[str]) -> dict[str, Any]:
        """Columns of numbers, as one torch tensor each.

        Raises
        ------
        ReleaseError
            A column holds something else, or whole numbers with missing values.
        """
        torch = self._library("torch")
        tensors = {}
        table = self.to_arrow(columns)
        for name, column in zip(table.column_names, table.columns, strict=True):
            values = column.to_numpy()
            if values.dtype.kind not in "biuf":
                raise ReleaseError(
                    f"column '{name}' holds {column.type}, which does not fit a tensor",
                    path=self.uri,
                    fix="Encode it first, or name numeric columns",
                )
            # Arrow's memory is not to be written to, a tensor's is.
            tensors[name] = torch.from_numpy(values.copy())
        return tensors

    def to_datasets(self) -> Any:
        """All rows, as a dataset of Hugging Face's library.

        It keeps a copy of local files on disk, and rows from an object store in memory.
        """
        datasets = self._library("datasets")
        if self._in_object_store:
            return datasets.Dataset(self.to_arrow())
        return datasets.Dataset.from_parquet([str(shard) for shard in self.shards])

    @property
    def _in_object_store(self) -> bool:
        _, _, bucket = self.store.filesystem()
        return bool(bucket)

    def _library(self, name: str) -> Any:
        try:
            return import_module(name)
        except ModuleNotFoundError as error:
            raise ReleaseError(
                f"the package '{name}' is not installed ({error})",
                path=self.uri,
                fix=f"Install it with 'pip install {name}', or load the rows by other means",
            ) from error

    def plot(self, axes: "Axes | None" = None) -> "Axes":
        """Draw what share of the rows every input has."""
        from synthmix_dagster.release.display import plot_composition

        return plot_composition(self.details, axes)


def load_release(path: Path | str | Store, storage: StoreAccess | None = None) -> Release:
    """Open a release, or the one that ``latest`` points to.

    Parameters
    ----------
    path : path or URI
        Folder of a release, or an output that holds ``latest``: a local directory, or a URI such as
        ``s3://bucket/mixes/churn``.
    storage : StoreAccess, optional
        Endpoint, region and credentials of an object store; by default those of the environment.

    Returns
    -------
    Release
        Its rows come with ``to_pandas``, ``to_arrow``, ``scan``, ``batches`` and, where those are
        installed, ``to_polars``, ``to_lazyframe``, ``to_torch`` and ``to_datasets``.

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
    store = open_store(path, storage)
    # A release is complete in itself: no link is followed inside of it.
    if not store.exists("manifest.json"):
        store = pointed(store, "latest") or store
    store = store.resolved()
    shown = path if isinstance(path, str | Path) else store.uri
    try:
        manifest = json.loads(store.read("manifest.json").decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ReleaseError(
            f"its manifest cannot be read ({error})",
            path=shown,
            fix="Pass a directory that holds manifest.json, or publish a release first",
        ) from cause_of(error)
    if isinstance(manifest, dict) and TOMBSTONE in manifest:
        raise ReleaseError(
            "it was removed, or its writer ended before it was whole",
            path=shown,
            fix="Load 'latest', or publish the release again",
        )
    release = Release(store, manifest)
    try:
        # Read here, so that whoever has a release has one of the right shape.
        _ = release.details
    except ValueError as error:
        raise ReleaseError(
            f"its manifest is not valid ({error})",
            path=shown,
            fix="Restore it from a copy, or publish the release again",
        ) from cause_of(error)
    return release
