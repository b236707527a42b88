"""A prefix of an object store as a `Store`, through `obstore`.

Whatever the client refuses becomes a `StoreError` that says what is wrong and what to do, without
the credentials that its message may quote.
"""

import math
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from synthmix_dagster.data.lake_access import Library, options_of
from synthmix_dagster.data.object_files import PART_BYTES, ObjectSink, Reader
from synthmix_dagster.data.refusals import again, first_line, refusals
from synthmix_dagster.data.store import (
    SCHEMES,
    Held,
    Scratch,
    Sink,
    Store,
    StoreAccess,
    Stored,
    names_of,
)
from synthmix_dagster.errors import ReleaseError, StoreError
from synthmix_dagster.redaction import without_secrets

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.fs as pa_fs

    from synthmix_dagster.data.object_shelf import ObjectShelf

#: Parameters of an address, as pyarrow has them, and what they are called here.
_PARAMETERS = {"endpoint_override": "endpoint", "endpoint": "endpoint", "region": "region"}
#: Parts under way at a time: with what is held back, the memory of one file.
_PARTS = 4
#: A version that no object has, for asking whether a store keeps conditions.
_NO_VERSION = {"e_tag": '"00000000000000000000000000000000"', "version": "0"}
#: Stores in the memory of this process, by their names, for tests.
_in_memory: dict[str, Any] = {}

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class ObjectStore:
    """All objects below a prefix.

    Attributes
    ----------
    uri : str
        Address of the prefix, without anything secret.
    key : str
        The prefix in its bucket.
    client : obstore store
        The bucket.
    access : StoreAccess
    """

    uri: str
    key: str
    client: Any = field(compare=False, repr=False)
    access: StoreAccess = field(compare=False, repr=False)

    @property
    def name(self) -> str:
        return self.uri.rpartition("/")[2]

    @property
    def path(self) -> Path:
        raise ReleaseError(
            "it lies in an object store, not in a local directory",
            path=self.uri,
            fix="Read its rows with 'to_arrow', 'to_pandas', 'batches' or 'scan', or copy it first",
        )

    def below(self, *names: str) -> "ObjectStore":
        relative = "/".join(names)
        return ObjectStore(
            f"{self.uri.rstrip('/')}/{relative}", self._key(relative), self.client, self.access
        )

    def up(self) -> "ObjectStore":
        uri, key = (text.rpartition("/")[0] for text in (self.uri, self.key))
        return ObjectStore(uri, key, self.client, self.access)

    def resolved(self) -> "ObjectStore":
        return self

    def read(self, name: str) -> bytes:
        import obstore

        # Of the buffer a copy: it is given back at once.
        return self._ask("read", name, lambda key: bytes(obstore.get(self.client, key).bytes()))

    def look(self, name: str) -> Held | None:
        import obstore

        def look(key: str) -> Held:
            found = obstore.get(self.client, key)
            meta = found.meta
            version = {part: meta[part] for part in ("e_tag", "version") if meta[part] is not None}
            return Held(bytes(found.bytes()), version, meta["last_modified"].timestamp())

        try:
            return self._ask("read", name, look)
        except FileNotFoundError:
            return None

    def exists(self, name: str) -> bool:
        try:
            self._head(name)
        except FileNotFoundError:
            return False
        return True

    def files(self) -> list[Stored]:
        import obstore

        def listed(key: str) -> list[Stored]:
            return [
                Stored(entry["path"][len(key) + 1 if key else 0 :], entry["size"])
                for chunk in obstore.list(self.client, key or None)
                for entry in chunk
            ]

        return sorted(self._ask("list", "", listed), key=lambda file: file.name)

    def folders(self) -> list[str]:
        import obstore

        def listed(key: str) -> Sequence[str]:
            return obstore.list_with_delimiter(self.client, key or None)["common_prefixes"]

        return sorted(prefix.rpartition("/")[2] for prefix in self._ask("list", "", listed))

    def open(self, name: str) -> "pa.NativeFile":
        import pyarrow as pa

        return pa.PythonFile(Reader(self, name), mode="r")

    def create(self, name: str) -> Sink:
        return ObjectSink(self, name)

    def put(self, name: str, content: bytes) -> None:
        import obstore

        self._ask("write", name, lambda key: obstore.put(self.client, key, content))

    def swap(self, name: str, content: bytes, version: Any) -> bool:
        # An answer may be lost although the write was done. Asked again, the store refuses what
        # this very writer has written, so what is there decides.
        if self._swapped(name, content, version):
            return True
        held = self.look(name)
        return held is not None and held.content == content

    def keeps_conditions(self, name: str) -> bool:
        """Whether a write under a condition that does not hold is refused; `name` is there."""
        return not any(self._swapped(name, b"", version) for version in (None, _NO_VERSION))

    def _swapped(self, name: str, content: bytes, version: Any) -> bool:
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        mode: Any = "create" if version is None else version

        def swap(key: str) -> bool:
            try:
                obstore.put(self.client, key, content, mode=mode)
            except (AlreadyExistsError, PreconditionError):
                return False
            except FileNotFoundError:
                # So says S3 of a swap whose object is gone. A bucket that is gone is no refusal.
                if version is None:
                    raise
                return False
            return True

        return self._ask("write", name, swap)

    def delete(self, names: Sequence[str]) -> None:
        import obstore

        for name in names:
            try:
                self._ask("delete", name, lambda key: obstore.delete(self.client, key))
            except FileNotFoundError:
                continue

    def filesystem(self) -> "tuple[pa_fs.FileSystem, str, str]":
        import pyarrow.fs as pa_fs

        from synthmix_dagster.data.store_filesystem import StoreHandler

        bucket = self.uri.removesuffix(self.key).rstrip("/")
        whole = ObjectStore(bucket, "", self.client, self.access)
        return pa_fs.PyFileSystem(StoreHandler(whole)), self.key, f"{bucket}/"

    def lake_options(self, library: Library) -> dict[str, str]:
        kind = SCHEMES[self.uri.partition("://")[0].lower()]
        return options_of(library, kind, self.access)

    @contextmanager
    def scratch(self) -> Iterator[Scratch]:
        """On the disk of this machine, in a directory of its own that goes with it."""
        try:
            folder = tempfile.TemporaryDirectory(prefix="synthmix-", dir=self.access.scratch)
        except OSError as error:
            raise StoreError(
                f"no scratch directory can be made ({error})",
                store=self.uri,
                fix="Set 'scratch' to a local directory with space for the selected rows",
            ) from None
        limit = self.access.scratch_mb
        with folder as name:
            yield Scratch(Path(name), math.inf if limit is None else limit * 2**20)

    def shelf(self) -> "ObjectShelf":
        from synthmix_dagster.data.object_shelf import ObjectShelf

        return ObjectShelf(self)

    def upload(self, name: str) -> Any:
        """Begin an upload in parts."""
        import obstore

        return self._ask(
            "write",
            name,
            lambda key: obstore.open_writer(
                self.client, key, buffer_size=PART_BYTES, max_concurrency=_PARTS
            ),
        )

    def copy(self, source: Store, name: str, to: str) -> None:
        """Have the store copy a file of another folder of this bucket."""
        import obstore

        from_ = f"{source.key}/{name}"  # type: ignore[attr-defined]
        self._ask("write", to, lambda key: obstore.copy(self.client, from_, key))

    def range(self, name: str, start: int, length: int) -> bytes:
        """Some bytes of a file."""
        import obstore

        return self._ask(
            "read",
            name,
            lambda key: bytes(obstore.get_range(self.client, key, start=start, length=length)),
        )

    def size(self, name: str) -> int:
        """Bytes of a file."""
        return int(self._head(name)["size"])

    def version(self, name: str) -> str:
        """What differs after a file was written again."""
        meta = self._head(name)
        return f"{meta['e_tag']} {meta['version']} {meta['last_modified']}"

    def _head(self, name: str) -> Any:
        """What is known of a file without its content."""
        import obstore

        def head(key: str) -> Any:
            try:
                return obstore.head(self.client, key)
            except FileNotFoundError:
                raise
            except Exception:
                # The answer to this question has no body, so that it cannot say what is wrong.
                obstore.get_range(self.client, key, start=0, length=1)
                raise

        return self._ask("read", name, head)

    def _key(self, relative: str) -> str:
        parts = list(names_of(relative))
        if relative.startswith("/") or any(part in (".", "..") for part in parts):
            raise ReleaseError(
                f"'{relative}' lies outside it",
                path=self.uri,
                fix="Use a relative path below the output directory, without '..'",
            )
        return "/".join([*([self.key] if self.key else []), *parts])

    def _ask(self, verb: str, name: str, ask: Callable[[str], Answer]) -> Answer:
        """Ask the client for something, in terms of this package if it refuses."""

        def once() -> Answer:
            with refusals(self, verb, name):
                return ask(self._key(name))

        return again(self.access.retry_seconds, once)


def open_object_store(uri: str, access: StoreAccess | None) -> ObjectStore:
    """Open a prefix of an object store.

    Raises
    ------
    StoreError
        The scheme is unknown, a package is missing, or the address cannot be used.
    """
    access = access or StoreAccess()
    shown = without_secrets(uri).rstrip("/")
    scheme, _, rest = uri.partition("://")
    kind = SCHEMES.get(scheme.lower())
    if kind in (None, "file"):
        raise StoreError(
            f"'{scheme}://' is not a store that can be written to",
            store=shown,
            fix="Use a local directory, s3://, gs://, abfs:// or az://",
        )
    try:
        from obstore.store import MemoryStore, from_url
    except ImportError:
        raise StoreError(
            "object stores need the package obstore",
            store=shown,
            fix="Install it: pip install 'synthmix-dagster[stores]'",
        ) from None
    place = re.split(r"[?#]", rest, maxsplit=1)[0]
    authority, _, key = place.partition("/")
    if kind == "memory":
        client = _in_memory.setdefault(authority, MemoryStore())
    else:
        access = access.with_address(*_credentials(uri, kind), dict(_parameters(uri)))
        host = authority if kind.startswith("abfs") else authority.rpartition("@")[2]
        try:
            options: dict[str, Any] = {
                "config": access.config(kind),
                "client_options": access.client_options(),
                "retry_config": access.retry_config(),
            }
            client = from_url(f"{kind}://{host}", **options)
        except Exception as error:
            said = access.without_secrets(first_line(error), uri)
            raise StoreError(
                f"it cannot be opened ({said})",
                store=shown,
                fix="Check the address and the options of its storage",
            ) from None
    return ObjectStore(shown, unquote(key.strip("/")), client, access)


def _parameters(uri: str) -> Iterator[tuple[str, str]]:
    """Endpoint and region, as pyarrow takes them out of an address."""
    given = dict(parse_qsl(urlsplit(uri).query))
    for name, value in given.items():
        if name in _PARAMETERS:
            plain = name == "endpoint_override" and "://" not in value
            yield (
                _PARAMETERS[name],
                f"{given.get('scheme', 'https')}://{value}" if plain else value,
            )


def _credentials(uri: str, kind: str) -> tuple[str | None, str | None]:
    """Key and secret that stand before the host of an address."""
    user, at, _ = uri.partition("://")[2].partition("/")[0].rpartition("@")
    if not at or kind.startswith("abfs"):
        return None, None
    name, _, secret = user.partition(":")
    return unquote(name), unquote(secret) or None
