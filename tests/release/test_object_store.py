"""Releases in an object store: the commit protocol, and what it does when writers die or race."""

import threading
import uuid

import pandas as pd
import pytest

from synthmix_dagster import load_release, mix, verify_release
from synthmix_dagster.data.object_lease import Lease
from synthmix_dagster.data.opening import open_store
from synthmix_dagster.data.store import StoreAccess, is_tombstone
from synthmix_dagster.errors import ReleaseError, StoreError

SIDES = pd.DataFrame({"x": range(10)}), pd.DataFrame({"x": range(100, 130)})
QUICK = StoreAccess(lease_seconds=0.6)


@pytest.fixture
def output():
    return open_store(f"memory://{uuid.uuid4().hex}/mixes/demo", QUICK)


def publish(output, seed=0, **options):
    return mix(*SIDES, ratio=1.0, output=output, seed=seed, rows_per_shard=5, **options)


def names(output):
    return [file.name for file in output.files()]


def test_a_release_is_the_same_wherever_it_lies(output, tmp_path):
    local, stored = publish(tmp_path), publish(output)
    assert stored.manifest == local.manifest
    assert {file.name: stored.store.read(file.name) for file in stored.store.files()} == {
        file.name: local.store.read(file.name) for file in local.store.files()
    }
    assert verify_release(output) == load_release(stored.store) == stored
    assert stored.to_arrow().equals(local.to_arrow())
    assert stored.scan().count_rows() == 20
    assert stored.to_pandas(["x"]).equals(local.to_pandas(["x"]))
    with pytest.raises(ReleaseError, match="not in a local directory"):
        _ = stored.path


def test_by_its_uri_a_release_is_loaded_and_verified(output):
    made = publish(output.uri)
    assert load_release(output.uri) == verify_release(made.uri) == made
    with pytest.raises(ReleaseError, match=r"manifest cannot be read .*there is no object"):
        load_release(f"{output.uri}/elsewhere")


def test_what_was_altered_or_added_is_found(output):
    made = publish(output)
    shard = made.shard_names[1]
    content = made.store.read(shard)
    made.store.put(shard, content[:-1] + b"?")
    with pytest.raises(ReleaseError, match=f"the shard '{shard}' was altered"):
        verify_release(output)
    made.store.put(shard, content)
    made.store.put("data/part-99999.parquet", content)
    with pytest.raises(ReleaseError, match="not in its manifest"):
        verify_release(output)
    made.store.delete(["data/part-99999.parquet"])
    assert verify_release(output) == made
    # A damaged one is written again, and nobody takes its rest for a release meanwhile.
    made.store.delete([shard])
    again = publish(output)
    assert verify_release(output) == again
    assert again.to_arrow().equals(load_release(again.store).to_arrow())


def test_retention_keeps_the_newest_and_what_latest_names(output):
    made = [publish(output, seed, keep_releases=2) for seed in range(4)]
    whole = [one for one in made if not is_tombstone(one.store.read("manifest.json"))]
    assert whole == made[2:]
    assert not any(file.startswith(f"releases/{made[0].release_id}/data") for file in names(output))
    with pytest.raises(ReleaseError, match="removed"):
        load_release(made[0].store)
    # The same inputs again: it comes back, under a prefix that no earlier writer knows.
    again = publish(output, 0, keep_releases=2)
    assert again.release_id == made[0].release_id
    assert verify_release(output) == again
    assert again.shard_names[0].startswith("data/")
    assert again.shard_names[0].count("/") == 2


def test_a_writer_that_fails_leaves_nothing_and_the_next_one_publishes(output, monkeypatch):
    before = publish(output, 1)
    import pyarrow.parquet as pq

    original, written = pq.ParquetWriter.write_table, []

    def failing(writer, table, **options):
        written.append(table)
        if len(written) == 3:
            raise OSError("the connection broke")
        original(writer, table, **options)

    with monkeypatch.context() as patch:
        patch.setattr(pq.ParquetWriter, "write_table", failing)
        with pytest.raises(ReleaseError, match="the connection broke"):
            publish(output)
    assert verify_release(output) == before
    left = [name for name in names(output) if before.release_id not in name]
    assert [name for name in left if "part-" in name or name.startswith(".writing/t/")] == []
    assert verify_release(publish(output).store)


def test_a_dead_writer_is_cleared_by_the_next_run_and_a_living_one_is_left_alone(output):
    dead, living = (output.below("releases", name) for name in ("dead", "living"))
    for folder in (dead, living):
        folder.put("data/part-00000.parquet", b"half")
    leases = output.below(".writing")
    for name in ("dead", "living"):
        assert Lease(leases, name).take_if_free()
    threading.Event().wait(0.8)
    with Lease(leases, "other").held():
        # Only now: the other one has given no sign of life for longer than a lease lasts.
        leases.put("living.json", b'{"owner": "somebody", "beat": 2}')
        publish(output)
    assert "releases/living/data/part-00000.parquet" in names(output)
    assert not dead.exists("data/part-00000.parquet")
    # Even if it only slept: what it would commit is refused, since something is there.
    assert not dead.swap("manifest.json", b"{}", None)


def test_a_writer_that_was_taken_for_dead_cannot_commit(output):
    asleep = Lease(output.below(".writing"), "x")
    assert asleep.take_if_free()
    threading.Event().wait(0.8)
    with Lease(output.below(".writing"), "x").held() as heir:
        assert heir.taken_over
        with pytest.raises(ReleaseError, match="took over its place"):
            asleep.renew()


def test_latest_never_moves_back_to_a_run_that_began_earlier(output):
    early, late = output.shelf(), output.shelf()
    with early.hold("a") as first:
        with late.hold("b") as second:
            second.point("latest")
        first.point("latest")
    assert b"releases/b" in output.read("latest")
    with early.hold("a") as again:
        again.point("latest")
    assert b"releases/a" in output.read("latest")


def test_writers_at_once_all_publish_whole_releases(output):
    made = {}
    threads = [
        threading.Thread(target=lambda n=n, seed=seed: made.update({n: publish(output, seed)}))
        for n, seed in enumerate((0, 0, 1, 2))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 4
    assert made[0].release_id == made[1].release_id
    for one in made.values():
        assert verify_release(one.store) == one
    assert load_release(output) in made.values()


WIDE = 20_000


def wide(output, **options):
    """A release whose rows take well over a megabyte on their way."""
    numbers = range(WIDE)
    sides = [pd.DataFrame({"x": numbers, "y": [each / 7 for each in numbers]}) for _ in range(2)]
    return mix(*sides, ratio=1.0, output=output, **options)


#: Bytes of the values of these rows, and with what they travel with: place, part and identity.
VALUES, STATED = 2 * WIDE * 16, 2 * WIDE * (16 + 18)


@pytest.mark.parametrize(("most", "enough"), [(1.1 * STATED, True), (VALUES, False)])
def test_rows_wait_where_scratch_says_in_no_more_space_than_stated(tmp_path, most, enough):
    access = StoreAccess(scratch=str(tmp_path), scratch_mb=most / 2**20)
    output = open_store(f"memory://{uuid.uuid4().hex}/mixes", access)
    if enough:
        assert wide(output).details.realised.rows == 2 * WIDE
    else:
        place = f"release at '{tmp_path}/synthmix-"
        with pytest.raises(ReleaseError, match=f"{place}.*more than .* MB.* 'scratch_mb'"):
            wide(output)
        with pytest.raises(ReleaseError):
            load_release(output)
        assert not [name for name in names(output) if "part-" in name]
    assert list(tmp_path.iterdir()) == []


def test_a_scratch_directory_that_is_not_there_is_named(tmp_path):
    access = StoreAccess(scratch=str(tmp_path / "gone"))
    output = open_store(f"memory://{uuid.uuid4().hex}/mixes", access)
    with pytest.raises(StoreError, match="no scratch directory can be made"):
        publish(output)
