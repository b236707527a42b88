"""A recommendation as a person sees it: table and picture."""

from dataclasses import replace

import pytest
from scenario import good, rows

from synthmix_dagster import recommend_ratio


@pytest.fixture(scope="module")
def advice():
    return recommend_ratio(rows(100, seed=0), good(), target="y", task="regression")


def test_a_notebook_shows_the_reason_and_what_it_rests_on(advice):
    shown = advice._repr_html_()
    for words in (
        advice.reason,
        "kernel",
        advice.weighted.reason,
        advice.exchange.reason,
        "stability",
        "resamples",
    ):
        assert words in shown


def test_what_is_shown_is_escaped(advice):
    shown = replace(advice, reason="<script>", notes=("a < b",))._repr_html_()
    assert "<script>" not in shown
    assert "a &lt; b" in shown


def test_the_picture_has_the_curve_the_choice_the_bounds_and_the_baselines(advice):
    labels = advice.plot().get_legend_handles_labels()[1]
    for words in (
        "predicted risk",
        "recommended, ratio",
        "not distinguishable",
        "standard error",
        "stability bound",
        "no synthetic rows",
        "as many as real rows",
        "all synthetic rows",
    ):
        assert any(words in label for label in labels)


def test_the_picture_shows_the_fits_that_decide(advice):
    decided = replace(advice, refits=advice.curve[:3], learner="trees")
    labels = decided.plot().get_legend_handles_labels()[1]
    assert any("cross-validated risk of trees" in label for label in labels)
