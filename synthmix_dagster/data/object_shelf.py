"""How folders appear at once in an object store, where nothing can be renamed or locked.

    <output>/releases/<name>/manifest.json     the commit point: written if absent, and last
    <output>/releases/<name>/data/...          what one writer uploads
    <output>/latest                            the pointer, moved by compare and swap
    <output>/.writing/<name>.json              the lease of whoever writes or removes a folder
    <output>/.writing/ticket.json              counts the runs, in the order in which they begin

A writer takes a ticket and the lease of its folder, and renews the lease while it lives. Who finds
a lease that was not renewed for `StoreAccess.lease_seconds`, by the clock of the store, takes the
place over, and first puts a tombstone where the manifest would go. From then on the dead writer
cannot commit, even if it only slept: its manifest is written if absent, and something is there. The
next writer of the same folder uploads under another prefix, so that parts which the dead one still
had on their way reach nothing that anybody reads.
"""

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from synthmix_dagster.data.store import TOMBSTONE, Held, is_tombstone, json_bytes, parsed, update
from synthmix_dagster.errors import ReleaseError, StoreError

if TYPE_CHECKING:
    from synthmix_dagster.data.object_store import ObjectStore

_MANIFEST, _LEASES, _TICKET = "manifest.json", ".writing", "ticket.json"
#: How long a tombstone stays; no process sleeps longer and then goes on.
_TOMBSTONE_SECONDS = 7 * 86_400
#: How often in its time a lease is renewed, and looked at by who waits for it.
_BEATS = 6


@dataclass(frozen=True)
class ObjectShelf:
    """Folders below ``releases`` of a store; each has one writer at a time.

    Attributes
    ----------
    store : ObjectStore
    """

    store: "ObjectStore"

    @contextmanager
    def hold(self, name: str) -> Iterator["ObjectPlace"]:
        leases = self.store.below(_LEASES)
        folder = self.store.below("releases", name)
        _require_usable(leases)
        ticket = _next_ticket(leases)
        with Lease(leases, name).held() as lease:
            place = ObjectPlace(self.store, name, folder, ticket, lease)
            if lease.taken_over:
                place.fence()
            place.clear()
            self._clear_dead(name)
            yield place

    def _clear_dead(self, own: str) -> None:
        """Remove what dead writers of other folders left; living ones are left alone."""
        leases = self.store.below(_LEASES)
        for file in leases.files():
            name = file.name.removesuffix(".json")
            if file.name in (_TICKET, f"{own}.json") or "/" in file.name:
                continue
            lease = Lease(leases, name)
            if lease.take_if_dead():
                with lease.held() as held:
                    folder = self.store.below("releases", name)
                    place = ObjectPlace(self.store, name, folder, 0, held)
                    place.fence()
                    place.clear()


@dataclass(frozen=True)
class ObjectPlace:
    """The place of one folder, held by a lease.

    Attributes
    ----------
    store : ObjectStore
        Of the whole output.
    name : str
    folder : ObjectStore
    ticket : int
        Rises with every run that begins.
    lease : Lease
    """

    store: "ObjectStore"
    name: str
    folder: "ObjectStore"
    ticket: int
    lease: "Lease"

    @contextmanager
    def draft(self) -> Iterator["ObjectDraft"]:
        """Write the folder; what goes wrong leaves a tombstone and no shard."""
        if _is_shown(self.folder.look(_MANIFEST)):
            # A damaged release: readers see none until it is written again.
            self.bury()
        self.clear()
        there = self.folder.look(_MANIFEST)
        data = "data" if there is None else f"data/{_parsed(there)[TOMBSTONE][:8]}"
        draft = ObjectDraft(self.folder, data, there, self.lease)
        try:
            yield draft
        except BaseException:
            with suppress(StoreError, ReleaseError, OSError):
                self.fence()
                self.clear()
            raise

    @contextmanager
    def trial(self) -> Iterator["ObjectDraft"]:
        try:
            yield ObjectDraft(self._trials, uuid.uuid4().hex, None, self.lease)
        finally:
            with suppress(StoreError):
                self.clear()

    def point(self, pointer: str) -> None:
        self.lease.renew()
        content = {"folder": f"releases/{self.name}", "ticket": self.ticket}

        def moved(held: bytes | None) -> bytes | None:
            newer = held is not None and int(json.loads(held).get("ticket", 0)) > self.ticket
            return None if newer else json_bytes(content)

        update(self.store, pointer, moved)

    def remove(self, name: str) -> None:
        lease = Lease(self.store.below(_LEASES), name)
        if not lease.take_if_free():
            return
        with lease.held() as held:
            place = ObjectPlace(
                self.store, name, self.store.below("releases", name), self.ticket, held
            )
            # Whoever moves the pointer there holds the lease as well, so nobody does it now.
            latest = self.store.look("latest")
            if latest is not None and _parsed(latest).get("folder") != f"releases/{name}":
                place.bury()
                place.clear()

    def shown(self) -> list[str]:
        """Folders with a manifest; tombstones that are older than any sleep go."""
        releases = self.store.below("releases")
        held = [(name, releases.below(name).look(_MANIFEST)) for name in releases.folders()]
        there = [(name, one) for name, one in held if one is not None]
        newest = max((one.modified for _, one in there), default=0.0)
        for name, one in there:
            if not _is_shown(one) and newest - one.modified > _TOMBSTONE_SECONDS:
                releases.below(name).delete([_MANIFEST])
        return [name for _, name in sorted((one.modified, n) for n, one in there if _is_shown(one))]

    def fence(self) -> None:
        """Keep whoever wrote here before from committing, unless that was done already."""
        self._bury(lambda held: held is None or is_tombstone(held))

    def bury(self) -> None:
        """Take the folder away from readers."""
        self._bury(lambda _: True)

    def clear(self) -> None:
        """Remove what no manifest names: shards and documents of writers that died.

        Of a release that is there only prefixes of other writers are garbage. A file that somebody
        added beside its shards is not: verification finds it.
        """
        held = self.folder.look(_MANIFEST)
        manifest = {} if held is None else _parsed(held)
        own = {_folder_of(shard["path"]) for shard in manifest.get("shards", ())}
        files = [file.name for file in self.folder.files() if file.name != _MANIFEST]
        if _is_shown(held):
            files = [
                name for name in files if name.startswith("data/") and _folder_of(name) not in own
            ]
        self.folder.delete(files)
        self._trials.delete([file.name for file in self._trials.files()])

    @property
    def _trials(self) -> "ObjectStore":
        return self.store.below(_LEASES, "trials", self.name)

    def _bury(self, wanted: Callable[[bytes | None], bool]) -> None:
        self.lease.renew()
        tombstone = json_bytes({TOMBSTONE: uuid.uuid4().hex})
        update(self.folder, _MANIFEST, lambda held: tombstone if wanted(held) else None)


@dataclass(frozen=True)
class ObjectDraft:
    """A folder without its manifest, which is what makes it visible."""

    folder: "ObjectStore"
    data: str
    before: Held | None
    lease: "Lease"

    def put(self, name: str, content: bytes) -> None:
        """Write a file that is not there yet; one that a dead writer left is replaced.

        A writer that was taken for dead replaces nothing: either the file of the next one is there
        already, or it will be swapped for that.
        """
        if self.folder.swap(name, content, None):
            return
        held = self.folder.look(name)
        self.lease.renew()
        if not self.folder.swap(name, content, None if held is None else held.version):
            raise taken_over(self.folder)

    def show(self, name: str, content: bytes) -> None:
        self.lease.renew()
        version = None if self.before is None else self.before.version
        if not self.folder.swap(name, content, version):
            raise taken_over(self.folder)


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
            if not self._lost:
                with suppress(StoreError):
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
            if held is None or _parsed(held).get("owner") != self._owner or not self._written(held):
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


def _require_usable(leases: "ObjectStore") -> None:
    """Refuse a store that nothing can be deleted from, or that takes no notice of conditions.

    Asked before anything else is written: some stores know the headers of a conditional write, say
    nothing, and write all the same.

    Raises
    ------
    StoreError
        The store refuses one of the verbs, or two runs could publish over each other.
    """
    name = f"trials/{uuid.uuid4().hex}"
    leases.swap(name, b"", None)
    kept = leases.keeps_conditions(name)
    leases.delete([name])
    if not kept:
        raise StoreError(
            "the store does not support conditional writes: it wrote an object although the "
            "condition did not hold",
            store=leases.up().uri,
            fix="Use a store that writes under a condition: without it two runs could publish over "
            "each other",
        )


def _next_ticket(leases: "ObjectStore") -> int:
    """A number that is larger than that of every run that began before."""
    ticket, by = 0, uuid.uuid4().hex

    def counted(content: bytes | None) -> bytes:
        nonlocal ticket
        ticket = 1 + (0 if content is None else int(json.loads(content)["last"]))
        return json_bytes({"last": ticket, "by": by})

    update(leases, _TICKET, counted)
    return ticket


def _is_shown(held: Held | None) -> bool:
    return held is not None and not is_tombstone(held.content)


def _folder_of(name: str) -> str:
    return name.rpartition("/")[0]


def _parsed(held: Held) -> Mapping[str, Any]:
    return parsed(held.content)
