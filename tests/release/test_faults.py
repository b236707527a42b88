"""Killed, full, read-only, altered, crowded: a reader sees a whole release or the one before."""

import multiprocessing
import os
import random
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mixes import KEPT, entries, files_of

from synthmix_dagster import load_release, mix, verify_release
from synthmix_dagster.data.dataset import open_dataset
from synthmix_dagster.errors import DataError, ReleaseError
from synthmix_dagster.release import arrow_engine

REFUSED = 7
NOBODY = 65534
OPTIONS = {"ratio": 1.0, "rows_per_shard": 1500, "keep_releases": 2}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    for name, rows in (("real", 3000), ("synthetic", 5000)):
        frame = pd.DataFrame({f"x{i}": [j * i / 7 for j in range(rows)] for i in range(8)})
        frame.to_parquet(folder / f"{name}.parquet")
    return folder / "real.parquet", folder / "synthetic.parquet"


def work(inputs, output, seed, limit=None):
    """What a child does."""
    if limit is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        mix(*inputs, output=output, seed=seed, **OPTIONS)
    except ReleaseError:
        sys.exit(REFUSED)


@pytest.fixture
def output(tmp_path):
    """A folder in memory where there is one: a kill does not depend on what is on disk."""
    memory = Path("/dev/shm")
    where = memory if os.access(memory, os.W_OK) else tmp_path
    with tempfile.TemporaryDirectory(dir=where) as folder:
        yield Path(folder) / "out"


@pytest.fixture(scope="module")
def children():
    """Processes that start in some milliseconds, for their parent has imported everything."""
    context = multiprocessing.get_context("forkserver")
    drawing = ["matplotlib.figure", "matplotlib.backends.backend_svg"]
    context.set_forkserver_preload(["synthmix_dagster.verbs.core", "filelock", *drawing, __name__])
    return context


def started(children, *arguments):
    child = children.Process(target=work, args=arguments)
    child.start()
    return child


@pytest.mark.draws  # as the process that is killed does
@pytest.mark.slow
@pytest.mark.parametrize("kills", [100])
def test_a_mix_killed_at_random_moments_never_shows_half_a_release(
    output, tmp_path, inputs, children, kills
):
    took = []
    for seed in range(1000, 1005):
        begun = time.perf_counter()
        child = started(children, inputs, output, seed)
        child.join()
        assert child.exitcode == 0
        took.append(time.perf_counter() - begun)
    delays = random.Random(5)
    killed = 0
    # A busy machine may end some before their time has come, so there are more than are killed.
    for seed in range(4 * kills):
        if killed == kills:
            break
        child = started(children, inputs, output, seed)
        child.join(delays.uniform(0, min(took)))
        child.kill()
        child.join()
        killed += child.exitcode == -signal.SIGKILL
        # Whatever was cut off, there is a whole release, and nothing else that looks like one.
        assert load_release(output).path.name in entries(output / "releases")
        for name in entries(output / "releases"):
            if not name.startswith("."):
                verify_release(output / "releases" / name)
    assert killed == kills
    child = started(children, inputs, output, 2000)
    child.join()
    assert child.exitcode == 0
    survivor = verify_release(output)
    before = load_release(output / "releases" / survivor.manifest["previous"])
    mix(*inputs, output=tmp_path / "o", seed=before.manifest["mix"]["seed"], **OPTIONS)
    undisturbed = mix(*inputs, output=tmp_path / "o", seed=2000, **OPTIONS)
    assert files_of(survivor) == files_of(undisturbed)
    assert len(entries(output / "releases")) == 2
    assert sorted(entries(output)) == sorted([*KEPT, "index.html", "latest"])


@pytest.mark.parametrize("kills", [2, pytest.param(10, marks=pytest.mark.slow)])
def test_the_next_mix_after_any_kill_cleans_up_and_finishes(
    output, tmp_path, inputs, children, kills
):
    for folder in (tmp_path / "undisturbed", output):
        mix(*inputs, output=folder, seed=0, **OPTIONS)
    expected = mix(*inputs, output=tmp_path / "undisturbed", seed=1, **OPTIONS)
    delays = random.Random(6)
    for _ in range(kills):
        child = started(children, inputs, output, 1)
        child.join(delays.uniform(0.02, 0.3))
        child.kill()
        child.join()
        again = mix(*inputs, output=output, seed=1, **OPTIONS)
        assert files_of(again) == files_of(expected)
        assert len(entries(output / "releases")) == 2
        mix(*inputs, output=output, seed=0, **OPTIONS)
        shutil.rmtree(again.path)


def test_two_processes_that_mix_the_same_at_once_both_end_well(output, inputs, children):
    both = [started(children, inputs, output, 3) for _ in range(2)]
    for child in both:
        child.join()
    assert [child.exitcode for child in both] == [0, 0]
    release = verify_release(output)
    assert entries(output / "releases") == [release.release_id]


@pytest.mark.parametrize("kilobytes", [0, 100])
def test_a_disk_that_takes_no_more_leaves_the_last_release(output, inputs, children, kilobytes):
    """The system itself refuses to write on, from the first byte or amid a run of the shuffle."""
    before = mix(*inputs, output=output, seed=0, **OPTIONS)
    child = started(children, inputs, output, 1, kilobytes * 1024)
    child.join()
    assert child.exitcode == REFUSED
    assert verify_release(output) == before
    assert entries(output / "releases") == [before.release_id]
    mix(*inputs, output=output, seed=1, **OPTIONS)


def test_a_target_that_cannot_be_written_to_is_a_release_error(inputs):
    with pytest.raises(ReleaseError, match="cannot be written"):
        mix(*inputs, output="/proc/synthmix", **OPTIONS)


def work_without_permission(output):
    """What a child does that may not write there: root may write everywhere, and becomes nobody."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    try:
        mix(pd.DataFrame({"x": range(9)}), pd.DataFrame({"x": range(9)}), ratio=1, output=output)
    except ReleaseError as error:
        sys.exit(REFUSED if "cannot be written ([Errno 13] Permission denied" in str(error) else 1)


@pytest.mark.parametrize("there", ["nothing", "a release"])
def test_a_folder_without_permission_is_a_release_error(children, there):
    # Not below a folder of pytest's, which is closed to others altogether.
    with tempfile.TemporaryDirectory() as folder:
        output, before = Path(folder) / "out", None
        if there == "a release":
            before = mix(pd.DataFrame({"x": [1]}), pd.DataFrame({"x": [2]}), ratio=1, output=output)
        closed = [path for path in (Path(folder), output, output / "releases") if path.is_dir()]
        for path in closed:
            path.chmod(0o555)
        try:
            child = children.Process(target=work_without_permission, args=(output,))
            child.start()
            child.join()
        finally:
            for path in closed:
                path.chmod(0o755)
        assert child.exitcode == REFUSED
        if before is None:
            assert entries(Path(folder)) == []
        else:
            assert verify_release(output) == before
            assert entries(output / "releases") == [before.release_id]


def test_an_input_that_changes_during_the_shuffle_is_refused(tmp_path, inputs, monkeypatch):
    copies = [Path(shutil.copy(path, tmp_path)) for path in inputs]
    before = mix(*copies, output=tmp_path / "out", seed=0, **OPTIONS)
    original = arrow_engine.scan

    def touching(dataset, key, columns, *piece):
        for rows in original(dataset, key, columns, *piece):
            if dataset.name == "synthetic" and columns:
                os.utime(copies[1], (0, 0))
            yield rows

    monkeypatch.setattr(arrow_engine, "scan", touching)
    with pytest.raises(DataError, match=r"synthetic\.parquet' changed while it was read"):
        mix(*copies, output=tmp_path / "out", seed=1, **OPTIONS)
    assert verify_release(tmp_path / "out") == before
    assert entries(tmp_path / "out" / "releases") == [before.release_id]


def test_a_row_group_that_is_damaged_is_found_during_the_mix_and_its_file_named(tmp_path, inputs):
    damaged = Path(shutil.copy(inputs[1], tmp_path))
    chunk = pq.ParquetFile(damaged).metadata.row_group(0).column(3)
    content = bytearray(damaged.read_bytes())
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    content[start : start + 200] = b"\xff" * 200
    damaged.write_bytes(content)
    assert open_dataset(damaged, "synthetic").rows == 5000
    with pytest.raises(DataError, match=r"synthetic\.parquet' cannot be read as parquet"):
        mix(inputs[0], damaged, output=tmp_path / "out", **OPTIONS)
    assert entries(tmp_path / "out" / "releases") == []


@pytest.mark.parametrize("part", [0.0, 0.3, 0.99])
def test_a_truncated_file_is_named(tmp_path, inputs, part):
    whole = inputs[1].read_bytes()
    (tmp_path / "cut.parquet").write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(DataError, match=r"cut\.parquet' cannot be read as parquet"):
        mix(inputs[0], tmp_path / "cut.parquet", output=tmp_path / "out", **OPTIONS)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("number", [0, 3])
@pytest.mark.parametrize("change", ["deleted", "altered"])
def test_a_shard_that_is_deleted_or_altered_afterwards_is_named(tmp_path, inputs, number, change):
    release = mix(*inputs, output=tmp_path, **OPTIONS)
    shard = release.shards[number]
    if change == "deleted":
        shard.unlink()
    else:
        rows = pq.read_table(shard)
        pq.write_table(rows.set_column(0, "x0", [pa.array([0.0] * rows.num_rows)]), shard)
    problem = "missing" if change == "deleted" else "altered"
    with pytest.raises(ReleaseError, match=rf"{re.escape(shard.name)}' (is|was) {problem}"):
        verify_release(tmp_path)
