"""Reference samples: rows of the first accepted batches, stored unchanged.

    <output>/references/<name>/<side>/<reference_id>/reference.json
    <output>/references/<name>/<side>/<reference_id>/<digest>.parquet

A reference is collected from a fixed number of batches, one Parquet file each, and never changes
once it is complete: scores against a moving reference could not be compared. Its id is a hash of
its terms (generator version, schema, settings), so other terms begin another reference, and a
return to earlier terms finds the earlier one.
"""

import hashlib
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from statistics import median_low
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from synthmix_dagster.data.store import Held, Store, json_bytes
from synthmix_dagster.errors import ReleaseError
from synthmix_dagster.redaction import cause_of

Terms = Mapping[str, str]
Agree = Callable[[Terms, Terms], bool]

_MANIFEST = "reference.json"


@dataclass(frozen=True)
class Reference:
    """What a side is compared with, complete or in progress.

    Attributes
    ----------
    store : Store
        Its folder.
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

    store: Store
    terms: Terms
    members: Mapping[str, Mapping[str, Any]]
    wanted: int
    replaced: Terms | None = None

    @property
    def reference_id(self) -> str:
        """Hash of its terms, which is also the directory's name."""
        return self.store.name

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

    def to_dict(self) -> dict[str, Any]:
        """What its manifest says."""
        return {
            "terms": dict(self.terms),
            "members": dict(self.members),
            "wanted": self.wanted,
            "replaced": self.replaced,
        }

    def frame(self) -> pd.DataFrame:
        """All rows.

        Raises
        ------
        ReleaseError
            A file is missing or is not what was written.
        """
        frames = []
        for member in self.members.values():
            try:
                content = self.store.read(str(member["file"]))
            except FileNotFoundError:
                content = b""
            if hashlib.sha256(content).hexdigest() != member["sha256"]:
                raise ReleaseError(
                    f"the reference file '{member['file']}' is missing or was altered",
                    path=self.store.uri,
                    fix="Restore it from a backup, or change 'baseline' to begin a new reference",
                )
            frames.append(pq.read_table(pa.BufferReader(content)).to_pandas())
        return pd.concat(frames, ignore_index=True)


@dataclass(frozen=True)
class References:
    """All references of one side of one monitor.

    Attributes
    ----------
    folder : Store
        Folder that holds one folder a reference.
    """

    folder: Store

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
        return Reference(self.folder.below(name), dict(terms), {}, wanted, replaced)

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
            while True:
                reference = self.find(terms, agree, wanted)
                held = reference.store.look(_MANIFEST)
                if held is not None:
                    reference = _parsed(reference.store, held)
                known = key not in reference.members and reference.holds(key, fingerprint)
                if reference.complete or known:
                    return reference
                added = _added(reference, key, rows, fingerprint, batch_rows)
                version = None if held is None else held.version
                if not reference.store.swap(_MANIFEST, json_bytes(added.to_dict()), version):
                    # Another partition of the backfill was faster: its batch is in there now.
                    continue
                if held is None and self.find(terms, agree, wanted).store != added.store:
                    # So it was with another reference of these terms, which is the one to add to.
                    reference.store.delete([_MANIFEST])
                    continue
                return added
        except (OSError, pa.ArrowException) as error:
            raise ReleaseError(
                f"the reference cannot be written ({error})",
                path=self.folder.uri,
                fix="Check disk space, permissions and column types",
            ) from cause_of(error)

    def _all(self) -> list[Reference]:
        """All references, in the order in which they were last added to."""
        found = [self.folder.below(name) for name in self.folder.folders()]
        held = [(store, store.look(_MANIFEST)) for store in found]
        there = [(manifest.modified, store, manifest) for store, manifest in held if manifest]
        ordered = sorted(there, key=lambda each: (each[0], each[1].name))
        return [_parsed(store, manifest) for _, store, manifest in ordered]


def _parsed(store: Store, held: Held) -> Reference:
    try:
        manifest = json.loads(held.content)
        return Reference(
            store,
            manifest["terms"],
            manifest["members"],
            int(manifest["wanted"]),
            manifest["replaced"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ReleaseError(
            f"the reference '{store.uri}/{_MANIFEST}' cannot be read ({error})",
            path=store.uri,
            fix="Restore it from a backup, or remove its directory to begin a new reference",
        ) from cause_of(error)


def _added(
    reference: Reference, key: str, rows: pd.DataFrame, fingerprint: str, batch_rows: int
) -> Reference:
    """Write the rows of a batch, and return the reference with it."""
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pandas(rows, preserve_index=False), sink)
    content = sink.getvalue()
    digest = hashlib.sha256(content).hexdigest()
    # Named by its content, so that a manifest never speaks of a file that was replaced meanwhile.
    file = f"{digest[:16]}.parquet"
    reference.store.put(file, content)
    member = {
        "file": file,
        "sha256": digest,
        "fingerprint": fingerprint,
        "rows": len(rows),
        "batch_rows": batch_rows,
    }
    return replace(reference, members={**reference.members, key: member})
