"""Where a mix keeps what it writes: a local directory, or a prefix of an object store.

Releases, records and references know the few verbs of `Store` and nothing of what is behind them.
`Shelf` is the protocol by which a folder of many files appears at once: by a rename on a disk, by a
manifest that is written only if it is absent in an object store.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeGuard

from synthmix_dagster.redaction import without_secrets

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.fs as pa_fs

    from synthmix_dagster.data.lake_access import Library

_URI = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+://")
#: Schemes, and how `obstore` spells those that it does not know.
SCHEMES = {
    "s3": "s3",
    "s3a": "s3",
    "gs": "gs",
    "gcs": "gs",
    "az": "az",
    "azure": "az",
    "abfs": "abfs",
    "abfss": "abfss",
    "memory": "memory",
    "file": "file",
}
#: Key of what stands where the manifest of a removed folder was, or of one never finished.
TOMBSTONE = "abandoned"
#: A shorter value of an option is no secret, and its letters may occur anywhere.
_MIN_SECRET = 6


@dataclass(frozen=True)
class StoreAccess:
    """How to reach an object store; what is left out is found in the environment.

    Attributes
    ----------
    endpoint : str, optional
        Address of the service where it is not the usual one, such as ``http://localhost:9000``.
    region : str, optional
    access_key_id, secret_access_key, session_token : str, optional
        Keys of S3 and of services like it.
    options : mapping of str to str
        Further options of the client by the names of `obstore`, such as ``account_name``,
        ``account_key`` or ``service_account_path``.
    scratch : str, optional
        Local directory for selected rows on their way, by default that of temporary files. It
        needs about as much space as these rows take in memory, and 18 bytes more for each.
    scratch_mb : float, optional
        Maximum MB of it that one release may take; a release that needs more is refused. As much as
        is free by default.
    timeout_seconds : float
        Of one request.
    retry_seconds : float
        How long a request that fails is tried again.
    lease_seconds : float
        How long a writer that gives no sign of life holds its place.
    """

    endpoint: str | None = None
    region: str | None = None
    access_key_id: str | None = field(default=None, repr=False)
    secret_access_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    options: Mapping[str, str] = field(default_factory=dict, repr=False)
    scratch: str | None = None
    scratch_mb: float | None = None
    timeout_seconds: float = 30.0
    retry_seconds: float = 120.0
    lease_seconds: float = 120.0

    def with_address(
        self, access_key_id: str | None, secret: str | None, parameters: Mapping[str, str]
    ) -> "StoreAccess":
        """The same access with what an address says."""
        given = {"access_key_id": access_key_id, "secret_access_key": secret, **parameters}
        return replace(self, **{name: each for name, each in given.items() if each is not None})  # type: ignore[arg-type]

    def config(self, kind: str) -> dict[str, str]:
        """Options of the client of a kind of store."""
        names = ("endpoint", "region", "access_key_id", "secret_access_key", "session_token")
        given = {name: getattr(self, name) for name in names} if kind == "s3" else {}
        if kind != "s3" and self.endpoint is not None:
            given["endpoint" if kind != "gs" else "base_url"] = self.endpoint
        return {**{name: each for name, each in given.items() if each is not None}, **self.options}

    def client_options(self) -> dict[str, Any]:
        """Options of the connection."""
        plain = (self.endpoint or "").startswith("http://")
        timeout = timedelta(seconds=self.timeout_seconds)
        connect = timedelta(seconds=min(5.0, self.timeout_seconds))
        options: dict[str, Any] = {"timeout": timeout, "connect_timeout": connect}
        return options | ({"allow_http": True} if plain else {})

    def retry_config(self) -> dict[str, Any]:
        """When a request is tried again."""
        return {"max_retries": 10, "retry_timeout": timedelta(seconds=self.retry_seconds)}

    def without_secrets(self, text: str, *addresses: str) -> str:
        """A text without the keys that are set here."""
        keys = [self.access_key_id, self.secret_access_key, self.session_token]
        for secret in sorted({*keys, *self.options.values()} - {None, ""}, key=lambda s: -len(s)):  # type: ignore[arg-type]
            if len(secret) >= _MIN_SECRET:  # type: ignore[arg-type]
                text = text.replace(secret, "***")  # type: ignore[arg-type]
        return without_secrets(text, *addresses)


class Scratch(NamedTuple):
    """A local directory for what is written and read once, and how many bytes it may hold."""

    path: Path
    max_bytes: float


@dataclass(frozen=True)
class Held:
    """A small object as it was read.

    Attributes
    ----------
    content : bytes
    version : object
        Differs after the object was written again; for `Store.swap`.
    modified : float
        When it was written, in seconds, by the clock of the store.
    """

    content: bytes
    version: Any = field(compare=False)
    modified: float = field(compare=False)


@dataclass(frozen=True)
class Stored:
    """A file of a store, or one that was just written.

    Attributes
    ----------
    name : str
        Relative to the store, with forward slashes.
    bytes : int
    sha256 : str
        Known of a file that was just written.
    is_link : bool
        Whether it leads somewhere else.
    """

    name: str
    bytes: int
    sha256: str = ""
    is_link: bool = False


class Sink(Protocol):
    """A file that is being written; nobody sees it before it is finished."""

    @property
    def closed(self) -> bool:
        """Whether nothing more can be written."""

    def write(self, data: bytes) -> int:
        """Add bytes."""

    def flush(self) -> None:
        """Do nothing: bytes are where they should be when the sink is finished."""

    def close(self) -> None:
        """Do nothing: pyarrow closes what it has written to, and only `finish` makes it visible."""

    def finish(self) -> Stored:
        """Make it visible as a whole, and return its size and digest."""

    def discard(self) -> None:
        """Forget what was written."""


class Store(Protocol):
    """A folder of files, on a disk or in an object store. Names are relative to it."""

    @property
    def uri(self) -> str:
        """Its address, without anything secret."""

    @property
    def name(self) -> str:
        """The last part of its address."""

    @property
    def path(self) -> Path:
        """The local directory; a `ReleaseError` where there is none."""

    def below(self, *names: str) -> "Store":
        """A folder below; a `ReleaseError` where a name leads out of this one."""

    def up(self) -> "Store":
        """The folder that this one is in."""

    def resolved(self) -> "Store":
        """The same folder without links on the way to it."""

    def read(self, name: str) -> bytes:
        """All bytes of a file; `FileNotFoundError` where there is none."""

    def look(self, name: str) -> Held | None:
        """A small file with its version, or None."""

    def exists(self, name: str) -> bool:
        """Whether there is a file of this name."""

    def files(self) -> Sequence[Stored]:
        """All files below, sorted by name."""

    def folders(self) -> Sequence[str]:
        """Names of the folders directly below, sorted."""

    def open(self, name: str) -> "pa.NativeFile":
        """Open a file for reading in any order."""

    def create(self, name: str) -> Sink:
        """Begin a file."""

    def put(self, name: str, content: bytes) -> None:
        """Write a small file, whole or not at all; an older one is replaced."""

    def swap(self, name: str, content: bytes, version: Any) -> bool:
        """Compare and swap: write a small file if the one there is still of a version.

        Parameters
        ----------
        name : str
        content : bytes
            Where writers race, no two of them may write the same.
        version : object
            Of what `look` returned, or None to write it only if there is none.

        Returns
        -------
        bool
            Whether the file has this content now.
        """

    def delete(self, names: Sequence[str]) -> None:
        """Delete files; those that are gone already are left at that."""

    def filesystem(self) -> "tuple[pa_fs.FileSystem, str, str]":
        """The same folder as pyarrow knows it: filesystem, path, and what stands before it."""

    def lake_options(self, library: "Library") -> dict[str, str]:
        """Options by which a library of tables reaches this folder; none on a local disk."""

    def scratch(self) -> AbstractContextManager[Scratch]:
        """A local directory for what is written and read once on the way here."""

    def shelf(self) -> "Shelf":
        """The protocol by which folders appear at once."""


class Draft(Protocol):
    """A folder that is being written."""

    @property
    def folder(self) -> Store:
        """Where its files are written."""

    @property
    def data(self) -> str:
        """Name of the folder in it that belongs to this writer alone."""

    def put(self, name: str, content: bytes) -> None:
        """Write a small file beside the data."""

    def attempts(self) -> AbstractContextManager[Store]:
        """A folder that no reader sees, for files of tasks that may run more than once.

        What is not adopted is removed, by this writer or the next.
        """

    def adopt(self, attempts: Store, name: str, path: str) -> None:
        """Move a whole file from the folder of attempts to its place here."""

    def show(self, name: str, content: bytes) -> None:
        """Write the last file, with which the whole folder appears."""


class Place(Protocol):
    """A place on a shelf, held by one writer."""

    def draft(self) -> AbstractContextManager[Draft]:
        """Write the folder of this place; what was there before is replaced as a whole."""

    def trial(self) -> AbstractContextManager[Draft]:
        """Write a folder that is thrown away."""

    def point(self, pointer: str) -> None:
        """Move a pointer to this place, unless a run that began later has moved it."""

    def shown(self) -> Sequence[str]:
        """Names of the folders that readers see, in the order in which they were written."""

    def remove(self, name: str) -> None:
        """Remove the folder of another place, unless it is held or a pointer names it."""


class Shelf(Protocol):
    """Folders of which a reader sees all or nothing, and pointers to one of them."""

    def hold(self, name: str) -> AbstractContextManager[Place]:
        """Hold the place of a folder below ``releases``; what dead writers left is removed."""


def pointed(store: Store, pointer: str) -> Store | None:
    """The folder that a pointer names, or None where there is no pointer.

    In a local directory a pointer is a link; where there are no links it is a file that says as
    much.
    """
    held = store.look(pointer)
    if held is None:
        folder = store.below(pointer)
        return folder if folder.exists("manifest.json") else None
    return store.below(*str(json.loads(held.content)["folder"]).split("/"))


def write_json(store: Store, name: str, values: Any) -> None:
    """Write JSON in one stable form, whole or not at all."""
    store.put(name, json_bytes(values))


def json_bytes(values: Any) -> bytes:
    """JSON in one stable form."""
    text = json.dumps(values, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    return text.encode("utf-8")


def update(store: Store, name: str, change: Callable[[bytes | None], bytes | None]) -> None:
    """Change a small file that others change as well.

    Parameters
    ----------
    store : Store
    name : str
    change : callable
        From the content, or None where there is none, to the new content, or None to leave it as
        it is. It is asked again when somebody else was faster.
    """
    while True:
        held = store.look(name)
        content = change(None if held is None else held.content)
        if content is None or store.swap(name, content, None if held is None else held.version):
            return


def is_tombstone(content: bytes) -> bool:
    """Whether this is what stands where a manifest would, so that no dead writer puts one there."""
    return TOMBSTONE in parsed(content)


def parsed(content: bytes) -> Mapping[str, Any]:
    """A JSON object; an empty one where it is none."""
    try:
        found = json.loads(content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def is_uri(source: Any) -> bool:
    """Whether a text is the address of something that is not a path.

    Examples
    --------
    >>> is_uri("s3://bucket/mixes"), is_uri("mixes/churn")
    (True, False)
    """
    return isinstance(source, str) and _URI.match(source) is not None


def is_store(source: object) -> TypeGuard[Store]:
    """Whether something is a store."""
    return hasattr(type(source), "shelf")


def names_of(relative: str) -> Iterator[str]:
    """Parts of a relative path, without empty ones."""
    return (part for part in relative.split("/") if part)
