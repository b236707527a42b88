"""Files of an object store as pyarrow reads and writes them."""

import hashlib
import os
from typing import TYPE_CHECKING, Any

from synthmix_dagster.data.refusals import refusals
from synthmix_dagster.data.store import Stored
from synthmix_dagster.errors import StoreError

if TYPE_CHECKING:
    from synthmix_dagster.data.object_store import ObjectStore

#: Bytes of one part of an upload; a smaller file is written by one request, which can be repeated.
PART_BYTES = 2**23
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
    """A file that is uploaded in parts while it is written; a small one all at once."""

    def __init__(self, store: "ObjectStore", name: str) -> None:
        self._store, self._name = store, name
        self._bytes, self._digest = 0, hashlib.sha256()
        self._held, self._open = bytearray(), True
        self._upload: Any = None

    @property
    def closed(self) -> bool:
        return not self._open

    def write(self, data: bytes) -> int:
        self._digest.update(data)
        self._bytes += len(data)
        self._held += data
        if len(self._held) >= PART_BYTES:
            if self._upload is None:
                self._upload = self._store.upload(self._name)
            self._send()
        return len(data)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass

    def finish(self) -> Stored:
        if self._upload is None:
            self._store.put(self._name, bytes(self._held))
        else:
            self._send()
            self._complete()
        self.discard()
        return Stored(self._name, self._bytes, self._digest.hexdigest())

    def discard(self) -> None:
        # Parts that were uploaded are invisible; a rule of the bucket removes them.
        self._held, self._upload, self._open = bytearray(), None, False

    def _send(self) -> None:
        with refusals(self._store, "write", self._name):
            self._upload.write(bytes(self._held))
        self._held.clear()

    def _complete(self) -> None:
        try:
            with refusals(self._store, "write", self._name):
                self._upload.close()
        except (StoreError, FileNotFoundError) as error:
            # Perhaps only the answer was lost: then the whole file is there.
            transient = not isinstance(error, StoreError) or error.transient
            if not (transient and self._is_there()):
                raise

    def _is_there(self) -> bool:
        try:
            return self._store.size(self._name) == self._bytes
        except FileNotFoundError:
            return False
