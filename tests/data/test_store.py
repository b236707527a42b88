"""The verbs of a store hold alike on a disk, in memory and on a real S3 server."""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from s3 import access, s3_server

from synthmix_dagster.data.dataset import open_dataset
from synthmix_dagster.data.opening import open_store
from synthmix_dagster.data.store import StoreAccess, update
from synthmix_dagster.errors import ReleaseError, StoreError


@pytest.fixture(scope="module")
def endpoint():
    with s3_server() as address:
        yield address


@pytest.fixture(params=["local", "memory", pytest.param("s3", marks=pytest.mark.server)])
def store(request, tmp_path):
    if request.param == "local":
        return open_store(tmp_path / "mixes")
    if request.param == "memory":
        return open_store(f"memory://{uuid.uuid4().hex}/mixes")
    endpoint = request.getfixturevalue("endpoint")
    return open_store(f"s3://bucket/{uuid.uuid4().hex}", access(endpoint))


def test_what_was_put_is_read_listed_and_deleted(store):
    store.put("a/one.json", b"1")
    store.below("a").put("b/two", b"22")
    assert store.read("a/one.json") == b"1"
    assert [(file.name, file.bytes) for file in store.files()] == [
        ("a/b/two", 2),
        ("a/one.json", 1),
    ]
    assert (store.folders(), store.below("a").folders()) == (["a"], ["b"])
    assert store.exists("a/b/two")
    assert not store.exists("a/b")
    assert store.below("a", "b").up().uri == store.below("a").uri
    store.delete(["a/one.json", "a/never"])
    with pytest.raises(FileNotFoundError):
        store.read("a/one.json")
    assert store.look("a/one.json") is None
    assert open_store(store).below("nothing").files() == []


def test_a_file_is_seen_when_it_is_finished_and_not_before(store):
    table = pa.table({"x": range(300_000)})
    sink = store.create("data/part.parquet")
    with pa.PythonFile(sink, mode="w") as file:
        pq.write_table(table, file, compression="none", row_group_size=50_000)
    visible = [file for file in store.files() if not file.name.rpartition("/")[2].startswith(".")]
    assert visible == []
    written = sink.finish()
    assert written.bytes == len(store.read("data/part.parquet")) > 1_000_000
    with store.open("data/part.parquet") as opened:
        assert pq.read_table(opened).equals(table)
    assert open_dataset(store.below("data"), "rows").table.equals(table)
    dropped = store.create("data/other")
    dropped.write(b"x")
    dropped.discard()
    assert [file.name for file in store.files()] == ["data/part.parquet"]


def test_of_racing_creators_one_wins_and_swaps_lose_nothing(store):
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda n: store.swap("lease", str(n).encode(), None), range(8)))
    assert sum(won) == 1
    stale = store.look("lease")
    assert store.swap("lease", b"next", stale.version)
    assert not store.swap("lease", b"late", stale.version)
    # A write whose answer was lost is asked for again.
    assert store.swap("lease", b"next", stale.version)
    assert not store.swap("gone", b"x", stale.version)

    def counted(content):
        return str(int(content or b"0") + 1).encode() + b" " * threading.get_ident().bit_length()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: update(store, "count", counted_by(uuid.uuid4().hex)), range(12)))
    assert store.read("count").split()[0] == b"12"


def counted_by(who):
    """Counts, and signs: no two racers write the same."""
    return lambda content: f"{int((content or b'0').split()[0]) + 1} {who}".encode()


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/x"])
def test_nothing_leads_out_of_a_store(store, name):
    with pytest.raises(ReleaseError, match="outside"):
        store.put(name, b"x")
    with pytest.raises(ReleaseError, match="outside"):
        store.below(name)


def refused(uri, given=None):
    with pytest.raises(StoreError) as caught:
        open_store(uri, given).put("x", b"1")
    return str(caught.value)


def test_an_unknown_scheme_and_a_missing_package_are_named(monkeypatch):
    assert "not a store that can be written to" in refused("ftp://host/x")
    monkeypatch.setitem(__import__("sys").modules, "obstore.store", None)
    assert "pip install 'synthmix-dagster[stores]'" in refused("s3://bucket/x")


@pytest.mark.server
def test_a_missing_bucket_and_a_dead_endpoint_are_named_without_their_secret(endpoint):
    said = refused("s3://no-such-bucket/x", access(endpoint))
    assert "store 's3://no-such-bucket/x': the bucket does not exist" in said
    nowhere = access("http://127.0.0.1:9", retry_seconds=0.2, timeout_seconds=0.5)
    said = refused("s3://bucket/x", nowhere)
    assert "does not answer" in said
    planted = (
        "s3://user:planted@bucket/x?region=us-east-1&endpoint_override=127.0.0.1:9&scheme=http"
    )
    said = refused(planted, StoreAccess(retry_seconds=0.2, timeout_seconds=0.5))
    assert "planted" not in said
    assert "s3://bucket/x" in said


def test_of_attempts_one_is_adopted_and_the_others_get_into_no_folder(store):
    def attempt(folder, name, content):
        sink = folder.create(name)
        sink.write(content)
        return sink

    with store.shelf().hold("one") as place:
        with place.draft() as draft:
            with draft.attempts() as attempts:
                attempt(attempts, "a/part", b"first").finish()
                written = attempt(attempts, "b/part", b"second").finish()
                late = attempt(attempts, "c/part", b"late")
                draft.adopt(attempts, written.name, f"{draft.data}/part")
                assert draft.folder.read(f"{draft.data}/part") == b"second"
            # A task that was given up, and has not heard of it.
            try:
                late.finish()
            except FileNotFoundError:
                late.discard()
            draft.show("manifest.json", b'{"shards": [{"path": "data/part"}]}')
        shown = store.below("releases", "one")
        assert [file.name for file in shown.files()] == ["data/part", "manifest.json"]
    # The next writer removes what the late one wrote.
    with store.shelf().hold("one"):
        names = [file.name for file in store.files()]
    assert [name for name in names if name.rpartition("/")[2] == "part"] == [
        "releases/one/data/part"
    ]


def test_a_task_that_writes_on_after_its_writer_died_is_in_nobodys_way(tmp_path):
    store, stop = open_store(tmp_path / "mixes"), threading.Event()
    late = tmp_path / "mixes" / "releases" / ".writing-dead"

    def write_on():
        number = 0
        while not stop.is_set():
            number += 1
            with suppress(OSError):
                late.mkdir(parents=True, exist_ok=True)
                (late / str(number % 50)).write_bytes(b"x")

    writing = threading.Thread(target=write_on)
    writing.start()
    try:
        for number in range(20):
            with store.shelf().hold("one") as place, place.draft() as draft:
                draft.put("data/part", str(number).encode())
                draft.show("manifest.json", b"{}")
    finally:
        stop.set()
        writing.join()
    with store.shelf().hold("one"):
        assert not late.exists()
