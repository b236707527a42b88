"""The prior learned from synthetic history whose moments are known, and its bookkeeping."""

import json

import numpy as np
import pytest

from synthmix_dagster.errors import DataError
from synthmix_dagster.ratio.evidence import Evidence
from synthmix_dagster.ratio.experience import (
    DECAY,
    Case,
    Experience,
    learn_experience,
    shipped_experience,
)
from synthmix_dagster.ratio.posterior import KNOTS, Posterior, Prior, condition

K = len(KNOTS)
AT = np.array(KNOTS)
SIZES = (100, 400)
#: The world that history is drawn from: curves fall less with more rows, errors shrink.
SLOPE, LEVEL = -0.25 * np.linspace(0.2, 1, K), -0.1 * np.linspace(0.2, 1, K)


def smooth(seed, scale):
    root = np.tril(scale * np.random.default_rng(seed).normal(1, 0.2, (K, K)) / np.sqrt(K))
    return root @ root.T + 1e-4 * np.eye(K)


BIAS = 0.1 * np.linspace(0.2, 1, K)
CURVES, ERRORS, NOISE = smooth(1, 0.3), smooth(2, 0.15), smooth(3, 0.1)


def mean_at(n):
    return LEVEL + SLOPE * np.sqrt(100 / n)


def history(datasets, seed=0, sizes=SIZES, generators=2, prefix="d", last=K):
    """Cases with known truth up to a knot."""
    rng = np.random.default_rng(seed)
    cases = []
    for i in range(datasets):
        for generator in range(generators):
            for n in sizes:
                truth = rng.multivariate_normal(mean_at(n), CURVES)
                noise = NOISE * 100 / n
                shrunk = (100 / n) ** DECAY
                error = rng.multivariate_normal(BIAS * np.sqrt(shrunk), ERRORS * shrunk + noise)
                evidence = Evidence(AT[:last], (truth + error)[:last], noise[:last, :last])
                known = np.where(np.arange(K) < last, truth, np.nan)
                cases.append(Case(f"{prefix}{i}", f"g{generator}", n, evidence, known))
    return cases


@pytest.fixture(scope="module")
def learned():
    return learn_experience(history(500), source="simulated")


def priors_equal(one, other):
    for n in (30, 100, 250, 5000):
        for name in ("mean", "covariance", "bias", "error"):
            np.testing.assert_allclose(
                getattr(one.prior(n), name), getattr(other.prior(n), name), atol=1e-9
            )


# --- what is learned -----------------------------------------------------------------------------


@pytest.mark.parametrize("n", [100, 200, 400])
def test_the_prior_of_a_known_world_is_found(n, learned):
    prior = learned.prior(n)
    np.testing.assert_allclose(prior.mean, mean_at(n), atol=0.05)
    np.testing.assert_allclose(prior.covariance, CURVES, atol=0.02)
    np.testing.assert_allclose(prior.bias, BIAS * np.sqrt((100 / n) ** DECAY), atol=0.02)
    np.testing.assert_allclose(prior.error, ERRORS * (100 / n) ** DECAY, atol=0.01)


def test_with_many_rows_the_evidence_decides(learned):
    """Noise and error shrink with n, so the distance to the evidence does."""
    seen = np.linspace(0.1, 0.8, K)
    off = []
    for n in (100, 1_600, 25_600, 10**7):
        posterior = condition(learned.prior(n), Evidence(AT, seen, NOISE * 100 / n))
        off.append(np.abs(posterior.mean - seen).max())
    assert off[0] > off[1] > off[2] > off[3]
    assert off[3] < 0.02


def test_priors_are_smooth_in_n(learned):
    """A hundredth more rows changes no number by more than a hundredth of its scale."""
    for n in (50, 99, 100, 101, 300, 400, 1600):
        before, after = learned.prior(n), learned.prior(round(1.01 * n))
        for name, scale in (("mean", 0.35), ("covariance", 0.1), ("bias", 0.2), ("error", 0.05)):
            change = np.abs(getattr(after, name) - getattr(before, name)).max()
            assert change <= 0.02 * scale


def test_fewer_rows_than_any_case_had_change_nothing(learned):
    for name in ("mean", "covariance", "bias", "error"):
        np.testing.assert_array_equal(
            getattr(learned.prior(20), name), getattr(learned.prior(100), name)
        )


def test_one_number_of_rows_is_enough():
    prior = learn_experience(history(200, sizes=(300,))).prior(900)
    np.testing.assert_allclose(prior.mean, mean_at(300), atol=0.08)


def test_the_posterior_errs_less_than_evidence_or_prior(learned):
    rng = np.random.default_rng(5)
    n, of_evidence, of_prior, of_posterior = 100, [], [], []
    for _ in range(300):
        truth = rng.multivariate_normal(mean_at(n), CURVES)
        values = truth + rng.multivariate_normal(BIAS, ERRORS + NOISE)
        mean = condition(learned.prior(n), Evidence(AT, values, NOISE)).mean
        of_evidence.append(np.sum((values - truth) ** 2))
        of_prior.append(np.sum((learned.prior(n).mean - truth) ** 2))
        of_posterior.append(np.sum((mean - truth) ** 2))
    assert np.mean(of_posterior) < 0.9 * min(np.mean(of_evidence), np.mean(of_prior))


# --- every dataset once --------------------------------------------------------------------------


def test_repeating_the_cases_of_a_dataset_changes_nothing():
    cases = history(6)
    twice = [*cases, *[case for case in cases if case.dataset == "d0"]]
    priors_equal(learn_experience(twice), learn_experience(cases))


def test_the_order_of_cases_does_not_matter():
    cases = history(6)
    priors_equal(learn_experience(cases[::-1]), learn_experience(cases))


def test_adding_later_is_learning_at_once():
    first, later = history(6), history(4, seed=1, prefix="team")
    added = learn_experience(later, base=learn_experience(first, source="ours"), source="theirs")
    at_once = learn_experience([*first, *later])
    priors_equal(added, at_once)
    assert (added.pairs, added.cases) == (at_once.pairs, at_once.cases) == (20, 40)
    assert set(added.datasets) == set(at_once.datasets)
    assert added.source == "ours; theirs"


def test_a_dataset_is_not_added_twice():
    base = learn_experience(history(3))
    with pytest.raises(DataError, match="already holds d0, d1"):
        learn_experience(history(2), base=base)


def test_advice_gets_better_with_the_teams_own_history():
    """A team whose generators always hurt is told so, sooner than by the experience of others."""
    base, rng = learn_experience(history(20)), np.random.default_rng(9)
    harm = np.linspace(0.05, 0.6, K)

    def cases(count, prefix):
        found = []
        for i in range(count):
            truth = harm + 0.05 * rng.normal()
            values = truth + rng.multivariate_normal(np.zeros(K), 9 * (ERRORS + NOISE))
            found.append(Case(f"{prefix}{i}", "g", 100, Evidence(AT, values, NOISE), truth))
        return found

    added = learn_experience(cases(20, "team"), base=base)
    ratios = np.array([0.0, *KNOTS])
    chosen = {"base": [], "added": []}
    for case in cases(100, "new"):
        for name, experience in (("base", base), ("added", added)):
            posterior = condition(experience.prior(100), case.evidence)
            chosen[name].append(ratios[posterior.best(ratios)])
    assert np.mean(np.array(chosen["added"]) == 0) > np.mean(np.array(chosen["base"]) == 0) + 0.1


# --- what is unknown -----------------------------------------------------------------------------


def test_incomplete_cases_teach_what_they_know():
    """Truth up to ratio 2 only: the lower knots are learned from all, the upper from the rest."""
    complete, partial = history(150), history(150, seed=3, prefix="p", last=5)
    both = learn_experience([*complete, *partial])
    alone = learn_experience(complete)
    everything = learn_experience([*complete, *history(150, seed=3, prefix="p")])
    assert both.moments[0].weight == 2 * alone.moments[0].weight
    np.testing.assert_allclose(both.prior(100).mean[:5], everything.prior(100).mean[:5], atol=1e-9)
    np.testing.assert_allclose(both.prior(100).mean, mean_at(100), atol=0.08)
    np.testing.assert_allclose(both.prior(100).covariance, CURVES, atol=0.03)
    np.testing.assert_allclose(both.prior(100).error, ERRORS, atol=0.015)


def test_a_case_from_test_errors():
    evidence = Evidence(AT, np.zeros(K), NOISE)
    case = Case.measured("d", "g", 100, evidence, ratios=[0, 1, 4], errors=[2.0, 1.0, 0.5])
    assert case.truth[3] == pytest.approx(np.log(0.5))
    assert case.truth[5] == pytest.approx(np.log(0.25))
    assert np.log(0.5) > case.truth[4] > np.log(0.25)
    assert np.isnan(case.truth[6:]).all()
    assert not case.complete
    np.testing.assert_allclose(case.error[:6], -case.truth[:6])


@pytest.mark.parametrize(
    ("ratios", "errors"),
    [
        ([0.1, 1], [1, 2]),
        ([0, 1], [1, 0]),
        ([0, 2, 1], [1, 1, 1]),
        ([0], [1]),
        ([0, 1], [1, np.nan]),
    ],
)
def test_test_errors_that_say_nothing_are_refused(ratios, errors):
    with pytest.raises(DataError, match="first of them 0"):
        Case.measured("d", "g", 9, Evidence(AT, AT, NOISE), ratios=ratios, errors=errors)


def test_the_last_count_between_two_knots_is_at_neither():
    """Rows up to a ratio of 3: evidence at 2 counts, that at 3 is of no knot."""
    at = np.array([0.1, 0.25, 0.5, 1, 2, 3])
    evidence = Evidence(at, -0.1 * np.arange(6.0), np.eye(6))
    case = Case("d", "g", 100, evidence, np.zeros(K))
    np.testing.assert_allclose(case.error[:5], -0.1 * np.arange(5))
    assert np.isnan(case.error[5:]).all()
    assert np.isnan(case.noise[5:]).all()


def test_nothing_complete_needs_a_base():
    partial = history(3, last=4)
    with pytest.raises(DataError, match="base=shipped_experience"):
        learn_experience(partial)
    with pytest.raises(DataError):
        learn_experience([])
    assert (
        len(learn_experience(partial, base=learn_experience(history(5, prefix="b"))).datasets) == 8
    )


# --- the file ------------------------------------------------------------------------------------


def test_the_file_gives_the_same_prior_back(tmp_path):
    experience = learn_experience(history(5), source="simulated", level=0.95)
    path = tmp_path / "experience.json"
    path.write_text(json.dumps(experience.to_dict()))
    again = Experience.read(path)
    assert (again.datasets, again.level, again.source) == (experience.datasets, 0.95, "simulated")
    for name in ("mean", "covariance", "bias", "error"):
        np.testing.assert_allclose(
            getattr(again.prior(200), name), getattr(experience.prior(200), name), atol=1e-4
        )


def test_the_shipped_experience_is_a_prior_for_every_n():
    experience = shipped_experience()
    assert len(experience.datasets) >= 14
    assert "python -m benchmarks.experience" in experience.source
    for n in (10, 50, 100, 400, 1_600, 25_600):
        prior = experience.prior(n)
        for matrix in (prior.covariance, prior.error):
            np.testing.assert_allclose(matrix, matrix.T)
            assert np.linalg.eigvalsh(matrix).min() > 0
        assert np.all(np.isfinite(prior.mean))
    errors = [np.trace(experience.prior(n).error) for n in (100, 400, 1_600, 25_600)]
    assert errors == sorted(errors, reverse=True)


def test_posteriors_of_the_shipped_experience_follow_clear_evidence():
    """An unmistakable curve is believed whatever other datasets did."""
    prior = shipped_experience().prior(400)
    for truth in (np.linspace(0.3, 2, K), np.linspace(-0.3, -2, K)):
        posterior = condition(prior, Evidence(AT, truth, 1e-4 * np.eye(K)))
        ratios = np.array([0.0, *KNOTS])
        assert ratios[posterior.best(ratios)] == (0 if truth[-1] > 0 else 16)
        assert isinstance(posterior, Posterior)
        assert isinstance(prior, Prior)
