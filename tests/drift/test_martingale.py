import numpy as np
import pytest

from synthmix_dagster.drift.martingale import (
    _EDGES,
    EXPONENTS,
    HALF_LIFE,
    _cells,
    _log_odds,
    log_martingale,
    smoothed_ranks,
    tie_breakers,
)


def capital(scores: np.ndarray, rng: np.random.Generator, **options: object) -> np.ndarray:
    """Log capital of scores of shape (n_histories, n_batches, scores_a_batch)."""
    histories, batches, each = scores.shape
    flat = scores.reshape(histories, -1)
    ranks = smoothed_ranks(flat, rng.random(flat.shape))
    return log_martingale(ranks, each * np.arange(1, batches + 1), warm_up=5, **options)  # type: ignore[arg-type]


def test_ranks_are_those_of_the_definition() -> None:
    rng = np.random.default_rng(0)
    scores, ties = rng.integers(0, 5, (3, 20)).astype(float), rng.random((3, 20))
    found = smoothed_ranks(scores, ties)
    for row in range(3):
        for t in range(20):
            past, now = scores[row, : t + 1], scores[row, t]
            expected = ((past > now).sum() + ties[row, t] * (past == now).sum()) / (t + 1)
            assert found[row, t] == pytest.approx(expected)


@pytest.mark.parametrize("levels", [3, 10**9])
def test_ranks_of_exchangeable_scores_are_uniform_and_independent_ties_or_not(levels: int) -> None:
    from scipy import stats

    rng = np.random.default_rng(1)
    scores = rng.integers(0, levels, (4000, 12)).astype(float)
    ranks = smoothed_ranks(scores, rng.random(scores.shape))
    for t in (0, 3, 11):
        assert stats.kstest(ranks[:, t], "uniform").pvalue > 0.001
    assert abs(np.corrcoef(ranks[:, 10], ranks[:, 11])[0, 1]) < 0.06


def test_ties_are_broken_the_same_way_again_and_differently_elsewhere() -> None:
    from scipy import stats

    assert tie_breakers("gap|2026-11-24", 4).tolist() == tie_breakers("gap|2026-11-24", 4).tolist()
    assert not set(tie_breakers("gap|a", 4)) & set(tie_breakers("gap|b", 4))
    many = np.array([tie_breakers(f"gap|{i}", 1)[0] for i in range(2000)])
    assert stats.kstest(many, "uniform").pvalue > 0.001


def test_the_odds_are_fair_whatever_the_share_of_changed_scores() -> None:
    means = np.exp(_log_odds()) @ np.diff(_EDGES)
    np.testing.assert_allclose(means, 1.0, atol=1e-12)


def test_the_first_changed_score_is_bet_on_with_the_power_calibrator() -> None:
    for i, e in enumerate(EXPONENTS):
        expected = np.diff(_EDGES**e) / np.diff(_EDGES)
        # q(p) is interpolated, so the cells are right and their odds nearly so.
        np.testing.assert_allclose(np.exp(_log_odds()[i, 0]), expected, rtol=1e-3)


def test_odds_are_the_likelihood_ratio_of_lehmanns_alternative() -> None:
    rng = np.random.default_rng(2)
    e, before, after = EXPONENTS[0], 60, 40
    uniform = rng.random((20_000, 1))
    # The share of higher scores before the change, of a score after it: distribution function q**e.
    q = uniform ** (1 / e)
    p = (before * q + after * q**e) / (before + after)
    cells = _cells(p[:, 0])
    shares = np.bincount(cells, minlength=len(_EDGES) - 1) / len(cells)
    odds = np.exp(_log_odds()[0, 40]) * np.diff(_EDGES)
    assert np.max(np.abs(np.cumsum(shares) - np.cumsum(odds))) < 0.015


def test_capital_is_the_mixture_written_out() -> None:
    rng = np.random.default_rng(3)
    ranks, ends, warm_up = rng.random(12), np.array([2, 4, 7, 9, 12]), 2
    expected, odds = [], np.exp(_log_odds())
    for batch in range(5):
        whole, asleep = 0.0, 1.0
        for k, first in enumerate(range(warm_up, batch + 1), start=1):
            chance = HALF_LIFE / ((k + HALF_LIFE - 1) * (k + HALF_LIFE))
            asleep -= chance
            start = ends[first - 1]
            for table in odds:
                won = 1.0
                for i in range(start, ends[batch]):
                    won *= table[int((i - start) / i * 100), _cells(ranks[i : i + 1])[0]]
                whole += chance / len(odds) * won
        expected.append(np.log(asleep + whole))
    np.testing.assert_allclose(log_martingale(ranks, ends, warm_up=warm_up), expected, rtol=1e-5)


@pytest.mark.parametrize("two_sided", [False, True])
def test_no_bet_is_expected_to_win_or_to_lose(two_sided: bool) -> None:
    # A mean over draws would not do: most of it is owed to ranks that are hardly ever drawn. So
    # the last rank runs through all cells, which are weighed by their widths.
    rng = np.random.default_rng(4)
    widths, middles = np.diff(_EDGES), (_EDGES[1:] + _EDGES[:-1]) / 2
    if two_sided:
        # Cells of p and of 1 - p: a grid that is finer than either.
        edges = np.unique(np.concatenate((_EDGES, 1 - _EDGES)))
        widths, middles = np.diff(edges), (edges[1:] + edges[:-1]) / 2
    for _ in range(20):
        past = np.repeat(rng.random((1, 7)), len(middles), axis=0)
        ranks = np.concatenate((past, middles[:, None]), axis=1)
        found = np.exp(log_martingale(ranks, np.arange(1, 9), warm_up=3, two_sided=two_sided))
        assert widths @ found[:, -1] == pytest.approx(found[0, -2], rel=1e-5)


@pytest.mark.parametrize(
    ("each", "draw"),
    [
        (1, lambda rng, shape: rng.standard_normal(shape)),
        (1, lambda rng, shape: rng.standard_cauchy(shape)),
        (1, lambda rng, shape: rng.integers(0, 3, shape).astype(float)),
        (8, lambda rng, shape: rng.standard_normal(shape)),
    ],
)
def test_unchanged_histories_hardly_ever_alarm(each: int, draw: object) -> None:
    rng = np.random.default_rng(5)
    histories, delta = 400, 0.05
    found = capital(draw(rng, (histories, 80, each)), rng)  # type: ignore[operator]
    ever = np.mean(np.any(found >= np.log(1 / delta), axis=1))
    assert ever <= delta + 3 * np.sqrt(delta * (1 - delta) / histories)


def test_a_clear_change_is_found_within_a_few_batches() -> None:
    rng = np.random.default_rng(6)
    scores = rng.standard_normal((200, 60, 1))
    scores[:, 30:] += 2
    after = capital(scores, rng)[:, 30:] >= np.log(100)
    assert np.median(np.where(after.any(1), after.argmax(1) + 1, np.inf)) <= 12


def test_blocks_find_a_change_within_a_batch_or_two() -> None:
    rng = np.random.default_rng(7)
    scores = rng.standard_normal((60, 10, 32))
    scores[:, 5:] += 1
    after = capital(scores, rng)[:, 5:] >= np.log(100)
    assert np.mean(after[:, 1]) > 0.9


def test_a_fall_is_seen_by_the_two_sided_bet_only() -> None:
    rng = np.random.default_rng(8)
    scores = rng.standard_normal((100, 60, 1))
    scores[:, 30:] -= 3
    assert np.mean(capital(scores, rng, two_sided=True).max(axis=1) >= np.log(100)) > 0.9
    assert np.mean(capital(scores, rng).max(axis=1) >= np.log(100)) < 0.05


def test_capital_stays_finite_under_overwhelming_evidence() -> None:
    scores = np.concatenate((np.zeros(3200), np.arange(1.0, 3201.0)))
    ranks = smoothed_ranks(scores, tie_breakers("much", 6400))
    assert np.isfinite(log_martingale(ranks, np.arange(32, 6401, 32), warm_up=5)).all()
