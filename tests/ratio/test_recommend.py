"""From two datasets to a ratio: good and worthless generators, limits, judges, refusals."""

import json

import numpy as np
import pandas as pd
import pytest
import scenario

from synthmix_dagster.data.splitting import split_evaluation
from synthmix_dagster.errors import ConfigError, DataError, SynthMixError, UnknownChoiceError
from synthmix_dagster.ratio.path import RIDGES
from synthmix_dagster.ratio.recommendation import Recommendation
from synthmix_dagster.verbs.core import measure_distance, recommend_ratio

TASKS = {"number": "regression", "binary": "classification", "three": "classification"}


def table(rows, seed, kind="number", shuffled=False):
    """Rows of one distribution; a worthless generator shuffles the labels."""
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=rows), rng.normal(size=rows)
    y = np.sin(2 * x) + 0.5 * z + rng.normal(0, 0.4, rows)
    if shuffled:
        y = rng.permutation(y)
    label = {
        "number": y,
        "binary": np.where(y > 0, "yes", "no"),
        "three": np.digitize(y, [-0.5, 0.5]),
    }
    return pd.DataFrame({"x": x, "z": z, "y": label[kind]})


def ask(real, synthetic, kind="number", **options):
    return recommend_ratio(real, synthetic, target="y", task=TASKS[kind], **options)


@pytest.fixture(scope="module")
def real():
    return table(200, 0)


@pytest.fixture(scope="module")
def synthetic():
    return table(800, 1)


@pytest.fixture(scope="module")
def good(real, synthetic):
    return ask(real, synthetic)


# --- good and worthless generators ---------------------------------------------------------------


@pytest.mark.parametrize("kind", TASKS)
def test_a_perfect_generator_is_used_and_lowers_the_risk(kind):
    judges = table(2000, 2, kind)
    found = ask(table(200, 0, kind), table(800, 1, kind), kind, evaluation=judges)
    assert found.ratio >= 2
    assert found.baselines["recommended"] < found.baselines["none"]
    assert found.shape == "decreasing"


@pytest.mark.parametrize("kind", TASKS)
def test_a_perfect_generator_is_used_under_leave_one_out(kind):
    assert ask(table(200, 4, kind), table(800, 5, kind), kind).ratio >= 2


def test_a_generator_of_shuffled_labels_is_not_used(real):
    found = ask(real, table(800, 1, shuffled=True))
    assert found.ratio == 0
    assert found.interval == (0.0, 0.0)
    assert found.shape == "increasing"
    assert "no synthetic rows" in found.reason
    assert found.baselines["recommended"] == found.baselines["none"] < found.baselines["all"]


@pytest.mark.parametrize("kind", TASKS)
def test_the_fewest_of_worthless_rows_is_none(kind):
    judges = table(2000, 2, kind)
    found = ask(
        table(200, 0, kind),
        table(800, 1, kind, shuffled=True),
        kind,
        rule="smallest_equivalent",
        evaluation=judges,
    )
    assert found.ratio == 0
    assert "no synthetic rows" in found.reason


# --- the curve -----------------------------------------------------------------------------------


def test_the_recommendation_lies_on_its_curve(good):
    chosen = next(point for point in good.curve if point.ratio == good.ratio)
    assert chosen.risk == good.baselines["recommended"]
    assert chosen.equivalent
    assert good.interval[0] <= good.ratio <= good.interval[1]
    assert (good.curve[0].rows, good.curve[-1].rows) == (0, 800)
    assert good.baselines["none"] == good.curve[0].risk
    assert good.baselines["all"] == good.curve[-1].risk
    one_to_one = next(point for point in good.curve if point.rows == 200)
    assert good.baselines["one_to_one"] == one_to_one.risk
    assert all(point.ratio == point.rows / 200 for point in good.curve)


def test_rules_are_ordered(real, synthetic):
    fewest, best, most = (
        ask(real, synthetic, rule=rule)
        for rule in ("smallest_equivalent", "best", "largest_equivalent")
    )
    assert fewest.ratio <= best.ratio <= most.ratio
    assert best.baselines["recommended"] == min(point.risk for point in best.curve)
    assert fewest.ratio == most.interval[0]


def test_the_curve_does_not_depend_on_the_order_of_rows_beyond_its_landmarks(real, synthetic, good):
    # 200 real rows: other landmarks among the synthetic ones, the same recommendation.
    again = ask(real[::-1], synthetic[::-1])
    assert again.ratio == good.ratio
    assert again.baselines["none"] == pytest.approx(good.baselines["none"], rel=0.1)


def test_units_and_names_do_not_matter(real, synthetic, good):
    def renamed(frame):
        return frame.assign(x=frame.x * 100 + 7, y=5 - 3 * frame.y).rename(columns={"x": "width"})

    again = ask(renamed(real), renamed(synthetic), distance=measure_distance(real, synthetic))
    risks = [[point.risk for point in found.curve] for found in (again, good)]
    # Rows are sampled in the order of their content, which changes the landmarks.
    np.testing.assert_allclose(*risks, rtol=0.05)


# --- limits --------------------------------------------------------------------------------------


@pytest.mark.parametrize("max_ratio", [0.1, 0.5, 1.0, 3.7])
def test_the_highest_ratio_is_respected(max_ratio, real, synthetic):
    found = ask(real, synthetic, max_ratio=max_ratio)
    assert all(point.ratio <= max_ratio for point in found.curve)
    assert found.curve[-1].rows == int(max_ratio * 200)


def test_more_than_there_is_changes_nothing(real, synthetic, good):
    assert ask(real, synthetic, max_ratio=100) == good


def test_the_highest_ratio_is_reached_whatever_its_rounding(synthetic):
    assert ask(table(100, 0), synthetic, max_ratio=0.29).curve[-1].rows == 29


def test_an_infinite_highest_ratio_is_no_limit(real, synthetic, good):
    assert ask(real, synthetic, max_ratio=float("inf")) == good


def test_a_highest_ratio_of_zero_recommends_none(real, synthetic):
    found = ask(real, synthetic, max_ratio=0)
    assert found.ratio == 0
    assert [point.rows for point in found.curve] == [0]
    assert "no synthetic rows" in found.reason


def test_a_highest_ratio_is_no_disagreement_of_the_bound(real, synthetic):
    assert not any("bound" in note for note in ask(real, synthetic, max_ratio=0).notes)


@pytest.mark.parametrize("rows", [290, 490])
def test_a_bound_that_pools_everything_agrees_with_using_everything(rows, synthetic):
    distance = measure_distance(synthetic, synthetic.iloc[1:], permutations=1)
    found = ask(table(150, 4), table(rows, 5), distance=distance)
    assert found.ratio == found.interval[1] == rows / 150
    assert not any("bound" in note for note in found.notes)


@pytest.mark.parametrize("max_ratio", [-0.1, float("nan")])
def test_an_impossible_highest_ratio_is_refused(max_ratio, real, synthetic):
    with pytest.raises(ConfigError, match="max_ratio"):
        ask(real, synthetic, max_ratio=max_ratio)


def test_an_unknown_rule_or_task_is_refused(real, synthetic):
    with pytest.raises(UnknownChoiceError, match="Did you mean 'best'"):
        ask(real, synthetic, rule="bets")
    with pytest.raises(UnknownChoiceError, match="Did you mean 'regression'"):
        recommend_ratio(real, synthetic, target="y", task="regresion")


# --- judges --------------------------------------------------------------------------------------


def test_without_evaluation_rows_the_optimism_is_stated(good):
    assert good.provenance.judged == "unknown"
    assert any("optimistic" in note and "'evaluation'" in note for note in good.notes)


def test_evaluation_rows_judge_the_risk(real, synthetic, good):
    found = ask(real, synthetic, evaluation=table(500, 2))
    assert found.provenance.judged == "evaluation"
    assert "500 evaluation rows" in found.provenance.sentence
    assert not any("optimistic" in note for note in found.notes)
    assert found.baselines["none"] != good.baselines["none"]
    assert found.baselines["none"] == pytest.approx(good.baselines["none"], rel=0.3)


def test_a_column_can_mark_the_evaluation_rows(real, synthetic):
    judges = table(500, 2)
    marked = pd.concat([real.assign(judge=False), judges.assign(judge=True)])
    found = ask(marked, synthetic, evaluation_column="judge")
    assert found.n_real == 200
    assert found.baselines == ask(real, synthetic, evaluation=judges).baselines
    with pytest.raises(ConfigError, match="evaluation_column"):
        ask(marked, synthetic, evaluation_column="judge", evaluation=judges)


def test_rows_put_aside_for_the_generator_judge_it(synthetic):
    rest, judges = split_evaluation(table(400, 0), share=0.3)
    found = ask(rest, synthetic, evaluation=judges)
    assert found.n_real == len(rest)
    assert found.provenance.judged == "evaluation"


def test_evaluation_rows_that_are_real_rows_are_refused(real, synthetic):
    with pytest.raises(DataError, match="50 of its 150 rows are also in the real") as caught:
        ask(real, synthetic, evaluation=pd.concat([table(100, 2), real[:50]]))
    assert caught.value.dataset == "evaluation"


def test_evaluation_rows_of_another_relation_turn_the_recommendation(real, synthetic):
    # The generator is right about a world that is not the real one's.
    world = table(1000, 2).assign(y=lambda frame: -frame.y)
    assert ask(real, synthetic, evaluation=world, rule="path").ratio == 0
    assert ask(real, synthetic.assign(y=-synthetic.y), evaluation=world).ratio == 4.0


def test_copies_of_the_real_rows_look_good_to_leave_one_out_only(real):
    copies = pd.concat([real] * 4, ignore_index=True)
    assert ask(real, copies).baselines["all"] < 0.9 * ask(real, copies).baselines["none"]
    judged = ask(real, copies, evaluation=table(2000, 2), rule="path").baselines
    assert judged["all"] > 0.98 * judged["none"]


def test_evaluation_rows_need_every_column(real, synthetic):
    with pytest.raises(DataError, match=r"column 'z'.*is not there") as caught:
        ask(real, synthetic, evaluation=table(100, 2)[["x", "y"]])
    assert caught.value.dataset == "evaluation"


@pytest.mark.parametrize(
    ("judges", "words"),
    [
        (table(100, 2).assign(y=np.nan), "missing in 100 of 100 rows"),
        (table(5, 2), "it has 5 rows"),
        (table(0, 2), "no rows"),
        (table(100, 2)[["x", "z"]], "no target column 'y'"),
    ],
)
def test_evaluation_rows_that_cannot_judge_are_refused(judges, words, real, synthetic):
    with pytest.raises(DataError, match=words) as caught:
        ask(real, synthetic, evaluation=judges)
    assert caught.value.dataset == "evaluation"


@pytest.mark.parametrize("value", ["abc", np.inf])
def test_evaluation_rows_of_another_type_are_refused(value, real, synthetic):
    with pytest.raises(DataError, match="evaluation"):
        ask(real, synthetic, evaluation=table(100, 2).assign(x=value))


# --- the result ----------------------------------------------------------------------------------


def test_a_recommendation_survives_json(good):
    written = json.dumps(good.to_dict(), allow_nan=False)
    assert Recommendation.from_dict(json.loads(written)) == good


def test_the_same_seed_gives_the_same_recommendation(real, synthetic, good):
    assert ask(real, synthetic) == good
    other = ask(real, synthetic, seed=1)
    assert other != good
    assert other.baselines["none"] == pytest.approx(good.baselines["none"], rel=0.1)


def test_the_result_says_what_a_risk_is(good):
    assert good.metric == "mean squared error in real variances"
    found = ask(table(100, 0, "binary"), table(100, 1, "binary"), "binary")
    assert found.metric == "Brier score"
    assert all(0 <= point.risk <= 2 for point in found.curve)


def test_a_distance_measured_before_is_used(real, synthetic):
    far = measure_distance(real, synthetic.assign(x=synthetic.x + 50), permutations=1)
    bound, *_ = ask(real, synthetic, distance=far).bounds
    assert bound.constants["gap"] == far.gap
    assert bound.ratio == 0


def test_the_constants_of_the_bound_are_those_of_the_fit_without_synthetic_rows(good):
    constants = good.bounds[0].constants
    # C = 2 mean(e^2) / ridge, and the ridge is one of those tried.
    ridge = 2 * good.baselines["none"] / constants["capacity"]
    assert min(abs(np.log(ridge / np.array(RIDGES)))) < 1e-6
    # xi = 2 rms(e) sqrt(1 + mean |grad f|^2), and y hangs on x by about a standard deviation.
    slope = constants["lipschitz"] ** 2 / (4 * good.baselines["none"]) - 1
    assert 0.5 < slope < 5


def test_a_bound_that_disagrees_is_noted(real, synthetic):
    far = measure_distance(real, synthetic.assign(x=synthetic.x + 50), permutations=1)
    assert any("the stability bound" in note for note in ask(real, synthetic, distance=far).notes)


# --- samples -------------------------------------------------------------------------------------


def test_a_sample_keeps_the_meaning_of_ratios(real, synthetic):
    found = ask(table(400, 0), table(1000, 1), sample_rows=100)
    assert (found.n_real, found.n_synthetic) == (100, 250)
    assert found.curve[-1].ratio == 2.5
    for point in found.curve:
        assert point.ratio * 100 == pytest.approx(point.rows)
        assert point.rows <= 250
    assert any("100 of 400 real rows" in note for note in found.notes)
    assert any("250 of 1000 synthetic rows" in note for note in found.notes)
    assert any("100 real rows; with all 400" in note for note in found.notes)


def test_a_sample_never_reads_more_than_five_synthetic_rows_each():
    found = ask(table(150, 0), table(3000, 1), sample_rows=100)
    assert (found.n_real, found.n_synthetic) == (100, 500)


def test_without_sampling_all_rows_are_used(good):
    assert (good.n_real, good.n_synthetic) == (200, 800)
    assert not any("sample" in note for note in good.notes)


# --- odd data ------------------------------------------------------------------------------------


def test_a_synthetic_copy_does_not_break_it(real):
    found = ask(real, real.iloc[1:])
    assert np.isfinite([point.risk for point in found.curve]).all()


def test_constant_and_empty_features_are_left_out(real, synthetic):
    def widened(frame):
        return frame.assign(one=1.0, void=np.nan)

    found = ask(widened(real), widened(synthetic))
    assert "dropped, constant in real: one" in found.notes
    assert "dropped, no value in real: void" in found.notes
    assert found.ratio > 0


def test_missing_features_do_not_break_it(real, synthetic):
    holed = synthetic.copy()
    holed.loc[::3, "x"] = np.nan
    found = ask(real, holed)
    assert np.isfinite([point.risk for point in found.curve]).all()


def test_the_target_takes_no_part_among_the_features(real, synthetic):
    # Were it among them, nothing would be left to predict.
    assert ask(real, synthetic).baselines["none"] > 0.1


def test_ignored_and_key_columns_are_left_out(real, synthetic, good):
    def leaked(frame):
        return frame.assign(leak=frame.y, id=range(len(frame)))

    found = ask(leaked(real), leaked(synthetic), ignore=["leak"], key=["id"])
    assert found.baselines["none"] == pytest.approx(good.baselines["none"], rel=0.05)


def test_ten_rows_of_each_are_enough():
    found = ask(table(10, 0), table(10, 1))
    assert 0 <= found.ratio <= 1


@pytest.mark.parametrize("side", ["real", "synthetic"])
@pytest.mark.parametrize("rows", [0, 1, 9])
def test_too_few_rows_are_refused(rows, side, real):
    pair = {"real": (real[:rows], real), "synthetic": (real, real[:rows])}[side]
    with pytest.raises(DataError, match=rf"it has ({rows}|no) rows?") as caught:
        ask(*pair)
    assert caught.value.dataset == side


@pytest.mark.parametrize("side", ["real", "synthetic"])
@pytest.mark.parametrize(
    ("value", "words"), [(np.nan, "missing in 1 of 200 rows"), (np.inf, "infinite")]
)
def test_a_target_that_cannot_be_learnt_is_refused(side, value, words, real):
    broken = real.copy()
    broken.loc[3, "y"] = value
    pair = {"real": (broken, real), "synthetic": (real, broken)}[side]
    with pytest.raises(DataError, match=words) as caught:
        ask(*pair)
    assert (caught.value.dataset, caught.value.column) == (side, "y")


@pytest.mark.parametrize(
    ("kind", "value", "words"), [("number", 3.0, "constant"), ("binary", "yes", "one class")]
)
def test_a_constant_target_is_refused(kind, value, words, real):
    with pytest.raises(DataError, match=words) as caught:
        ask(real.assign(y=value), real.assign(y=value), kind)
    assert (caught.value.dataset, caught.value.column) == ("real", "y")


def test_a_class_that_no_real_row_has_is_refused():
    odd = table(100, 1, "binary").replace({"y": {"yes": "maybe"}})
    with pytest.raises(DataError, match="class 'maybe'") as caught:
        ask(table(100, 0, "binary"), odd, "binary")
    assert (caught.value.dataset, caught.value.column) == ("synthetic", "y")


def test_a_class_that_no_synthetic_row_has_is_no_obstacle():
    synthetic = table(200, 1, "three")
    found = ask(table(100, 0, "three"), synthetic[synthetic.y != 2], "three")
    assert np.isfinite([point.risk for point in found.curve]).all()
    # Rows that never say 2 cannot be all there is.
    assert found.baselines["recommended"] <= found.baselines["none"]


@pytest.mark.parametrize("learner", ["kernel", "linear"])
def test_more_features_than_rows_and_repeated_columns_do_not_break_it(learner):
    def wide(frame):
        return frame.assign(**{f"again{i}": frame.x for i in range(30)})

    found = ask(wide(table(12, 0)), wide(table(40, 1)), learner=learner)
    assert np.isfinite([point.risk for point in found.curve]).all()


def test_a_regression_on_text_is_refused():
    with pytest.raises(ConfigError, match="'y' of dataset 'real'") as caught:
        ask(table(100, 0, "binary"), table(100, 1, "binary"))
    assert caught.value.option == "task"


def test_nothing_but_a_target_is_refused(real, synthetic):
    with pytest.raises(SynthMixError, match="no column in common"):
        ask(real[["y"]], synthetic[["y"]])


def test_classes_and_levels_that_synthetic_rows_lack_are_the_headline(real, synthetic):
    from synthmix_dagster.gates.other_verdicts import judge_recommendation

    def labelled(frame, rare):
        kind = np.where(np.arange(len(frame)) % 10 == 0, rare, "usual")
        return frame.assign(kind=kind)

    found = ask(labelled(real, "rare"), labelled(synthetic, "usual"))
    assert found.absent == ("kind: 'rare' (10.0% of the real rows) is absent",)
    assert found.reason.startswith("The synthetic rows lack what real rows have (kind: 'rare' ")
    assert found.ratio > 0
    verdict = judge_recommendation(found)
    assert not verdict.passed
    assert "kind: 'rare' (10.0% of the real rows) is absent" in verdict.sentence
    assert type(found).from_dict(found.to_dict()).absent == found.absent
    assert ask(labelled(real, "rare"), labelled(synthetic, "rare")).absent == ()


@pytest.mark.parametrize("rule", ["posterior", "path"])
def test_a_flat_curve_is_undecided_until_somebody_says_what_it_means(rule):
    # A target that nothing predicts: no rows help and none hurt.
    real, synthetic = (
        scenario.rows(n, seed=s, shuffled_target=True) for s, n in enumerate((100, 400))
    )
    options = {"target": "y", "task": "regression", "rule": rule}
    open_ = recommend_ratio(real, synthetic, **options)
    rows = recommend_ratio(real, synthetic, **options, flat_curve="rows")
    none = recommend_ratio(real, synthetic, **options, flat_curve="none")
    assert (open_.undecided, rows.undecided, none.undecided) == (True, False, False)
    assert rows.ratio == open_.ratio > 0
    assert none.ratio == 0
    assert none.baselines["recommended"] == none.baselines["none"]
    assert none.curve == open_.curve
    assert type(none).from_dict(none.to_dict()) == none


def test_a_curve_that_is_not_flat_is_left_as_it_is():
    real, synthetic = scenario.rows(60, seed=0), scenario.good(200)
    options = {"target": "y", "task": "regression"}
    without, said = (
        recommend_ratio(real, synthetic, **options, **more) for more in ({}, {"flat_curve": "none"})
    )
    assert not without.undecided
    assert (said.ratio, said.reason) == (without.ratio, without.reason)
