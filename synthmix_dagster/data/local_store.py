"""A local directory as a store: hidden names, renames and links.

A folder is written under a hidden name beside its place and renamed into view. A killed writer
leaves a hidden folder that no reader looks at and that the next writer removes.
"""

import hashlib
import math
import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthmix_dagster.data.store import Held, Scratch, Sink, Store, Stored
from synthmix_dagster.errors import ReleaseError

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.fs as pa_fs

    from synthmix_dagster.data.lake_access import Library

#: Prefix of names that readers ignore.
HIDDEN = ".writing-"
#: Held by the writer of an output, and the mark of one.
_LOCK, _SWAP_LOCK = ".writer.lock", ".swap.lock"
_OWN_FOLDERS = ("releases", "latest", "records", "references")


@dataclass(frozen=True)
class LocalStore:
    """A local directory.

    Attributes
    ----------
    path : Path
    """

    path: Path

    @property
    def uri(self) -> str:
        return str(self.path)

    @property
    def name(self) -> str:
        return self.path.name

    def below(self, *names: str) -> "LocalStore":
        path = self.path
        for name in names:
            path = inside(path, name)
        return LocalStore(path)

    def up(self) -> "LocalStore":
        return LocalStore(self.path.parent)

    def resolved(self) -> "LocalStore":
        return LocalStore(self.path.resolve())

    def read(self, name: str) -> bytes:
        return self._inside(name).read_bytes()

    def look(self, name: str) -> Held | None:
        path = self._inside(name)
        try:
            content, modified = path.read_bytes(), path.stat().st_mtime
        except (FileNotFoundError, IsADirectoryError):
            return None
        return Held(content, hashlib.sha256(content).hexdigest(), modified)

    def exists(self, name: str) -> bool:
        return self._inside(name).is_file()

    def files(self) -> list[Stored]:
        found = []
        for path in sorted(self.path.rglob("*")):
            linked = path.is_symlink()
            if linked or path.is_file():
                name = path.relative_to(self.path).as_posix()
                found.append(Stored(name, path.lstat().st_size, is_link=linked))
        return found

    def folders(self) -> list[str]:
        try:
            return sorted(entry.name for entry in os.scandir(self.path) if entry.is_dir())
        except (FileNotFoundError, NotADirectoryError):
            return []

    def open(self, name: str) -> "pa.NativeFile":
        import pyarrow as pa

        return pa.OSFile(str(self._inside(name)))

    def create(self, name: str) -> Sink:
        path = self._inside(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        return LocalSink(path, name)

    def put(self, name: str, content: bytes) -> None:
        path = self._inside(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        hidden = hidden_beside(path)
        hidden.write_bytes(content)
        flush(hidden)
        hidden.replace(path)

    def swap(self, name: str, content: bytes, version: Any) -> bool:
        from filelock import FileLock

        path = self._inside(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(_SWAP_LOCK)):
            held = self.look(name)
            if held is not None and held.content == content:
                return True
            if (None if held is None else held.version) != version:
                return False
            self.put(name, content)
            return True

    def delete(self, names: Sequence[str]) -> None:
        for name in names:
            self._inside(name).unlink(missing_ok=True)

    def filesystem(self) -> "tuple[pa_fs.FileSystem, str, str]":
        import pyarrow.fs as pa_fs

        return pa_fs.LocalFileSystem(), str(self.path), ""

    def lake_options(self, library: "Library") -> dict[str, str]:
        return {}

    @contextmanager
    def scratch(self) -> Iterator[Scratch]:
        """Beside what is written: the same disk has to hold that as well."""
        folder = self.path / "spill"
        folder.mkdir(parents=True)
        try:
            yield Scratch(folder, math.inf)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def shelf(self) -> "LocalShelf":
        return LocalShelf(self)

    def _inside(self, name: str) -> Path:
        return inside(self.path, name)


class LocalSink:
    """A file under a hidden name, which gets its own when it is on disk."""

    def __init__(self, path: Path, name: str) -> None:
        self._path, self._name, self._hidden = path, name, hidden_beside(path)
        self._file = self._hidden.open("wb")
        self._bytes, self._digest = 0, hashlib.sha256()

    @property
    def closed(self) -> bool:
        return self._file.closed

    def write(self, data: bytes) -> int:
        self._digest.update(data)
        self._bytes += len(data)
        return self._file.write(data)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass

    def finish(self) -> Stored:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._hidden.replace(self._path)
        return Stored(self._name, self._bytes, self._digest.hexdigest())

    def discard(self) -> None:
        self._file.close()
        self._hidden.unlink(missing_ok=True)


@dataclass(frozen=True)
class LocalShelf:
    """Folders below ``releases`` of a local directory; writers take turns.

    Attributes
    ----------
    store : LocalStore
    """

    store: LocalStore

    @contextmanager
    def hold(self, name: str) -> Iterator["LocalPlace"]:
        """Let writers take turns; the lock dies with its process."""
        from filelock import FileLock

        _require_apart(self.store.path)
        releases = self.store.below("releases").path
        final = self.store.below("releases", name).path
        releases.mkdir(parents=True, exist_ok=True)
        with FileLock(self.store.path / _LOCK):
            # No live writer is there while a lock is held: releases are written under this one,
            # what lies beside them, the page and the logs, under the other.
            with FileLock(self.store.path / _SWAP_LOCK):
                _remove_unfinished(self.store.path)
            _remove_unfinished(releases)
            yield LocalPlace(self.store, final)


def _require_apart(output: Path) -> None:
    """Refuse an output inside that of another mix, or one that has another in its own folders.

    Whoever verifies a release would find files that nobody listed. Partitions and snapshots of a
    mix lie in it.
    """
    own = output.resolve()
    for above in own.parents:
        inside = own.relative_to(above).parts[0]
        if inside not in ("partitions", "snapshots") and (above / _LOCK).is_file():
            raise ReleaseError(
                f"it lies inside the output of another mix, '{above}'",
                path=output,
                fix="Set 'output' to a directory of its own. Nothing was written",
            )
    for name in _OWN_FOLDERS:
        if (own / name / _LOCK).is_file():
            raise ReleaseError(
                f"the output of another mix lies in its '{name}'",
                path=output,
                fix="Set 'output' to a directory of its own. Nothing was written",
            )


@dataclass(frozen=True)
class LocalPlace:
    """A folder below ``releases``, whose writer holds the lock of all of them."""

    store: LocalStore
    final: Path

    @contextmanager
    def draft(self) -> Iterator["LocalDraft"]:
        with self.trial() as draft:
            yield draft
        _remove_unfinished(self.final.parent)
        flush(self.final.parent)

    @contextmanager
    def trial(self) -> Iterator["LocalDraft"]:
        hidden = hidden_beside(self.final)
        hidden.mkdir()
        try:
            yield LocalDraft(LocalStore(hidden), self.final)
        finally:
            shutil.rmtree(hidden, ignore_errors=True)

    def point(self, pointer: str) -> None:
        """By a rename; the lock keeps runs in their order."""
        hidden = hidden_beside(self.store.path / pointer)
        hidden.symlink_to(Path("releases") / self.final.name, target_is_directory=True)
        hidden.replace(self.store.path / pointer)
        flush(self.store.path)

    def shown(self) -> list[str]:
        manifests = self.final.parent.glob("*/manifest.json")
        times = sorted((path.stat().st_mtime_ns, path.parent.name) for path in manifests)
        return [name for _, name in times if not name.startswith(HIDDEN)]

    def remove(self, name: str) -> None:
        """A reader sees the folder whole until it is gone."""
        folder = self.store.below("releases", name).path
        hidden = hidden_beside(folder)
        folder.rename(hidden)
        shutil.rmtree(hidden)


@dataclass(frozen=True)
class LocalDraft:
    """A hidden folder beside its place."""

    folder: Store
    final: Path
    data: str = "data"

    def put(self, name: str, content: bytes) -> None:
        self.folder.put(name, content)

    @contextmanager
    def attempts(self) -> Iterator[Store]:
        """Beside the draft: what a late attempt still writes there gets into no release."""
        hidden = hidden_beside(self.final)
        hidden.mkdir()
        try:
            yield LocalStore(hidden)
        finally:
            shutil.rmtree(hidden, ignore_errors=True)

    def adopt(self, attempts: Store, name: str, path: str) -> None:
        final = inside(self.folder.path, path)
        final.parent.mkdir(parents=True, exist_ok=True)
        inside(attempts.path, name).replace(final)

    def show(self, name: str, content: bytes) -> None:
        hidden = self.folder.path
        self.folder.put(name, content)
        for folder in (hidden / self.data, hidden):
            flush(folder)
        if self.final.exists():
            self.final.rename(hidden_beside(self.final))
        hidden.rename(self.final)


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
            fix="Use a relative path below the output directory, without '..' and outward links",
        )
    return joined


def hidden_beside(path: Path) -> Path:
    """A new path next to another, with a name that readers ignore."""
    return path.with_name(f"{HIDDEN}{uuid.uuid4().hex}")


def flush(path: Path) -> None:
    """Bring a file, or the names in a directory, to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove_unfinished(folder: Path) -> None:
    """Remove what killed writers left.

    A task of theirs on a cluster may not know yet that it was given up, and write on: what it adds
    meanwhile is left to the next writer.
    """
    for leftover in folder.glob(f"{HIDDEN}*"):
        if leftover.is_dir() and not leftover.is_symlink():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)
