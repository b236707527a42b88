"""The three verbs by themselves, on whatever holds the rows."""

from pathlib import Path

import pandas as pd
import pytest
from scenario import good, rows

from synthmix_dagster import SynthMixError, measure_distance, mix, recommend_ratio, verify_release

TASK = {"target": "y", "task": "regression"}


@pytest.fixture(scope="module")
def real() -> pd.DataFrame:
    return rows(100, seed=0)


def test_measure_recommend_and_mix_fit_together(real: pd.DataFrame, tmp_path: Path) -> None:
    synthetic = good()
    report = measure_distance(real, synthetic, permutations=19, **TASK)
    advice = recommend_ratio(real, synthetic, distance=report, **TASK)
    release = mix(real, synthetic, ratio=advice.ratio, output=tmp_path)
    assert report.interval[0] < report.gap < report.interval[1]
    assert advice.interval[0] <= advice.ratio <= advice.interval[1]
    assert verify_release(tmp_path).manifest == release.manifest
    assert release.manifest["realised"]["ratio"] == advice.ratio


def test_paths_and_frames_give_the_same_answer(real: pd.DataFrame, tmp_path: Path) -> None:
    real.to_parquet(tmp_path / "real.parquet")
    good().to_csv(tmp_path / "synthetic.csv", index=False)
    by_path = measure_distance(
        tmp_path / "real.parquet", str(tmp_path / "synthetic.csv"), permutations=1, **TASK
    )
    # The order in which rows are sampled differs, so folds do: the answer agrees, not each digit.
    by_frame = measure_distance(real, good(), permutations=1, **TASK)
    assert by_path.dimension == by_frame.dimension
    assert by_path.interval[0] < by_frame.gap < by_path.interval[1]


def test_one_column_name_is_not_a_list_of_letters(real: pd.DataFrame) -> None:
    keyed = real.assign(id=range(len(real)))
    report = measure_distance(keyed, good(), key="id", ignore="z", permutations=1)
    assert {column.column for column in report.columns} == {"x", "kind", "y"}


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"method": "slised"}, "Did you mean 'sliced'?"),
        ({"sample_rows": 3}, "option 'sample_rows'"),
        ({"seed": -1}, "option 'seed'"),
        ({"directions": 0}, "option 'directions'"),
        ({"key": "identity"}, "option 'key'"),
        ({"ignore": ["w"]}, "option 'ignore'"),
        ({"task": "regresion"}, "Did you mean 'regression'?"),
        ({"target": "w"}, "dataset 'real'"),
    ],
)
def test_a_wrong_option_is_named(
    real: pd.DataFrame, options: dict[str, object], named: str
) -> None:
    with pytest.raises(SynthMixError) as found:
        measure_distance(real, good(), **{**TASK, **options})
    assert named in str(found.value)


def test_a_ratio_is_never_above_what_there_is_however_it_was_sampled(tmp_path: Path) -> None:
    many, few = rows(3000, seed=0), good(11)
    advice = recommend_ratio(many, few, sample_rows=500, **TASK)
    assert advice.curve[-1].ratio <= 11 / 3000
    mix(many, few, ratio=advice.ratio, output=tmp_path)


def test_a_cap_on_the_rows_that_are_read_is_said(real: pd.DataFrame) -> None:
    advice = recommend_ratio(real, good(700), sample_rows=100, **TASK)
    assert advice.curve[-1].ratio == 5.0
    assert any("raise 'sample_rows'" in note for note in advice.notes)
