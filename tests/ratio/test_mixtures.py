"""The risk of mixtures against naive refits and explicit subsets of several sources."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthmix_dagster.ratio.mixtures import Pool, along
from synthmix_dagster.ratio.path import risk_path

NONE = np.array([1.0, 0.0, 0.0, 0.0])


def toy(n=20, sizes=(25, 15, 40), p=5, q=1, seed=0, noise=0.3):
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(p, q))

    def rows(count, shift):
        x = rng.normal(size=(count, p)) * (1 + 0.2 * shift)
        return x, x @ (truth + shift) + noise * rng.normal(size=(count, q))

    return rows(n, 0.0), [rows(m, shift) for m, shift in zip(sizes, (0.4, -0.8, 1.0), strict=True)]


def fit(real, sources, weights, ridge, without=None, chosen=None):
    """Normal equations with weight ``b_s`` on the mean over the (chosen) rows of every source."""
    kept = np.delete(np.arange(len(real[0])), [] if without is None else [without])
    x, y = real[0][kept], real[1][kept]
    gram = x.T @ x / len(real[0]) + ridge * sum(weights) * np.eye(x.shape[1])
    cross = x.T @ y / len(real[0])
    for s, (z, t) in enumerate(sources):
        at = np.arange(len(z)) if chosen is None else chosen[s]
        gram += weights[s + 1] * z[at].T @ z[at] / len(at)
        cross += weights[s + 1] * z[at].T @ t[at] / len(at)
    return np.linalg.solve(gram, cross)


def left_out_losses(real, sources, weights, ridge, chosen=None):
    return np.array(
        [
            np.sum((y - x @ fit(real, sources, weights, ridge, i, chosen)) ** 2)
            for i, (x, y) in enumerate(zip(*real, strict=True))
        ]
    )


# --- leave-one-out -------------------------------------------------------------------------------


@settings(max_examples=25)
@given(
    start=st.lists(st.floats(0, 0.7), min_size=3, max_size=3),
    end=st.lists(st.floats(0, 0.7), min_size=3, max_size=3),
    step=st.floats(0, 1),
    ridge=st.floats(1e-3, 2.0),
    q=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_losses_anywhere_on_a_line_are_those_of_naive_refits(start, end, step, ridge, q, seed):
    real, sources = toy(q=q, seed=seed)
    one, other = np.array([1.0, *start]), np.array([1.0, *end])
    line = along(Pool.of(real, sources, None), one, other, np.array([step]), ridge)
    weights = (1 - step) * one + step * other
    np.testing.assert_allclose(line.weights[0], weights)
    expected = left_out_losses(real, sources, weights, ridge)
    np.testing.assert_allclose(line.losses[0], expected, rtol=1e-6)


def test_evaluation_rows_are_judged_by_explicit_fits():
    real, sources = toy(q=2)
    x, y = toy(n=15, q=2, seed=5)[0]
    weights = np.array([1.0, 0.5, 0.2, 1.5])
    line = along(Pool.of(real, sources, (x, y)), NONE, weights, np.array([0.0, 1.0]), 0.05)
    for i, at in enumerate((NONE, weights)):
        expected = np.sum((y - x @ fit(real, sources, at, 0.05)) ** 2, axis=1)
        np.testing.assert_allclose(line.losses[i], expected, rtol=1e-8)


def test_one_source_is_the_risk_path():
    real, sources = toy(n=40, sizes=(400, 2, 2))
    pool = Pool.of(real, sources[:1], None)
    steps = np.geomspace(0.01, 1.0, 9)
    line = along(pool, np.array([1.0, 0.0]), np.array([1.0, 10.0]), steps, 0.01)
    assert line.rows[-1, 0] == pytest.approx(400)
    # Counts of the risk path are whole, those of a mixture follow from its weights.
    whole = np.arange(1, 401)
    path = risk_path(*real, *sources[0], whole, ridges=[0.01])
    expected = np.interp(line.rows[:, 0], whole, path.risks)
    np.testing.assert_allclose(line.losses.mean(axis=1) + line.added, expected, rtol=0.003)
    np.testing.assert_allclose(line.losses[-1], path.losses[-1])


# --- k of m rows ---------------------------------------------------------------------------------


def test_all_rows_of_every_source_weigh_as_much_as_real_ones():
    pool = Pool.of(*toy(), None)
    line = along(pool, NONE, pool.caps, np.array([0.0, 0.5, 1.0]), 0.1)
    np.testing.assert_allclose(line.rows[2], [25, 15, 40])
    np.testing.assert_allclose(line.added[[0, 2]], 0, atol=1e-15)
    assert line.added[1] > 0
    assert not line.rows[0].any()


@pytest.mark.parametrize("judges", ["evaluation", "left out"])
@pytest.mark.parametrize("ridge", [1e-4, 1e-2])
@pytest.mark.parametrize("weights", [(0.05, 0.1, 0.02), (0.5, 0.3, 1.0), (3.0, 0.5, 2.0)])
def test_the_risk_of_a_mixture_is_that_of_random_subsets(weights, ridge, judges):
    """Fewer and more rows than the 30 features; the mean of many explicit fits, within 5 %."""
    n, p, at = 60, 30, np.array([1.0, *weights])
    sums = np.zeros(2)
    for seed in range(8):
        rng = np.random.default_rng(seed)
        truth = 2 * rng.normal(size=(p, 1))

        def rows(count, shift, rng=rng, truth=truth):
            x = rng.normal(size=(count, p)) / np.sqrt(p) * np.linspace(0.5, 1.5, p) ** shift
            return x, x @ (truth + shift) + 0.5 * rng.normal(size=(count, 1))

        real = rows(n, 0.0)
        sources = [rows(m, shift) for m, shift in ((600, 0.5), (400, 1.0), (300, -1.0))]
        # The p unit vectors with noiseless targets are the population itself.
        evaluation = (np.eye(p), truth) if judges == "evaluation" else None
        line = along(Pool.of(real, sources, evaluation), NONE, at, np.ones(1), ridge)
        counts = np.maximum(np.rint(line.rows[0]).astype(int), 1)
        explicit = []
        for _ in range(30 if evaluation else 4):
            chosen = [
                rng.permutation(len(z))[:k] for (z, _), k in zip(sources, counts, strict=True)
            ]
            # Every drawn row is as heavy as a real one.
            shares = np.array([1.0, *counts / n])
            absolute = ridge * at.sum() / shares.sum()
            if evaluation is None:
                risk = left_out_losses(real, sources, shares, absolute, chosen).mean()
            else:
                risk = np.mean((truth - fit(real, sources, shares, absolute, chosen=chosen)) ** 2)
            explicit.append(risk)
        sums += line.losses.mean() + line.added[0], np.mean(explicit)
    assert sums[0] == pytest.approx(sums[1], rel=0.05)


# --- invariances ---------------------------------------------------------------------------------


def test_the_order_of_sources_and_the_basis_of_the_features_do_not_matter():
    real, sources = toy()
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(5, 5)))[0]
    weights, order = np.array([1.0, 0.5, 0.2, 1.5]), [2, 0, 1]
    before = along(Pool.of(real, sources, None), NONE, weights, np.array([0.6]), 0.1)
    pool = Pool.of(
        (real[0] @ turn, real[1]), [(sources[s][0] @ turn, sources[s][1]) for s in order], None
    )
    after = along(pool, NONE, np.append(1.0, weights[1:][order]), np.array([0.6]), 0.1)
    np.testing.assert_allclose(after.losses, before.losses)
    np.testing.assert_allclose(after.added, before.added)
    np.testing.assert_allclose(after.rows[0], before.rows[0][order])


def test_a_source_that_is_not_used_does_not_matter():
    real, sources = toy()
    weights = np.array([1.0, 0.5, 0.0, 1.5])
    with_it = along(Pool.of(real, sources, None), NONE, weights, np.array([0.7]), 0.1)
    pool = Pool.of(real, [sources[0], sources[2]], None)
    without = along(pool, NONE[:3], weights[[0, 1, 3]], np.array([0.7]), 0.1)
    np.testing.assert_allclose(with_it.losses, without.losses)
    np.testing.assert_allclose(with_it.added, without.added)
    assert with_it.rows[0, 1] == 0


def test_a_source_cut_in_two_is_the_same_fit_with_strata_drawn_apart():
    real, sources = toy(sizes=(200, 2, 2))
    z, t = sources[0]
    whole = along(Pool.of(real, sources[:1], None), NONE[:2], np.array([1.0, 3.0]), np.ones(1), 0.1)
    halves = Pool.of(real, [(z[:100], t[:100]), (z[100:], t[100:])], None)
    cut = along(halves, NONE[:3], np.array([1.0, 1.5, 1.5]), np.ones(1), 0.1)
    np.testing.assert_allclose(cut.losses, whole.losses)
    # Two draws of about half the rows: nearly the same rows and the same risk.
    assert cut.rows.sum() == pytest.approx(whole.rows.sum(), rel=0.02)
    assert cut.added[0] == pytest.approx(whole.added[0], rel=0.1)


def test_a_fit_that_interpolates_is_left_out():
    real, sources = toy(n=5, p=5)
    pool = Pool.of(real, sources, None)
    line = along(pool, NONE, pool.caps, np.array([0.0, 1.0]), 1e-9)
    # The real rows alone have as many features as rows.
    assert len(line.losses) == 1
    assert line.rows[0].sum() == 80
