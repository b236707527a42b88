"""Whose risk a recommendation speaks of, and when it may not decide."""

import numpy as np
import pandas as pd
import pytest

from synthmix_dagster.errors import UnknownChoiceError
from synthmix_dagster.verbs.core import recommend_ratio


def table(rows, seed):
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=rows), rng.normal(size=rows)
    return pd.DataFrame({"x": x, "z": z, "y": np.sin(2 * x) + 0.5 * z + rng.normal(0, 0.4, rows)})


def ask(real, synthetic, **options):
    return recommend_ratio(real, synthetic, target="y", task="regression", **options)


@pytest.fixture(scope="module")
def real():
    return table(200, 0)


@pytest.fixture(scope="module")
def synthetic():
    return table(800, 1)


@pytest.fixture(scope="module")
def good(real, synthetic):
    return ask(real, synthetic)


# --- generators that saw the real rows -----------------------------------------------------------


def test_a_generator_that_saw_the_real_rows_gets_a_safe_ratio(real, synthetic):
    found = ask(real, synthetic, generator_saw_real=True)
    assert found.ratio == 0
    assert found.provenance.judged == "seen"
    assert "'generator_saw_real'" in found.reason
    assert "'evaluation'" in found.reason


def test_rows_that_betray_the_real_ones_are_found(real):
    made = pd.concat([real] * 4, ignore_index=True)
    made[["x", "z"]] += np.random.default_rng(0).normal(0, 0.05, (800, 2))
    for declared in (None, False):
        found = ask(real, made, generator_saw_real=declared)
        assert found.ratio == 0
        assert found.provenance.judged == "found"
        assert ("says otherwise" in found.reason) == (declared is False)


def test_evaluation_rows_overrule_what_the_generator_saw(real, synthetic):
    found = ask(real, synthetic, generator_saw_real=True, evaluation=table(500, 2))
    assert found.ratio > 0


def test_an_honest_declaration_leaves_no_note(real, synthetic, good):
    found = ask(real, synthetic, generator_saw_real=False)
    assert found.provenance.judged == "unseen"
    assert found.ratio == good.ratio
    assert not any("optimistic" in note for note in found.notes)


# --- learners ------------------------------------------------------------------------------------


def test_a_linear_learner_has_a_linear_risk(real, synthetic):
    found = ask(real, synthetic, learner="linear")
    # The sine is out of its reach: its part of the variance stays.
    assert found.baselines["none"] > 2 * ask(real, synthetic).baselines["none"]


def test_by_the_path_trees_are_fitted_to_the_few_mixes_that_it_proposes(real, synthetic):
    good = ask(real, synthetic, rule="path")
    found = ask(real, synthetic, learner="trees", rule="path")
    proposed = {0, 50, 800, *(round(ratio * 200) for ratio in good.interval)}
    assert proposed <= {point.rows for point in found.refits}
    assert len(found.refits) <= 6
    assert found.ratio in {point.ratio for point in found.refits}
    assert found.baselines["none"] == found.refits[0].risk != good.baselines["none"]
    assert found.curve == good.curve


def test_trees_take_a_few_rows_even_of_a_generator_that_saw_the_real_ones(real, synthetic):
    assert ask(real, synthetic, learner="trees", generator_saw_real=True).ratio == 0.25


def test_an_estimator_decides_for_itself(real, synthetic):
    from sklearn.linear_model import Ridge

    found = ask(real, synthetic, estimator=Ridge())
    assert found.learner == "Ridge"
    linear = ask(real, synthetic, learner="linear").baselines["none"]
    assert found.baselines["none"] == pytest.approx(linear, rel=0.1)


def test_an_unknown_learner_is_refused(real, synthetic):
    with pytest.raises(UnknownChoiceError, match="Did you mean 'trees'"):
        ask(real, synthetic, learner="tree")
