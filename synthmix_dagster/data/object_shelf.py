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
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from synthmix_dagster.data.object_lease import Lease, taken_over
from synthmix_dagster.data.store import (
    TOMBSTONE,
    Held,
    Store,
    is_tombstone,
    json_bytes,
    parsed,
    update,
)
from synthmix_dagster.errors import ReleaseError, StoreError

if TYPE_CHECKING:
    from synthmix_dagster.data.object_store import ObjectStore

_MANIFEST, _LEASES, _TICKET = "manifest.json", ".writing", "ticket.json"
#: How long a tombstone stays; no process sleeps longer and then goes on.
_TOMBSTONE_SECONDS = 7 * 86_400


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
        draft = ObjectDraft(self.folder, data, there, self.lease, self._trials)
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
            yield ObjectDraft(self._trials, uuid.uuid4().hex, None, self.lease, self._trials)
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
        # Somebody who took it over meanwhile has written it again: then it stays.
        with suppress(ReleaseError), lease.held() as held:
            place = ObjectPlace(
                self.store, name, self.store.below("releases", name), self.ticket, held
            )
            if place.bury(unless_pointed="latest"):
                place.clear()

    def shown(self) -> list[str]:
        """Folders with a manifest; tombstones that are older than any sleep go."""
        releases = self.store.below("releases")
        held = [(name, releases.below(name).look(_MANIFEST)) for name in releases.folders()]
        there = [(name, one) for name, one in held if one is not None]
        newest = max((one.modified for _, one in there), default=0.0)
        for name, one in there:
            if not _is_shown(one) and newest - one.modified > _TOMBSTONE_SECONDS:
                self._forget(name)
        return [name for _, name in sorted((one.modified, n) for n, one in there if _is_shown(one))]

    def _forget(self, name: str) -> None:
        """Remove a tombstone, unless somebody is about to write over it."""
        lease = Lease(self.store.below(_LEASES), name)
        if lease.take_if_free():
            with lease.held():
                folder = self.store.below("releases", name)
                there = folder.look(_MANIFEST)
                if there is not None and not _is_shown(there):
                    lease.renew()
                    folder.delete([_MANIFEST])

    def fence(self) -> None:
        """Keep whoever held this place before from committing or removing anything.

        Both are done to the manifest, or to what stands in its place, if it is still the one that
        was looked at. So that is written anew: another tombstone, or the same manifest with other
        blanks at its end, since some stores tell versions by the content alone.
        """
        self._replace(
            lambda held: _tombstone() if not _is_shown(held) else _marked(held.content)  # type: ignore[union-attr]
        )

    def bury(self, unless_pointed: str | None = None) -> bool:
        """Take the folder away from readers, unless a pointer names it; whether that was done."""

        def buried(_: Held | None) -> bytes | None:
            # Whoever moves the pointer there holds the lease as well, and has fenced this one off.
            pointer = None if unless_pointed is None else self.store.look(unless_pointed)
            named = pointer is not None and _parsed(pointer).get("folder")
            known = unless_pointed is None or pointer is not None
            return _tombstone() if known and named != f"releases/{self.name}" else None

        return self._replace(buried)

    def clear(self) -> None:
        """Remove what no manifest names: shards and documents of writers that died.

        Of a release that is there only prefixes of other writers are garbage. A file that somebody
        added beside its shards is not: verification finds it.

        The lease is renewed after everything was listed. What is on the list was therefore written
        before anybody else could take the place over, and who does so writes shards under a prefix
        of its own: they are safe however late a request to remove something arrives.
        """
        held = self.folder.look(_MANIFEST)
        manifest = {} if held is None else _parsed(held)
        own = {_folder_of(shard["path"]) for shard in manifest.get("shards", ())}
        files = [file.name for file in self.folder.files() if file.name != _MANIFEST]
        if _is_shown(held):
            files = [
                name for name in files if name.startswith("data/") and _folder_of(name) not in own
            ]
        trials = [file.name for file in self._trials.files()]
        self.lease.renew()
        self.folder.delete([name for name in files if name.startswith("data/")])
        self._trials.delete(trials)
        # Documents have the same names in every release.
        for name in files:
            if not name.startswith("data/"):
                self.lease.renew()
                self.folder.delete([name])

    @property
    def _trials(self) -> "ObjectStore":
        return self.store.below(_LEASES, "trials", self.name)

    def _replace(self, change: Callable[[Held | None], bytes | None]) -> bool:
        """Write what stands in the place of the manifest, as the owner; whether it was written.

        The lease is renewed between looking and writing: who takes the place over after that
        changes what is there, and then nothing is written.
        """
        while True:
            held = self.folder.look(_MANIFEST)
            content = change(held)
            if content is None:
                return False
            self.lease.renew()
            if self.folder.swap(_MANIFEST, content, None if held is None else held.version):
                return True


@dataclass(frozen=True)
class ObjectDraft:
    """A folder without its manifest, which is what makes it visible."""

    folder: "ObjectStore"
    data: str
    before: Held | None
    lease: "Lease"
    tries: "ObjectStore"

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

    @contextmanager
    def attempts(self) -> Iterator["ObjectStore"]:
        """Among the trials of this place, which its next writer removes if this one dies."""
        folder = self.tries.below(uuid.uuid4().hex)
        try:
            yield folder
        finally:
            with suppress(StoreError):
                folder.delete([file.name for file in folder.files()])

    def adopt(self, attempts: Store, name: str, path: str) -> None:
        """Let the store copy it: nothing comes through here."""
        self.folder.copy(attempts, name, path)

    def show(self, name: str, content: bytes) -> None:
        self.lease.renew()
        version = None if self.before is None else self.before.version
        if not self.folder.swap(name, content, version):
            raise taken_over(self.folder)


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


def _tombstone() -> bytes:
    return json_bytes({TOMBSTONE: uuid.uuid4().hex})


def _marked(manifest: bytes) -> bytes:
    """The same JSON with blanks at its end that nobody has written before."""
    bits = f"{uuid.uuid4().int:0128b}"
    return manifest.rstrip() + bits.replace("0", " ").replace("1", "\t").encode() + b"\n"


def _is_shown(held: Held | None) -> bool:
    return held is not None and not is_tombstone(held.content)


def _folder_of(name: str) -> str:
    return name.rpartition("/")[0]


def _parsed(held: Held) -> Mapping[str, Any]:
    return parsed(held.content)
