"""Files of an object store as pyarrow reads and writes them."""

import hashlib
import os
from typing import TYPE_CHECKING, Any

from synthmix_dagster.data.refusals import refusals
from synthmix_dagster.data.store import Stored

if TYPE_CHECKING:
    from synthmix_dagster.data.object_store import ObjectStore

#: Bytes that a small read fetches at least.
_AHEAD = 2**16


class Reader:
    """A file for `pyarrow.PythonFile`: any place, and small pieces not one request each."""

    def __init__(self, store: "ObjectStore", name: str) -> None:
        self._store, self._name = store, name
        self._size, self._at = store.size(name), 0
        self._held, self._start = b"", 0
        self.closed = False

    def read(self, length: int | None = None) -> bytes:
        stop = self._size if length is None or length < 0 else min(self._at + length, self._size)
        if stop <= self._at:
            return b""
        if not (self._start <= self._at and stop <= self._start + len(self._held)):
            # The end of a file is read in small steps backwards.
            start = min(self._at, max(0, self._size - _AHEAD))
            wanted = min(max(stop - start, _AHEAD), self._size - start)
            self._held, self._start = self._store.range(self._name, start, wanted), start
        content = self._held[self._at - self._start : stop - self._start]
        if len(content) != stop - self._at:
            raise OSError(f"'{self._store.uri}/{self._name}' is shorter than it was")
        self._at = stop
        return content

    def seek(self, place: int, whence: int = os.SEEK_SET) -> int:
        self._at = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence] + place
        return self._at

    def tell(self) -> int:
        return self._at

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._held, self.closed = b"", True


class ObjectSink:
    """A file that is uploaded in parts while it is written."""

    def __init__(self, store: "ObjectStore", name: str) -> None:
        self._store, self._name = store, name
        self._bytes, self._digest = 0, hashlib.sha256()
        self._upload: Any = store.upload(name)

    @property
    def closed(self) -> bool:
        return self._upload is None

    def write(self, data: bytes) -> int:
        with refusals(self._store, "write", self._name):
            self._upload.write(data)
        self._digest.update(data)
        self._bytes += len(data)
        return len(data)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass

    def finish(self) -> Stored:
        with refusals(self._store, "write", self._name):
            self._upload.close()
        self._upload = None
        return Stored(self._name, self._bytes, self._digest.hexdigest())

    def discard(self) -> None:
        # Parts that were uploaded are invisible; a rule of the bucket removes them.
        self._upload = None
