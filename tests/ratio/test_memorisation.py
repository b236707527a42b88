"""Generators that saw the real rows are found, all others are left alone."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from synthmix_dagster.errors import ConfigError, DataError
from synthmix_dagster.ratio.memorisation import column_test, memorisation_test, neighbour_test

# --- generators ----------------------------------------------------------------------------------


def mixture(n, d, rng):
    """Three clusters of different widths: dense and empty regions."""
    which = rng.integers(3, size=n)
    centers = 3 * np.eye(3, d)[which]
    return centers + np.array([0.3, 1.0, 2.0])[which, None] * rng.normal(size=(n, d))


def categories(n, rng):
    """Four columns of three levels each, coded as the encoder does."""
    levels = np.eye(3) / np.sqrt(2)
    return np.hstack([levels[rng.choice(3, size=n, p=[0.6, 0.3, 0.1])] for _ in range(4)])


def mixed(n, rng):
    """Categories, and an amount that is zero for one row in two."""
    amount = rng.normal(size=(n, 2)) * (rng.random((n, 1)) < 0.5)
    return np.hstack((categories(n, rng), amount))


def smoothed(real, m, width, rng):
    return real[rng.integers(len(real), size=m)] + width * rng.normal(size=(m, real.shape[1]))


def smote(real, m, rng):
    apart = np.linalg.norm(real[:, None] - real[None], axis=2)
    near = np.argsort(apart, axis=1)[:, 1:6]
    first = rng.integers(len(real), size=m)
    second = near[first, rng.integers(5, size=m)]
    return real[first] + rng.random((m, 1)) * (real[second] - real[first])


MADE = {
    "copies": lambda real, m, rng: real[rng.integers(len(real), size=m)],
    "near copies": lambda real, m, rng: smoothed(real, m, 0.05, rng),
    "smoothed": lambda real, m, rng: smoothed(real, m, 0.3, rng),
    "SMOTE": smote,
}
# Laws of the synthetic rows, from those of the real rows.
HONEST = {
    "equal": lambda rows, rng: rows,
    "narrower": lambda rows, rng: 0.5 * rows,
    "nearly constant": lambda rows, rng: 0.01 * rows,
    "wider": lambda rows, rng: 2 * rows,
    "noisy": lambda rows, rng: rows + 0.7 * rng.normal(size=rows.shape),
    "shifted": lambda rows, rng: rows + 0.5,
    "far away": lambda rows, rng: rows + 100,
    "one region only": lambda rows, rng: rows[rows[:, 0] > np.median(rows[:, 0])],
}


# --- what was made from the real rows ------------------------------------------------------------


@pytest.mark.parametrize("d", [2, 30])
@pytest.mark.parametrize("name", MADE)
def test_rows_made_from_the_real_ones_are_found(name, d):
    rng = np.random.default_rng(1)
    real, others, held_out = (mixture(100, d, rng) for _ in range(3))
    made = MADE[name](real, 1600, rng)
    for reference in (None, held_out):
        found = memorisation_test(real, made, seed=0, held_out=reference)
        assert found.memorised, found
        assert found.p_value <= 0.01
        assert found.reason.startswith("The synthetic rows were made from these real rows: ")
        # The same rows tell nothing of real rows that they were not made from.
        assert not memorisation_test(others, made, seed=0, held_out=reference).memorised


@pytest.mark.parametrize("m", [60, 100])
def test_no_more_synthetic_than_real_rows_are_enough(m):
    rng = np.random.default_rng(2)
    real, others = (mixture(100, 5, rng) for _ in range(2))
    made = smoothed(real, m, 0.1, rng)
    assert memorisation_test(real, made, seed=0).memorised
    assert not memorisation_test(others, made, seed=0).memorised


def test_few_copies_among_honest_rows_are_found_and_counted():
    rng = np.random.default_rng(3)
    real, honest = mixture(100, 4, rng), mixture(400, 4, rng)
    found = memorisation_test(real, np.concatenate((honest, real[:12])), seed=0)
    assert (found.exact_copies, found.expected_copies) == (12, 0)
    assert found.memorised
    assert "12 synthetic rows equal a real row" in found.reason


def test_columns_redrawn_one_by_one_are_found_by_their_agreement():
    # Every column is the real one and no row is: nearest neighbours are at no less than the
    # distance of strangers.
    rng = np.random.default_rng(4)
    real, others = (mixture(200, 12, rng) for _ in range(2))
    made = real[rng.integers(200, size=(3200, 12)), np.arange(12)]
    found = memorisation_test(real, made, seed=0)
    assert found.memorised
    assert "means and quantiles agree" in found.reason
    assert found.disagreement < 0.3
    assert found.nearness < 0.5
    assert not memorisation_test(others, made, seed=0).memorised


# --- what was not --------------------------------------------------------------------------------


@pytest.mark.parametrize("d", [2, 30])
@pytest.mark.parametrize("name", HONEST)
def test_an_honest_generator_is_left_alone_however_bad(name, d):
    for seed in range(2):
        rng = np.random.default_rng(seed)
        synthetic = HONEST[name](mixture(800, d, rng), rng)
        found = memorisation_test(mixture(100, d, rng), synthetic, seed=0)
        assert not found.memorised, found
        assert found.reason.startswith("Nothing shows")


LAWS = {
    "normal": lambda n, rng: rng.normal(size=(n, 5)),
    "heavy tails": lambda n, rng: rng.standard_t(2, size=(n, 5)),
    "categories": categories,
    "mixed": mixed,
    "every row several times": lambda n, rng: np.random.default_rng(0).normal(size=(40, 3))[
        rng.integers(40, size=n)
    ],
}
#: What these have is in the laws beside them.
REPEATED = ("normal", "heavy tails", "categories")


@pytest.mark.parametrize(
    ("name", "held_out"),
    [
        pytest.param(
            name, held_out, marks=[pytest.mark.slow] if held_out or name in REPEATED else []
        )
        for name in LAWS
        for held_out in (False, True)
    ],
)
def test_p_values_of_equal_laws_are_not_too_small(name, held_out):
    p_values = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        real, synthetic, others = (LAWS[name](n, rng) for n in (30, 90, 30))
        reference = others if held_out else None
        p_values.append(memorisation_test(real, synthetic, seed=seed, held_out=reference).p_value)
    for share in (0.05, 0.5):
        allowed = share + 3 * np.sqrt(share * (1 - share) / 40)
        assert np.mean(np.array(p_values) <= share) <= allowed


def test_every_single_test_is_calibrated():
    found = []
    for seed in range(120):
        rng = np.random.default_rng(seed)
        real, synthetic = rng.normal(size=(50, 4)), rng.normal(size=(200, 4))
        _, by_neighbours, _ = neighbour_test(real, synthetic, rng)
        found.append((by_neighbours, *column_test(real, synthetic, rng)[1:]))
    for share in (0.05, 0.2, 0.5):
        assert np.all(np.mean(np.array(found) <= share, axis=0) <= share + 3 * np.sqrt(share / 120))
    # That of neighbours is exact, those of columns are careful by the error of the synthetic side.
    assert np.mean(np.array(found)[:, 0] <= 0.5) >= 0.5 - 3 * np.sqrt(0.25 / 120)


def test_equal_categories_are_expected_by_chance():
    rng = np.random.default_rng(5)
    real, synthetic = categories(300, rng), categories(900, rng)
    found = memorisation_test(real, synthetic, seed=0)
    assert found.exact_copies > 700
    assert_allclose(found.exact_copies, found.expected_copies, rtol=0.1)
    assert not found.memorised


def test_duplicates_among_the_real_rows_excuse_equal_rows_but_not_kernels():
    rng = np.random.default_rng(6)
    entities = rng.normal(size=(500, 4))
    real, others = (entities[rng.integers(500, size=rows)] for rows in (200, 800))
    assert not memorisation_test(real, others, seed=0).memorised
    assert memorisation_test(real, smoothed(real, 800, 0.1, rng), seed=0).memorised


def test_a_side_stripped_of_duplicates_is_not_taken_for_a_copy():
    rng = np.random.default_rng(7)
    real, synthetic = mixed(200, rng), np.unique(mixed(800, rng), axis=0)
    assert not memorisation_test(real, synthetic, seed=0).memorised


def test_files_standardised_one_by_one_are_not_taken_for_a_fit():
    rng = np.random.default_rng(8)
    sides = [rng.normal(size=(rows, 20)) for rows in (100, 800)]
    real, synthetic = ((side - side.mean(axis=0)) / side.std(axis=0) for side in sides)
    assert not memorisation_test(real, synthetic, seed=0).memorised


# --- shape of the input --------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "m"), [(10, 10), (10, 200), (300, 10)])
def test_few_rows(n, m):
    rng = np.random.default_rng(9)
    real, synthetic = mixture(n, 3, rng), mixture(m, 3, rng)
    found = memorisation_test(real, synthetic, seed=0)
    assert not found.memorised
    assert 0 <= found.nearness <= 1
    if n == 10:
        assert memorisation_test(real, real, seed=0).exact_copies == 10


def test_constant_rows_tell_nothing():
    same = np.zeros((20, 2))
    found = memorisation_test(same, same, seed=0, held_out=same)
    assert not found.memorised
    assert not memorisation_test(same, same, seed=0).memorised
    assert found.exact_copies == 20


def test_the_order_of_rows_the_origin_and_the_seed_do_not_matter():
    rng = np.random.default_rng(10)
    real, synthetic = mixture(80, 4, rng), mixture(400, 4, rng)
    first = memorisation_test(real, synthetic, seed=0)
    others = (
        memorisation_test(rng.permutation(real), rng.permutation(synthetic), seed=0),
        memorisation_test(real + 1e4, synthetic + 1e4, seed=0),
        memorisation_test(real, synthetic, seed=1),
    )
    for other in others:
        # No rows are sampled here, so the seed has a part in the p-value only.
        assert_allclose(other.nearness, first.nearness)
        assert_allclose(other.disagreement, first.disagreement, rtol=0.1)
        assert other.memorised == first.memorised
    assert memorisation_test(real, synthetic, seed=0) == first


def test_many_rows_are_sampled_and_still_found():
    rng = np.random.default_rng(11)
    # More than are compared with each other, of either side.
    real, others = (mixture(2_000, 5, rng) for _ in range(2))
    made = smoothed(real, 6_000, 0.2, rng)
    assert memorisation_test(real, made, seed=0).memorised
    assert not memorisation_test(others, made, seed=0).memorised


def test_neighbours_against_brute_force():
    rng = np.random.default_rng(12)
    real, synthetic = rng.normal(size=(12, 2)), rng.normal(size=(40, 2))
    share, *_ = neighbour_test(real, synthetic, rng)
    apart = [
        [np.linalg.norm(side[:, None] - other[None], axis=2) for other in (real, synthetic)]
        for side in (real, synthetic)
    ]
    for i in (0, 1):
        np.fill_diagonal(apart[i][i], np.inf)
    means = []
    for _ in range(4000):
        kept = rng.permutation(40)[:11]
        of_real = apart[0][0].min(axis=1) < apart[0][1][:, kept].min(axis=1)
        row = rng.integers(40)
        kept = rng.permutation(np.delete(np.arange(40), row))[:12]
        of_synthetic = apart[1][1][row, kept].min() < apart[1][0][row].min()
        means.append((of_real.mean() + of_synthetic) / 2)
    assert_allclose(share, np.mean(means), atol=4 * np.std(means) / np.sqrt(4000))


def test_bad_input_is_refused():
    rng = np.random.default_rng(13)
    rows = rng.normal(size=(20, 3))
    with pytest.raises(DataError, match="'synthetic': it has 9 rows"):
        memorisation_test(rows, rows[:9], seed=0)
    with pytest.raises(DataError, match="'evaluation': it has 2 coordinates"):
        memorisation_test(rows, rows, seed=0, held_out=rows[:, :2])
    with pytest.raises(ConfigError, match="option 'level'"):
        memorisation_test(rows, rows, seed=0, level=0.001)
