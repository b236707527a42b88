"""One rename publishes, and whatever fails before it leaves the last release as it was."""

import errno
import json
import os
import shutil
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from mixes import edit_manifest, entries, files_of, publish_mix, start

from synthmix_dagster import load_release, mix, verify_release
from synthmix_dagster.data.local_store import LocalStore
from synthmix_dagster.data.opening import open_store
from synthmix_dagster.errors import ConfigError, DataError, ReleaseError
from synthmix_dagster.release import publishing
from synthmix_dagster.release.events import MAX_EVENTS, Event, read_events
from synthmix_dagster.release.manifest import Manifest
from synthmix_dagster.release.publishing import publish
from synthmix_dagster.release.recording import record
from synthmix_dagster.release.spill import Spill


@pytest.fixture
def release(tmp_path):
    return publish_mix(tmp_path / "output", "old")


# Publishing


def test_latest_is_a_relative_link_to_the_newest(tmp_path):
    for name in ("old", "new", "old"):
        published = publish_mix(tmp_path, name)
        assert (tmp_path / "latest").is_symlink()
        assert (tmp_path / "latest").readlink() == Path("releases") / published.release_id
        assert load_release(tmp_path) == published
    assert len(entries(tmp_path / "releases")) == 2


def test_an_output_that_was_moved_still_loads(tmp_path):
    published = publish_mix(tmp_path / "here")
    (tmp_path / "here").rename(tmp_path / "there")
    assert verify_release(tmp_path / "there").manifest == published.manifest


def test_an_identical_release_is_kept_and_not_written_again(release):
    def state():
        return {
            path: (path.stat().st_ino, path.stat().st_mtime_ns)
            for path in [release.path, *release.path.rglob("*")]
        }

    before = state()
    again = publish_mix(release.path.parent.parent, "old")
    assert again == release
    assert state() == before


def test_publishing_again_repairs_a_damaged_release_as_the_message_says(release):
    (release.path / "data" / "part-00000.parquet").unlink()
    with pytest.raises(ReleaseError, match="publish the release again"):
        verify_release(release.path)
    assert verify_release(publish_mix(release.path.parent.parent, "old").path) == release


def test_a_writer_whose_rows_do_not_match_its_manifest_publishes_nothing(release, tmp_path):
    def write(draft, _previous):
        folder = draft.folder.path
        shutil.copytree(release.path, folder, dirs_exist_ok=True)
        manifest = json.loads((folder / "manifest.json").read_text())
        manifest["realised"]["real_rows"] = 9
        return Manifest.from_dict(manifest)

    with pytest.raises(ReleaseError, match="10 real rows where its manifest says 9"):
        publish(open_store(tmp_path / "other"), "a", write)
    assert entries(tmp_path / "other" / "releases") == []
    assert not (tmp_path / "other" / "latest").is_symlink()


@pytest.mark.parametrize("name", ["../../a", "x/../../../a"])
def test_a_release_id_that_leads_outside_is_refused(tmp_path, name):
    with pytest.raises(ReleaseError, match="outside"):
        publish(open_store(tmp_path / "output"), name, lambda *_: pytest.fail("must not be called"))
    assert entries(tmp_path) == []


@pytest.mark.parametrize("linked", ["releases", "release"])
def test_a_link_to_outside_is_refused_and_nothing_is_touched_there(tmp_path, linked):
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / ".writing-0123").mkdir(parents=True)
    if linked == "releases":
        (tmp_path / "output").mkdir()
        (tmp_path / "output" / "releases").symlink_to(elsewhere)
    else:
        published = publish_mix(tmp_path / "output")
        shutil.rmtree(published.path)
        published.path.symlink_to(elsewhere)
    with pytest.raises(ReleaseError, match="outside"):
        publish_mix(tmp_path / "output")
    assert entries(elsewhere) == [".writing-0123"]


def test_leftovers_are_never_loaded_and_go_with_the_next_publish(tmp_path):
    leftover = tmp_path / "releases" / ".writing-0123"
    (leftover / "data").mkdir(parents=True)
    (leftover / "data" / "part-00000.parquet").write_bytes(b"half")
    (leftover / "manifest.json").write_text("{}")
    with pytest.raises(ReleaseError):
        load_release(tmp_path)
    published = publish_mix(tmp_path)
    assert entries(tmp_path / "releases") == [published.release_id]
    assert verify_release(tmp_path) == published


def test_a_link_left_by_a_writer_killed_before_latest_moved_goes_with_the_next_publish(release):
    output = release.path.parent.parent
    (output / ".writing-0123").symlink_to(Path("releases") / release.release_id)
    publish_mix(output, "new")
    assert ".writing-0123" not in entries(output)


@pytest.mark.parametrize("obstacle", ["a file", "latest is a folder"])
def test_an_output_that_cannot_be_used_is_a_release_error(tmp_path, obstacle):
    if obstacle == "a file":
        (tmp_path / "output").write_text("")
    else:
        (tmp_path / "output" / "latest").mkdir(parents=True)
    with pytest.raises(ReleaseError, match="cannot be written"):
        publish_mix(tmp_path / "output")


# Faults

FAULTS = {
    "making the folder": (Path, "mkdir", 2),
    "a run of the shuffle": (Spill, "write", 1),
    "first shard": (pq.ParquetWriter, "write_table", 1),
    "second shard": (pq.ParquetWriter, "write_table", 2),
    "first flush": (os, "fsync", 1),
    "last flush before latest moves": (os, "fsync", 10),
    "card": (Path, "write_bytes", 1),
    "manifest": (Path, "write_bytes", 4),
    "placing the manifest": (Path, "replace", 8),
    "rename": (Path, "rename", 1),
    "link": (Path, "symlink_to", 1),
    "moving latest": (Path, "replace", 10),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_failed_write_is_a_release_error_and_the_last_release_stays(release, monkeypatch, fault):
    output = release.path.parent.parent
    owner, name, nth = FAULTS[fault]
    original, calls = getattr(owner, name), []

    def failing(*args, **kwargs):
        calls.append(args)
        if len(calls) >= nth:
            raise OSError(errno.ENOSPC, "No space left on device")
        return original(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, failing)
        with pytest.raises(ReleaseError, match=r"cannot be written.*No space left"):
            publish_mix(output, "new")
    assert verify_release(output) == release
    published = publish_mix(output, "new")
    assert verify_release(output) == published
    assert entries(output / "releases") == sorted([release.release_id, published.release_id])


def test_a_full_disk_gets_its_space_back(release, monkeypatch):
    original, written = pq.ParquetWriter.write_table, []

    def full(writer, table, **options):
        written.append(table)
        if len(written) > 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        original(writer, table, **options)

    monkeypatch.setattr(pq.ParquetWriter, "write_table", full)
    with pytest.raises(ReleaseError):
        publish_mix(release.path.parent.parent, "new")
    assert entries(release.path.parent) == [release.release_id]


def test_an_error_of_the_caller_passes_through_and_publishes_nothing(release):
    output = release.path.parent.parent

    def write(_draft, _previous):
        raise DataError("odd", dataset="real", fix="Mend it")

    with pytest.raises(DataError, match="odd"):
        publish(open_store(output), "other", write)
    assert verify_release(output) == release
    assert not (output / "releases" / "other").exists()


def test_a_release_planted_in_the_place_of_the_next_one_is_refused(tmp_path):
    target = publish_mix(tmp_path / "elsewhere", "new")
    output = tmp_path / "output"
    publish_mix(output, "old")
    planted = output / "releases" / target.release_id
    shutil.copytree(target.path, planted)
    # Other rows, with digests that fit and a manifest that is sealed again.
    other = mix(
        pd.DataFrame({"x": range(10)}),
        pd.DataFrame({"x": range(200, 230)}),
        ratio=1.0,
        output=tmp_path / "third",
        rows_per_shard=5,
    )
    shutil.rmtree(planted / "data")
    shutil.copytree(other.path / "data", planted / "data")
    edit_manifest(
        load_release(planted),
        lambda manifest: manifest.update(
            {name: other.manifest[name] for name in ("shards", "realised")}
        ),
    )
    verify_release(planted)
    with pytest.raises(ReleaseError, match="exists already with other rows"):
        publish_mix(output, "new")
    assert load_release(output).path.name != target.release_id


def test_a_whole_release_that_is_not_in_the_log_is_adopted(tmp_path):
    published = publish_mix(tmp_path, "new")
    (tmp_path / ".publications.json").unlink()
    assert publish_mix(tmp_path, "new") == published


def test_retention_goes_by_the_order_of_publication(tmp_path):
    first = publish_mix(tmp_path, "old")
    second = publish_mix(tmp_path, "new")
    # The clock was moved back between the two.
    long_ago = (1, 1)
    os.utime(second.path / "manifest.json", ns=long_ago)
    third = mix(
        pd.DataFrame({"x": range(10)}),
        pd.DataFrame({"x": range(100, 130)}),
        ratio=2.0,
        output=tmp_path,
        keep_releases=2,
    )
    assert entries(tmp_path / "releases") == sorted([second.release_id, third.release_id])
    assert not first.path.exists()


KILLS = {
    "after a run of the shuffle": ("synthmix_dagster.release.spill.Spill.write", "after", 1),
    "before the first shard": ("pyarrow.parquet.ParquetWriter.write_table", "before", 1),
    "half a shard": ("pyarrow.parquet.ParquetWriter.write_table", "after", 2),
    "before the manifest": ("synthmix_dagster.release.publishing.json_bytes", "before", 1),
    "half a manifest": ("pathlib.Path.replace", "before", 8),
    "before the rename": ("pathlib.Path.rename", "before", 1),
    "after the rename": ("pathlib.Path.rename", "after", 1),
    "before it is logged": ("pathlib.Path.replace", "before", 9),
    "before latest moves": ("pathlib.Path.replace", "before", 10),
    "after latest moved": ("pathlib.Path.replace", "after", 10),
}


#: One each while shards are written, before there is a manifest, and after the rename.
KILLED_ALWAYS = ("before latest moves",)


@pytest.mark.draws  # as the other process does
@pytest.mark.parametrize(
    "kill",
    [
        pytest.param(kill, marks=[] if kill in KILLED_ALWAYS else [pytest.mark.slow])
        for kill in KILLS
    ],
)
def test_after_a_kill_latest_verifies_and_the_next_mix_is_as_if_nothing_had_happened(
    tmp_path, kill
):
    # A report says what changed since the release before: both outputs have the same one.
    old, _ = (publish_mix(tmp_path / name, "old") for name in ("output", "undisturbed"))
    expected = publish_mix(tmp_path / "undisturbed", "new")
    child = start(tmp_path / "output", *KILLS[kill])
    child.communicate("\n", timeout=60)
    assert child.returncode == -signal.SIGKILL

    survivor = verify_release(tmp_path / "output")
    moved = kill == "after latest moved"
    assert survivor.release_id == (expected if moved else old).release_id
    published = publish_mix(tmp_path / "output", "new")
    assert verify_release(tmp_path / "output") == published
    assert files_of(published.path) == files_of(expected.path)
    both = sorted([old.release_id, expected.release_id])
    assert entries(tmp_path / "output" / "releases") == both


@pytest.mark.draws  # as the other processes do
def test_two_processes_that_publish_the_same_mix_at_once_both_succeed(tmp_path):
    children = [start(tmp_path / "output") for _ in range(2)]
    for child in children:
        assert child.stdout.readline() == "ready\n"
    for child in children:
        child.stdin.write("\n")
        child.stdin.flush()
    ids = {child.communicate(timeout=60)[0].strip() for child in children}
    assert [child.returncode for child in children] == [0, 0]
    expected = publish_mix(tmp_path / "alone", "new")
    assert ids == {expected.release_id} == set(entries(tmp_path / "output" / "releases"))
    assert files_of(verify_release(tmp_path / "output").path) == files_of(expected.path)


def test_threads_that_publish_different_mixes_at_once_all_succeed(tmp_path):
    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(lambda seed: publish_mix(tmp_path, seed=seed), range(6)))
    assert entries(tmp_path / "releases") == sorted(release.release_id for release in made)
    for release in made:
        assert verify_release(release.path) == release
    assert load_release(tmp_path) in made


def test_pages_and_events_are_written_while_releases_are_published(tmp_path, caplog):
    store = LocalStore(tmp_path)
    done = threading.Event()

    def record_on(name):
        count = 0
        while not done.is_set():
            record(store, Event("refused", f"attempt {count} of {name}"))
            count += 1
        return count

    with ThreadPoolExecutor(4) as pool:
        recorders = [pool.submit(record_on, name) for name in ("one", "another")]
        made = list(pool.map(lambda seed: publish_mix(tmp_path, seed=seed), range(6)))
        done.set()
        recorded = sum(recorder.result() for recorder in recorders)
    assert len(made) == 6
    assert len(read_events(store)) == min(recorded, MAX_EVENTS)
    assert caplog.text == ""


def test_a_reader_sees_the_last_release_while_the_next_is_written(release, monkeypatch):
    output, seen = release.path.parent.parent, []

    def spy(target):
        original = getattr(*target)

        def hooked(*args, **kwargs):
            seen.append(verify_release(output))
            return original(*args, **kwargs)

        monkeypatch.setattr(*target, hooked)

    for target in ((publishing, "json_bytes"), (Path, "rename"), (Path, "symlink_to")):
        spy(target)
    published = publish_mix(output, "new")
    assert seen == [release] * 3
    assert load_release(output) == published


# Retention


def released(output):
    return [name for name in entries(output / "releases") if name[0] != "."]


def test_the_newest_are_kept_and_the_current_one_is_among_them(tmp_path):
    made = [publish_mix(tmp_path, seed=seed, keep_releases=3).release_id for seed in range(5)]
    assert released(tmp_path) == sorted(made[-3:])
    again = publish_mix(tmp_path, seed=2, keep_releases=1)
    assert again.release_id == made[2]
    assert released(tmp_path) == [made[2]]
    assert verify_release(tmp_path) == again


def test_without_a_number_all_are_kept(tmp_path):
    for seed in range(3):
        publish_mix(tmp_path, seed=seed)
    assert len(released(tmp_path)) == 3


@pytest.mark.parametrize("keep", [0, -1])
def test_keeping_none_is_refused_before_anything_is_written(tmp_path, keep):
    with pytest.raises(ConfigError, match="'keep_releases'"):
        publish_mix(tmp_path / "output", keep_releases=keep)
    assert not (tmp_path / "output").exists()


def test_an_old_release_that_is_published_again_counts_as_current_only(tmp_path):
    first, second, third = (publish_mix(tmp_path, seed=seed).release_id for seed in range(3))
    publish_mix(tmp_path, seed=0, keep_releases=2)
    assert released(tmp_path) == sorted([first, third])
    assert second not in released(tmp_path)


def test_a_folder_that_is_no_release_is_left_alone(tmp_path):
    publish_mix(tmp_path, seed=0)
    (tmp_path / "releases" / "notes").mkdir()
    publish_mix(tmp_path, seed=1, keep_releases=1)
    assert "notes" in released(tmp_path)
    assert len(released(tmp_path)) == 2


@pytest.mark.parametrize("inner", ["sub", "releases", "releases/deep", "latest/data"])
def test_an_output_inside_that_of_another_mix_is_refused(tmp_path, inner):
    published = publish_mix(tmp_path / "demo")
    with pytest.raises(ReleaseError, match="inside the output of another mix"):
        publish_mix(tmp_path / "demo" / inner)
    assert not (tmp_path / "demo" / "sub").exists()
    assert verify_release(tmp_path / "demo") == published


def test_an_output_that_holds_another_in_its_own_folders_is_refused(tmp_path):
    publish_mix(tmp_path / "demo" / "releases")
    with pytest.raises(ReleaseError, match="another mix lies in its 'releases'"):
        publish_mix(tmp_path / "demo")
    verify_release(tmp_path / "demo" / "releases")


def test_partitions_of_a_mix_lie_in_it(tmp_path):
    publish_mix(tmp_path / "demo")
    publish_mix(tmp_path / "demo" / "partitions" / "2026-01-01")
