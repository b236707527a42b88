"""Reference samples: rows of the first accepted batches, stored unchanged.

    <output>/references/<name>/<side>/<reference_id>/reference.json
    <output>/references/<name>/<side>/<reference_id>/<digest>.parquet

A reference is collected from a fixed number of batches, one Parquet file each, and never changes
once it is complete: scores against a moving reference could not be compared. Its id is a hash of
its terms (generator version, schema, settings), so other terms begin another reference, and a
return to earlier terms finds the earlier one.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median_low
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from synthmix_dagster.data.fingerprint import file_sha256
from synthmix_dagster.errors import ReleaseError
from synthmix_dagster.redaction import cause_of
from synthmix_dagster.release.atomic_files import inside, write_json

Terms = Mapping[str, str]
Agree = Callable[[Terms, Terms], bool]


@dataclass(frozen=True)
class Reference:
    """What a side is compared with, complete or in progress.

    Attributes
    ----------
    path : Path
    terms : mapping of str to str
        What its batches have in common.
    members : mapping of str to mapping
        By the key of each batch: file, its SHA-256, fingerprint of the batch, rows kept and rows
        the batch had.
    wanted : int
        Number of batches that make it complete.
    replaced : mapping of str to str, optional
        Terms of the reference before it, when it was begun because they changed.
    """

    path: Path
    terms: Terms
    members: Mapping[str, Mapping[str, Any]]
    wanted: int
    replaced: Terms | None = None

    @property
    def reference_id(self) -> str:
        """Hash of its terms, which is also the directory's name."""
        return self.path.name

    @property
    def complete(self) -> bool:
        """Whether batches are compared with it."""
        return len(self.members) >= self.wanted

    def holds(self, key: str, fingerprint: str) -> bool:
        """Whether this batch, or another with the same rows, is part of it."""
        return key in self.members or any(
            member["fingerprint"] == fingerprint for member in self.members.values()
        )

    @property
    def usual_rows(self) -> int:
        """Median number of rows of its batches."""
        return median_low(int(member["batch_rows"]) for member in self.members.values())

    def frame(self) -> pd.DataFrame:
        """All rows.

        Raises
        ------
        ReleaseError
            A file is missing or is not what was written.
        """
        frames = []
        for member in self.members.values():
            file = inside(self.path, str(member["file"]))
            if not file.is_file() or file_sha256(file) != member["sha256"]:
                raise ReleaseError(
                    f"the reference file '{member['file']}' is missing or was altered",
                    path=self.path,
                    fix="Restore it from a backup, or change 'baseline' to begin a new reference",
                )
            frames.append(pq.read_table(file).to_pandas())
        return pd.concat(frames, ignore_index=True)


@dataclass(frozen=True)
class References:
    """All references of one side of one monitor.

    Attributes
    ----------
    folder : Path
        Directory that holds one directory a reference.
    """

    folder: Path

    def find(self, terms: Terms, agree: Agree, wanted: int) -> Reference:
        """The reference of these terms: complete, begun, or about to be.

        Parameters
        ----------
        terms : mapping of str to str
        agree : callable
            Whether two terms are the same.
        wanted : int
            Number of batches that make a new reference complete.
        """
        others = self._all()
        for one in others:
            if agree(one.terms, terms):
                return one
        name = hashlib.sha256(json.dumps(dict(terms), sort_keys=True).encode()).hexdigest()[:12]
        replaced = others[-1].terms if others else None
        return Reference(inside(self.folder, name), dict(terms), {}, wanted, replaced)

    def collect(
        self,
        key: str,
        rows: pd.DataFrame,
        *,
        terms: Terms,
        agree: Agree,
        wanted: int,
        fingerprint: str,
        batch_rows: int,
    ) -> Reference:
        """Add a batch to the reference of these terms, which is begun if there is none.

        A batch of the same key replaces its own file. A complete reference stays as it is, and one
        that holds the same rows already gains nothing by them.

        Parameters
        ----------
        key : str
            Partition of the batch, or fingerprint of its rows.
        rows : DataFrame
            The rows to keep.
        terms, agree, wanted
            As in `find`.
        fingerprint : str
            Of all rows of the batch.
        batch_rows : int
            Rows that were measured of the batch.

        Raises
        ------
        ReleaseError
            It cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with _one_writer(self.folder):
                reference = self.find(terms, agree, wanted)
                known = key not in reference.members and reference.holds(key, fingerprint)
                if reference.complete or known:
                    return reference
                return _added(reference, key, rows, fingerprint, batch_rows)
        except (OSError, pa.ArrowException) as error:
            raise ReleaseError(
                f"the reference cannot be written ({error})",
                path=self.folder,
                fix="Check disk space, permissions and column types",
            ) from cause_of(error)

    def _all(self) -> list[Reference]:
        """All references, in the order in which they were last added to."""
        manifests = sorted(
            self.folder.glob("*/reference.json"), key=lambda path: path.stat().st_mtime_ns
        )
        return [_read(path) for path in manifests]


def _read(path: Path) -> Reference:
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        return Reference(
            path.parent,
            manifest["terms"],
            manifest["members"],
            int(manifest["wanted"]),
            manifest["replaced"],
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ReleaseError(
            f"the reference '{path}' cannot be read ({error})",
            path=path.parent,
            fix="Restore it from a backup, or remove its directory to begin a new reference",
        ) from cause_of(error)


def _added(
    reference: Reference, key: str, rows: pd.DataFrame, fingerprint: str, batch_rows: int
) -> Reference:
    reference.path.mkdir(exist_ok=True)
    hidden = reference.path / ".writing.parquet"
    pq.write_table(pa.Table.from_pandas(rows, preserve_index=False), hidden)
    digest = file_sha256(hidden)
    # Named by its content, so that a manifest never speaks of a file that was replaced meanwhile.
    file = f"{digest[:16]}.parquet"
    hidden.replace(reference.path / file)
    member = {
        "file": file,
        "sha256": digest,
        "fingerprint": fingerprint,
        "rows": len(rows),
        "batch_rows": batch_rows,
    }
    members = {**reference.members, key: member}
    write_json(
        reference.path / "reference.json",
        {
            "terms": dict(reference.terms),
            "members": members,
            "wanted": reference.wanted,
            "replaced": reference.replaced,
        },
    )
    return Reference(reference.path, reference.terms, members, reference.wanted, reference.replaced)


@contextmanager
def _one_writer(folder: Path) -> Iterator[None]:
    """Serialise the partitions of one backfill; the lock ends with its process."""
    from filelock import FileLock

    with FileLock(folder / ".writer.lock"):
        yield
