"""Several generators: the search against brute force, and the advice against refits on new rows."""

import json

import numpy as np
import pytest

from synthmix_dagster.errors import ConfigError, DataError
from synthmix_dagster.ratio.mixtures import Pool, along
from synthmix_dagster.ratio.path import judging_folds
from synthmix_dagster.ratio.search import (
    TOLERANCE,
    all_sources,
    descend,
    joined,
    single_sources,
)
from synthmix_dagster.ratio.sources import SourceMixture, adapt_domain, mix_sources

P = 12
TRUTH = np.linspace(-1, 1, P)[:, None]


def rows(rng, n, shift=0.0, noise=1.0):
    """Rows whose third coefficient is off by `shift`."""
    x = rng.normal(size=(n, P))
    return x, x @ (TRUTH + shift * np.eye(P)[:, [2]]) + noise * rng.normal(size=(n, 1))


def test_error(real, sources, found, new):
    """Error on new rows of ridge regression on the real rows and the first rows of each source."""
    taken = [
        (sources[share.name][0][: share.rows], sources[share.name][1][: share.rows])
        for share in found
    ]
    x, y = (np.concatenate([side[i] for side in (real, *taken)]) for i in (0, 1))
    fit = np.linalg.solve(x.T @ x + 0.1 * np.eye(P), x.T @ y)
    return np.mean((new[1] - new[0] @ fit) ** 2)


test_error.__test__ = False


# --- the search ----------------------------------------------------------------------------------


@pytest.mark.parametrize("shifts", [(0.3, 1.0), (-1.5, 1.5), (0.0, 2.0), (3.0, 3.0)])
def test_no_point_of_a_fine_grid_is_much_better_than_what_is_found(shifts):
    rng = np.random.default_rng(1)
    real, sources = rows(rng, 40), [rows(rng, 400, shift) for shift in shifts]
    pool, ridges = Pool.of(real, sources, None), [0.01]
    starts = [single_sources(pool, np.inf, ridges), all_sources(pool, np.ones(2), np.inf, ridges)]
    found = joined([descend(pool, start, np.inf, ridges) for start in starts])
    lowest = np.inf
    for weight in np.append(0, np.geomspace(0.02, 10, 30)):
        ends = np.array([1.0, weight, 0.0]), np.array([1.0, weight, 10.0])
        line = along(pool, *ends, np.append(0, np.geomspace(0.002, 1, 30)), 0.01)
        lowest = min(lowest, np.min(line.losses.mean(axis=1) + line.added))
    assert found.risks(40).min() < lowest * 1.003


def test_at_the_end_no_move_improves_the_risk():
    rng = np.random.default_rng(2)
    pool = Pool.of(rows(rng, 40), [rows(rng, 200, shift) for shift in (-1.0, 0.7, 2.0)], None)
    once = descend(pool, single_sources(pool, np.inf), np.inf)
    again = descend(pool, once, np.inf)
    assert again.risks(40).min() >= once.risks(40).min() * (1 - TOLERANCE)
    # Every candidate is within the rows there are.
    assert (once.rows <= 200 + 1e-6).all()
    assert (once.rows >= 0).all()


def test_a_row_is_judged_by_what_suits_the_other_folds():
    rng = np.random.default_rng(3)
    pool = Pool.of(rows(rng, 23), [rows(rng, 100, 0.5)], None)
    tried = single_sources(pool, np.inf)
    every = [
        along(pool, w, w, np.zeros(1), float(ridge))
        for w, ridge in zip(tried.weights, tried.ridges, strict=True)
    ]
    losses = np.array([fit.losses[0] + fit.added[0] for fit in every])
    fold_of, expected = judging_folds(23), np.empty(23)
    for fold in range(10):
        inside = fold_of == fold
        expected[inside] = losses[losses[:, ~inside].mean(axis=1).argmin(), inside]
    np.testing.assert_allclose(tried.judged(pool), expected, rtol=1e-8)


# --- the advice ----------------------------------------------------------------------------------


def test_generators_that_err_in_opposite_directions_are_better_together():
    for seed in range(4):
        rng = np.random.default_rng(seed)
        real, new = rows(rng, 40), rows(rng, 5_000)
        sources = {"low": rows(rng, 400, -1.5), "high": rows(rng, 400, 1.5)}
        found = mix_sources(*real, sources)
        assert found.better
        assert found.recommended == found.mixture
        mixed, alone = (
            test_error(real, sources, of, new) for of in (found.recommended, found.alone)
        )
        assert mixed < alone
        assert found.risk_mixed < found.risk_alone
        assert "lower than with the best generator alone" in found.reason


@pytest.mark.slow
def test_the_predicted_risks_are_those_of_new_rows():
    """The lowest of all risks would be 15 % too low here, for mixtures and single generators."""
    lowest, crossed, actual = [], [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        real, new = rows(rng, 40), rows(rng, 2_000)
        sources = {"low": rows(rng, 200, -1.0), "high": rows(rng, 200, 1.5)}
        found = mix_sources(*real, sources)
        pool = Pool.of(real, list(sources.values()), None)
        tried = descend(pool, all_sources(pool, np.ones(2), np.inf), np.inf)
        lowest.append((tried.risks(40).min(), single_sources(pool, np.inf).risks(40).min()))
        crossed.append((found.risk_mixed, found.risk_alone, found.risk_none))
        chosen = found.mixture, found.alone, ()
        actual.append([test_error(real, sources, of, new) for of in chosen])
    lowest, crossed, actual = (np.mean(of, axis=0) for of in (lowest, crossed, actual))
    np.testing.assert_allclose(crossed, actual, rtol=0.1)
    assert (lowest < 0.9 * actual[:2]).all()


def test_the_same_rows_under_two_names_are_no_mixture_worth_having():
    rng = np.random.default_rng(0)
    real, same = rows(rng, 40), rows(rng, 400, 0.3)
    found = mix_sources(*real, {"one": same, "other": same})
    assert not found.better
    assert found.recommended == found.alone
    assert abs(found.gain) <= max(found.gain_error, 0.01)
    assert "does not beat" in found.reason or "no mixture" in found.reason


def test_without_a_useful_generator_none_is_recommended():
    rng = np.random.default_rng(0)
    real = rows(rng, 200)
    found = mix_sources(*real, {"far": rows(rng, 400, 9.0), "farther": rows(rng, 400, 14.0)})
    assert found.ratios == {"far": 0.0, "farther": 0.0}
    assert found.reason.startswith("Use no synthetic rows")
    assert found.risk_alone == pytest.approx(found.risk_none)


def test_a_good_generator_is_preferred_to_noise():
    rng = np.random.default_rng(0)
    real, noise = rows(rng, 40), rows(rng, 400)
    noise = noise[0], rng.permutation(noise[1])
    found = mix_sources(*real, {"noise": noise, "good": rows(rng, 400)})
    assert found.ratios["good"] > 5
    assert found.ratios["noise"] < 0.2


def test_the_order_of_the_generators_does_not_matter():
    rng = np.random.default_rng(4)
    real = rows(rng, 40)
    sources = {"low": rows(rng, 300, -1.5), "high": rows(rng, 300, 1.5)}
    one = mix_sources(*real, sources)
    other = mix_sources(*real, dict(reversed(sources.items())))
    assert other.risk_mixed == pytest.approx(one.risk_mixed, rel=0.01)
    assert other.risk_alone == pytest.approx(one.risk_alone)
    assert other.better == one.better


def test_shares_add_up_and_the_limit_is_kept():
    rng = np.random.default_rng(4)
    sources = {"low": rows(rng, 300, -1.5), "high": rows(rng, 300, 1.5)}
    for max_ratio in (0.0, 1.0, 4.0):
        found = mix_sources(*rows(rng, 40), sources, max_ratio=max_ratio)
        for shares in (found.mixture, found.alone):
            total = sum(share.rows for share in shares)
            assert total <= 40 * max_ratio + 1
            for share in shares:
                assert share.ratio == share.rows / 40
                assert share.weight == share.rows / (40 + total)


def test_evaluation_rows_judge():
    rng = np.random.default_rng(0)
    # The real rows are biased as one of the generators is; the evaluation rows are not.
    sources = {"same": rows(rng, 400, 2.0), "right": rows(rng, 400, 0.0)}
    found = mix_sources(*rows(rng, 40, 2.0), sources, evaluation=rows(rng, 200))
    assert found.ratios["right"] == pytest.approx(10, abs=0.1)
    assert found.ratios["same"] < 0.1


def test_it_survives_json():
    rng = np.random.default_rng(0)
    found = mix_sources(*rows(rng, 30), {"one": rows(rng, 90), "other": rows(rng, 90, 1.0)})
    assert SourceMixture.from_dict(json.loads(json.dumps(found.to_dict()))) == found


def test_bad_input_is_named():
    rng = np.random.default_rng(0)
    real, some = rows(rng, 30), rows(rng, 30)
    with pytest.raises(ConfigError, match="names no generator"):
        mix_sources(*real, {})
    with pytest.raises(DataError, match=r"dataset 'empty'.*no rows"):
        mix_sources(*real, {"some": some, "empty": (some[0][:0], some[1][:0])})
    with pytest.raises(ConfigError, match="max_ratio"):
        mix_sources(*real, {"some": some}, max_ratio=-1.0)


# --- another domain ------------------------------------------------------------------------------


def test_few_target_rows_decide_between_another_domain_and_synthetic_rows():
    rng = np.random.default_rng(0)
    target = rows(rng, 15)
    found = adapt_domain(target, source=rows(rng, 500, 3.0), synthetic=rows(rng, 500, 0.1))
    assert found.ratios["synthetic"] > 10
    assert found.ratios["source"] < 1
    found = adapt_domain(target, source=rows(rng, 500, 0.1), synthetic=rows(rng, 500, 3.0))
    assert found.ratios["source"] > 10
    assert found.ratios["synthetic"] < 1
