"""A recommendation as a person sees it: table and picture."""

from dataclasses import replace

import pytest
from scenario import good, rows

from synthmix_dagster import recommend_ratio
from synthmix_dagster.ratio.scoring import Score


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


def test_results_print_on_two_short_lines(advice):
    unknown = replace(advice.exchange, further_real_rows=None, worth=None)
    for result in (advice, advice.weighted, advice.exchange, unknown):
        assert repr(result).startswith(f"{type(result).__name__}(")
        assert len(repr(result)) < 180
    assert f"row_weight={advice.weighted.row_weight:.3g}" in repr(advice.weighted)
    assert f"rows={advice.exchange.rows}" in repr(advice.exchange)
    assert "worth=None" in repr(unknown)


def test_what_is_shown_is_escaped(advice):
    shown = replace(advice, reason="<script>", notes=("a < b",))._repr_html_()
    assert "<script>" not in shown
    assert "a &lt; b" in shown


def test_the_picture_has_the_curve_the_choice_the_bounds_and_the_baselines(advice):
    axes = replace(advice, interval=(0.5, advice.ratio), experience=None).plot()
    labels = axes.get_legend_handles_labels()[1]
    for words in (
        "predicted risk",
        "recommended, ratio",
        "within 1.28 standard errors of the best",
        "standard error of the difference",
        "no synthetic rows",
        "as many as real rows",
        "all synthetic rows",
    ):
        assert any(words in label for label in labels)


def test_bounds_that_agree_share_a_line_and_one_beyond_the_axis_is_told(advice):
    bounds = [
        replace(advice.bounds[0], name=name, row_ratio=ratio)
        for name, ratio in (("stability", 1.0), ("variance", 1.0), ("spectral", 99.0))
    ]
    axes = replace(advice, bounds=tuple(bounds)).plot()
    said = {text.get_text() for text in axes.texts}
    assert said == {"stability, variance bounds, 1.00", "spectral bound, 99.00 →"}


def test_an_interval_of_one_ratio_is_told_and_not_drawn(advice):
    alone = replace(advice, interval=(advice.ratio, advice.ratio), experience=None)
    axes = alone.plot()
    assert "every other ratio is worse by more than chance" in axes.get_title("left")
    assert not any("within" in at for at in axes.get_legend_handles_labels()[1])


def test_a_score_is_drawn_alone_in_its_own_direction_and_unit(advice):
    score = Score("roc_auc", True, "with 'yes' as the positive class")
    refits = tuple(replace(point, risk=-0.8) for point in advice.curve[:3])
    scored = replace(
        advice,
        refits=refits,
        learner="trees",
        experience=None,
        score=score,
        metric=score.label,
        baselines=dict.fromkeys(advice.baselines, -0.8),
    )
    axes = scored.plot()
    labels = axes.get_legend_handles_labels()[1]
    assert "cross-validated roc_auc of trees, used for the choice" in labels
    assert "predicted risk" not in labels
    assert axes.get_ylabel() == f"cross-validated\n{score.label}"
    assert 0.7 < axes.get_ylim()[0] < axes.get_ylim()[1] < 0.9
    assert "roc_auc: none=0.8" in repr(scored)
    assert "predicted roc_auc, none" in scored._repr_html_()


def test_the_picture_shows_the_fits_that_decide(advice):
    decided = replace(advice, refits=advice.curve[:3], learner="trees")
    labels = decided.plot().get_legend_handles_labels()[1]
    assert any("cross-validated risk of trees" in label for label in labels)


def test_the_picture_shows_what_these_rows_alone_say(advice):
    axes = replace(advice, interval=(0.5, advice.ratio)).plot()
    labels = axes.get_legend_handles_labels()[1]
    assert "predicted from these rows alone" in labels
    assert "holds the best ratio in nine of ten cases" in labels
    assert not any("indistinguishable" in label for label in labels)
    assert "in nine of ten cases" in axes.get_title("left")
    path = next(
        line for line in axes.get_lines() if line.get_label() == "predicted from these rows alone"
    )
    assert list(path.get_ydata()) == list(advice.experience.path_risks)


def test_a_notebook_says_how_many_datasets_stand_behind_it(advice):
    shown = advice._repr_html_()
    assert f"{advice.experience.datasets} datasets" in shown
    assert "these rows alone" in shown
