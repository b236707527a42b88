"""The distance of two datasets: what the report says and keeps."""

import json

import numpy as np
import pandas as pd
import pytest
from measuring import columns_of, distance_options_of, measure
from scenario import gaps, table

from synthmix_dagster.distance.measure import signed_root
from synthmix_dagster.distance.report import DistanceReport


@pytest.fixture
def real():
    return table(300, 0)


@pytest.fixture
def synthetic():
    return table(300, 1, shift=0.5)


def by_column(report):
    return {column.column: column for column in report.columns}


# --- what it measures ----------------------------------------------------------------------------


def test_a_shift_of_every_column_is_the_norm_of_the_shift():
    rng = np.random.default_rng(0)
    names = list("abcde")
    real = pd.DataFrame(rng.normal(size=(4000, 5)), columns=names)
    synthetic = pd.DataFrame(rng.normal(1.0, 1.0, size=(4000, 5)), columns=names)
    report = measure(real, synthetic, permutations=9)
    assert report.gap == pytest.approx(np.sqrt(5), rel=0.05)
    assert report.gap_per_column == pytest.approx(1.0, rel=0.05)
    assert report.dimension == 5
    assert report.p_value == 1 / 10
    for gap in gaps(report).values():
        assert gap == pytest.approx(1.0, rel=0.1)


def test_only_the_shifted_column_stands_out():
    rng = np.random.default_rng(0)
    real, synthetic = (pd.DataFrame(rng.normal(size=(2000, 20))).add_prefix("c") for _ in range(2))
    synthetic["c7"] += 1.0
    report = measure(real, synthetic, permutations=1)
    first, second = report.columns[:2]
    assert first.column == "c7"
    assert first.gap == pytest.approx(1.0, abs=0.1)
    assert second.gap < 0.2
    assert report.gap == pytest.approx(1.0, abs=0.15)


@pytest.mark.slow
def test_the_gap_of_a_category_is_the_root_of_the_total_variation():
    rng = np.random.default_rng(0)
    real = pd.DataFrame({"c": rng.choice(list("abc"), 20_000, p=[0.5, 0.3, 0.2])})
    synthetic = pd.DataFrame({"c": rng.choice(list("abc"), 20_000, p=[0.2, 0.3, 0.5])})
    (column,) = measure(real, synthetic, permutations=1).columns
    assert column.gap**2 == pytest.approx(0.3, abs=0.02)


def test_equal_distributions_have_a_gap_below_the_floor_and_no_small_p_value():
    report = measure(table(1000, 0), table(1000, 1), permutations=99)
    assert abs(report.gap) < report.floor
    assert report.p_value > 0.05


@pytest.mark.slow
def test_more_synthetic_rows_than_real_ones_make_no_gap():
    rng = np.random.default_rng(0)
    squares = [
        measure(
            pd.DataFrame({"x": rng.lognormal(size=100)}),
            pd.DataFrame({"x": rng.lognormal(size=1000)}),
            permutations=1,
            seed=seed,
        ).gap_squared
        for seed in range(60)
    ]
    assert abs(np.mean(squares)) < 3 * np.std(squares) / np.sqrt(len(squares))


@pytest.mark.slow
def test_p_values_are_uniform_when_nothing_differs():
    values = np.array(
        [
            measure(
                table(40, 2 * seed),
                table(50, 2 * seed + 1),
                permutations=19,
                directions=6,
                seed=seed,
            ).p_value
            for seed in range(100)
        ]
    )
    # Uniform on 0.05, 0.1 ... 1: three standard errors about the mean, and few in the tail.
    assert values.mean() == pytest.approx(0.525, abs=3 * 0.289 / 10)
    assert np.sum(values <= 0.1 + 1e-9) <= 20


def test_the_gap_is_the_signed_root_of_its_square(real, synthetic):
    for other in (synthetic, table(300, 2), real):
        report = measure(real, other, permutations=1)
        assert report.gap == signed_root(report.gap_squared)
        assert report.gap * abs(report.gap) == pytest.approx(report.gap_squared)
        assert report.gap_per_column == pytest.approx(report.gap / np.sqrt(report.dimension))


def test_identical_datasets_are_indistinguishable(real):
    report = measure(real, real.copy(), permutations=99)
    assert report.gap < report.floor / 2
    assert report.p_value > 0.5


def test_columns_come_largest_part_first(real, synthetic):
    values = [column.part for column in measure(real, synthetic, permutations=1).columns]
    assert values == sorted(values, reverse=True)


# --- what does not matter ------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_report(real, synthetic):
    first, second, other = (
        measure(real, synthetic, permutations=19, seed=seed) for seed in (3, 3, 4)
    )
    assert first == second
    assert first.gap != other.gap
    assert first.gap == pytest.approx(other.gap, abs=0.15)


def test_the_order_of_columns_does_not_change_their_gaps(real, synthetic):
    one = gaps(measure(real, synthetic, permutations=1))
    two = gaps(measure(real[["on", "colour", "y", "x"]], synthetic, permutations=1))
    assert one == pytest.approx(two, abs=1e-6)


def test_the_order_of_columns_hardly_changes_the_gap(real, synthetic):
    one = measure(real, synthetic, permutations=1)
    two = measure(real[["on", "colour", "y", "x"]], synthetic, permutations=1)
    assert one.gap == pytest.approx(two.gap, rel=0.1)
    assert one.floor == pytest.approx(two.floor, rel=0.1)


def test_names_and_units_do_not_matter(real, synthetic):
    def renamed(frame):
        return frame.assign(x=1000 * frame.x + 5, y=-frame.y / 7).add_prefix("new_")

    one, two = (
        measure(a, b, permutations=1)
        for a, b in ((real, synthetic), (renamed(real), renamed(synthetic)))
    )
    assert {f"new_{name}": gap for name, gap in gaps(one).items()} == pytest.approx(
        gaps(two), abs=1e-4
    )


def test_the_order_of_rows_changes_the_gap_within_its_noise_only():
    rng = np.random.default_rng(0)
    real, synthetic = table(1000, 0), table(1000, 1, shift=1.0)
    one = measure(real, synthetic, permutations=1)
    two = measure(real.iloc[rng.permutation(1000)], synthetic, permutations=1)
    assert one.gap == pytest.approx(two.gap, rel=0.1)


# --- missing values ------------------------------------------------------------------------------


def test_shares_of_missing_values_are_reported_and_make_a_gap(real):
    holed = table(300, 1)
    holed.loc[:149, "x"] = np.nan
    report = measure(real, holed, permutations=19)
    column = by_column(report)["x"]
    assert (column.real_missing, column.synthetic_missing) == (0.0, 0.5)
    assert report.columns[0].column == "x"
    assert report.p_value == 1 / 20


def test_the_same_missingness_makes_no_gap():
    one, two = table(1000, 0), table(1000, 1)
    for frame, seed in ((one, 2), (two, 3)):
        frame.loc[np.random.default_rng(seed).random(1000) < 0.3, "x"] = np.nan
    assert gaps(measure(one, two, permutations=1))["x"] < 0.2


# --- the report ----------------------------------------------------------------------------------


def test_a_report_survives_json(real, synthetic):
    report = measure(real, synthetic.assign(extra=1), permutations=3, notes=["by hand"])
    assert DistanceReport.from_dict(json.loads(json.dumps(report.to_dict()))) == report


def test_the_report_states_what_was_done(real):
    report = measure(real, table(50, 1), permutations=7, directions=11, seed=5, notes=["by hand"])
    assert (report.n_real, report.n_synthetic) == (300, 50)
    assert (report.method, report.n_permutations, report.seed) == ("sliced", 7, 5)
    assert report.n_directions >= 11
    assert report.n_directions % report.dimension == 0
    assert report.notes == ("by hand",)


@pytest.mark.parametrize(
    ("n", "m", "options"),
    [
        (4000, 4000, {}),
        pytest.param(500, 6000, {"target": "y"}, marks=pytest.mark.slow),
        pytest.param(3000, 3000, {"target": "y", "permutations": 0}, marks=pytest.mark.slow),
        pytest.param(*(2000, 2000, {"method": "exact", "permutations": 0}), marks=pytest.mark.slow),
        pytest.param(6000, 3000, {"permutations": 399}, marks=pytest.mark.slow),
    ],
)
def test_the_memory_that_was_planned_is_enough(n, m, options):
    import tracemalloc

    real, synthetic = table(n, 0), table(m, 1)
    tracemalloc.start()
    report = measure(real, synthetic, **{"permutations": 19, **options})
    peak = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    assert peak < report.memory_mb < 3 * peak + 100


def test_the_weight_of_the_target_does_not_change_how_far_it_moved(real, synthetic):
    plain, heavy = (
        measure(real, synthetic, target="y", weights=weights, permutations=9)
        for weights in ({}, {"y": 9.0})
    )
    assert heavy.conditional_gap == pytest.approx(plain.conditional_gap, rel=1e-3, abs=1e-4)
    assert heavy.input_gap == pytest.approx(plain.input_gap, rel=1e-3, abs=1e-4)


def test_without_permutations_there_is_neither_test_nor_interval(real, synthetic):
    quick = measure(real, synthetic, target="y", permutations=0)
    full = measure(real, synthetic, target="y", permutations=9)
    assert quick.p_value is None
    assert quick.interval is None
    assert quick.conditional_interval is None
    assert (quick.gap, quick.floor, quick.columns) == (full.gap, full.floor, full.columns)
    assert quick.conditional_gap == full.conditional_gap


def test_where_the_inputs_do_not_overlap_the_conditional_gap_says_so(real, synthetic):
    near = measure(real, synthetic, target="y", permutations=0)
    far = measure(real, synthetic.assign(x=synthetic["x"] + 30), target="y", permutations=0)
    assert near.overlap is not None
    assert far.overlap is not None
    assert near.overlap > 0.9
    assert far.overlap < 0.05
    assert not any("speaks for" in note for note in near.notes)
    assert any("speaks for" in note for note in far.notes)


def test_the_gap_alone_is_the_gap_of_the_whole_report():
    from synthmix_dagster.distance.measure import measure_gap

    rng = np.random.default_rng(0)
    real = pd.DataFrame({"x": rng.normal(size=80), "c": rng.choice(["a", "b", "c"], 80)})
    synthetic = pd.DataFrame({"x": rng.normal(1, 1, 200), "c": rng.choice(["a", "b"], 200)})
    options = {"categorical": ["c"], "directions": 20, "seed": 3}
    report = measure(real, synthetic, permutations=1, **options)
    columns, how = columns_of(options), distance_options_of(options)
    assert measure_gap(real, synthetic, columns=columns, options=how) == report.gap


@pytest.mark.slow
def test_p_values_do_not_see_whose_rows_set_the_scale():
    # With tails this heavy the scale of 40 real rows says most about which of them is far out.
    values = []
    for seed in range(80):
        rng = np.random.default_rng(seed)
        real, synthetic = (
            pd.DataFrame(rng.standard_t(1.5, size=(rows, 3))).add_prefix("c") for rows in (40, 200)
        )
        values.append(measure(real, synthetic, permutations=19, directions=3, seed=seed).p_value)
    assert 1 <= np.sum(np.array(values) <= 0.1 + 1e-9) <= 18
    assert np.mean(values) == pytest.approx(0.525, abs=3 * 0.289 / 80**0.5)
