"""The shift of y given x: known shifts, none at all, and inputs that merely lie elsewhere."""

import numpy as np
import pytest

from synthmix_dagster.distance import conditional
from synthmix_dagster.distance.conditional import MAX_FOLDS, conditional_estimate
from synthmix_dagster.distance.folds import draw_sides, thinned
from synthmix_dagster.distance.inference import squared_interval, variance_and_units
from synthmix_dagster.distance.wasserstein import sliced_estimate


def generator(*seed):
    return np.random.default_rng(seed)


def signal(x):
    """A mean of y given x that bends and mixes two inputs, of variance about 0.8."""
    return np.sin(2 * x[:, :1]) + 0.6 * x[:, :1] * x[:, 1:2]


def sample(rng, n, d=3, *, at=0.0, shift=0.0, noise=0.5):
    """Inputs with the first at another place, and targets moved by a constant."""
    x = rng.normal(size=(n, d))
    x[:, 0] += at
    return x, signal(x) + shift + noise * rng.normal(size=(n, 1))


def estimate(real, synthetic, seed=0):
    sides = draw_sides(len(real[0]), len(synthetic[0]), generator(seed))
    return conditional_estimate(*real, *synthetic, sides, generator(seed, 1))


def mean_and_error(values):
    return np.mean(values), np.std(values, ddof=1) / np.sqrt(len(values))


# --- nothing to see ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "m"), [(40, 40), pytest.param(24, 48, marks=pytest.mark.slow), (48, 24)]
)
def test_without_a_shift_the_mean_is_zero_at_any_size(n, m):
    squares = [
        estimate(sample(rng, n), sample(rng, m), seed).square
        for seed in range(40)
        for rng in [generator(seed, n, m)]
    ]
    mean, error = mean_and_error(squares)
    assert min(squares) < 0 < max(squares)
    assert abs(mean) < 3.5 * error


def test_noisier_labels_are_no_shift_of_their_mean():
    squares = [
        estimate(sample(rng, 40), sample(rng, 40, noise=1.5), seed).square
        for seed in range(40)
        for rng in [generator(seed)]
    ]
    mean, error = mean_and_error(squares)
    assert abs(mean) < 3.5 * error


def test_inputs_that_lie_elsewhere_are_no_shift():
    rng = generator(0)
    real, synthetic = sample(rng, 1500), sample(rng, 1500, at=1.0)
    found = estimate(real, synthetic)
    sides = draw_sides(1500, 1500, generator(0))
    inputs = sliced_estimate(
        *(points.astype(np.float32) for points, _ in (real, synthetic)), np.eye(3), sides
    )
    # The inputs are one standard deviation apart, and the labels in them mean the same.
    assert 3 * np.mean(inputs.squares) == pytest.approx(1.0, abs=0.3)
    assert abs(found.square) < 0.03
    assert 0.6 < found.overlap < 0.95


def test_sides_without_common_inputs_say_nothing():
    rng = generator(0)
    x, z = rng.normal(size=(200, 2)), rng.normal(size=(200, 2)) + 20
    y, v = rng.normal(size=(200, 1)), rng.normal(size=(200, 1)) + 3
    found = estimate((x, y), (z, v))
    assert found.overlap < 0.02
    assert abs(found.square) < 0.1


# --- known shifts --------------------------------------------------------------------------------


@pytest.mark.parametrize("shift", [0.3, 1.0, -1.0])
def test_a_number_moved_by_c_has_the_gap_c(shift):
    rng = generator(0)
    found = estimate(sample(rng, 1000), sample(rng, 1000, shift=shift))
    assert np.sqrt(found.square) == pytest.approx(abs(shift), abs=0.05)
    assert found.overlap == pytest.approx(1.0, abs=0.05)


def test_a_shift_is_found_where_the_inputs_lie_elsewhere_too():
    rng = generator(0)
    found = estimate(sample(rng, 1500), sample(rng, 1500, at=0.7, shift=0.5))
    assert np.sqrt(found.square) == pytest.approx(0.5, abs=0.08)


def test_a_shift_in_a_quarter_of_the_inputs_counts_for_a_quarter():
    rng = generator(0)
    real, (z, v) = sample(rng, 2000), sample(rng, 2000)
    found = estimate(real, (z, v + (z[:, 2:] > 0.6745)))
    # Smoothing blurs the border, which costs some of it.
    assert 0.17 < found.square < 0.26


@pytest.mark.parametrize("classes", [2, 4])
def test_classes_swapped_on_every_row_have_the_known_gap(classes):
    """Class 0 at 85 %; another class on each synthetic row whose class was 0 or 1."""
    rng = generator(0)
    shares = np.full(classes, 0.15 / (classes - 1))
    shares[0] = 0.85
    labels = [rng.choice(classes, 800, p=shares) for _ in range(2)]
    swapped = np.select([labels[1] == 0, labels[1] == 1], [1, 0], labels[1])
    x, z = rng.normal(size=(800, 3)), rng.normal(size=(800, 3))
    one_hot = np.eye(classes) * np.sqrt(0.5)
    found = estimate((x, one_hot[labels[0]]), (z, one_hot[swapped]))
    # Two levels are one unit apart: two coordinates, each moved by this over the root of two.
    assert found.square == pytest.approx((shares[0] - shares[1]) ** 2, abs=0.06)


def test_two_classes_are_worth_the_same_on_one_coordinate_as_on_two():
    rng = generator(0)
    x, z = rng.normal(size=(300, 2)), rng.normal(size=(300, 2))
    labels, others = (x[:, 0] > 0).astype(int), (rng.random(300) < 0.5).astype(int)
    one = estimate((x, labels[:, None] * 1.0), (z, others[:, None] * 1.0))
    two = estimate(*((at, np.eye(2)[y] * np.sqrt(0.5)) for at, y in ((x, labels), (z, others))))
    assert one.square == pytest.approx(two.square, rel=1e-6)


def test_labels_turned_around_are_seen_where_no_distance_of_inputs_can():
    rng = generator(0)
    (x, y), (z, v) = sample(rng, 400), sample(rng, 400)
    sides = draw_sides(400, 400, generator(0))
    found = conditional_estimate(x, y, z, -v, sides, generator(1))
    inputs = sliced_estimate(x.astype(np.float32), z.astype(np.float32), np.eye(3), sides)
    assert found.square > 5 * np.sqrt(variance_and_units(found.influences)[0])
    assert abs(3 * np.mean(inputs.squares)) < 0.05 * found.square


@pytest.mark.parametrize("side", ["real", "synthetic"])
def test_a_side_whose_labels_know_nothing_of_the_inputs_hides_no_shift(side):
    """The best ridge of such a side is the largest; that of the other has to decide."""
    rng = generator(0)
    x, z = rng.normal(size=(800, 2)), rng.normal(size=(800, 2))
    y, v = rng.normal(size=(800, 1)), z[:, :1] + rng.normal(size=(800, 1))
    found = estimate((x, y), (z, v)) if side == "real" else estimate((z, v), (x, y))
    # The truth is 1; a fit to labels that are half noise is shrunk.
    assert 0.55 < found.square < 1.05


# --- what must not matter ------------------------------------------------------------------------


def small(seed=0, shift=1.0):
    """So few rows that all are landmarks: features depend on nothing but distances."""
    rng = generator(seed)
    return sample(rng, 50), sample(rng, 60, shift=shift)


def test_rows_may_come_in_any_order():
    (x, y), (z, v) = small()
    sides = draw_sides(50, 60, generator(0))
    before = conditional_estimate(x, y, z, v, sides, generator(1))
    order = generator(2).permutation(60)
    folds = tuple(np.argsort(order)[fold] for fold in sides[1].folds)
    moved = (sides[0], type(sides[1])(folds, sides[1].blocks))
    after = conditional_estimate(x, y, z[order], v[order], moved, generator(1))
    assert after.square == pytest.approx(before.square, rel=1e-6)
    np.testing.assert_allclose(after.influences[0], before.influences[0], rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(
        after.influences[1], before.influences[1][order], rtol=1e-5, atol=1e-8
    )


def test_the_place_of_the_target_and_the_frame_of_the_inputs_do_not_matter():
    (x, y), (z, v) = small()
    before = estimate((x, y), (z, v))
    turn, _ = np.linalg.qr(generator(3).normal(size=(3, 3)))
    after = estimate((x @ turn + 5, y + 7), (z @ turn + 5, v + 7))
    assert after.square == pytest.approx(before.square, rel=1e-6)


def test_the_square_has_the_units_of_the_target_squared():
    (x, y), (z, v) = small()
    before, after = estimate((x, y), (z, v)), estimate((x, 3 * y), (z, 3 * v))
    assert after.square == pytest.approx(9 * before.square, rel=1e-6)
    for more, fewer in zip(after.influences, before.influences, strict=True):
        np.testing.assert_allclose(more, 9 * fewer, rtol=1e-6, atol=1e-10)


def test_a_constant_column_changes_nothing_and_an_irrelevant_one_little():
    rng = generator(0)
    (x, y), (z, v) = sample(rng, 600), sample(rng, 600, shift=0.7)
    before = estimate((x, y), (z, v)).square
    constant = estimate((np.c_[x, np.ones(600)], y), (np.c_[z, np.ones(600)], v)).square
    noise = rng.normal(size=(2, 600, 1))
    irrelevant = estimate((np.hstack((x, noise[0])), y), (np.hstack((z, noise[1])), v)).square
    assert constant == pytest.approx(before, rel=1e-6)
    assert irrelevant == pytest.approx(before, abs=0.05)


def test_one_seed_gives_one_result_in_single_or_double_precision():
    real, synthetic = small()
    single = [[side.astype(np.float32) for side in pair] for pair in (real, synthetic)]
    assert estimate(real, synthetic).square == estimate(real, synthetic).square
    assert estimate(*single).square == pytest.approx(estimate(real, synthetic).square, rel=1e-3)


def test_of_many_folds_a_few_are_fitted():
    rng = generator(0)
    (x, y), (z, v) = sample(rng, 20), sample(rng, 400, shift=1.0)
    sides = draw_sides(20, 400, generator(0))
    assert len(sides[1].folds) > MAX_FOLDS
    changed = v.copy()
    changed[np.concatenate(sides[1].folds[MAX_FOLDS:])] += 100.0
    before, after = (
        conditional_estimate(x, y, z, t, sides, generator(1)).square for t in (v, changed)
    )
    assert after == before


# --- how it is computed --------------------------------------------------------------------------


def test_products_are_those_of_pairs_that_share_no_fold():
    rng = generator(0)
    contrasts, features = rng.normal(size=(3, 4, 5, 2)), rng.normal(size=(9, 5))
    values = features @ contrasts
    products = [
        np.sum(values[a, b] * values[c, d])
        for a in range(3)
        for b in range(4)
        for c in range(3)
        for d in range(4)
        if a != c and b != d
    ]
    assert np.sum(conditional._between_pairs(features, contrasts)) == pytest.approx(
        np.mean(products)
    )


def test_left_out_errors_are_those_of_refits():
    rng = generator(0)
    features, target = rng.normal(size=(12, 4)) / 2, rng.normal(size=(12, 2))
    found = list(conditional._left_out_errors(features, target))
    for ridge, errors in zip(conditional.RIDGES, found, strict=True):
        for i in range(12):
            rest, labels = np.delete(features, i, axis=0), np.delete(target, i, axis=0)
            fit = np.linalg.solve(rest.T @ rest + 12 * ridge * np.eye(4), rest.T @ labels)
            np.testing.assert_allclose(errors[i], target[i] - features[i] @ fit, atol=1e-8)


def test_a_fit_of_everything_is_no_candidate():
    features = np.eye(6)
    losses = [np.sum(e**2) for e in conditional._left_out_errors(features, np.ones((6, 1)))]
    assert np.isinf(losses[0])
    assert np.isfinite(losses[-1])


def test_the_influence_of_a_row_is_what_the_square_loses_without_it():
    rng = generator(1)
    real, synthetic = sample(rng, 60), sample(rng, 90, shift=0.7)
    sides = draw_sides(60, 90, generator(0))
    whole = conditional_estimate(*real, *synthetic, sides, generator(1))
    for of_side, influences in enumerate(whole.influences):
        assert np.sum(influences) == pytest.approx(0.0, abs=0.2 * np.sum(np.abs(influences)))
        lost = []
        for row in range(0, len(influences), 3):
            kept = list(sides)
            folds, blocks = sides[of_side].folds, sides[of_side].blocks
            kept[of_side] = type(sides[0])(
                tuple(fold[fold != row] for fold in folds),
                tuple(block[fold != row] for fold, block in zip(folds, blocks, strict=True)),
            )
            without = conditional_estimate(*real, *synthetic, tuple(kept), generator(1))
            lost.append(whole.square - without.square)
        assert np.corrcoef(lost, influences[::3])[0, 1] > 0.95
        assert np.polyfit(influences[::3], lost, 1)[0] == pytest.approx(1.0, abs=0.3)


def test_rows_in_none_of_the_folds_have_no_influence():
    real, synthetic = small()
    sides = draw_sides(50, 60, generator(0))
    fewer = (sides[0], thinned(sides, 20)[1])
    found = conditional_estimate(*real, *synthetic, fewer, generator(1))
    used = np.zeros(60, dtype=bool)
    used[np.concatenate(fewer[1].folds)] = True
    assert np.all(found.influences[1][~used] == 0)
    assert np.all(found.influences[1][used] != 0)


@pytest.mark.slow
@pytest.mark.parametrize("shift", [0.0, 0.3, 0.7])
def test_the_interval_covers(shift):
    covered = []
    for seed in range(60):
        rng = generator(seed)
        found = estimate(sample(rng, 120), sample(rng, 120, shift=shift), seed)
        low, high = squared_interval(found.square, *variance_and_units(found.influences), 0.95)
        covered.append(low <= shift**2 <= high)
    assert np.mean(covered) >= 0.88


def test_whole_groups_are_cut():
    rng = generator(0)
    groups = [np.arange(200) // 10, np.arange(300) // 10]
    sides = draw_sides(200, 300, generator(0), groups)
    real, synthetic = sample(rng, 200), sample(rng, 300, shift=1.0)
    found = conditional_estimate(*real, *synthetic, sides, generator(1))
    assert np.sqrt(found.square) == pytest.approx(1.0, abs=0.3)
    # Rows of a group move together, which the variance has to know.
    known, _ = variance_and_units(found.influences, groups)
    alone, _ = variance_and_units(found.influences)
    assert known != pytest.approx(alone, rel=1e-3)
