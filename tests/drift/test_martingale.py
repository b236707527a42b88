from itertools import permutations

import numpy as np
import pytest

from synthmix_dagster.drift import martingale
from synthmix_dagster.drift.martingale import (
    LASTING,
    LONGEST,
    MODERATE,
    PERIODS,
    RECURRING,
    SHARES,
    SPORADIC,
    STRONG,
    log_martingale,
    tie_breakers,
    waking,
)


def capital(scores: np.ndarray, seed: int = 0, **options: bool) -> np.ndarray:
    """Log capital of scores of shape (n_histories, n_batches)."""
    ties = np.random.default_rng(seed).random(scores.shape)
    return np.array(
        [log_martingale(*each, warm_up=5, **options) for each in zip(scores, ties, strict=True)]
    )


def test_ties_are_broken_the_same_way_again_and_differently_elsewhere() -> None:
    from scipy import stats

    assert tie_breakers("gap|2026-11-24", 4).tolist() == tie_breakers("gap|2026-11-24", 4).tolist()
    assert not set(tie_breakers("gap|a", 4)) & set(tie_breakers("gap|b", 4))
    many = np.array([tie_breakers(f"gap|{i}", 1)[0] for i in range(2000)])
    assert stats.kstest(many, "uniform").pvalue > 0.001


@pytest.mark.parametrize("two_sided", [False, True])
def test_capital_over_all_orders_is_one_on_average(two_sided: bool) -> None:
    orders = np.array(list(permutations(range(6))), dtype=float)
    found = [
        np.exp(log_martingale(one, np.zeros(6), warm_up=2, two_sided=two_sided)) for one in orders
    ]
    np.testing.assert_allclose(np.mean(found, axis=0), 1.0, atol=1e-6)


@pytest.mark.parametrize("two_sided", [False, True])
def test_no_bet_is_expected_to_win_or_to_lose(two_sided: bool) -> None:
    # A mean over draws would not do: most of it is owed to ranks that are hardly ever drawn. So
    # the last score takes every place among those before it.
    rng = np.random.default_rng(4)
    for n in (6, 9, 30):
        past = rng.permutation(n).astype(float)
        found = [
            log_martingale(np.append(past, last), np.zeros(n + 1), warm_up=3, two_sided=two_sided)
            for last in np.arange(n + 1) - 0.5
        ]
        after = np.mean(np.exp([one[-1] for one in found]))
        assert after == pytest.approx(np.exp(found[0][-2]), rel=1e-5)


def test_odds_are_lehmanns_by_simulation(monkeypatch: pytest.MonkeyPatch) -> None:
    # The whole capital on changes that last; the other bets are written out below.
    monkeypatch.setattr(martingale, "LASTING", 1.0)
    monkeypatch.setattr(martingale, "RECURRING", 0.0)
    monkeypatch.setattr(martingale, "SPORADIC", 0.0)
    # One score from before the change and two after it: S**w is the law of U**(1/w) from above,
    # and F**v that of U**(1/v).
    rng = np.random.default_rng(2)
    draws = rng.random((400_000, 3))
    scores = np.array([0.2, 0.9, 0.5])
    expected = 0.0
    for changed in (1 - draws ** (1 / STRONG), draws ** (1 / MODERATE)):
        made = np.where(np.arange(3) == 0, draws, changed)
        same = np.all(np.argsort(made, axis=1) == np.argsort(scores), axis=1)
        expected += float(np.mean(same)) * 6 / 2
    first, second = waking(2)
    only_last = 0.0
    for changed in (1 - draws ** (1 / STRONG), draws ** (1 / MODERATE)):
        made = np.where(np.arange(3) == 2, changed, draws)
        same = np.all(np.argsort(made, axis=1) == np.argsort(scores), axis=1)
        only_last += float(np.mean(same)) * 6 / 2
    found = np.exp(log_martingale(scores, np.zeros(3), warm_up=1)[-1])
    whole = 1 - first - second + first * expected + second * only_last
    assert found == pytest.approx(whole, rel=0.01)


@pytest.mark.parametrize("two_sided", [False, True])
def test_capital_is_the_mixture_written_out(two_sided: bool) -> None:
    rng = np.random.default_rng(3)
    scores, warm_up = rng.integers(0, 8, 14).astype(float), 3
    ties = rng.random(14)
    ranked = np.lexsort((-ties, scores)).argsort()  # 0 for the lowest
    chances = waking(11)
    expected = []
    for t in range(1, 15):
        whole = 1 - chances[: max(t - warm_up, 0)].sum()
        for k, first in enumerate(range(warm_up, t)):
            bets = [(ranked, STRONG), (-ranked, MODERATE)]
            bets += [(-ranked, STRONG), (ranked, MODERATE)] if two_sided else []
            for period in (1, *PERIODS):
                part = LASTING if period == 1 else RECURRING / len(PERIODS)
                moved = range(first, t, period)
                for place, weight in bets:
                    won = 1.0
                    for i in range(t):
                        left = [j for j in range(t) if place[j] >= place[i]]
                        weights = sum(weight if j in moved else 1.0 for j in left)
                        won *= len(left) / weights * (weight if i in moved else 1.0)
                    whole += part * chances[k] * won / len(bets)
            for share, exponent in SHARES:
                for place in (-ranked, ranked) if two_sided else (-ranked,):
                    won = 1.0
                    for i in range(first, t):
                        law = [((r + 0.5) / (i + 1)) ** (exponent - 1) for r in range(i + 1)]
                        rank = sum(place[j] < place[i] for j in range(i))
                        won *= 1 - share + share * law[rank] * (i + 1) / sum(law)
                    sides = len(SHARES) * (2 if two_sided else 1)
                    whole += SPORADIC * chances[k] * won / sides
        expected.append(np.log(whole))
    found = log_martingale(scores, ties, warm_up=warm_up, two_sided=two_sided)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_what_an_old_bet_won_is_kept() -> None:
    rng = np.random.default_rng(9)
    scores = rng.standard_normal(LONGEST + 60)
    scores[8:20] += 4
    found = log_martingale(scores, scores, warm_up=5)
    assert np.all(np.isfinite(found))
    assert found[-1] > np.log(waking(4)[3] / 2)


@pytest.mark.slow
def test_a_bet_that_ends_wins_and_loses_nothing_on_average() -> None:
    rng = np.random.default_rng(9)
    scores = rng.standard_normal(LONGEST + 60)
    scores[8:20] += 4
    # The last score takes every place, when the oldest bet is over and when it is not yet.
    for n in (LONGEST + 5, LONGEST + 6):
        places = np.sort(scores[:n])
        lasts = np.concatenate(([places[0] - 1], (places[1:] + places[:-1]) / 2, [places[-1] + 1]))
        after = [
            np.exp(log_martingale(np.append(scores[:n], last), np.zeros(n + 1), warm_up=5))[-2:]
            for last in lasts
        ]
        before, then = np.mean(after, axis=0)
        assert then == pytest.approx(before, rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    "draw",
    [
        lambda rng, shape: rng.standard_normal(shape),
        lambda rng, shape: rng.standard_cauchy(shape),
        lambda rng, shape: rng.integers(0, 3, shape).astype(float),
    ],
)
def test_unchanged_histories_hardly_ever_alarm(draw: object) -> None:
    rng = np.random.default_rng(5)
    histories, delta = 400, 0.05
    found = capital(draw(rng, (histories, 80)))  # type: ignore[operator]
    ever = np.mean(np.any(found >= np.log(1 / delta), axis=1))
    assert ever <= delta + 3 * np.sqrt(delta * (1 - delta) / histories)


def test_a_clear_change_is_found_within_a_few_batches() -> None:
    rng = np.random.default_rng(6)
    scores = rng.standard_normal((100, 60))
    scores[:, 30:] += 2
    after = capital(scores)[:, 30:] >= np.log(100)
    assert np.median(np.where(after.any(1), after.argmax(1) + 1, np.inf)) <= 11


def test_a_strong_change_is_found_from_five_batches_of_history() -> None:
    rng = np.random.default_rng(10)
    scores = rng.standard_normal((100, 35))
    scores[:, 5:] += 3
    assert np.mean(np.any(capital(scores) >= np.log(100), axis=1)) > 0.9


@pytest.mark.slow
def test_a_fall_is_seen_by_the_two_sided_bet_only() -> None:
    rng = np.random.default_rng(8)
    scores = rng.standard_normal((100, 60))
    scores[:, 30:] -= 3
    assert np.mean(capital(scores, two_sided=True).max(axis=1) >= np.log(100)) > 0.9
    assert np.mean(capital(scores).max(axis=1) >= np.log(100)) < 0.05


def test_capital_stays_finite_under_overwhelming_evidence() -> None:
    found = log_martingale(np.arange(800.0), np.zeros(800), warm_up=5)
    assert np.isfinite(found).all()
    assert found[-1] > 100


@pytest.mark.parametrize(
    ("by", "period"),
    [(1.0, 2), pytest.param(2.0, 7, marks=pytest.mark.slow)],
    ids=["one sd every other", "two sd every seventh"],
)
def test_a_change_that_recurs_is_found_though_better_batches_lie_between(
    by: float, period: int
) -> None:
    """After 30 batches of history, within 150; seen without these bets: at most 1 of 10."""
    scores = np.random.default_rng(12).standard_normal((20, 180))
    scores[:, 30::period] += by
    assert np.mean(np.any(capital(scores)[:, 30:] >= np.log(100), axis=1)) >= 0.8


@pytest.mark.slow
def test_bad_batches_without_a_pattern_are_found_after_a_long_history() -> None:
    """A third of the batches at two deviations, after 100; chance alone alarms for 1 of 100."""
    rng = np.random.default_rng(13)
    scores = rng.standard_normal((20, 250))
    scores[:, 100:] += 2.0 * (rng.random((20, 150)) < 1 / 3)
    assert np.mean(np.any(capital(scores)[:, 100:] >= np.log(100), axis=1)) >= 0.3


@pytest.mark.slow
def test_unchanged_histories_of_two_hundred_batches_keep_the_bound() -> None:
    """300 histories of 200 batches; `benchmarks.drift_recurring --only unchanged` has others."""
    found = capital(np.random.default_rng(14).standard_normal((300, 200)))
    ever = np.mean(np.any(found >= np.log(100), axis=1))
    assert ever <= 0.01 + 3 * np.sqrt(0.01 * 0.99 / 300)
