"""Stable identities, seeded priorities, exactly k rows."""

import hashlib
from collections import Counter
from fractions import Fraction
from itertools import combinations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthmix_dagster.data.dataset import open_dataset
from synthmix_dagster.data.identity import row_ids
from synthmix_dagster.data.priority import in_priority_order, priorities, sample_positions
from synthmix_dagster.errors import ConfigError, DataError
from synthmix_dagster.release.selection import Strata, quotas, require_strata, select_exactly

many = settings(max_examples=100)
LABELS = st.sampled_from(["a", "b", "c", "<missing>", "é"])


def choose_exactly(ids, k, seed, strata=None):
    """Positions of the rows that are chosen, in priority order."""
    table = pa.table({"g": [""] * len(ids) if strata is None else list(strata)})
    numbered = Strata("g", [])
    codes = numbered.codes(table, len(ids))
    sizes = dict(zip(numbered.names, np.bincount(codes).tolist(), strict=True))
    selection = select_exactly(lambda kernel: [kernel([(ids, codes)])], sizes, k, seed, "g")
    order = in_priority_order(ids, seed)
    return order[selection.mask(ids, table)[order]]


def strata_of(rows, column):
    require_strata(rows, column)
    strata = Strata(column, [])
    return [strata.names[code] for code in strata.codes(rows.table, rows.rows)]


def dataset(columns):
    return open_dataset(pa.table(columns), "real")


def ids_of(columns, key=()):
    return row_ids(dataset(columns), key).tolist()


def chi_square_p(counts, expected):
    from scipy.stats import chi2

    statistic = ((np.asarray(counts) - expected) ** 2 / expected).sum()
    return chi2.sf(statistic, len(counts) - 1)


# Identities


def test_ids_lie_below_two_to_the_sixty():
    for key in ((), ("s",)):
        ids = ids_of({"s": [str(i) for i in range(2000)]}, key)
        assert len(set(ids)) == 2000
        assert 0 <= min(ids) < max(ids) < 2**60
        assert max(ids) > 2**59


def test_key_ids_belong_to_the_key_and_not_to_the_row():
    one = dict(zip("abc", ids_of({"k": ["a", "b", "c"], "x": [1, 2, 3]}, ["k"]), strict=True))
    two = dict(zip("cab", ids_of({"x": [9, 9, 9], "k": ["c", "a", "b"]}, ["k"]), strict=True))
    assert one == two


def test_several_key_columns_identify_together():
    ids = ids_of({"a": [1, 1, 2, 11], "b": [1, 11, 1, 1]}, ["a", "b"])
    assert len(set(ids)) == 4


def test_keys_that_contain_the_separator_are_told_apart():
    assert len(set(ids_of({"a": ["x\x1f", "x"], "b": ["y", "\x1fy"]}, ["a", "b"]))) == 2


@pytest.mark.parametrize(
    ("columns", "key", "match"),
    [
        ({"x": [1, 2]}, ["k"], r"column 'k'.*not found"),
        ({"x": [1, None]}, ["x"], r"column 'x'.*missing values"),
        ({"x": [1, 2, 1]}, ["x"], r"'1' occurs more than once"),
        ({"x": [1, 1], "y": ["a", "a"]}, ["x", "y"], r"column 'x, y'.*more than once"),
    ],
    ids=["absent", "null", "repeated", "repeated pair"],
)
def test_a_key_that_does_not_identify_rows_is_refused(columns, key, match):
    with pytest.raises(DataError, match=match):
        ids_of(columns, key)


def test_file_ids_depend_on_relative_name_and_row_number_only(tmp_path):
    for folder, names in (("one", "ab"), ("two", "abc")):
        (tmp_path / folder).mkdir()
        for name in names:
            pq.write_table(pa.table({"x": [len(names)] * 3}), tmp_path / folder / f"{name}.parquet")
    one, two = (row_ids(open_dataset(tmp_path / f, "real")) for f in ("one", "two"))
    assert one.tolist() == two[:6].tolist()
    assert len(set(two.tolist())) == 9


def test_file_ids_do_not_depend_on_what_else_is_listed_before(tmp_path):
    pq.write_table(pa.table({"x": [1, 2]}), tmp_path / "m.parquet")
    alone = row_ids(open_dataset(tmp_path, "real")).tolist()
    pq.write_table(pa.table({"x": [3]}), tmp_path / "a.parquet")
    assert row_ids(open_dataset(tmp_path, "real")).tolist()[1:] == alone


def test_copies_of_a_row_get_distinct_ids():
    ids = ids_of({"x": [7] * 50 + [8], "s": ["a"] * 51})
    assert len(set(ids)) == 51


@many
@given(
    rows=st.lists(st.tuples(st.integers(0, 2), st.none() | st.text("ab", max_size=1)), min_size=1),
    random=st.randoms(use_true_random=False),
)
def test_permuting_rows_permutes_content_ids_as_a_multiset(rows, random):
    def ids(cells):
        return ids_of(
            {"n": [c[0] for c in cells], "s": pa.array([c[1] for c in cells], pa.string())}
        )

    shuffled = random.sample(rows, len(rows))
    before, after = ids(rows), ids(shuffled)
    assert len(set(before)) == len(rows)
    by_row = [
        Counter(zip(map(repr, r), i, strict=True)) for r, i in ((rows, before), (shuffled, after))
    ]
    assert by_row[0] == by_row[1]


def test_content_ids_tell_values_apart():
    assert not set(ids_of({"x": [1, 2]})) & set(ids_of({"x": [3, 4]}))
    assert ids_of({"a": [1], "b": [2]}) != ids_of({"a": [2], "b": [1]})


@pytest.mark.parametrize("values", [[[1], [2]], [{"a": 1}, {"a": 2}]], ids=["list", "struct"])
def test_nested_rows_are_told_apart_with_and_without_a_key(values):
    assert len(set(ids_of({"x": values, "k": [1, 1]}))) == 2
    assert len(set(ids_of({"x": values, "k": [1, 2]}, ["k"]))) == 2


# Priorities


def priority_by_hand(identity, seed):
    prime = 2**31 - 1
    low, high = identity % 2**30, identity // 2**30
    parts = []
    for name in ("first", "second"):
        c = []
        for i in range(6):
            digest = hashlib.md5(f"{seed}|{name}|{i}".encode()).hexdigest()
            c.append(1 + (int(digest[:16], 16) >> 4) % (prime - 1))
        x = (low * c[0] + high * c[1]) % prime
        parts.append((c[2] * x**3 + c[3] * x**2 + c[4] * x + c[5]) % prime)
    return parts[0] * 2**31 + parts[1]


@many
@given(
    ids=st.lists(
        st.integers(0, 2**61 - 1)
        | st.sampled_from([0, 2**30 - 1, 2**30, 2**60 - 1, 2**61 - 1, 2**61 - 2**30]),
        min_size=1,
        max_size=20,
    ),
    seed=st.integers(-5, 2**70),
)
def test_priorities_equal_the_polynomial_in_unbounded_integers(ids, seed):
    got = priorities(np.array(ids, dtype=np.int64), seed)
    assert got.tolist() == [priority_by_hand(i, seed) for i in ids]
    assert got.min() >= 0
    assert got.max() < 2**62


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("start", [0, 123 << 30])
@pytest.mark.parametrize("shift", [56, 25, 0])
def test_priorities_of_consecutive_ids_are_uniform(seed, start, shift):
    values = priorities(start + np.arange(64_000, dtype=np.int64), seed)
    cells = (values >> shift) % 64
    assert chi_square_p(np.bincount(cells, minlength=64), 1000.0) > 1e-4


def test_neighbouring_priorities_are_uncorrelated():
    values = priorities(np.arange(50_000, dtype=np.int64), 11) / 2**62
    for lag in (1, 2, 3):
        assert abs(np.corrcoef(values[:-lag], values[lag:])[0, 1]) < 0.02


def test_another_seed_gives_another_unrelated_order():
    ids = np.arange(20_000, dtype=np.int64)
    one, two = priorities(ids, 1), priorities(ids, 2)
    assert (one != two).all()
    assert abs(np.corrcoef(one / 2**62, two / 2**62)[0, 1]) < 0.03


def test_the_order_is_by_priority_then_identity():
    ids = np.array([5, 1, 5, 9, 0], dtype=np.int64)
    order = in_priority_order(ids, 3)
    assert order.tolist() == sorted(range(5), key=lambda i: (priority_by_hand(int(ids[i]), 3), i))


# Exactly k


def by_hand(ids, k, seed):
    return sorted(range(len(ids)), key=lambda i: (priority_by_hand(ids[i], seed), ids[i]))[:k]


@many
@given(
    ids=st.lists(st.integers(0, 2**60 - 1), unique=True, min_size=1, max_size=30),
    seed=st.integers(0, 100),
    data=st.data(),
)
def test_the_chosen_are_the_k_of_lowest_priority_and_nested(ids, seed, data):
    k = data.draw(st.integers(0, len(ids)))
    array = np.array(ids, dtype=np.int64)
    chosen = choose_exactly(array, k, seed).tolist()
    assert chosen == by_hand(ids, k, seed)
    assert choose_exactly(array, len(ids), seed).tolist()[:k] == chosen


@many
@given(
    keys=st.lists(st.integers(0, 1000), unique=True, min_size=1, max_size=25),
    random=st.randoms(use_true_random=False),
    data=st.data(),
)
def test_the_chosen_keyed_rows_do_not_depend_on_row_order(keys, random, data):
    k = data.draw(st.integers(0, len(keys)))
    grouped = data.draw(st.booleans())

    def chosen(order):
        ids = np.array(ids_of({"k": order}, ["k"]))
        strata = [str(key % 3) for key in order] if grouped else None
        return [order[i] for i in choose_exactly(ids, k, 5, strata)]

    assert chosen(keys) == chosen(random.sample(keys, len(keys)))


def quotas_by_hand(sizes, k):
    total = sum(sizes.values())
    shares = {name: Fraction(size * k, total) for name, size in sizes.items()}
    taken = {name: share.numerator // share.denominator for name, share in shares.items()}
    while sum(taken.values()) < k:
        short = min(sizes, key=lambda name: (taken[name] - shares[name], -sizes[name], name))
        taken[short] += 1
    return taken


@many
@given(
    sizes=st.dictionaries(st.text("abcde", min_size=1, max_size=2), st.integers(1, 12), min_size=1),
    data=st.data(),
)
def test_quotas_are_the_largest_remainders(sizes, data):
    total = sum(sizes.values())
    k = data.draw(st.integers(0, total))
    got = quotas(sizes, k)
    assert got == quotas_by_hand(sizes, k)
    assert sum(got.values()) == k
    for name, size in sizes.items():
        assert abs(Fraction(size * k, total) - got[name]) < 1
        assert got[name] <= size


@pytest.mark.parametrize(
    ("sizes", "k", "expected"),
    [
        ({"a": 10, "b": 10}, 1, {"a": 1, "b": 0}),
        ({"b": 1, "a": 1, "c": 1}, 2, {"a": 1, "b": 1, "c": 0}),
        ({"a": 1, "b": 3}, 2, {"a": 0, "b": 2}),
        ({"a": 97, "b": 2, "c": 1}, 10, {"a": 10, "b": 0, "c": 0}),
        ({"a": 10**15, "b": 10**15 + 1}, 3, {"a": 1, "b": 2}),
    ],
)
def test_quotas_of_known_cases(sizes, k, expected):
    assert quotas(sizes, k) == expected


@many
@given(labels=st.lists(LABELS, min_size=1, max_size=40), seed=st.integers(0, 50), data=st.data())
def test_strata_get_their_quotas_of_lowest_priority(labels, seed, data):
    k = data.draw(st.integers(0, len(labels)))
    ids = list(range(100, 100 + len(labels)))
    chosen = choose_exactly(np.array(ids), k, seed, labels).tolist()
    quota = quotas_by_hand(Counter(labels), k)
    expected = []
    for name in quota:
        members = [i for i, label in enumerate(labels) if label == name]
        best = by_hand([ids[i] for i in members], quota[name], seed)
        expected += [members[i] for i in best]
    assert sorted(chosen) == sorted(expected)
    assert len(chosen) == k


def test_missing_labels_are_a_stratum():
    labels = strata_of(dataset({"g": ["a", None, "b", None]}), "g")
    assert labels == ["a", "<missing>", "b", "<missing>"]
    chosen = choose_exactly(np.arange(4), 2, 0, labels)
    assert Counter(labels[i] for i in chosen)["<missing>"] == 1


def test_a_label_spelled_like_the_missing_stratum_is_another_one():
    assert len(set(strata_of(dataset({"g": ["<missing>", None]}), "g"))) == 2


def test_large_integer_labels_beside_a_null_are_told_apart():
    assert len(set(strata_of(dataset({"g": [2**53, 2**53 + 1, None]}), "g"))) == 3


@pytest.mark.parametrize(
    "values",
    [
        pa.array([1, 1, 2]),
        pa.array([True, True, False]),
        pa.array(["x", "x", "y"]).dictionary_encode(),
        pa.array([0, 0, 86400], pa.timestamp("s")),
    ],
    ids=lambda values: str(values.type)[:10],
)
def test_any_flat_column_can_stratify(values):
    labels = strata_of(dataset({"g": values}), "g")
    assert labels[0] == labels[1] != labels[2]


def test_a_stratum_column_that_is_not_there_is_refused_with_the_nearest_name():
    with pytest.raises(ConfigError, match=r"no column 'colour'.*Did you mean 'color'"):
        strata_of(dataset({"color": ["a"], "size": [1]}), "colour")


def test_every_row_is_chosen_equally_often_over_seeds():
    n, k, seeds = 20, 5, 1200
    counts = np.zeros(n)
    for seed in range(seeds):
        counts[choose_exactly(np.arange(n), k, seed)] += 1
    assert counts.sum() == k * seeds
    # Counts of draws without replacement vary less, by the factor 1 - k/n, than free ones.
    statistic = ((counts - k * seeds / n) ** 2).sum() / (k * seeds / n * (1 - k / n))
    from scipy.stats import chi2

    assert chi2.sf(statistic * (n - 1) / n, n - 1) > 1e-4


def test_every_pair_is_chosen_equally_often_over_seeds():
    pairs = list(combinations(range(7), 2))
    seen = Counter(
        tuple(sorted(choose_exactly(np.arange(7), 2, seed).tolist())) for seed in range(2100)
    )
    assert chi_square_p([seen[pair] for pair in pairs], 100.0) > 1e-4


def test_within_a_stratum_every_row_is_chosen_equally_often_over_seeds():
    labels = ["a"] * 12 + ["b"] * 4
    counts = np.zeros(16)
    for seed in range(800):
        counts[choose_exactly(np.arange(16), 4, seed, labels)] += 1
    assert counts[:12].sum() == 2400
    assert counts[12:].sum() == 800
    assert chi_square_p(counts[:12], 200.0) > 1e-4
    assert chi_square_p(counts[12:], 200.0) > 1e-4


def test_a_larger_sample_begins_with_the_smaller_one():
    rows = open_dataset(pd.DataFrame({"x": range(100)}), "real")
    whole = sample_positions(rows, 100, 4)
    assert sorted(whole.tolist()) == list(range(100))
    for size in (0, 1, 37):
        assert sample_positions(rows, size, 4).tolist() == whole[:size].tolist()
    assert sample_positions(rows, 500, 4).tolist() == whole.tolist()
    assert sample_positions(rows, 100, 5).tolist() != whole.tolist()


@pytest.mark.parametrize("block", [1, 7, 64, 1000])
def test_a_sample_of_files_does_not_depend_on_how_many_rows_are_looked_at_at_a_time(
    block, tmp_path, monkeypatch
):
    for name, rows in (("a", 100), ("b", 57)):
        pd.DataFrame({"x": range(rows)}).to_parquet(tmp_path / f"{name}.parquet")
    dataset = open_dataset(tmp_path, "real")
    expected = in_priority_order(row_ids(dataset), 3)[:40].tolist()
    monkeypatch.setattr("synthmix_dagster.data.priority.BLOCK_ROWS", block)
    assert sample_positions(dataset, 40, 3).tolist() == expected
    assert len(sample_positions(dataset, 500, 3)) == 157
