"""The risk with more real rows: against the risk path, and against refits on larger samples."""

import json

import numpy as np
import pytest

from synthmix_dagster.errors import ConfigError
from synthmix_dagster.ratio.exchange import (
    ExchangeRate,
    _further,
    exchange_rate,
)
from synthmix_dagster.ratio.forecast import forecast
from synthmix_dagster.ratio.path import risk_path

P = 20
DECAY = 0.9 ** np.arange(P)


def world(seed, shift=0.0):
    """A linear truth, synthetic coefficients that are off by `shift`, and a source of rows."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(P, 1))
    biased = truth + shift * rng.normal(size=(P, 1))

    def rows(n, coefficients=truth):
        x = rng.normal(size=(n, P)) * DECAY
        return x, x @ coefficients + rng.normal(size=(n, 1))

    return rows, truth, biased


def true_risk(x, y, z, t, truth, ridges):
    """Exact risk of the fit to all these rows with equal weights, at every ridge."""
    total = len(x) + len(z)
    gram, cross = (x.T @ x + z.T @ z) / total, (x.T @ y + z.T @ t) / total
    risks = []
    for ridge in ridges:
        error = np.linalg.solve(gram + ridge * np.eye(P), cross) - truth
        risks.append(1 + np.sum((DECAY[:, None] * error) ** 2))
    return np.array(risks)


# --- the forecast --------------------------------------------------------------------------------


@pytest.mark.parametrize("evaluated", [True, False])
def test_with_the_rows_there_are_it_is_the_risk_path(evaluated):
    rows, _, biased = world(0, shift=0.3)
    real, synthetic = rows(60), rows(300, biased)
    evaluation = rows(30) if evaluated else None
    counts = np.array([0, 3, 20, 90, 300])
    ahead = forecast(*real, *synthetic, np.full(5, 60.0), counts, evaluation=evaluation)
    path = risk_path(*real, *synthetic, counts, evaluation=evaluation)
    np.testing.assert_allclose(ahead.risks, path.risks, rtol=1e-6)
    np.testing.assert_allclose(ahead.losses, path.losses, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(ahead.ridges, path.ridges)


@pytest.mark.parametrize("judges", ["evaluation", "left out"])
@pytest.mark.parametrize("factor", [2, 4, 10])
def test_it_is_the_risk_of_refits_on_larger_samples_and_random_subsets(factor, judges):
    """Real rows alone and mixes; the mean over worlds, within 4 % (evaluation rows) or 6 %."""
    n, m = 60, 400
    counts = np.array([0, 10, 40, 150, 400])
    size = np.full(len(counts), float(n * factor))
    for ridge in (1e-4, 3e-2):
        predicted, explicit = [], []
        for seed in range(30):
            rows, truth, biased = world(seed, shift=0.4)
            real, synthetic = rows(n), rows(m, biased)
            judging = rows(1_500) if judges == "evaluation" else real
            evaluation = judging if judges == "evaluation" else None
            ahead = forecast(*real, *synthetic, size, counts, evaluation=evaluation, ridges=[ridge])
            # The noise of the judging rows is 1 in the mean.
            noise = np.mean((judging[1] - judging[0] @ truth) ** 2)
            predicted.append(ahead.risks + 1 - noise)
            larger = rows(n * factor)
            explicit.append(
                [
                    true_risk(*larger, *(side[:k] for side in synthetic), truth, [used])[0]
                    for k, used in zip(counts, ahead.ridges, strict=True)
                ]
            )
        np.testing.assert_allclose(
            np.mean(predicted, axis=0),
            np.mean(explicit, axis=0),
            rtol=0.04 if judges == "evaluation" else 0.06,
        )


def test_the_optimum_moves_as_it_does_on_larger_samples():
    """At the count predicted to be best the true risk is nearly the lowest."""
    n, m = 50, 400
    counts = np.array([0, 5, 12, 25, 50, 100, 200, 400])
    ridges = 10.0 ** np.arange(-5.0, 0.5, 0.5)
    for factor in (2, 10):
        curves, truths = [], []
        for seed in range(25):
            rows, truth, biased = world(seed, shift=0.4)
            real, synthetic = rows(n), rows(m, biased)
            size = np.full(len(counts), float(n * factor))
            curves.append(forecast(*real, *synthetic, size, counts).risks)
            larger = rows(n * factor)
            truths.append(
                [
                    true_risk(*larger, *(side[:k] for side in synthetic), truth, ridges)
                    for k in counts
                ]
            )
        true = np.mean(truths, axis=0).min(axis=1) - 1
        chosen = np.mean(curves, axis=0).argmin()
        # Excess over the noise: none of it costs this much more.
        assert true[chosen] < 1.2 * true.min()
        assert true[-1] > 1.5 * true.min()


def test_more_real_rows_lower_the_risk_and_the_use_of_biased_rows():
    best, risks = [], []
    for seed in range(8):
        rows, _, biased = world(seed, shift=0.4)
        found = exchange_rate(
            *rows(50), *rows(400, biased), rows=50, rule="best", factors=(1, 4, 30)
        )
        best.append([point.ratio for point in found.outlook])
        risks.append([point.risk_none for point in found.outlook])
        for point in found.outlook:
            assert point.risk <= point.risk_none
            assert point.ratio == point.rows / point.n_real
    assert (np.diff(np.mean(best, axis=0)) < 0).all()
    assert (np.diff(np.mean(risks, axis=0)) < 0).all()


# --- the exchange rate ---------------------------------------------------------------------------


def test_rows_as_good_as_real_ones_are_worth_one_each():
    worth, covered = [], []
    for seed in range(25):
        rng = np.random.default_rng(seed)
        truth, x, z = (rng.normal(size=shape) for shape in ((P, 1), (150, P), (150, P)))
        y, t = (side @ truth + rng.normal(size=(150, 1)) for side in (x, z))
        found = exchange_rate(x, y, z, t, rows=150, factors=())
        worth.append(np.inf if found.worth is None else found.worth)
        low, high = (np.inf if end is None else end for end in found.interval)
        covered.append(low <= 150 <= high)
    assert 0.6 < np.median(worth) < 1.5
    assert np.mean(covered) > 0.6


def test_biased_rows_are_worth_less_and_harmful_ones_nothing():
    worth = []
    for seed in range(10):
        rows, truth, biased = world(seed, shift=0.5)
        real = rows(80)
        found = [
            exchange_rate(*real, *rows(80, of), rows=80, factors=())
            for of in (truth, biased, biased + 3)
        ]
        worth.append([np.inf if of.worth is None else of.worth for of in found])
        assert found[2].worth == 0
        assert "not predicted to help" in found[2].reason
    good, shifted, _ = np.median(worth, axis=0)
    assert good > shifted + 0.3


def test_the_number_of_rows_is_read_off_the_curve():
    reach = 50 * np.geomspace(1, 64, 19)
    risks = 1 + 10 / reach
    for further in (0.0, 20.0, 333.0):
        wanted = 1 + 10 / (50 + further)
        assert _further(reach, risks, wanted) == pytest.approx(further, abs=1e-6)
    assert _further(reach, risks, 2.0) == 0
    assert _further(reach, risks, 0.99) is None


def test_without_recommended_rows_there_is_nothing_to_exchange():
    rows, _, biased = world(0, shift=2.0)
    found = exchange_rate(*rows(60), *rows(90, biased), rows=0)
    assert found.further_real_rows == 0
    assert found.worth is None
    assert found.risk == found.risk_none
    assert [point.n_real for point in found.outlook] == [120, 300, 600]
    assert found.reason.startswith("No synthetic rows are recommended")


def test_it_survives_json_and_names_bad_input():
    rows, _, biased = world(0, shift=0.3)
    data = *rows(40), *rows(60, biased)
    found = exchange_rate(*data, rows=30, factors=(2,))
    assert ExchangeRate.from_dict(json.loads(json.dumps(found.to_dict()))) == found
    low, high = (np.inf if end is None else end for end in found.interval)
    assert low <= (np.inf if found.further_real_rows is None else found.further_real_rows) <= high
    with pytest.raises(ConfigError, match="61, of 60"):
        exchange_rate(*data, rows=61)
    with pytest.raises(ConfigError, match="factors"):
        exchange_rate(*data, rows=30, factors=(0.5,))
