"""Verifying a release: its files against their digests, its rows against a recount of the shards.

A mix compares what the shards hold with what was meant to go in before it publishes, and so does
whoever verifies the release later.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from synthmix_dagster.data.fingerprint import file_sha256
from synthmix_dagster.data.store import Store, StoreAccess
from synthmix_dagster.errors import ReleaseError
from synthmix_dagster.redaction import cause_of
from synthmix_dagster.release.engine import Counts, Layout
from synthmix_dagster.release.handle import Release, load_release
from synthmix_dagster.release.manifest import Document, Realised, Shard
from synthmix_dagster.release.recount import recount
from synthmix_dagster.release.release_id import digest_of_manifest, id_of_manifest
from synthmix_dagster.release.shuffle import added_columns
from synthmix_dagster.release.signing import SIGNATURE, Verifier, require_signed
from synthmix_dagster.release.sources import REAL

_RESTORE = "Restore it from a copy, or publish the release again"
_PUBLISH = "Publish the release again"


@dataclass(frozen=True)
class Checks:
    """What reads the files of a release again, whole.

    Attributes
    ----------
    recount : callable
        From the folder of a release, names of shards, their layout and names of the parts to
        `Counts`.
    digests : callable
        From a folder and names of files in it to their digests.
    """

    recount: Callable[[Store, Sequence[str], Layout, Sequence[str]], Counts]
    digests: Callable[[Store, Sequence[str]], Sequence[str]]


def _digests(folder: Store, files: Sequence[str]) -> list[str]:
    return [file_sha256(folder, name) for name in files]


#: On this machine.
HERE = Checks(recount, _digests)


def verify_release(
    path: Path | str | Store,
    verifier: Verifier | None = None,
    storage: StoreAccess | None = None,
) -> Release:
    """Check every file against the manifest and recount the rows.

    Parameters
    ----------
    path : path or URI
        A release, or an output that holds ``latest``.
    verifier : callable, optional
        Called with the digest of the manifest and the signature, both bytes; the release is refused
        unless it is signed and this returns True.
    storage : StoreAccess, optional
        Endpoint, region and credentials of an object store; by default those of the environment.

    Returns
    -------
    Release
        The release, when every file is what was written.

    Raises
    ------
    ReleaseError
        A file is missing, was altered or added, the rows are not what the manifest says, or the
        signature is missing or of somebody else.

    Examples
    --------
    >>> import pandas as pd, tempfile
    >>> from synthmix_dagster import mix
    >>> with tempfile.TemporaryDirectory() as output:
    ...     real, synthetic = pd.DataFrame({"x": [1, 2]}), pd.DataFrame({"x": [3, 4, 5]})
    ...     made = mix(real, synthetic, ratio=0.5, output=output)
    ...     verify_release(output) == made
    True
    """
    return verified(load_release(path, storage), HERE, verifier)


def verified(release: Release, checks: Checks, verifier: Verifier | None = None) -> Release:
    """The release, when every file is what was written; see `verify_release`."""
    _require_no_links(release)
    _require_sealed(release)
    if verifier is not None:
        require_signed(release.store, digest_of_manifest(release.manifest), verifier)
    _require_unaltered(release.details.files, release.store, checks)
    require_realised(release, checks)
    return release


def require_realised(release: Release, checks: Checks = HERE) -> None:
    """Recount the rows of a release whose files are known to be whole.

    Raises
    ------
    ReleaseError
        There are files that the manifest does not list, or rows are not what it says.
    """
    manifest = release.details
    _require_listed(release)
    try:
        layout = layout_of(release)
        names = [REAL, *manifest.generators]
        counts = checks.recount(release.store, release.shard_names, layout, names)
    except (OSError, pa.ArrowException) as error:
        raise ReleaseError(
            f"its shards cannot be read ({error})", path=release.uri, fix=_RESTORE
        ) from cause_of(error)
    stated = _flat(asdict(manifest.realised))
    for what, number in _flat(_realised(counts, manifest.real.rows)).items():
        if number != stated.get(what):
            raise _disagreement(release, f"{number} {what}", stated.get(what))
    _require_sizes(release)


def realised(counts: Counts, real_rows: int) -> Realised:
    """What is recorded of counted rows.

    Parameters
    ----------
    counts : Counts
        With rows by part.
    real_rows : int
        Real rows that went in.
    """
    return Realised(**_realised(counts, real_rows))


def layout_of(release: Release) -> Layout:
    """How the shards of a release were laid out.

    Raises
    ------
    ReleaseError
        The shards have other columns than the manifest says.
    """
    manifest = release.details
    request = manifest.mix
    layout = Layout(
        pa.schema([]),
        request.seed,
        request.rows_per_shard,
        request.stratify,
        request.provenance,
        request.weighted,
        request.domains or (),
    )
    schema = _schema(release)
    added = {field.name for field in added_columns(layout)}
    expected = added if request.stratify is None else {*added, request.stratify}
    for name in sorted(expected - set(schema.names)):
        raise _disagreement(release, f"no column '{name}'", "that there is one")
    return replace(layout, schema=pa.schema([f for f in schema if f.name not in added]))


def _require_sealed(release: Release) -> None:
    """Compare the manifest with its digest, and its inputs and settings with its name.

    It is not a signature: whoever may write the release can write a digest as well.
    """
    manifest = release.details
    if manifest.digest not in (None, digest_of_manifest(release.manifest)):
        raise ReleaseError(
            "its manifest was altered after it was written", path=release.uri, fix=_RESTORE
        )
    expected = id_of_manifest(manifest)
    if manifest.release_id != expected:
        raise ReleaseError(
            f"its manifest says release {manifest.release_id}, but its inputs and settings are "
            f"those of {expected}",
            path=release.uri,
            fix=_RESTORE,
        )
    if release.store.name != manifest.release_id:
        raise ReleaseError(
            f"its directory is named '{release.store.name}', but it is release "
            f"{manifest.release_id}",
            path=release.uri,
            fix=f"Rename the directory to {manifest.release_id}",
        )


def _require_no_links(release: Release) -> None:
    """Refuse links: what they lead to can change without any file of the release changing."""
    for file in release.store.files():
        if file.is_link:
            raise ReleaseError(
                f"'{file.name}' is a link",
                path=release.uri,
                fix="Remove the link; a release holds files only",
            )


def _require_unaltered(files: Sequence[Shard | Document], folder: Store, checks: Checks) -> None:
    """Compare files with their digests."""
    there = {file.name for file in folder.files()}
    for file in files:
        if file.path not in there:
            raise ReleaseError(f"{_called(file)} is missing", path=folder.uri, fix=_RESTORE)
    try:
        found = checks.digests(folder, [file.path for file in files])
    except OSError as error:
        raise ReleaseError(
            f"its files cannot be read ({error})", path=folder.uri, fix=_RESTORE
        ) from cause_of(error)
    for file, digest in zip(files, found, strict=True):
        if digest != file.sha256:
            raise ReleaseError(
                f"{_called(file)} was altered after it was written", path=folder.uri, fix=_RESTORE
            )


def _called(file: Shard | Document) -> str:
    return f"the {'shard' if isinstance(file, Shard) else 'file'} '{file.path}'"


def _require_listed(release: Release) -> None:
    """Refuse files that the manifest does not list."""
    listed = {file.path for file in release.details.files} | {"manifest.json", SIGNATURE}
    there = {file.name for file in release.store.files()}
    if there - listed:
        raise ReleaseError(
            f"the file '{min(there - listed)}' is not in its manifest",
            path=release.uri,
            fix="Remove the file; nothing may be added to a release",
        )


def _schema(release: Release) -> pa.Schema:
    """The columns of the shards, which all of them and the manifest agree on."""
    names = [column.name for column in release.details.columns]
    for shard in release.details.shards:
        with release.store.open(shard.path) as opened:
            schema = pq.read_schema(opened)
        for held, stated in zip_longest(schema.names, names):
            if held != stated:
                raise _disagreement(release, f"column {held!r} in '{shard.path}'", repr(stated))
    return schema


def _require_sizes(release: Release) -> None:
    """Compare the bytes of every file, and the rows of every shard, with what is listed."""
    sizes = {file.name: file.bytes for file in release.store.files()}
    for file in release.details.files:
        size = sizes.get(file.path)
        if size != file.bytes:
            raise _disagreement(release, f"{size} bytes in '{file.path}'", file.bytes)
    for shard in release.details.shards:
        with release.store.open(shard.path) as opened:
            rows = pq.read_metadata(opened).num_rows
        if rows != shard.rows:
            raise _disagreement(release, f"{rows} rows in '{shard.path}'", shard.rows)


def _disagreement(release: Release, held: str, stated: object) -> ReleaseError:
    return ReleaseError(
        f"it holds {held} where its manifest says {stated}", path=release.uri, fix=_PUBLISH
    )


def _realised(counts: Counts, real_rows: int) -> dict[str, Any]:
    """Fields of `Realised`; without provenance, those that shards know nothing of are left out."""
    known = REAL in counts.rows
    totals = {"rows": sum(counts.rows.values())}
    strata = {
        stratum: {"rows": sum(parts.values()), **(parts if known else {})}
        for stratum, parts in sorted(counts.strata.items())
    }
    if not known:
        return {**totals, "strata": strata, "nulls": dict(counts.nulls)}
    generators = {name: rows for name, rows in counts.rows.items() if name != REAL}
    weight = sum(rows * counts.weights.get(name, 1.0) for name, rows in generators.items())
    return {
        **totals,
        "real_rows": counts.rows[REAL],
        "synthetic_rows": sum(generators.values()),
        "ratio": weight / real_rows,
        "generators": generators,
        "weights": dict(counts.weights),
        "strata": strata,
        "nulls": dict(counts.nulls),
        "duplicates": counts.duplicates,
    }


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Numbers of a nested record by a name that a person can read, such as ``strata a rows``."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{prefix} {key}" if prefix else key.replace("_", " ")
        if isinstance(value, Mapping):
            flat |= _flat(value, name)
        else:
            flat[name] = value
    return flat
