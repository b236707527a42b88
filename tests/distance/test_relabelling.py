"""Distances of relabelled rows: in runs of neighbours nearly as one by one, and by brute force."""

import numpy as np
import pytest

from synthmix_dagster.distance import relabelling
from synthmix_dagster.distance.relabelling import halvings, relabelled_squares, relabellings
from synthmix_dagster.distance.wasserstein import orthonormal_directions

DRAWS = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "heavy tails": lambda rng, shape: rng.standard_t(2.5, size=shape),
    "levels": lambda rng, shape: rng.integers(0, 3, size=shape).astype(float),
}


def brute(values, label):
    """Squared W2 of two samples of one size on a line."""
    return np.mean((np.sort(values[label == 1]) - np.sort(values[label == 0])) ** 2)


@pytest.mark.parametrize("rows", [40, 3_000])
def test_without_runs_it_is_the_distance_of_the_sorted_rows(monkeypatch, rows):
    monkeypatch.setattr(relabelling, "MAX_SINGLE", rows)
    rng = np.random.default_rng(0)
    pool = rng.normal(size=(rows, 1)).astype(np.float32)
    labels = relabellings(rows // 2, rows // 2, 5, rng)
    expected = [brute(pool[:, 0], label) for label in labels.T]
    assert relabelled_squares(pool, np.eye(1), labels) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS.keys())
@pytest.mark.parametrize(("n", "m"), [(1_500, 1_500), (300, 3_000), (2_900, 700)])
def test_runs_of_neighbours_tell_nearly_the_same(n, m, draw, p):
    rng = np.random.default_rng(1)
    pool = draw(rng, (n + m, 3)).astype(np.float32)
    # Equal rows keep their order, which must not be that of the observed labels.
    labels = relabellings(n, m, 99, rng)[rng.permutation(n + m)]
    directions = orthonormal_directions(3, 6, rng)
    in_runs = relabelled_squares(pool, directions, labels, p)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(relabelling, "MAX_SINGLE", n + m)
        by_row = relabelled_squares(pool, directions, labels, p)
    assert np.corrcoef(in_runs, by_row)[0, 1] > 0.995
    assert np.std(in_runs) == pytest.approx(np.std(by_row), rel=0.02)
    ranks = [np.mean(found[1:] >= found[0]) for found in (in_runs, by_row)]
    assert ranks[0] == pytest.approx(ranks[1], abs=0.09)


def test_a_wide_shift_and_a_few_rows_far_out_keep_their_size():
    rng = np.random.default_rng(2)
    rows = rng.normal(size=4_000)
    for moved, by in ((np.arange(2_000), 3.0), (np.arange(5), 3_000.0)):
        pool = rows.copy()
        pool[moved] += by
        labels = relabellings(2_000, 2_000, 0, rng)
        found = relabelled_squares(pool[:, None].astype(np.float32), np.eye(1), labels)
        assert found[0] == pytest.approx(brute(pool, labels[:, 0]), rel=0.01)


def test_many_relabellings_are_worked_on_in_batches():
    rng = np.random.default_rng(3)
    pool = rng.normal(size=(2_500, 2)).astype(np.float32)
    labels = relabellings(1_000, 1_500, 300, rng)
    whole = relabelled_squares(pool, np.eye(2), labels)
    for some in (slice(0, 7), slice(255, 301)):
        assert relabelled_squares(pool, np.eye(2), labels[:, some]) == pytest.approx(whole[some])


def test_halves_are_halves_of_rows_or_of_whole_groups():
    rng = np.random.default_rng(4)
    assert set(halvings(101, 20, rng).sum(axis=0)) == {50}
    groups = rng.integers(0, 9, 200)
    for label in halvings(200, 20, rng, groups).T:
        of_groups = [set(label[groups == group]) for group in range(9)]
        assert all(len(values) == 1 for values in of_groups)
        assert sum(values == {1} for values in of_groups) == 4
