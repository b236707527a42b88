"""Options and datasets that `measure` refuses, by name and with what to do next."""

import numpy as np
import pytest
from measuring import measure
from scenario import table

from synthmix_dagster.errors import ConfigError, DataError, UnknownChoiceError


@pytest.fixture
def real():
    return table(300, 0)


@pytest.fixture
def synthetic():
    return table(300, 1, shift=0.5)


@pytest.mark.parametrize("rows", [0, 1, 9])
@pytest.mark.parametrize("side", ["real", "synthetic"])
def test_too_few_rows_are_refused(side, rows, real):
    pair = {"real": (real[:rows], real), "synthetic": (real, real[:rows])}[side]
    with pytest.raises(DataError, match=rf"it has {rows} rows?\. Provide at least 10") as caught:
        measure(*pair)
    assert caught.value.dataset == side


def test_ten_rows_are_enough(real, synthetic):
    assert np.isfinite(measure(real[:10], synthetic[:11], permutations=3).gap)


def test_an_unknown_method_is_refused_with_the_nearest(real):
    with pytest.raises(UnknownChoiceError, match="Did you mean 'sliced'"):
        measure(real, real, method="slised")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"directions": 0}, "'directions': it is 0"),
        ({"permutations": -1}, "'permutations': it is -1"),
        ({"p": 3}, "'p': it is 3. Set it to 1 or 2"),
        ({"p": 1, "method": "gaussian"}, "'p': the distance of two Gaussians"),
        ({"scaling": "ranks"}, "'scaling'.*Did you mean 'rank'"),
        ({"weights": {"colour": 0.0}}, "'weights': the weight of 'colour' is 0.0"),
        ({"weights": {"color": 1.0}}, "'weights'.*Did you mean 'colour'"),
        ({"groups": "colours"}, "'groups'.*Did you mean 'colour'"),
        ({"memory_mb": 1}, r"'memory_mb': measuring 300 real .* needs about \d+ MB, but 1 are"),
    ],
)
def test_an_option_that_cannot_be_is_refused_by_name(options, words, real):
    with pytest.raises(ConfigError, match=words):
        measure(real, real, **options)


@pytest.mark.parametrize("options", [{"ignore": ["y"]}, {"groups": "y"}])
def test_a_target_that_another_option_leaves_out_is_refused(options, real):
    with pytest.raises(ConfigError, match="'y' is also named by") as caught:
        measure(real, real, target="y", **options)
    assert caught.value.option == "target"


def test_one_wild_synthetic_value_is_an_error_and_not_a_gap_below_zero(real, synthetic):
    synthetic.loc[0, "x"] = 1e12
    with pytest.raises(DataError, match="standard deviations out") as caught:
        measure(real, synthetic, permutations=0)
    assert (caught.value.dataset, caught.value.column) == ("synthetic", "x")


def test_a_group_for_one_side_only_and_groups_too_few_are_refused(real):
    grouped = real.assign(day=np.arange(300) // 100)
    with pytest.raises(DataError, match="no column 'day', which 'groups' names") as caught:
        measure(grouped, real, groups="day")
    assert caught.value.dataset == "synthetic"
    with pytest.raises(DataError, match=r"it has 3 groups\. Provide rows of at least 4"):
        measure(grouped, grouped, groups="day")
    grouped["day"] = grouped["day"].where(grouped["day"] > 0)
    with pytest.raises(DataError, match="missing in 100 of 300 rows") as caught:
        measure(grouped, grouped, groups="day")
    assert caught.value.column == "day"


def test_labels_that_are_written_differently_are_refused_as_a_recommendation_refuses_them(real):
    labelled = real.assign(late=np.arange(300) % 2)
    other = labelled.assign(late=labelled["late"] == 1)
    expected = "'late': it has the classes False, True, none of which a real row has.*: 0, 1"
    with pytest.raises(DataError, match=expected) as caught:
        measure(labelled, other, target="late", categorical=["late"])
    assert caught.value.dataset == "synthetic"
