"""The verb `measure_distance`: samples, keys and targets, before the numerics see a row."""

from decimal import Decimal

import numpy as np
import pytest
from scenario import gaps, table

from synthmix_dagster.errors import ConfigError, DataError, UnknownChoiceError
from synthmix_dagster.verbs.core import measure_distance


@pytest.fixture
def real():
    return table(300, 0)


@pytest.fixture
def synthetic():
    return table(300, 1, shift=0.5)


def test_a_sample_of_either_side_is_noted(real):
    report = measure_distance(real, table(120, 1), sample_rows=100, permutations=1)
    assert (report.n_real, report.n_synthetic) == (100, 100)
    assert report.notes == (
        "a uniform sample of 100 of 300 real rows was used",
        "a uniform sample of 100 of 120 synthetic rows was used",
    )


def test_without_sampling_there_is_no_note(real, synthetic):
    report = measure_distance(real, synthetic, sample_rows=300, permutations=1)
    assert (report.n_real, report.n_synthetic, report.notes) == (300, 300, ())


def test_a_sample_sees_the_same_gap():
    real, synthetic = table(4000, 0), table(4000, 1, shift=1.0)
    whole = measure_distance(real, synthetic, permutations=1)
    part = measure_distance(real, synthetic, sample_rows=1000, permutations=1)
    assert part.gap == pytest.approx(whole.gap, rel=0.1)


@pytest.mark.parametrize("sample_rows", [0, -5])
def test_a_sample_of_no_rows_is_refused(sample_rows, real):
    with pytest.raises(ConfigError, match="sample_rows"):
        measure_distance(real, real, sample_rows=sample_rows)


def test_a_sample_too_small_is_blamed_on_the_option(real):
    with pytest.raises(ConfigError, match="sample_rows"):
        measure_distance(real, real, sample_rows=5)


def test_key_and_ignored_columns_take_no_part(real, synthetic):
    keyed = real.assign(id=range(300), junk="j")
    report = measure_distance(
        keyed, synthetic.assign(junk="k"), key=["id"], ignore=["junk"], permutations=1
    )
    assert set(gaps(report)) == set(real.columns)
    assert report.notes == ()


def test_an_unknown_key_is_blamed_on_the_key(real):
    with pytest.raises((ConfigError, DataError), match="'key'"):
        measure_distance(real, real, key=["idd"], permutations=1)


def test_a_numeric_target_of_a_classification_is_a_category(real, synthetic):
    numbered = [frame.assign(label=frame.on.astype(int) * 2) for frame in (real, synthetic)]
    as_number = measure_distance(*numbered, target="label", task="regression", permutations=1)
    as_class = measure_distance(*numbered, target="label", task="classification", permutations=1)
    declared = measure_distance(*numbered, categorical=["label"], permutations=1)
    assert (as_class.gap, as_class.columns) == (declared.gap, declared.columns)
    assert as_class.gap != as_number.gap


def test_wrong_labels_are_seen():
    real, synthetic = table(2000, 0), table(2000, 1)
    shuffled = synthetic.assign(y=np.random.default_rng(0).permutation(synthetic.y))
    fair = measure_distance(real, synthetic, target="y", task="regression", permutations=1)
    wrong = measure_distance(real, shuffled, target="y", task="regression", permutations=1)
    assert abs(fair.gap) < 0.15
    assert wrong.gap > 0.3
    assert gaps(wrong)["y"] < 0.15


@pytest.mark.parametrize("side", ["real", "synthetic"])
def test_a_target_that_is_not_there_is_refused_with_the_nearest(side, real):
    lacking = real.rename(columns={"y": "z"})
    pair = {"real": (lacking, real), "synthetic": (real, lacking)}[side]
    with pytest.raises(DataError, match="no target column 'y'") as caught:
        measure_distance(*pair, target="y", task="regression")
    assert caught.value.dataset == side
    with pytest.raises(DataError, match="Did you mean 'colour'"):
        measure_distance(real, real, target="color")


@pytest.mark.parametrize("side", ["real", "synthetic"])
def test_a_target_with_gaps_is_refused_even_where_no_sampled_row_has_one(side, real):
    holed = real.copy()
    holed.loc[17, "y"] = np.nan
    pair = {"real": (holed, real), "synthetic": (real, holed)}[side]
    with pytest.raises(DataError, match="missing in 1 of 300 rows") as caught:
        measure_distance(*pair, target="y", task="regression", sample_rows=20)
    assert (caught.value.dataset, caught.value.column) == (side, "y")


@pytest.mark.parametrize(
    ("task", "value", "words"),
    [("regression", 4.0, "constant"), ("classification", "only", "one class")],
)
def test_a_constant_target_is_refused_when_the_task_is_known(task, value, words, real):
    with pytest.raises(DataError, match=words) as caught:
        measure_distance(real.assign(y=value), real.assign(y=value), target="y", task=task)
    assert (caught.value.dataset, caught.value.column) == ("real", "y")


def test_an_unknown_task_is_refused_with_the_nearest(real):
    with pytest.raises(UnknownChoiceError, match="Did you mean 'regression'"):
        measure_distance(real, real, target="y", task="regresion")


def test_an_empty_dataset_is_refused(real):
    with pytest.raises(DataError, match="no rows") as caught:
        measure_distance(real, real[:0])
    assert caught.value.dataset == "synthetic"


def test_a_decimal_target_is_a_number(real, synthetic):
    # What a price in a database comes as.
    pair = [
        frame.assign(y=[Decimal(f"{value:.2f}") for value in frame.y])
        for frame in (real, synthetic)
    ]
    report = measure_distance(*pair, target="y", task="regression", permutations=1)
    assert "y" in gaps(report)


def test_every_row_is_looked_at_where_the_gap_is_that_of_every_row(real, synthetic):
    options = {"rows": "all", "sample_rows": 40, "permutations": 0}
    clean = measure_distance(real, synthetic, **options)
    assert (clean.n_real, clean.n_synthetic, clean.rows) == (300, 300, "all")
    for value, words in ((np.inf, "1 of its 300 values is infinite"), (1e9, "deviations out")):
        wild = unsampled(real, synthetic, value)
        measure_distance(real, wild, **{**options, "rows": "sample"})
        with pytest.raises(DataError, match=words) as caught:
            measure_distance(real, wild, **options)
        assert (caught.value.dataset, caught.value.column) == ("synthetic", "x")


def test_a_value_missing_outside_the_sample_is_noted(real, synthetic):
    options = {"sample_rows": 40, "permutations": 0}
    holed = unsampled(real, synthetic, np.nan)
    note = "x: 1 synthetic values are missing, but none in the sample: they count as its mean"
    assert note in measure_distance(real, holed, rows="all", **options).notes
    assert note not in measure_distance(real, holed, **options).notes


def unsampled(real, frame, value):
    """The frame with this value of x in a row that a sample of 40 does not hold."""
    from synthmix_dagster.data.dataset import open_dataset
    from synthmix_dagster.data.priority import salted, sample_positions

    for row in range(len(frame)):
        changed = frame.assign(x=frame["x"].where(frame.index != row, value))
        pair = open_dataset(real, "real"), open_dataset(changed, "synthetic")
        salt = salted(0, [side.fingerprint for side in pair])
        if row not in sample_positions(pair[1], 40, salt, []):
            return changed
    raise AssertionError("every row was drawn")


def test_the_same_rows_give_the_same_numbers_whichever_door_they_come_through(tmp_path):
    real, synthetic = table(200, 0), table(500, 1, shift=0.3)
    shuffled = synthetic.sample(frac=1, random_state=1).reset_index(drop=True)
    synthetic.to_parquet(tmp_path / "one.parquet", row_group_size=70)
    synthetic.to_parquet(tmp_path / "cut otherwise.parquet", row_group_size=500)
    shuffled.to_csv(tmp_path / "one.csv", index=False)
    (tmp_path / "parts").mkdir()
    shuffled[:123].to_parquet(tmp_path / "parts" / "b.parquet")
    shuffled[123:].to_parquet(tmp_path / "parts" / "a.parquet")
    doors = [
        synthetic,
        shuffled,
        tmp_path / "one.parquet",
        tmp_path / "cut otherwise.parquet",
        tmp_path / "one.csv",
        tmp_path / "parts",
    ]
    reports = [measure_distance(real, door, permutations=5) for door in doors]
    numbers = {(report.gap, report.interval, report.floor, report.p_value) for report in reports}
    assert len(numbers) == 1
