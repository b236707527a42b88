"""Releases: immutable directories that a reader sees whole or not at all.

A release is written to a hidden sibling, checked there, and published by one rename; only then
does ``latest`` move, by another. A killed writer leaves a hidden directory that no reader looks at
and that the next writer removes.

    <output>/latest -> releases/<release_id>
    <output>/releases/<release_id>/manifest.json
    <output>/releases/<release_id>/data/part-00000.parquet
"""

import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from synthmix_dagster.errors import ReleaseError
from synthmix_dagster.tables.fingerprint import file_sha256

MANIFEST_VERSION = 1
SOURCE_COLUMN = "synthmix_source"
_HIDDEN = ".writing-"


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

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON-serialisable values."""
        return {"path": str(self.path), "manifest": dict(self.manifest)}


def load_release(path: Path | str) -> Release:
    """Open a release, or the one that ``latest`` points to.

    Parameters
    ----------
    path : path
        A release directory, or an output directory that holds ``latest``.

    Raises
    ------
    ReleaseError
        There is no manifest, or it cannot be read.
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
    """Check every shard against the manifest and recount its rows.

    Returns
    -------
    Release
        The release, when every shard is what was written.

    Raises
    ------
    ReleaseError
        A shard is missing, was altered, or its rows are not what the manifest says.
    """
    release = load_release(path)
    listed = {shard["path"] for shard in release.manifest["shards"]}
    for shard in release.manifest["shards"]:
        file = inside(release.path, shard["path"])
        if not file.is_file():
            raise ReleaseError(
                f"the shard '{shard['path']}' is missing",
                path=release.path,
                fix="Restore it from a copy, or publish the release again",
            )
        if file_sha256(file) != shard["sha256"]:
            raise ReleaseError(
                f"the shard '{shard['path']}' was altered after it was written",
                path=release.path,
                fix="Restore it from a copy, or publish the release again",
            )
    found = {file.relative_to(release.path).as_posix() for file in _files(release.path)}
    if found - listed - {"manifest.json"}:
        raise ReleaseError(
            f"the file '{min(found - listed - {'manifest.json'})}' is not in its manifest",
            path=release.path,
            fix="Remove it; releases are not to be added to",
        )
    counted = count_sources(release.path)
    realised = release.manifest["realised"]
    for source in ("real", "synthetic"):
        if counted.get(source, 0) != realised[f"{source}_rows"]:
            raise ReleaseError(
                f"it holds {counted.get(source, 0)} {source} rows where its manifest says "
                f"{realised[f'{source}_rows']}",
                path=release.path,
                fix="Publish the release again",
            )
    return release


def _require_shape(manifest: Any) -> None:
    """Refuse a manifest that says less than a reader has to know."""
    try:
        found = manifest["manifest_version"]
        rows = [manifest["realised"][f"{source}_rows"] for source in ("real", "synthetic")]
        shards = [(shard["path"], shard["sha256"]) for shard in manifest["shards"]]
        complete = isinstance(manifest["release_id"], str) and None not in (*rows, *shards)
    except (KeyError, TypeError) as error:
        raise ValueError(f"it lacks {error}") from error
    if found != MANIFEST_VERSION or not complete:
        raise ValueError(f"its version is {found}, where {MANIFEST_VERSION} can be read")


def count_sources(folder: Path) -> dict[str, int]:
    """Recount rows by source from the shards on disk."""
    counts: dict[str, int] = {}
    for file in _files(folder / "data"):
        column = pq.read_table(file, columns=[SOURCE_COLUMN], partitioning=None).column(0)
        for entry in column.value_counts().to_pylist():
            counts[entry["values"]] = counts.get(entry["values"], 0) + entry["counts"]
    return counts


def write_shards(table: pa.Table, folder: Path, rows_per_shard: int) -> list[dict[str, Any]]:
    """Write a table as numbered Parquet shards and list them with their digests."""
    (folder / "data").mkdir()
    shards = []
    for number, start in enumerate(range(0, table.num_rows, rows_per_shard)):
        part = table.slice(start, rows_per_shard)
        name = f"data/part-{number:05d}.parquet"
        pq.write_table(part, folder / name, compression="zstd")
        _flush(folder / name)
        shards.append(
            {
                "path": name,
                "rows": part.num_rows,
                "bytes": (folder / name).stat().st_size,
                "sha256": file_sha256(folder / name),
            }
        )
    return shards


def publish(output: Path, release_id: str, write: Callable[[Path], Mapping[str, Any]]) -> Release:
    """Write a release beside its place, verify it there, and rename it into view.

    A release that exists already and verifies is kept, since the same id means the same bytes; a
    damaged one is replaced.

    Parameters
    ----------
    output : Path
        Directory that holds ``releases`` and ``latest``.
    release_id : str
        Name of the release.
    write : callable
        Fills the hidden directory it is given and returns the manifest.
    """
    releases = inside(output, "releases")
    final = inside(output, f"releases/{release_id}")
    try:
        releases.mkdir(parents=True, exist_ok=True)
        with _one_writer(output):
            _remove_unfinished(output)
            _remove_unfinished(releases)
            release = _existing(final)
            if release is None:
                release = Release(final.resolve(), _write_beside(final, write))
            _point_latest(output, release_id)
            return release
    except (OSError, pa.ArrowException) as error:
        raise ReleaseError(
            f"it cannot be written ({error})",
            path=output,
            fix="Check space, permissions and column types; no release was harmed",
        ) from error


def _existing(final: Path) -> Release | None:
    """The release of this id, if it is there and whole; a damaged one is written again."""
    if not final.is_dir():
        return None
    try:
        return verify_release(final)
    except ReleaseError:
        return None


def _write_beside(final: Path, write: Callable[[Path], Mapping[str, Any]]) -> Mapping[str, Any]:
    hidden = final.with_name(f"{_HIDDEN}{uuid.uuid4().hex}")
    hidden.mkdir()
    try:
        manifest = write(hidden)
        write_json(hidden / "manifest.json", manifest)
        verify_release(hidden)
        for folder in (hidden / "data", hidden):
            _flush(folder)
        if final.exists():
            final.rename(final.with_name(f"{_HIDDEN}{uuid.uuid4().hex}"))
        hidden.rename(final)
    except BaseException:
        shutil.rmtree(hidden, ignore_errors=True)
        raise
    _remove_unfinished(final.parent)
    _flush(final.parent)
    return manifest


def inside(root: Path, relative: str) -> Path:
    """Join a path and refuse to leave the root, by ``..``, absolute names or links.

    Examples
    --------
    >>> inside(Path("out"), "../secret")
    Traceback (most recent call last):
    ...
    synthmix_dagster.errors.ReleaseError: release at 'out': '../secret' lies outside it. ...
    """
    joined = root / relative
    if not joined.resolve().is_relative_to(root.resolve()):
        raise ReleaseError(
            f"'{relative}' lies outside it",
            path=root,
            fix="Use a relative name below the output root, without '..' and without links out",
        )
    return joined


def write_json(path: Path, values: Any) -> None:
    """Write JSON in one stable form, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    hidden = path.with_name(f"{_HIDDEN}{uuid.uuid4().hex}")
    hidden.write_text(
        json.dumps(values, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    _flush(hidden)
    hidden.replace(path)


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file())


@contextmanager
def _one_writer(output: Path) -> Iterator[None]:
    """Let writers of one output take turns; the lock dies with its process."""
    from filelock import FileLock

    with FileLock(output / ".writer.lock"):
        yield


def _remove_unfinished(folder: Path) -> None:
    """Remove what killed writers left; no live writer is there while the lock is held."""
    for leftover in folder.glob(f"{_HIDDEN}*"):
        if leftover.is_dir() and not leftover.is_symlink():
            shutil.rmtree(leftover)
        else:
            leftover.unlink()


def _point_latest(output: Path, release_id: str) -> None:
    hidden = output / f"{_HIDDEN}{uuid.uuid4().hex}"
    hidden.symlink_to(Path("releases") / release_id, target_is_directory=True)
    hidden.replace(output / "latest")
    _flush(output)


def _flush(path: Path) -> None:
    """Bring a file, or the names in a directory, to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
