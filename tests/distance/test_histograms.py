"""The streamed distance against sorted samples, closed forms and simulation."""

import tracemalloc

import numpy as np
import pytest

from synthmix_dagster.distance import histograms
from synthmix_dagster.distance.histograms import (
    BINS,
    REACH,
    Bins,
    Histograms,
    Moments,
    fold_salt,
    in_second_fold,
    streamed_estimate,
)
from synthmix_dagster.distance.wasserstein import orthonormal_directions
from synthmix_dagster.errors import ConfigError, DataError


def generator(*seed):
    return np.random.default_rng(seed)


def points(rng, rows, d=3, draw="normal"):
    draws = {
        "normal": lambda: rng.standard_normal((rows, d)),
        "heavy": lambda: rng.standard_t(3, (rows, d)),
        "mixture": lambda: (
            rng.standard_normal((rows, d)) * np.where(rng.random((rows, 1)) < 0.01, 30, 1)
        ),
        "skewed": lambda: rng.gamma(4, size=(rows, d)) / 2,
        "levels": lambda: rng.integers(0, 3, (rows, d)) / np.sqrt(2),
    }
    return draws[draw]().astype(np.float32)


def turned(d=3, at_least=6):
    return orthonormal_directions(d, at_least, generator(99))


def passes(rows, size=1000):
    return lambda: (rows[at : at + size] for at in range(0, len(rows), size))


def estimate(real, synthetic, directions=None, seed=0, p=2, size=1000):
    directions = turned(real.shape[1]) if directions is None else directions
    return streamed_estimate(passes(real, size), passes(synthetic, size), directions, seed, p)


@pytest.fixture
def small_blocks(monkeypatch):
    """Several blocks of rows and chunks of directions, though there are few of either."""
    monkeypatch.setattr(histograms, "BLOCK_ROWS", 1000)
    monkeypatch.setattr(histograms, "CHUNK", 4)


# --- the distance against sorted samples ---------------------------------------------------------


def sorted_distance(a, b, p):
    """Squared W_p of two samples on a line, from their sorted values."""
    a, b = np.sort(a.astype(float)), np.sort(b.astype(float))
    levels = np.union1d(np.arange(len(a) + 1) / len(a), np.arange(len(b) + 1) / len(b))
    middle = (levels[1:] + levels[:-1]) / 2
    apart = a[(middle * len(a)).astype(int)] - b[(middle * len(b)).astype(int)]
    return float(np.diff(levels) @ np.abs(apart) ** p) ** (2 / p)


def sorted_estimate(real, synthetic, directions, seed, p, spread=lambda values: values):
    """What the streamed estimate approximates: the same folds, sorted instead of counted."""
    squares, floors = [], []
    for direction in directions:
        folds = []
        for side, rows in enumerate((real, synthetic)):
            second = in_second_fold(0, len(rows), fold_salt(seed, side))
            values = rows @ direction
            folds.append((spread(values[~second]), spread(values[second])))
        r, s = folds
        cross = np.mean([sorted_distance(a, b, p) for a in r for b in s])
        floors.append(sorted_distance(*r, p))
        squares.append(cross - (floors[-1] + sorted_distance(*s, p)) / 2)
    return np.array(squares), np.mean(floors)


def span(real, synthetic):
    """Middle of the bins along every direction, and how far they reach."""
    mean = (real.mean(axis=0) + synthetic.mean(axis=0)) / 2
    variance = [((side - mean) ** 2).mean(axis=0) for side in (real, synthetic)]
    return mean, REACH * np.sqrt(np.mean(variance, axis=0))


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("draw", ["normal", "skewed", "levels"])
@pytest.mark.parametrize(("n", "m"), [(4000, 4000), (3000, 7001), (9000, 500)])
def test_the_estimate_is_that_of_the_same_folds_sorted(p, draw, n, m):
    rng = generator(n, m)
    real, synthetic = points(rng, n, draw=draw), points(rng, m, draw=draw)
    synthetic = synthetic * np.float32(1.1) + np.float32(0.2)
    found = estimate(real, synthetic, seed=5, p=p)
    squares, within = sorted_estimate(real, synthetic, turned(), 5, p)
    # A level moves by up to half a bin, of about 0.004; scattered values move in both directions.
    error = 3e-4 if draw == "levels" else 1e-4
    np.testing.assert_allclose(found.squares, squares, rtol=0, atol=error)
    assert found.within_real == pytest.approx(within, abs=error / 3)
    assert (found.n_real, found.n_synthetic) == (n, m)
    assert found.clipped == 0


@pytest.mark.parametrize("p", [1, 2])
def test_the_distance_between_binned_rows_is_exact(p, monkeypatch):
    monkeypatch.setattr(histograms, "BINS", 32)
    real, synthetic = points(generator(20), 400, 1), points(generator(21), 301, 1) * 2
    mean, reach = span(real, synthetic)
    width = float(2 * reach[0] / 32)

    def spread(values):
        low = np.floor((values - mean + reach) / width) * width + mean - reach
        return (low[:, None] + width * (np.arange(100) + 0.5) / 100).ravel()

    found = estimate(real, synthetic, np.eye(1), p=p)
    squares, within = sorted_estimate(real, synthetic, np.eye(1), 0, p, spread)
    assert found.squares[0] == pytest.approx(squares[0], rel=2e-3)
    assert found.within_real == pytest.approx(within, rel=5e-3)


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("shift", [0.003, 0.1, 2.0])
def test_a_translation_gives_its_square_along_every_direction(p, shift):
    rows = points(generator(1), 40_000)
    moved = np.array([shift, 0, 0], np.float32)
    # The same rows on both sides: what is left is the shift and the noise of the folds.
    found = estimate(rows, rows + moved, p=p).squares - estimate(rows, rows, p=p).squares
    np.testing.assert_allclose(found, (shift * turned()[:, 0]) ** 2, rtol=0.02, atol=shift * 2e-3)


def test_a_translation_below_a_bin_is_not_lost_in_the_bins(monkeypatch):
    # Folds without noise: every other point of a grid.
    monkeypatch.setattr(
        histograms, "in_second_fold", lambda first, rows, _: np.arange(first, first + rows) % 2 == 1
    )
    grid = np.linspace(-2, 2, 200_001, dtype=np.float32)[:, None]
    width = 2 * REACH * float(grid.std()) / BINS
    for part in (0.1, 0.5, 1.5):
        found = estimate(grid, grid + np.float32(part * width), np.eye(1))
        assert found.squares[0] == pytest.approx((part * width) ** 2, rel=0.02)


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("draw", ["normal", "heavy", "levels"])
@pytest.mark.parametrize(("n", "m"), [(1000, 1000), (500, 2000)])
def test_equal_distributions_have_mean_zero(p, draw, n, m):
    squares = []
    for repeat in range(80):
        rng = generator(repeat, n)
        sides = points(rng, n, 2, draw), points(rng, m, 2, draw)
        squares.append(estimate(*sides, np.eye(2), seed=repeat, p=p, size=m).squares.mean())
    spread = np.std(squares, ddof=1)
    # Folds of two sizes leave a bias of up to a third of the spread, as the module says.
    bias = 0 if n == m else spread / 3
    assert abs(np.mean(squares)) < 3.5 * spread / np.sqrt(len(squares)) + bias
    assert min(squares) < 0 < max(squares)


def test_within_real_is_the_floor_and_falls_with_the_rows():
    found = [
        estimate(points(generator(n), n), points(generator(1), 1000)).within_real
        for n in (2000, 32_000)
    ]
    assert found[0] > 8 * found[1] > 0


# --- bins ----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("draw", ["heavy", "mixture"])
def test_the_clipped_share_is_that_of_the_values_outside(draw):
    # Far from zero, and elsewhere along every direction.
    real, synthetic = (points(generator(i), 20_000, draw=draw) * (1 + i) + 20 for i in (0, 1))
    found = estimate(real, synthetic)
    sides = [rows.astype(float) @ turned().T for rows in (real, synthetic)]
    mean, reach = span(*sides)
    outside = sum(int((np.abs(side - mean) > reach).sum()) for side in sides)
    assert outside > 50
    assert found.clipped * 40_000 * len(turned()) == pytest.approx(outside, abs=2)


@pytest.mark.parametrize("sign", [-1, 1])
def test_what_is_clipped_counts_at_the_end_of_the_bins(sign):
    real, synthetic = (points(generator(i), 20_000, 1) for i in (2, 3))
    synthetic[:20] = sign * 1e4
    found = estimate(real, synthetic, np.eye(1))
    mean, reach = span(real, synthetic)
    moved = np.clip(synthetic, mean - reach, mean + reach)
    cut, _ = sorted_estimate(real, moved, np.eye(1), 0, 2)
    assert found.clipped == pytest.approx(20 / 40_000)
    assert found.squares[0] == pytest.approx(cut[0], rel=0.01)


def test_a_small_side_far_away_is_not_clipped():
    real, synthetic = points(generator(4), 50_000, 1), points(generator(5), 500, 1) + 40
    found = estimate(real, synthetic, np.eye(1))
    assert found.clipped == 0
    assert found.squares[0] == pytest.approx(40**2, rel=0.01)


@pytest.mark.parametrize("value", [0.0, 3.7, -1e6, 1e-30])
def test_a_constant_direction_is_at_distance_zero(value):
    real, synthetic = points(generator(6), 3000), points(generator(7), 2000)
    real[:, 1] = synthetic[:, 1] = value
    found = estimate(real, synthetic, np.eye(3))
    assert found.squares[1] == pytest.approx(0, abs=1e-9 * max(1, value**2))
    assert found.clipped == 0


def test_constants_that_differ_are_apart():
    real, synthetic = np.full((300, 1), 2, np.float32), np.full((200, 1), 5, np.float32)
    assert estimate(real, synthetic, np.eye(1)).squares[0] == pytest.approx(9, rel=1e-3)


def test_a_constant_real_side_is_compared_with_one_that_varies():
    real, synthetic = np.zeros((3000, 1), np.float32), points(generator(8), 40_000, 1)
    assert estimate(real, synthetic, np.eye(1)).squares[0] == pytest.approx(1, abs=0.03)


# --- streams and parts ---------------------------------------------------------------------------


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("size", [1, 7, 999, 4096, 10**6])
def test_how_rows_are_cut_into_batches_changes_nothing(size):
    real, synthetic = points(generator(9), 2500), points(generator(10), 1999) + 0.1
    whole, cut = (estimate(real, synthetic, size=s) for s in (1234, size))
    assert whole.squares.tolist() == cut.squares.tolist()
    assert whole.within_real == cut.within_real


def test_empty_batches_and_double_precision_are_taken():
    real, synthetic = points(generator(11), 600), points(generator(12), 600)
    empty = np.empty((0, 3), np.float32)
    found = streamed_estimate(
        lambda: iter([empty, real[:100].astype(float), empty, real[100:], empty]),
        passes(synthetic),
        turned(),
        seed=0,
    )
    assert found.squares.tolist() == estimate(real, synthetic).squares.tolist()


def test_moments_of_parts_merge_to_those_of_the_whole():
    # Far from zero, where a sum of squares less a squared sum would keep no digit.
    rows = points(generator(13), 5000) + 500
    parts = [
        Moments.of(rows[a:b], turned()) for a, b in ((0, 1), (1, 4000), (4000, 4000), (4000, 5000))
    ]
    left = parts[0].merge(parts[1]).merge(parts[2]).merge(parts[3])
    right = parts[0].merge(parts[1].merge(parts[2].merge(parts[3])))
    values = rows.astype(float) @ turned().T
    for merged in (left, right):
        assert merged.rows == 5000
        np.testing.assert_allclose(merged.mean, values.mean(axis=0), rtol=1e-6)
        np.testing.assert_allclose(merged.squares / 5000, values.var(axis=0), rtol=1e-3)


def test_histograms_of_parts_merge_to_those_of_the_whole():
    rows = points(generator(14), 5000)
    bins = Bins.around(*[Moments.of(rows, turned())] * 2)

    def counted(*spans):
        made = Histograms(turned(), bins, fold_salt(3, 1))
        for start, stop in spans:
            made.add(rows[start:stop], start)
        return made

    whole, merged = counted((0, 5000)), counted((4000, 5000))
    merged.merge(counted((0, 10), (10, 1500)))
    merged.merge(counted((1500, 4000)))
    assert merged.rows == whole.rows
    # A value on the edge of a bin may fall on either side of it in another matrix product.
    assert np.abs(merged.counts - whole.counts).sum() <= 4


def test_folds_are_halves_that_differ_by_seed_and_side():
    rows = 40_000
    folds = [in_second_fold(0, rows, fold_salt(seed, side)) for seed in (0, 1) for side in (0, 1)]
    for i, fold in enumerate(folds):
        assert abs(fold.mean() - 0.5) < 4 * 0.5 / np.sqrt(rows)
        for other in folds[:i]:
            assert abs((fold == other).mean() - 0.5) < 4 * 0.5 / np.sqrt(rows)
        neighbours = (fold[1:] == fold[:-1]).mean()
        assert abs(neighbours - 0.5) < 4 * 0.5 / np.sqrt(rows)


def test_rows_that_come_sorted_have_the_floor_of_rows_that_do_not():
    rows = points(generator(15), 20_000, 1)
    floors = [
        np.mean([estimate(side, rows, np.eye(1), seed=seed).within_real for seed in range(6)])
        for side in (rows, np.sort(rows, axis=0))
    ]
    assert 1 / 3 < floors[0] / floors[1] < 3


def test_memory_does_not_grow_with_the_rows():
    def side(rows):
        rng = generator(16)
        return lambda: (points(rng, 5000, 5) for _ in range(rows // 5000))

    peaks = []
    for rows in (50_000, 500_000):
        tracemalloc.start()
        streamed_estimate(side(rows), side(rows), turned(5, 20), seed=0)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.05 * peaks[0] < 20e6


# --- refusals ------------------------------------------------------------------------------------


def test_a_side_that_can_be_read_once_only_is_refused():
    rows = points(generator(17), 100)
    once = iter([rows])
    with pytest.raises(DataError, match=r"'synthetic'.*second pass gave 0 rows and its first 100"):
        streamed_estimate(passes(rows), lambda: once, turned(), seed=0)


@pytest.mark.parametrize("rows", [0, 1])
def test_rows_that_cannot_be_cut_in_two_are_refused(rows):
    enough = points(generator(18), 100)
    with pytest.raises(DataError, match=rf"'real'.*too few rows \({rows}\)"):
        estimate(enough[:rows], enough)


def test_another_order_is_refused():
    rows = points(generator(19), 100)
    with pytest.raises(ConfigError, match=r"option 'p'.*it is 3"):
        estimate(rows, rows, p=3)
