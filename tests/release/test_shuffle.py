"""Selection and order: fair, and blind to how the rows lie and in what they are read."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mixes import rows_of

from synthmix_dagster import mix
from synthmix_dagster.data.dataset import open_dataset
from synthmix_dagster.data.identity import row_ids, scan
from synthmix_dagster.data.priority import priorities, sample_positions
from synthmix_dagster.errors import ConfigError
from synthmix_dagster.release import shuffle
from synthmix_dagster.release.arrow_engine import ArrowEngine, ShufflePlan
from synthmix_dagster.release.engine import Engine
from synthmix_dagster.release.mixing import mix_datasets
from synthmix_dagster.release.options import MixOptions
from synthmix_dagster.release.selection import quotas
from synthmix_dagster.release.spill import Spill


def chi_square_p(counts, expected):
    from scipy.stats import chi2

    statistic = ((np.asarray(counts) - expected) ** 2 / expected).sum()
    return chi2.sf(statistic, len(counts) - 1)


def write(folder, rows, files=3, group=100, cut=None):
    folder.mkdir()
    for number, part in enumerate(np.array_split(np.arange(rows), files)):
        table = pa.table({"n": part, "g": [f"g{i % 3}" for i in part], "x": part / 7})
        pq.write_table(table, folder / f"{number}.parquet", row_group_size=group)
    return folder


def test_the_default_engine_has_every_verb():
    engine: Engine = ArrowEngine()
    verbs = [name for name in vars(Engine) if name[0] != "_"]
    assert len(verbs) == 9
    assert all(callable(getattr(engine, verb)) for verb in verbs)


# Blind to layout, memory and threads


@dataclass(frozen=True)
class SmallEngine(ArrowEngine):
    """Everything that bounds memory, as small as a test wants it."""

    sizes: ShufflePlan = field(kw_only=True)

    def over(self, dataset, kernel, key=(), columns=None):
        return [kernel(scan(dataset, key, columns, self.sizes.piece_rows))]

    def plan(self, parts):
        return self.sizes


@pytest.mark.parametrize(("pieces", "chunk", "bits"), [(1000, 10**9, 0), (13, 2000, 4), (64, 1, 9)])
@pytest.mark.parametrize("workers", [1, 3])
def test_the_bytes_do_not_depend_on_pieces_runs_buckets_and_threads(
    tmp_path, pieces, chunk, bits, workers
):
    sides = [write(tmp_path / name, rows) for name, rows in (("real", 400), ("synthetic", 700))]
    datasets = [
        open_dataset(side, name) for side, name in zip(sides, ("real", "synthetic"), strict=True)
    ]
    options = {"ratio": 0.8, "options": MixOptions(seed=3, stratify="g", rows_per_shard=150)}
    expected = mix_datasets(*datasets, output=tmp_path / "plain", **options)
    engine = SmallEngine(workers=workers, sizes=ShufflePlan(bits, chunk, pieces))
    got = mix_datasets(*datasets, output=tmp_path / "small", engine=engine, **options)
    assert got.manifest == expected.manifest
    assert len(got.shards) == 5


def test_row_groups_are_full_whatever_the_buckets(tmp_path, monkeypatch):
    monkeypatch.setattr(shuffle, "GROUP_ROWS", 64)
    sides = [
        open_dataset(write(tmp_path / name, rows), name)
        for name, rows in (("real", 400), ("synthetic", 700))
    ]
    engine = SmallEngine(sizes=ShufflePlan(bucket_bits=5, run_bytes=3000, piece_rows=50))
    options = MixOptions(rows_per_shard=250)
    release = mix_datasets(
        *sides, ratio=0.5, output=tmp_path / "out", options=options, engine=engine
    )
    for shard, rows in zip(release.shards, (250, 250, 100), strict=True):
        metadata = pq.ParquetFile(shard).metadata
        sizes = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
        assert sizes == [64] * (rows // 64) + [rows % 64]


def test_a_dictionary_is_kept_of_what_repeats_alone(tmp_path):
    n = 2000
    table = pa.table(
        {
            "fraction": np.arange(n) % 2 / 3,
            "word": [f"w{i % 300}" for i in range(n)],
            "code": [f"{i:09d}" for i in range(n)],
            "list": [[i % 2] for i in range(n)],
            "whole": np.arange(n) % 3,
        }
    )
    release = mix(table, table, ratio=1, output=tmp_path, key=["code"])
    group = pq.ParquetFile(release.shards[0]).metadata.row_group(0)
    encodings = {}
    for number in range(group.num_columns):
        column = group.column(number)
        encodings[column.path_in_schema.split(".")[0]] = "RLE_DICTIONARY" in column.encodings
    assert encodings == {
        "fraction": False,
        "word": True,
        "code": True,  # every one is there twice, as a real row and as a synthetic one
        "list": False,
        "whole": True,
        "synthmix_source": True,
        "synthmix_generator": True,
        "synthmix_row_id": True,
    }
    others = table.set_column(2, "code", [[f"{i:09d}" for i in range(n, 2 * n)]])
    release = mix(table, others, ratio=0.5, output=tmp_path, key=["code"])
    group = pq.ParquetFile(release.shards[0]).metadata.row_group(0)
    assert "RLE_DICTIONARY" not in group.column(2).encodings
    assert "RLE_DICTIONARY" in group.column(1).encodings


def test_the_rows_do_not_depend_on_row_groups_and_the_order_of_listing(tmp_path, monkeypatch):
    from synthmix_dagster.data import dataset

    one = [write(tmp_path / name, 500, group=500) for name in ("r1", "s1")]
    two = [write(tmp_path / name, 500, group=17) for name in ("r2", "s2")]
    first = mix(*one, ratio=0.5, output=tmp_path / "one")
    listed = dataset.find_files
    monkeypatch.setattr(dataset, "find_files", lambda *args: listed(*args)[::-1])
    second = mix(*two, ratio=0.5, output=tmp_path / "two")
    assert second.to_arrow().equals(first.to_arrow())
    # Other bytes are another release, although the rows are the same.
    assert second.release_id != first.release_id


@pytest.mark.slow
def test_the_memory_that_is_planned_bounds_what_arrow_holds(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("real", "synthetic"):
        (tmp_path / name).mkdir()
        for number in range(4):
            columns = {f"x{i}": rng.normal(size=100_000) for i in range(12)}
            table = pa.table({**columns, "s": [f"{i:040d}" for i in range(100_000)]})
            pq.write_table(table, tmp_path / name / f"{number}.parquet", row_group_size=25_000)
    del table, columns
    sides = (tmp_path / "real", tmp_path / "synthetic")
    before, held = pa.total_allocated_bytes(), []
    with ThreadPoolExecutor(1) as pool:
        mixed = pool.submit(mix, *sides, ratio=1.0, output=tmp_path / "out", memory_mb=400)
        while not mixed.done():
            held.append(pa.total_allocated_bytes() - before)
            time.sleep(0.0005)
        mixed.result()
    data = 800_000 * (12 * 8 + 44)
    assert len(held) > 100
    assert max(held) < 100 * 2**20 < data
    assert pa.total_allocated_bytes() - before < 10**6


def test_wide_rows_are_read_fewer_at_a_time(tmp_path, monkeypatch):
    seen = []
    original = Spill.write

    def watching(self, rows, sizes):
        seen.append(rows.select(wide.column_names).nbytes)
        return original(self, rows, sizes)

    monkeypatch.setattr(Spill, "write", watching)
    wide = pa.table({f"x{i}": np.arange(2000.0) for i in range(300)})
    pq.write_table(wide, tmp_path / "wide.parquet")
    path = tmp_path / "wide.parquet"
    mix(path, path, ratio=1, output=tmp_path / "out", memory_mb=400, rows_per_shard=700)
    share = 100 * 2**20 / (6 * ArrowEngine().workers)
    assert max(seen) <= share / 2 < wide.nbytes


def test_too_little_memory_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"'memory_mb'.*it is 399"):
        mix(
            pd.DataFrame({"x": [1]}),
            pd.DataFrame({"x": [1]}),
            ratio=1,
            output=tmp_path,
            memory_mb=399,
        )


# Fair


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """40,000 real and 20,000 of 80,000 synthetic rows, in files of unequal size."""
    folder = tmp_path_factory.mktemp("large")
    sizes = {"real": 40_000, "synthetic": 80_000}
    for name, rows in sizes.items():
        (folder / name).mkdir()
        for number, part in enumerate(np.split(np.arange(rows), [rows // 2, rows * 3 // 4])):
            table = pa.table({"n": part, "file": np.full(len(part), number), "g": part % 7})
            pq.write_table(table, folder / name / f"{number}.parquet")
    release = mix(folder / "real", folder / "synthetic", ratio=0.5, output=folder / "out", seed=1)
    return rows_of(release).to_pandas()


def chosen(rows):
    return rows[rows["synthmix_source"] == "synthetic"]


def selection_p(counts, sizes, k):
    """Chi-square of draws without replacement, which vary less by the factor 1 - k/n."""
    n = sum(sizes)
    expected = np.asarray(sizes) * k / n
    from scipy.stats import chi2

    statistic = ((np.asarray(counts) - expected) ** 2 / expected).sum() / (1 - k / n)
    return chi2.sf(statistic, len(sizes) - 1)


def test_the_selection_is_fair_over_strata(large):
    counts = np.bincount(chosen(large)["g"], minlength=7)
    assert selection_p(counts, np.bincount(np.arange(80_000) % 7), 20_000) > 1e-3


def test_the_selection_is_fair_over_files(large):
    counts = np.bincount(chosen(large)["file"], minlength=3)
    assert selection_p(counts, [40_000, 20_000, 20_000], 20_000) > 1e-3


def test_the_selection_is_fair_over_places_in_the_files(large):
    counts = np.bincount(chosen(large)["n"] // 1000, minlength=80)
    assert selection_p(counts, [1000] * 80, 20_000) > 1e-3


@pytest.mark.parametrize("column", ["g", "file", "n"])
@pytest.mark.parametrize("source", ["real", "synthetic"])
def test_every_part_of_the_order_is_a_fair_sample(large, column, source):
    """Position in the release says nothing of stratum, file or place in the file."""
    from scipy.stats import chi2_contingency

    rows = large[large["synthmix_source"] == source]
    of_row = rows[column] // (1 if column != "n" else rows["n"].max() // 20 + 1)
    twentieth = rows.index // (len(large) // 20)
    assert chi2_contingency(pd.crosstab(of_row, twentieth)).pvalue > 1e-3


def test_sources_are_spread_evenly_over_the_order(large):
    is_real = large["synthmix_source"].eq("real").to_numpy()
    counts = is_real.reshape(60, 1000).sum(axis=1)
    assert chi_square_p(counts, 1000 * 2 / 3) > 1e-3
    runs = 1 + sum(a != b for a, b in pairwise(is_real))
    assert abs(runs - (1 + 2 * 40_000 * 20_000 / 60_000)) < 400


def test_neighbours_of_the_input_are_not_neighbours_of_the_output(large):
    rows = large[large["synthmix_source"] == "real"]
    numbers = rows["n"].to_numpy()
    beside = (np.abs(np.diff(numbers)) == 1).sum()
    # Of n - 1 pairs of neighbours in a random order, 2 in expectation were neighbours before.
    assert beside <= 10
    assert abs(np.corrcoef(numbers[:-1], numbers[1:])[0, 1]) < 0.02
    place = np.argsort(numbers)
    assert abs(np.corrcoef(place[:-1], place[1:])[0, 1]) < 0.02


# The same as brute force


def by_hand(ids, strata, k, seed):
    """All priorities, all sorted: what the histogram and the cut cell have to come to."""
    found = priorities(ids, seed)
    names, sizes = np.unique(strata, return_counts=True)
    due = quotas(dict(zip(names.tolist(), sizes.tolist(), strict=True)), k)
    taken = []
    for name in names.tolist():
        here = np.flatnonzero(strata == name)
        taken += here[np.lexsort((ids[here], found[here]))][: due[name]].tolist()
    return sorted(taken)


ROWS = st.tuples(st.integers(0, 2**59), st.sampled_from("abc"))


@settings(max_examples=300)
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 2**59), st.sampled_from("abc")),
        unique_by=lambda r: r[0],
        min_size=1,
        max_size=40,
    ),
    seed=st.integers(0, 10**6),
    stratified=st.booleans(),
    data=st.data(),
)
def test_the_rows_are_those_of_brute_force(rows, seed, stratified, data):
    k = data.draw(st.integers(0, len(rows)))
    table = pa.table({"id": [r[0] for r in rows], "g": [r[1] for r in rows]})
    dataset = open_dataset(table, "synthetic")
    selection = ArrowEngine().select(dataset, k, seed, ["id"], "g" if stratified else None)
    ids = row_ids(dataset, ["id"])
    assert ids.tolist() == table["id"].to_pylist()
    strata = np.array([r[1] if stratified else "" for r in rows])
    got = np.flatnonzero(selection.mask(ids, table)).tolist()
    assert got == by_hand(ids, strata, k, seed)


def test_a_sample_is_the_beginning_of_a_larger_one_from_any_source(tmp_path):
    folder = write(tmp_path / "in", 300)
    engine = ArrowEngine()
    for dataset, key in (
        (open_dataset(folder, "real"), ()),
        (open_dataset(folder, "real"), ["n"]),
        (open_dataset(folder, "real", filters=[("g", "!=", "g1")]), ()),
        (open_dataset(open_dataset(folder, "real").table, "real"), ()),
    ):
        whole = engine.sample(dataset, dataset.rows, 5, key)["n"].to_pylist()
        assert sorted(whole) == sorted(dataset.table["n"].to_pylist())
        assert engine.sample(dataset, 40, 5, key)["n"].to_pylist() == whole[:40]
        assert len(sample_positions(dataset, 40, 5, key)) == 40
