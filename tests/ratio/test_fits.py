"""The fit on one side against scikit-learn and against simulation; the bounds it leads to."""

import json

import numpy as np
import pandas as pd
import pytest

from synthmix_dagster.encoding.options import Columns
from synthmix_dagster.encoding.target import TargetCode
from synthmix_dagster.ratio.bounds import critical_gap
from synthmix_dagster.ratio.fits import RidgeFit
from synthmix_dagster.ratio.options import RatioOptions
from synthmix_dagster.ratio.path import RIDGES
from synthmix_dagster.ratio.recommend import recommend
from synthmix_dagster.ratio.recommendation import Recommendation


def linear(n=80, p=6, q=1, noise=0.5, seed=0):
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n, p)) * 0.8 ** np.arange(p)
    truth = features @ rng.normal(size=(p, q))
    return features, truth, truth + noise * rng.normal(size=(n, q))


def hat(features, ridge):
    n, p = features.shape
    gram = features.T @ features / n + ridge * np.eye(p)
    return features @ np.linalg.solve(gram, features.T) / n


# --- the fit -------------------------------------------------------------------------------------


def test_it_is_the_ridge_regression_of_scikit_learn():
    from sklearn.linear_model import Ridge

    features, _, target = linear(q=2)
    fit = RidgeFit.fit(features, target, [0.03])
    peer = Ridge(alpha=0.03 * len(features), fit_intercept=False).fit(features, target)
    np.testing.assert_allclose(fit.coefficients, peer.coef_.T, rtol=1e-8)
    np.testing.assert_allclose(fit.errors(features, target), target - peer.predict(features))


def test_the_ridge_is_that_of_the_least_generalised_cross_validation_error():
    features, _, target = linear(n=30, p=12, noise=1.5)

    def score(ridge):
        smoother = hat(features, ridge)
        used = np.trace(smoother) / 30
        left = np.mean((target - smoother @ target) ** 2)
        return left / (1 - used) ** 2 if used <= 0.8 else np.inf

    assert RidgeFit.fit(features, target).ridge == min(RIDGES, key=score)


def test_where_every_ridge_interpolates_the_largest_is_taken():
    rng = np.random.default_rng(0)
    features, target = rng.normal(size=(5, 40)), rng.normal(size=(5, 1))
    fit = RidgeFit.fit(features, target, [1e-9, 1e-8])
    assert fit.ridge == 1e-8
    assert np.isfinite(fit.noise)


@pytest.mark.parametrize("q", [1, 3])
def test_the_noise_is_found_without_bias(q):
    features, truth, _ = linear(n=60, q=q)
    rng = np.random.default_rng(1)
    found = [
        RidgeFit.fit(features, truth + 0.5 * rng.normal(size=truth.shape), [1e-6]).noise
        for _ in range(400)
    ]
    # Summed over the columns of the target, as the risk is.
    assert np.mean(found) == pytest.approx(0.25 * q, rel=0.03)


def test_the_noise_is_no_lower_than_it_is_where_the_ridge_hides_signal():
    features, truth, _ = linear(n=60)
    rng = np.random.default_rng(1)
    found = [
        RidgeFit.fit(features, truth + 0.5 * rng.normal(size=truth.shape), [1.0]).noise
        for _ in range(100)
    ]
    assert np.mean(found) > 0.25


@pytest.mark.parametrize("ridge", [1e-4, 0.1, 2.0])
def test_the_degrees_give_the_variance_of_predictions(ridge):
    features, truth, _ = linear(n=40)
    elsewhere = np.random.default_rng(5).normal(size=(200, 6))
    rng = np.random.default_rng(1)
    fits = [
        RidgeFit.fit(features, truth + 0.5 * rng.normal(size=truth.shape), [ridge])
        for _ in range(2000)
    ]
    spread = np.var([elsewhere @ fit.coefficients for fit in fits], axis=0).mean()
    assert 0.25 * fits[0].degrees(elsewhere) / 40 == pytest.approx(spread, rel=0.05)


def test_the_degrees_on_its_own_rows_are_the_trace_of_the_squared_hat_matrix():
    features, _, target = linear(n=30, p=50)
    fit = RidgeFit.fit(features, target, [0.2])
    assert fit.degrees(features) == pytest.approx(np.trace(hat(features, 0.2) @ hat(features, 0.2)))


# --- in a recommendation -------------------------------------------------------------------------


def table(rows, seed, error=0.0, columns=2):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, columns))
    y = np.sin(2 * x[:, 0]) + 0.5 * x[:, 1] + error * np.cos(2 * x[:, 1])
    frame = pd.DataFrame(x, columns=[f"x{i}" for i in range(columns)])
    return frame.assign(y=y + rng.normal(0, 0.4, rows))


def ask(real, synthetic, *, gap=0.1, **options):
    columns = Columns(categorical=options.pop("categorical", ()))
    code = TargetCode.fit(real, "y", options.pop("task", "regression"))
    judges = {
        name: options.pop(name)
        for name in ("evaluation", "shift_squared", "estimator")
        if name in options
    }
    how = RatioOptions(**options)
    return recommend(real, synthetic, code=code, gap=gap, columns=columns, options=how, **judges)


def bounds_of(found):
    return {bound.name: bound for bound in found.bounds}


@pytest.fixture(scope="module")
def real():
    return table(150, 0)


@pytest.fixture(scope="module")
def good(real):
    return ask(real, table(600, 1))


def test_a_recommendation_has_three_bounds_beside_its_path(good):
    assert [bound.name for bound in good.bounds] == ["stability", "variance", "spectral"]
    highest = good.curve[-1].ratio
    for bound in good.bounds:
        beside = bound.compared(good.ratio, good.interval, highest=highest, n=150)
        assert beside == bound
        assert bound.equivalent is not None
        assert bound.caveat
        assert np.isfinite(list(bound.constants.values())).all()


def test_it_survives_json_with_all_its_bounds(good):
    written = json.dumps(good.to_dict(), allow_nan=False)
    assert Recommendation.from_dict(json.loads(written)) == good


def test_an_infinite_critical_gap_survives_json(good):
    from dataclasses import replace

    endless = replace(good, critical_gap=float("inf"))
    written = json.dumps(endless.to_dict(), allow_nan=False)
    assert Recommendation.from_dict(json.loads(written)) == endless


def test_the_critical_gap_is_that_of_the_stability_bound(real, good):
    constants = bounds_of(good)["stability"].constants
    assert good.critical_gap == critical_gap(
        150, lipschitz=constants["lipschitz"], capacity=constants["capacity"]
    )
    synthetic = table(600, 1)
    below, at = (
        bounds_of(ask(real, synthetic, gap=good.critical_gap * factor))["stability"].weight
        for factor in (0.99, 1.0)
    )
    assert below > 0
    assert at == pytest.approx(0.0, abs=1e-12)


def test_the_parts_of_the_variance_form_add_up_to_the_risk_without_synthetic_rows(good):
    variance = bounds_of(good)["variance"].constants
    noise = bounds_of(good)["spectral"].constants["noise"]
    parts = noise + variance["variance"] / 150 + variance["bias_squared"]
    assert parts == pytest.approx(good.baselines["none"])


@pytest.mark.parametrize(
    "task", [pytest.param("regression", marks=pytest.mark.slow), "classification"]
)
def test_the_measured_shift_is_in_the_units_of_the_risk(task):
    """The chance of a label differs between the sides by 0.4 sin x."""

    def labelled(seed, probability):
        frame = table(800, seed)
        drawn = np.random.default_rng(seed).random(800) < probability(np.sin(frame.x0))
        return frame.assign(y=np.where(drawn, "yes", "no") if task == "classification" else drawn)

    found = []
    for seed in range(0, 12, 2):
        real = labelled(seed, lambda sine: 0.5 + 0.3 * sine)
        synthetic = labelled(seed + 1, lambda sine: 0.5 - 0.1 * sine)
        if task == "regression":
            real, synthetic = (frame.assign(y=frame.y + 0.0) for frame in (real, synthetic))
        asked = ask(real, synthetic, task=task, max_ratio=0)
        square = float(np.mean((0.4 * np.sin(real.x0)) ** 2))
        # Two classes, each with that difference; or one number in units of its deviation.
        expected = 2 * square if task == "classification" else square / np.var(real.y)
        found.append(bounds_of(asked)["variance"].constants["shift_squared"] / expected)
    assert np.mean(found) == pytest.approx(1.0, abs=0.2)


@pytest.mark.slow
def test_without_a_shift_its_estimate_has_mean_zero():
    found = [
        bounds_of(ask(table(100, seed), table(100, 50 + seed), max_ratio=0))["variance"].constants[
            "shift_squared"
        ]
        for seed in range(20)
    ]
    assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(20) + 0.02
    assert min(found) < 0


def test_a_shift_measured_elsewhere_is_used(real):
    synthetic = table(600, 1)
    variance = bounds_of(ask(real, synthetic, shift_squared=-0.2))["variance"]
    assert variance.constants["shift_squared"] == -0.2
    far = bounds_of(ask(real, synthetic, shift_squared=50.0))["variance"]
    assert far.weight < 0.01 < variance.weight


def test_a_worse_generator_gets_less_from_variance_and_spectral_bound(real):
    ratios = [
        {name: bound.ratio for name, bound in bounds_of(ask(real, table(600, 1, error))).items()}
        for error in (0.0, 0.3, 1.0, 3.0)
    ]
    for name in ("variance", "spectral"):
        found = [each[name] for each in ratios]
        assert found == sorted(found, reverse=True)


def test_evaluation_rows_judge_the_shift(real):
    # The generator is wrong about the real rows and right about those that judge.
    judges = table(400, 2).assign(y=lambda frame: -frame.y)
    synthetic = table(600, 1).assign(y=lambda frame: -frame.y)
    unjudged, judged = (
        bounds_of(ask(real, synthetic, evaluation=rows))["variance"] for rows in (None, judges)
    )
    assert judged.constants["shift_squared"] < 0.1 < unjudged.constants["shift_squared"]


@pytest.mark.parametrize(
    ("real", "synthetic"),
    [
        pytest.param(table(150, 0), table(150, 0), id="identical rows"),
        pytest.param(table(10, 0), table(10, 1), id="ten rows a side"),
        pytest.param(table(12, 0, columns=40), table(60, 1, columns=40), id="p > n"),
        pytest.param(
            table(40, 0).assign(x0=1.0, x1=[0.0, 1.0] * 20),
            table(60, 1).assign(x0=1.0, x1=[0.0, 1.0] * 30),
            id="two different inputs only",
        ),
    ],
)
def test_odd_data_have_bounds(real, synthetic):
    found = ask(real, synthetic, gap=-0.1)
    json.dumps(found.to_dict(), allow_nan=False)
    for bound in found.bounds:
        assert 0 <= bound.weight <= 1
        assert 0 <= bound.row_ratio <= len(synthetic) / len(real) * (1 + 1e-12)
        assert np.isfinite(list(bound.constants.values())).all()


def test_identical_rows_leave_no_shift(real):
    variance = bounds_of(ask(real, real.iloc[1:]))["variance"]
    assert variance.constants["shift_squared"] <= 0
    assert variance.row_ratio == (len(real) - 1) / len(real)


# --- shown to people -----------------------------------------------------------------------------


def test_all_bounds_are_drawn_and_listed(good):
    from synthmix_dagster.orchestration.metadata import of_recommendation

    metadata = of_recommendation(good)
    assert [row.data["bound"] for row in metadata["synthmix/bounds"].records] == [
        "stability",
        "variance",
        "spectral",
    ]
    assert metadata["synthmix/critical_gap"] == good.critical_gap
    drawn = {text.get_text() for text in good.plot().texts}
    for bound in good.bounds:
        assert metadata[f"synthmix/bound_{bound.name}_ratio"] == bound.row_ratio
        assert any(bound.name in text and f"{bound.row_ratio:.2f}" in text for text in drawn)


def test_a_bound_far_from_the_path_is_noted_but_not_the_spectral_one():
    found = ask(table(50, 4), table(600, 5), shift_squared=50.0, gap=100.0)
    assert found.interval[0] > 1
    noted = [note.split()[1] for note in found.notes if "bound, a prior" in note]
    assert noted == ["stability", "variance"]
    assert {bound.name for bound in found.bounds if not bound.equivalent} >= set(noted)
