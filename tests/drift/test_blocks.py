import numpy as np
import pytest

from synthmix_dagster.drift import blocks


def levels_of(scores: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Levels and ends of scores of shape (n_batches, blocks_a_batch)."""
    ends = scores.shape[1] * np.arange(1, len(scores) + 1)
    return blocks.levels(scores.ravel(), rng.random(scores.size), ends), ends


def capital(scores: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    ends = scores.shape[1] * np.arange(1, len(scores) + 1)
    return blocks.log_capital_of_blocks(scores.ravel(), rng.random(scores.size), ends, warm_up=5)


def test_ranks_are_those_of_the_definition() -> None:
    rng = np.random.default_rng(0)
    scores, ties = rng.integers(0, 5, 20).astype(float), rng.random(20)
    found = blocks.smoothed_ranks(scores, ties)
    for t in range(20):
        past, now = scores[: t + 1], scores[t]
        expected = ((past > now).sum() + ties[t] * (past == now).sum()) / (t + 1)
        assert found[t] == pytest.approx(expected)


@pytest.mark.parametrize("kinds", [3, 10**9])
def test_levels_of_independent_blocks_are_standard_normal_ties_or_not(kinds: int) -> None:
    from scipy import stats

    rng = np.random.default_rng(1)
    found = np.array(
        [levels_of(rng.integers(0, kinds, (6, 4)).astype(float), rng)[0] for _ in range(1500)]
    )
    for t in range(6):
        assert stats.kstest(found[:, t], "norm").pvalue > 0.001
    assert np.max(np.abs(np.corrcoef(found.T) - np.eye(6))) < 0.11


def test_batches_may_have_different_numbers_of_blocks() -> None:
    rng = np.random.default_rng(2)
    ends = np.cumsum([4, 40, 7, 32, 16])
    found = [blocks.levels(rng.random(99), rng.random(99), ends) for _ in range(2000)]
    np.testing.assert_allclose(np.std(found, axis=0), 1.0, atol=0.07)


def test_distances_are_those_of_the_definition() -> None:
    rng = np.random.default_rng(4)
    counts = [4, 6, 5, 9]
    batches = [rng.standard_normal(count) + rng.standard_normal() for count in counts]
    found = blocks.distances(np.concatenate(batches), np.cumsum(counts))
    assert found[0] == 0
    for t in range(1, 4):
        past = np.concatenate(batches[:t])
        within = sum(((one - one.mean()) ** 2).sum() for one in batches[:t])
        noise = within / (len(past) - t) * (1 / counts[t] + 1 / len(past))
        assert found[t] == pytest.approx((batches[t].mean() - past.mean()) / np.sqrt(noise))


def test_blocks_that_are_all_alike_are_no_evidence_and_break_nothing() -> None:
    rng = np.random.default_rng(5)
    assert capital(np.zeros((40, 8)), rng).max() < np.log(100)
    assert np.isfinite(capital(np.concatenate((np.zeros((8, 8)), np.ones((20, 8)))), rng)).all()


def test_a_change_beyond_all_ranks_is_found_at_once_in_spite_of_day_effects() -> None:
    rng = np.random.default_rng(6)
    for _ in range(10):
        days = 2 * rng.standard_normal((9, 1))
        days[7:] += 1000
        found = capital(days + rng.standard_normal((9, 12)), rng)
        assert found[6] < np.log(100) < found[8]


@pytest.mark.parametrize("bet", [blocks.LEVELS, blocks.DISTANCES])
def test_capital_is_the_ratio_of_likelihoods_written_out(bet: blocks.Bet) -> None:
    from scipy import stats

    found, ends = np.array([0.4, -1.2, 2.9, 0.3, 3.8, -0.6]), np.array([8, 16, 20, 30, 38, 46])
    begins = np.concatenate(([0], ends[:-1]))
    warm_up = 3

    def allowed(values: np.ndarray) -> float:
        best = stats.norm.logpdf(values, scale=max(1.0, np.sqrt(np.mean(values**2)))).sum()
        for spread in blocks.ALLOWED_SPREADS:
            for share in blocks.JUMPING:
                jump = stats.t.pdf(values, 2, scale=blocks.JUMP * spread)
                mixed = (1 - share) * stats.norm.pdf(values, scale=spread) + share * jump
                best = max(best, float(np.log(mixed).sum()))
        return float(np.exp(best))

    expected = []
    for t in range(2, 7):
        chances = blocks.waking(max(t - warm_up, 0))
        whole = 0.0
        for spread, part in blocks.SPREADS.items():
            still = stats.norm.pdf(found[1:t], scale=spread)
            whole += part * (1 - chances.sum()) * still.prod()
            for k, first in enumerate(range(warm_up, t)):
                for change in bet.changes:
                    middles = (begins[first:t] + ends[first:t]) / 2
                    raised = change * max(1, spread / 2)
                    mean = raised * begins[first] / middles
                    blurred = max(spread, bet.blur * raised)
                    moved = stats.norm.pdf(found[first:t], mean, blurred)
                    won = still[: first - 1].prod() * moved.prod()
                    whole += part * chances[k] * won / len(bet.changes)
        expected.append(np.log(whole / allowed(found[1:t])))
    won = blocks.log_capital(found, ends, warm_up=warm_up, bet=bet)
    assert won[0] == pytest.approx(0.0)
    np.testing.assert_allclose(won[1:], expected, rtol=1e-6)


@pytest.mark.parametrize("spread", [1.0, pytest.param(2.0, marks=pytest.mark.slow), 5.0])
@pytest.mark.parametrize("jumping", [0.0, 0.1])
def test_no_bet_is_expected_to_win_under_day_effects_that_are_allowed_for(
    spread: float, jumping: float
) -> None:
    from scipy import stats

    # A mean over draws would miss what it is owed to, so the two levels take all values.
    side = (8 * spread + 8) * np.linspace(-1, 1, 61) ** 3
    densities = (1 - jumping) * stats.norm.pdf(side, scale=spread) + jumping * stats.t.pdf(
        side, 2, scale=blocks.JUMP * spread
    )
    ends = 32 * np.arange(1, 4)
    won = np.exp(
        [[blocks.log_capital(np.array([0, x, y]), ends, warm_up=1) for y in side] for x in side]
    )
    widths = np.gradient(side) * densities
    assert widths @ won[:, :, 1].mean(axis=1) < 1
    assert widths @ won[:, :, 2] @ widths < 1


def test_blocks_find_a_change_within_a_few_batches() -> None:
    rng = np.random.default_rng(7)
    for history, most in ((5, 5), (30, 4)):
        waited = []
        for _ in range(40):
            scores = rng.standard_normal((history + 12, 32))
            scores[history:] += 1
            over = capital(scores, rng)[history:] >= np.log(100)
            waited.append(over.argmax() + 1 if over.any() else np.inf)
        assert np.quantile(waited, 0.75) <= most


@pytest.mark.slow
@pytest.mark.parametrize("effect", ["none", "small", "large", "jumps", "squares"])
def test_unchanged_histories_hardly_ever_alarm_with_or_without_day_effects(effect: str) -> None:
    rng = np.random.default_rng(8)
    histories, batches, delta = 200, 120, 0.01
    alarms = 0
    for _ in range(histories):
        days = {
            "none": np.zeros(batches),
            "small": 0.2 * rng.standard_normal(batches),
            "large": 2 * rng.standard_normal(batches),
            "jumps": 0.3 * rng.standard_t(3, batches),
            "squares": 0.3 * rng.standard_normal(batches) ** 2,
        }[effect]
        scores = days[:, None] + rng.standard_normal((batches, 32))
        alarms += bool(np.any(capital(scores, rng) >= np.log(1 / delta)))
    assert alarms <= histories * delta + 3 * np.sqrt(histories * delta)


def test_day_effects_are_noticed_and_their_absence_is_too() -> None:
    rng = np.random.default_rng(9)
    for spread, noticed in ((0.0, False), (0.3, True)):
        found = [
            blocks.day_effects(
                levels_of(
                    spread * rng.standard_normal((30, 1)) + rng.standard_normal((30, 32)), rng
                )[0]
            )
            for _ in range(50)
        ]
        share = np.mean([one is not None for one in found])
        assert share > 0.9 if noticed else share < 0.1
    assert blocks.day_effects(np.array([0.3])) is None


def test_capital_stays_finite_under_overwhelming_evidence() -> None:
    scores = np.concatenate((np.zeros((100, 32)), np.arange(1.0, 3201.0).reshape(100, 32)))
    assert np.isfinite(capital(scores, np.random.default_rng(0))).all()
