"""Releases as their readers see them: found, verified, loaded.

<output>/latest -> releases/<release_id>
<output>/releases/<release_id>/manifest.json
<output>/releases/<release_id>/README.md           the dataset card
<output>/releases/<release_id>/croissant.json
<output>/releases/<release_id>/report.html         what people read, if a report was asked for
<output>/releases/<release_id>/data/part-00000.parquet
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from synthmix_dagster.data.fingerprint import file_sha256
from synthmix_dagster.errors import ReleaseError
from synthmix_dagster.release.atomic_files import inside
from synthmix_dagster.release.engine import Counts, Layout
from synthmix_dagster.release.manifest import MANIFEST_VERSION, Manifest
from synthmix_dagster.release.shuffle import added_columns
from synthmix_dagster.release.verification import recount

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_AGAIN = "Restore it from a copy, or publish the release again"


@dataclass(frozen=True)
class Release:
    """A published mix.

    Attributes
    ----------
    path : Path
        Directory of the release; it never changes once published.
    manifest : mapping
        What it was made from, what was asked for and what was realised.
    """

    path: Path
    manifest: Mapping[str, Any]

    @property
    def release_id(self) -> str:
        """Hash of inputs and configuration, which is also the directory's name."""
        return str(self.manifest["release_id"])

    @property
    def shards(self) -> list[Path]:
        """The Parquet files, in the order of the rows."""
        return [inside(self.path, shard["path"]) for shard in self.manifest["shards"]]

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
            A column holds something else, or misses values that are no fractions.
        """
        import torch

        tensors = {}
        table = self.to_arrow(columns)
        for name, column in zip(table.column_names, table.columns, strict=True):
            values = column.to_numpy()
            if values.dtype.kind not in "biuf":
                raise ReleaseError(
                    f"column '{name}' holds {column.type}, which is no tensor",
                    path=self.path,
                    fix="Encode it first, or name columns of numbers",
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

        return plot_composition(Manifest.from_dict(self.manifest), axes)


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
        There is no manifest, or it cannot be read.

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
    if (folder / "latest").exists():
        folder = inside(folder, "latest")
    folder = folder.resolve()
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        _require_shape(manifest)
    except (OSError, ValueError) as error:
        raise ReleaseError(
            f"its manifest cannot be read ({error})",
            path=path,
            fix="Name a directory that holds manifest.json, or publish a release first",
        ) from error
    return Release(folder, manifest)


def verify_release(path: Path | str) -> Release:
    """Check every file against the manifest and recount the rows.

    Returns
    -------
    Release
        The release, when every file is what was written.

    Raises
    ------
    ReleaseError
        A file is missing, was altered or added, or the rows are not what the manifest says.
    """
    release = load_release(path)
    for file in _listed(release):
        where = inside(release.path, file["path"])
        if not where.is_file():
            raise ReleaseError(f"{_named(file)} is missing", path=release.path, fix=_AGAIN)
        if file_sha256(where) != file["sha256"]:
            raise ReleaseError(
                f"{_named(file)} was altered after it was written", path=release.path, fix=_AGAIN
            )
    require_realised(release)
    return release


def require_realised(release: Release) -> None:
    """Recount the rows of a release whose files are known to be whole.

    Raises
    ------
    ReleaseError
        There are files that the manifest does not list, or rows are not what it says.
    """
    listed = {file["path"] for file in _listed(release)} | {"manifest.json"}
    found = {f.relative_to(release.path).as_posix() for f in release.path.rglob("*") if f.is_file()}
    if found - listed:
        raise ReleaseError(
            f"the file '{min(found - listed)}' is not in its manifest",
            path=release.path,
            fix="Remove it; releases are not to be added to",
        )
    layout, names = layout_of(release), part_names(release.manifest)
    counted = realised(recount(release.path, layout, names), release.manifest["inputs"])
    said = release.manifest["realised"]
    for what, number in _flat(counted).items():
        due = _flat(said).get(what)
        # Without provenance, the shards know nothing of their parts.
        if number is not None and number != due:
            raise ReleaseError(
                f"it holds {number} {what} where its manifest says {due}",
                path=release.path,
                fix="Publish the release again",
            )


def realised(counts: Counts, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """What is written down of counted rows; None for what shards without provenance do not say.

    Parameters
    ----------
    counts : Counts
    inputs : mapping
        Inputs of the manifest, for the number of real rows.
    """
    by_part = counts.rows if "real" in counts.rows else None
    generators = None if by_part is None else {p: n for p, n in by_part.items() if p != "real"}
    ratio = None
    if generators is not None:
        weight = sum(n * counts.weights.get(p, 1.0) for p, n in generators.items())
        ratio = weight / inputs["real"]["rows"]
    strata = {
        stratum: {"rows": sum(parts.values()), **(parts if by_part is not None else {})}
        for stratum, parts in sorted(counts.strata.items())
    }
    return {
        "rows": sum(counts.rows.values()),
        "real_rows": None if by_part is None else by_part["real"],
        "synthetic_rows": None if generators is None else sum(generators.values()),
        "ratio": ratio,
        "generators": generators,
        "weights": None if by_part is None else dict(counts.weights),
        "strata": strata,
        "nulls": dict(counts.nulls),
        "duplicates": None if by_part is None else counts.duplicates,
    }


def part_names(manifest: Mapping[str, Any]) -> list[str]:
    """Names of the inputs in the order in which rows were mixed."""
    return ["real", *sorted(name for name in manifest["inputs"] if name != "real")]


def layout_of(release: Release) -> Layout:
    """How the shards of a release were laid out."""
    asked = release.manifest["mix"]
    layout = Layout(
        pa.schema([]),
        asked["seed"],
        asked["rows_per_shard"],
        asked["stratify"],
        asked["provenance"],
        asked["mode"] == "weights",
    )
    added = {field.name for field in added_columns(layout)}
    schema = pq.read_schema(release.shards[0])
    fields = [field for field in schema if field.name not in added]
    return Layout(pa.schema(fields), *tuple(vars(layout).values())[1:])


def _listed(release: Release) -> list[Mapping[str, Any]]:
    return [*release.manifest["shards"], *release.manifest["documents"]]


def _named(file: Mapping[str, Any]) -> str:
    return f"the {'shard' if 'rows' in file else 'file'} '{file['path']}'"


def _flat(found: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Numbers of a nested record by a name that a person can read."""
    flat: dict[str, Any] = {}
    for key, value in found.items():
        name = f"{prefix}{key.replace('_', ' ') if not prefix else key}"
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{name} ")
        else:
            flat[name] = value
    return flat


def _require_shape(manifest: Any) -> None:
    """Refuse a manifest that says less than a reader has to know."""
    try:
        found = manifest["manifest_version"]
        asked = [manifest["mix"][name] for name in ("seed", "provenance", "mode", "rows_per_shard")]
        rows = [manifest["realised"]["rows"], manifest["inputs"]["real"]["rows"]]
        listed = [
            (file["path"], file["sha256"]) for file in (*manifest["shards"], *manifest["documents"])
        ]
        complete = isinstance(manifest["release_id"], str) and None not in (*rows, *asked, *listed)
        manifest["mix"]["stratify"]
    except (KeyError, TypeError) as error:
        raise ValueError(f"it lacks {error}") from error
    if found != MANIFEST_VERSION or not complete or not manifest["shards"]:
        raise ValueError(f"its version is {found}, where {MANIFEST_VERSION} can be read")
