"""Publishing: a release is written where nobody looks, checked there, and shown as a whole.

Only then does ``latest`` move. How a folder appears at once is for the shelf of the store to know:
by a rename on a disk, by its manifest in an object store. A killed writer leaves nothing that a
reader could take for a release, and the next writer removes what it left.
"""

from collections.abc import Callable

import pyarrow as pa

from synthmix_dagster.data.store import Draft, Place, Store, json_bytes
from synthmix_dagster.errors import ReleaseError, StoreError
from synthmix_dagster.redaction import cause_of
from synthmix_dagster.release.handle import Release, load_release
from synthmix_dagster.release.manifest import Manifest
from synthmix_dagster.release.publication_log import append_to_log, read_log
from synthmix_dagster.release.recording import write_index
from synthmix_dagster.release.release_id import digest_of_manifest
from synthmix_dagster.release.signing import SIGNATURE, Sign, signature_of
from synthmix_dagster.release.verification import HERE, Checks, require_realised, verified

#: Fills a draft, given the release before if there was one; returns the manifest.
Writer = Callable[[Draft, Release | None], Manifest]

_MANIFEST = "manifest.json"
#: How often a release is written anew where the store fails for a while.
_DRAFTS = 3


def publish(
    output: Store,
    release_id: str,
    write: Writer,
    keep: int | None = None,
    sign: Sign | None = None,
    checks: Checks = HERE,
) -> Release:
    """Write a release where nobody looks, recount it there, and show it.

    A release that exists already and verifies is kept, since the same id means the same bytes. One
    that is not in the log of publications is first compared with what would be written. A damaged
    one is replaced.

    Parameters
    ----------
    output : Store
        Folder that holds ``releases`` and ``latest``.
    release_id : str
        Name of the release.
    write : callable
        See `Writer`.
    keep : int, optional
        Releases to keep, the newest, this one among them; all by default.
    sign : callable, optional
        Signs the digest of the manifest, before the release can be seen.
    checks : Checks, optional
        What reads files again to check them, this machine by default.
    """
    try:
        with output.shelf().hold(release_id) as place:
            previous = _previous(output, release_id)
            final = output.below("releases", release_id)
            release = _existing(final, checks)
            if release is None:
                release = _write(place, final, write, previous, sign, checks)
            elif not _published_here(output, release):
                _require_same_rows(place, release, write, previous)
            if sign is not None and not release.store.exists(SIGNATURE):
                text = signature_of(digest_of_manifest(release.manifest), sign, release.uri)
                release.store.put(SIGNATURE, text)
            append_to_log(output, release_id, release.details.digest or "")
            place.point("latest")
            if keep is not None:
                _remove_oldest(output, place, release_id, keep)
    except (OSError, pa.ArrowException) as error:
        raise ReleaseError(
            f"it cannot be written ({error})",
            path=output.uri,
            fix="Check disk space, permissions and column types. Existing releases are unchanged",
        ) from cause_of(error)
    write_index(output)
    return release


def _existing(final: Store, checks: Checks) -> Release | None:
    """The release of this id, if it is there and whole; a damaged one is written again."""
    try:
        return verified(load_release(final), checks) if final.exists(_MANIFEST) else None
    except ReleaseError:
        return None


def _published_here(output: Store, release: Release) -> bool:
    """Whether the log of publications knows this very manifest."""
    digest = release.details.digest
    known = {(entry.release_id, entry.digest) for entry in read_log(output)}
    return digest is not None and (release.release_id, digest) in known


def _require_same_rows(
    place: Place, release: Release, write: Writer, previous: Release | None
) -> None:
    """Refuse a release that somebody put in the place of the one about to be written.

    It verifies in itself, so only writing the rows once more can tell.
    """
    with place.trial() as draft:
        written = write(draft, previous)
    there = release.details
    rows = [(shard.rows, shard.bytes, shard.sha256) for shard in written.shards]
    if (rows, written.realised, written.columns) != (
        [(shard.rows, shard.bytes, shard.sha256) for shard in there.shards],
        there.realised,
        there.columns,
    ):
        raise ReleaseError(
            "it exists already with other rows than its inputs and settings give",
            path=release.uri,
            fix="Find out who put it there, move it away and run again. Existing releases are "
            "unchanged",
        )


def previous_of(release: Release) -> Release | None:
    """The release that ``latest`` named when this one was published, if it is still there."""
    named = release.details.previous
    try:
        return load_release(release.store.up().below(named)) if named else None
    except ReleaseError:
        return None


def _previous(output: Store, release_id: str) -> Release | None:
    """The release before one that is about to be written."""
    try:
        latest = load_release(output.below("latest"))
    except ReleaseError:
        return None
    # A damaged release that is written again came after what it came after before.
    return previous_of(latest) if latest.release_id == release_id else latest


def _write(
    place: Place,
    final: Store,
    write: Writer,
    previous: Release | None,
    sign: Sign | None,
    checks: Checks,
) -> Release:
    """Write a release and show it once the recount agrees with what was meant."""
    for further in reversed(range(_DRAFTS)):
        try:
            with place.draft() as draft:
                manifest = write(draft, previous).to_dict()
                if sign is not None:
                    draft.put(SIGNATURE, signature_of(str(manifest["digest"]), sign, final.uri))
                require_realised(Release(draft.folder, manifest), checks)
                draft.show(_MANIFEST, json_bytes(manifest))
            break
        except StoreError as error:
            # Of a file that was being uploaded, what is lost cannot be sent again.
            if not (error.transient and further):
                raise
    return load_release(final)


def _remove_oldest(output: Store, place: Place, current: str, keep: int) -> None:
    """Remove all but the newest.

    The order is that of publication. Releases from before there was a log are older than all in it;
    among themselves they go by the time of their manifests.
    """
    last = {entry.release_id: number for number, entry in enumerate(read_log(output))}
    others = [name for name in place.shown() if name != current]
    others.sort(key=lambda name: last.get(name, -1))
    for name in others[: max(0, len(others) + 1 - keep)]:
        place.remove(name)
