"""The risk path against naive refits, scikit-learn and explicit subsets of synthetic rows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthmix_dagster.encoding.nystroem import NystroemMap
from synthmix_dagster.ratio.path import RIDGES, ratio_grid, risk_path


def toy(n=25, m=40, p=6, q=1, noise=0.3, shift=0.4, seed=0):
    """Real and synthetic rows of a linear model whose synthetic coefficients are off by `shift`."""
    rng = np.random.default_rng(seed)
    real, synthetic = rng.normal(size=(n, p)), rng.normal(size=(m, p)) * 1.3
    truth = rng.normal(size=(p, q))
    return (
        real,
        real @ truth + noise * rng.normal(size=(n, q)),
        synthetic,
        synthetic @ (truth + shift) + noise * rng.normal(size=(m, q)),
    )


def refit(features, targets, weights, ridge):
    """Minimise ``sum_i w_i |y_i - phi_i c|^2 + ridge |c|^2`` by the normal equations."""
    gram = features.T @ (weights[:, None] * features) + ridge * np.eye(features.shape[1])
    return np.linalg.solve(gram, features.T @ (weights[:, None] * targets))


def mix(data, k, ridge, *, without=None, rows=None):
    """Fit all real rows but one and some of the synthetic rows, at the weight of k rows."""
    real, y, synthetic, t = data
    n = len(real)
    rows = np.arange(len(synthetic)) if rows is None else rows
    alpha = k / (n + k)
    kept = np.delete(np.arange(n), [] if without is None else [without])
    weights = np.concatenate(
        (np.full(len(kept), (1 - alpha) / n), np.full(len(rows), alpha / max(len(rows), 1)))
    )
    return refit(
        np.concatenate((real[kept], synthetic[rows])),
        np.concatenate((y[kept], t[rows])),
        weights,
        ridge,
    )


def left_out_losses(data, k, ridge, rows=None):
    real, y, *_ = data
    return np.array(
        [
            np.sum((y[i] - real[i] @ mix(data, k, ridge, without=i, rows=rows)) ** 2)
            for i in range(len(real))
        ]
    )


# --- leave-one-out -------------------------------------------------------------------------------


@pytest.mark.parametrize("q", [1, 3])
@pytest.mark.parametrize("ridge", [1e-4, 1e-2, 1.0])
def test_left_out_losses_are_those_of_naive_refits(ridge, q):
    for m in (1, 5, 25, 40):
        data = toy(q=q, m=m)
        path = risk_path(*data, [0, m], ridges=[ridge])
        for i, k in enumerate((0, m)):
            np.testing.assert_allclose(path.losses[i], left_out_losses(data, k, ridge), rtol=1e-6)
            assert path.risks[i] == pytest.approx(path.losses[i].mean())


@settings(max_examples=20)
@given(
    n=st.integers(8, 20),
    m=st.integers(5, 30),
    p=st.integers(1, 5),
    ridge=st.floats(1e-3, 3.0),
    seed=st.integers(0, 999),
)
def test_left_out_losses_are_those_of_naive_refits_on_random_data(n, m, p, ridge, seed):
    data = toy(n, m, p, 2, seed=seed)
    path = risk_path(*data, [m], ridges=[ridge])
    np.testing.assert_allclose(path.losses[0], left_out_losses(data, m, ridge), rtol=1e-6)


def test_without_synthetic_rows_it_is_ridge_regression():
    from sklearn.linear_model import RidgeCV

    real, y, synthetic, t = toy()
    n = len(real)
    path = risk_path(real, y, synthetic, t, [0], ridges=[0.05])
    ridge = RidgeCV(alphas=[n * 0.05], fit_intercept=False, store_cv_results=True).fit(
        real, y[:, 0]
    )
    np.testing.assert_allclose(path.losses[0], ridge.cv_results_.ravel())


def test_with_every_point_a_landmark_it_is_kernel_ridge_regression():
    from sklearn.kernel_ridge import KernelRidge
    from sklearn.model_selection import LeaveOneOut, cross_val_predict

    rng = np.random.default_rng(0)
    x, z = rng.normal(size=(30, 2)), rng.normal(size=(20, 2))
    y, t = np.sin(2 * x[:, :1]), np.sin(2 * z[:, :1])
    feature_map = NystroemMap.fit(x, z, rng=rng)
    features = feature_map.transform(x), feature_map.transform(z)
    path = risk_path(features[0], y, features[1], t, [0], ridges=[0.01])
    model = KernelRidge(alpha=30 * 0.01, kernel="rbf", gamma=1 / (2 * feature_map.bandwidth**2))
    predicted = cross_val_predict(model, x, y, cv=LeaveOneOut())
    # A loss may lack what directions of no variance add to it (`moments.NEGLIGIBLE`).
    np.testing.assert_allclose(path.losses[0], ((y - predicted) ** 2)[:, 0], rtol=1e-4, atol=1e-6)


def test_the_order_of_rows_and_the_basis_of_the_features_do_not_matter():
    real, y, synthetic, t = toy()
    rng = np.random.default_rng(1)
    turn = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    one, two = rng.permutation(len(real)), rng.permutation(len(synthetic))
    counts = [0, 10, 40]
    # One ridge: which rows choose the ridge of which others is a matter of their order.
    before = risk_path(real, y, synthetic, t, counts, ridges=[0.1])
    after = risk_path(real[one] @ turn, y[one], synthetic[two] @ turn, t[two], counts, ridges=[0.1])
    np.testing.assert_allclose(after.risks, before.risks)
    np.testing.assert_allclose(after.losses, before.losses[:, one], rtol=1e-5)


def test_targets_side_by_side_add_their_risks():
    real, y, synthetic, t = toy(q=2)
    counts = [0, 10, 40]
    both = risk_path(real, y, synthetic, t, counts, ridges=[0.1])
    apart = [risk_path(real, y[:, [j]], synthetic, t[:, [j]], counts, ridges=[0.1]) for j in (0, 1)]
    np.testing.assert_allclose(both.risks, apart[0].risks + apart[1].risks)


def test_risks_scale_with_the_square_of_the_target():
    real, y, synthetic, t = toy()
    counts = [0, 10, 40]
    plain = risk_path(real, y, synthetic, t, counts)
    scaled = risk_path(real, 3 * y, synthetic, 3 * t, counts)
    np.testing.assert_allclose(scaled.risks, 9 * plain.risks)


# --- evaluation rows -----------------------------------------------------------------------------


def test_all_rows_make_the_plain_fit_of_both_datasets_together():
    from sklearn.linear_model import Ridge

    real, y, synthetic, t = toy(q=2)
    x, truth = toy(n=15, q=2, seed=9)[:2]
    m, ridge = len(synthetic), 0.05
    path = risk_path(real, y, synthetic, t, [m], evaluation=(x, truth), ridges=[ridge])
    model = Ridge(alpha=(len(real) + m) * ridge, fit_intercept=False).fit(
        np.concatenate((real, synthetic)), np.concatenate((y, t))
    )
    np.testing.assert_allclose(path.losses[0], np.sum((truth - model.predict(x)) ** 2, axis=1))
    assert path.risks[0] == pytest.approx(path.losses[0].mean())


@pytest.mark.parametrize("ridge", [1e-4, 1e-2, 1.0])
def test_evaluation_rows_are_judged_by_explicit_fits(ridge):
    x, truth = toy(n=15, q=2, seed=9)[:2]
    for m in (5, 25, 40):
        data = toy(q=2, m=m)
        path = risk_path(*data, [0, m], evaluation=(x, truth), ridges=[ridge])
        assert path.losses.shape == (2, 15)
        for i, k in enumerate((0, m)):
            expected = np.sum((truth - x @ mix(data, k, ridge)) ** 2, axis=1)
            np.testing.assert_allclose(path.losses[i], expected, rtol=1e-7)


# --- choice of the ridge -------------------------------------------------------------------------


def test_each_count_reports_the_ridge_of_least_risk_over_all_rows():
    data = toy(n=15, p=10, noise=2.0)
    counts = [0, 5, 40]
    together = risk_path(*data, counts)
    alone = [risk_path(*data, counts, ridges=[ridge]) for ridge in RIDGES]
    risks, ridges = (np.array([getattr(path, of) for path in alone]) for of in ("risks", "ridges"))
    np.testing.assert_allclose(together.ridges, ridges[risks.argmin(axis=0), [0, 1, 2]])
    assert (together.risks >= risks.min(axis=0) - 1e-12).all()


def test_each_row_is_judged_by_the_ridge_that_suits_the_rows_of_other_folds():
    # With no more rows than folds, every row is a fold.
    data = toy(n=9, p=4, noise=2.0)
    counts = [0, 40]
    together = risk_path(*data, counts)
    losses = np.array([risk_path(*data, counts, ridges=[ridge]).losses for ridge in RIDGES])
    for i in range(9):
        others = np.delete(losses, i, axis=2).mean(axis=2)
        np.testing.assert_allclose(
            together.losses[:, i], losses[others.argmin(axis=0), [0, 1], i], rtol=1e-6
        )


@pytest.mark.slow
def test_a_risk_at_the_chosen_ridge_is_that_of_new_rows():
    """Choosing the ridge by the rows that judge it would predict 8 % too little here."""
    ratios = []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        x, new = rng.normal(size=(30, 15)), rng.normal(size=(2_000, 15))
        truth = rng.normal(size=(15, 1)) / 15**0.5
        y, new_y = (rows @ truth + rng.normal(size=(len(rows), 1)) for rows in (x, new))
        path = risk_path(x, y, x, y, [0])
        fit = refit(x, y, np.full(30, 1 / 30), path.ridges[0])
        ratios.append((path.risks[0], np.mean((new_y - new @ fit) ** 2)))
    predicted, actual = np.mean(ratios, axis=0)
    assert predicted == pytest.approx(actual, rel=0.04)


def test_a_fit_that_interpolates_is_skipped():
    data = toy(n=20, p=20)
    path = risk_path(*data, [0, 40], ridges=[1e-12, 1.0])
    assert path.ridges[0] == 1.0
    assert risk_path(*data, [0], ridges=[1e-12]).risks[0] == np.inf


# --- k of m rows ---------------------------------------------------------------------------------


def test_using_fewer_rows_at_the_same_weight_costs_more():
    real, y, synthetic, t = toy(shift=0.0)
    # Twice the same rows: the same averages, more rows to draw k from.
    double = np.concatenate((synthetic, synthetic)), np.concatenate((t, t))
    k = len(synthetic)
    whole = risk_path(real, y, synthetic, t, [k], ridges=[0.1])
    half = risk_path(real, y, *double, [k], ridges=[0.1])
    assert half.risks[0] > whole.risks[0]
    assert half.ridges[0] < whole.ridges[0] == 0.1


@pytest.mark.parametrize("judges", ["evaluation", "left out"])
@pytest.mark.parametrize("ridge", [1e-4, 1e-3, 1e-2])
@pytest.mark.parametrize("k", [3, 10, 30, 100])
def test_the_risk_of_k_of_m_rows_is_that_of_random_subsets(k, ridge, judges):
    """Fewer and more rows than the 30 features; the mean of many explicit fits, within 5 %."""
    n, m, p = 60, 600, 30
    sums = np.zeros(2)
    for seed in range(10):
        rng = np.random.default_rng(seed)
        real, synthetic = (rng.normal(size=(rows, p)) / np.sqrt(p) for rows in (n, m))
        truth = 2 * rng.normal(size=(p, 1))
        y, t = (x @ truth + 0.5 * rng.normal(size=(len(x), 1)) for x in (real, synthetic))
        data = (real, y, synthetic, t + synthetic[:, :1])
        # The p unit vectors with noiseless targets are the population itself.
        evaluation = (np.eye(p), truth) if judges == "evaluation" else None
        path = risk_path(*data, [k], evaluation=evaluation, ridges=[ridge])
        used = path.ridges[0]
        subsets = [rng.permutation(m)[:k] for _ in range(40 if evaluation else 8)]
        if evaluation is None:
            risks = [left_out_losses(data, k, used, rows).mean() for rows in subsets]
        else:
            risks = [np.mean((truth - mix(data, k, used, rows=rows)) ** 2) for rows in subsets]
        sums += path.risks[0], np.mean(risks)
    predicted, explicit = sums
    assert predicted == pytest.approx(explicit, rel=0.05)


# --- the grid ------------------------------------------------------------------------------------


@settings(max_examples=200)
@given(n=st.integers(1, 100_000), most=st.integers(0, 1_000_000), points=st.integers(1, 60))
def test_the_grid_starts_at_none_and_ends_at_most(n, most, points):
    grid = ratio_grid(n, most, points)
    assert grid.dtype == np.int64
    assert grid[0] == 0
    assert grid[-1] == most
    assert np.all(np.diff(grid) > 0)
    assert (n in grid) == (n <= most)
    assert len(grid) <= points + 3


def test_without_rows_the_grid_is_none():
    assert ratio_grid(100, 0).tolist() == [0]
    assert ratio_grid(100, 1).tolist() == [0, 1]
