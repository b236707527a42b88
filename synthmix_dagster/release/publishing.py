"""Publishing: a release is written beside its place, checked there, and renamed into view.

Only then does ``latest`` move, by another rename. A killed writer leaves a hidden directory that no
reader looks at and that the next writer removes.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from synthmix_dagster.errors import ReleaseError
from synthmix_dagster.redaction import cause_of
from synthmix_dagster.release.atomic_files import HIDDEN, flush, hidden_beside, inside, write_json
from synthmix_dagster.release.handle import Release, load_release
from synthmix_dagster.release.manifest import Manifest
from synthmix_dagster.release.publication_log import append_to_log, read_log
from synthmix_dagster.release.release_id import digest_of_manifest
from synthmix_dagster.release.signing import SIGNATURE, Sign, write_signature
from synthmix_dagster.release.verification import require_realised, verify_release

#: Fills a hidden directory, given the release before if there was one; returns the manifest.
Writer = Callable[[Path, Release | None], Manifest]


def publish(
    output: Path,
    release_id: str,
    write: Writer,
    keep: int | None = None,
    sign: Sign | None = None,
) -> Release:
    """Write a release beside its place, recount it there, and rename it into view.

    A release that exists already and verifies is kept, since the same id means the same bytes. One
    that is not in the log of publications is first compared with what would be written. A damaged
    one is replaced.

    Parameters
    ----------
    output : Path
        Directory that holds ``releases`` and ``latest``.
    release_id : str
        Name of the release.
    write : callable
        See `Writer`.
    keep : int, optional
        Releases to keep, the newest, this one among them; all by default.
    sign : callable, optional
        Signs the digest of the manifest, before the release can be seen.
    """
    releases = inside(output, "releases")
    final = inside(output, f"releases/{release_id}")
    try:
        releases.mkdir(parents=True, exist_ok=True)
        with _one_writer(output):
            _remove_unfinished(output)
            _remove_unfinished(releases)
            previous = _previous(output, release_id)
            release = _existing(final)
            if release is None:
                release = _write_beside(final, write, previous, sign)
            elif not _published_here(output, release):
                _require_same_rows(release, write, previous)
            if sign is not None and not (release.path / SIGNATURE).exists():
                write_signature(release.path, digest_of_manifest(release.manifest), sign)
            append_to_log(output, release_id, release.details.digest or "")
            _point_latest(output, release_id)
            if keep is not None:
                _remove_oldest(output, release_id, keep)
            return release
    except (OSError, pa.ArrowException) as error:
        raise ReleaseError(
            f"it cannot be written ({error})",
            path=output,
            fix="Check disk space, permissions and column types. Existing releases are unchanged",
        ) from cause_of(error)


def _existing(final: Path) -> Release | None:
    """The release of this id, if it is there and whole; a damaged one is written again."""
    if not final.is_dir():
        return None
    try:
        return verify_release(final)
    except ReleaseError:
        return None


def _published_here(output: Path, release: Release) -> bool:
    """Whether the log of publications knows this very manifest."""
    digest = release.details.digest
    known = {(entry.release_id, entry.digest) for entry in read_log(output)}
    return digest is not None and (release.release_id, digest) in known


def _require_same_rows(release: Release, write: Writer, previous: Release | None) -> None:
    """Refuse a release that somebody put in the place of the one about to be written.

    It verifies in itself, so only writing the rows once more can tell.
    """
    hidden = hidden_beside(release.path)
    hidden.mkdir()
    try:
        written = write(hidden, previous)
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
    there = release.details
    if (written.shards, written.realised, written.columns) != (
        there.shards,
        there.realised,
        there.columns,
    ):
        raise ReleaseError(
            "it exists already with other rows than its inputs and settings give",
            path=release.path,
            fix="Find out who put it there, move it away and run again. Existing releases are "
            "unchanged",
        )


def previous_of(release: Release) -> Release | None:
    """The release that ``latest`` named when this one was published, if it is still there."""
    named = release.details.previous
    try:
        return load_release(inside(release.path.parent, named)) if named else None
    except ReleaseError:
        return None


def _previous(output: Path, release_id: str) -> Release | None:
    """The release before one that is about to be written."""
    try:
        latest = load_release(inside(output, "latest"))
    except ReleaseError:
        return None
    # A damaged release that is written again came after what it came after before.
    return previous_of(latest) if latest.release_id == release_id else latest


def _write_beside(
    final: Path, write: Writer, previous: Release | None, sign: Sign | None
) -> Release:
    hidden = hidden_beside(final)
    hidden.mkdir()
    try:
        manifest = write(hidden, previous)
        write_json(hidden / "manifest.json", manifest.to_dict())
        if sign is not None:
            write_signature(hidden, str(manifest.digest), sign)
        release = load_release(hidden)
        require_realised(release)
        for folder in (hidden / "data", hidden):
            flush(folder)
        if final.exists():
            final.rename(hidden_beside(final))
        hidden.rename(final)
    except BaseException:
        shutil.rmtree(hidden, ignore_errors=True)
        raise
    _remove_unfinished(final.parent)
    flush(final.parent)
    return replace(release, path=final.resolve())


@contextmanager
def _one_writer(output: Path) -> Iterator[None]:
    """Let writers of one output take turns; the lock dies with its process."""
    from filelock import FileLock

    with FileLock(output / ".writer.lock"):
        yield


def _remove_unfinished(folder: Path) -> None:
    """Remove what killed writers left; no live writer is there while the lock is held."""
    for leftover in folder.glob(f"{HIDDEN}*"):
        if leftover.is_dir() and not leftover.is_symlink():
            shutil.rmtree(leftover)
        else:
            leftover.unlink()


def _remove_oldest(output: Path, current: str, keep: int) -> None:
    """Remove all but the newest; a reader sees each of them whole until it is gone.

    The order is that of publication. Releases from before there was a log are older than all in it;
    among themselves they go by the time of their manifests.
    """
    last = {entry.release_id: place for place, entry in enumerate(read_log(output))}
    others = [folder for folder in (output / "releases").iterdir() if _is_release(folder, current)]
    others.sort(
        key=lambda folder: (
            last.get(folder.name, -1),
            (folder / "manifest.json").stat().st_mtime_ns,
            folder.name,
        )
    )
    for folder in others[: max(0, len(others) + 1 - keep)]:
        hidden = hidden_beside(folder)
        folder.rename(hidden)
        shutil.rmtree(hidden)


def _is_release(folder: Path, current: str) -> bool:
    return folder.name != current and (folder / "manifest.json").is_file()


def _point_latest(output: Path, release_id: str) -> None:
    hidden = hidden_beside(output / "latest")
    hidden.symlink_to(Path("releases") / release_id, target_is_directory=True)
    hidden.replace(output / "latest")
    flush(output)
