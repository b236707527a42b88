"""Who writes one folder of an object store: a lease that its owner keeps renewing."""

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from synthmix_dagster.data.store import Held, json_bytes, parsed
from synthmix_dagster.errors import ReleaseError, StoreError

if TYPE_CHECKING:
    from synthmix_dagster.data.object_store import ObjectStore

#: How often in its time a lease is renewed, and looked at by who waits for it.
_BEATS = 6


@dataclass
class Lease:
    """Who writes one folder; a small object that its owner keeps writing anew.

    Attributes
    ----------
    store : ObjectStore
        Folder of the leases.
    name : str
        Of the folder that is held.
    taken_over : bool
        Whether its owner before gave no sign of life.
    """

    store: "ObjectStore"
    name: str
    taken_over: bool = False
    _owned: bool = False
    _lost: bool = False
    _owner: str = field(default_factory=lambda: uuid.uuid4().hex)
    _beats: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def held(self) -> Iterator["Lease"]:
        """Take the lease, or wait until it is free, and keep it while the block runs."""
        while not (self._owned or self.take_if_free() or self.take_if_dead()):
            time.sleep(min(1.0, self._seconds / _BEATS))
        done = threading.Event()
        beating = threading.Thread(target=self._beat, args=(done,), daemon=True)
        beating.start()
        try:
            yield self
        finally:
            done.set()
            beating.join()
            # Only while it is one's own: by now another may hold it.
            with suppress(StoreError, ReleaseError):
                self.renew()
                self.store.delete([self._file])
            self._owned = False

    def take_if_free(self) -> bool:
        """Take it if nobody has it."""
        return self._written(None)

    def take_if_dead(self) -> bool:
        """Take it if its owner gave no sign of life for the time of a lease.

        Both times are those of the store: of its last renewal, and of an object written now.
        """
        held = self.store.look(self._file)
        if held is None or self._now() - held.modified < self._seconds:
            return False
        self.taken_over = self._written(held)
        return self.taken_over

    def renew(self) -> None:
        """Show that the owner lives, and make sure that it still is the owner.

        Raises
        ------
        ReleaseError
            Somebody took the lease over.
        """
        with self._lock:
            held = None if self._lost else self.store.look(self._file)
            if (
                held is None
                or parsed(held.content).get("owner") != self._owner
                or not self._written(held)
            ):
                self._lost = True
                raise taken_over(self.store.up().below("releases", self.name))

    @property
    def _file(self) -> str:
        return f"{self.name}.json"

    @property
    def _seconds(self) -> float:
        return self.store.access.lease_seconds

    def _beat(self, done: threading.Event) -> None:
        while not done.wait(self._seconds / _BEATS):
            # A store that fails now may answer the next time; a lease that is lost stays lost.
            with suppress(StoreError, ReleaseError):
                self.renew()

    def _written(self, before: Held | None) -> bool:
        """Write the lease if the object there is the one before."""
        self._beats += 1
        content = json_bytes({"owner": self._owner, "beat": self._beats})
        version = None if before is None else before.version
        self._owned = self.store.swap(self._file, content, version)
        return self._owned

    def _now(self) -> float:
        """The time of the store."""
        name = f"trials/{self.name}/{self._owner}"
        self.store.put(name, b"")
        held = self.store.look(name)
        self.store.delete([name])
        return 0.0 if held is None else held.modified


def taken_over(folder: "ObjectStore") -> ReleaseError:
    """The error of a writer that was taken for dead."""
    return ReleaseError(
        "another run took over its place, because this one gave no sign of life for too long",
        path=folder.uri,
        fix="Run again; a longer 'lease_seconds' of the storage waits longer for a writer",
    )
