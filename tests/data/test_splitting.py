"""Evaluation rows: marked by a column, or put aside by their identity."""

import numpy as np
import pandas as pd
import pytest

from synthmix_dagster.data.dataset import open_dataset
from synthmix_dagster.data.splitting import split_by_column, split_evaluation
from synthmix_dagster.errors import ConfigError, DataError


def keyed(n):
    return pd.DataFrame({"id": range(n), "x": np.arange(n) * 0.5})


def test_every_row_is_on_one_side():
    rest, evaluation = split_evaluation(keyed(1000), share=0.25, key="id")
    assert sorted([*rest.id, *evaluation.id]) == list(range(1000))
    # Four standard deviations of a binomial with 1000 rows and a share of a quarter.
    assert abs(len(evaluation) - 250) < 55


def test_a_row_stays_on_its_side_when_others_are_added_or_reordered():
    _, before = split_evaluation(keyed(500), key="id")
    _, after = split_evaluation(keyed(900)[::-1], key="id")
    assert set(before.id) == {i for i in after.id if i < 500}


def test_another_seed_puts_other_rows_aside():
    one, other = (set(split_evaluation(keyed(500), seed=seed)[1].id) for seed in (0, 1))
    assert one != other


def test_files_are_split_by_place(tmp_path):
    keyed(300).to_parquet(tmp_path / "rows.parquet")
    rest, evaluation = split_evaluation(tmp_path / "rows.parquet")
    assert len(rest) + len(evaluation) == 300


@pytest.mark.parametrize("share", [0, 1, -0.5, float("nan")])
def test_an_impossible_share_is_refused(share):
    with pytest.raises(ConfigError, match="share"):
        split_evaluation(keyed(100), share=share)


def test_a_side_without_rows_is_refused():
    with pytest.raises(DataError, match="no rows are left for 'evaluation'"):
        split_evaluation(keyed(3), share=1e-9)


def test_a_column_marks_the_evaluation_rows():
    frame = keyed(10).assign(judge=[True, False] * 5)
    rest, evaluation = split_by_column(open_dataset(frame, "real"), "judge")
    assert rest.frame().to_dict("list") == keyed(10)[1::2].to_dict("list")
    assert evaluation.frame().to_dict("list") == keyed(10)[::2].to_dict("list")
    assert rest.fingerprint != evaluation.fingerprint


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (keyed(10), "no column 'judge'"),
        (keyed(10).assign(judge=1), "type int64"),
        (keyed(10).assign(judge=pd.array([True, None] * 5, dtype="boolean")), "5 missing values"),
        (keyed(10).assign(judge=True), "no rows are left for 'real'"),
        (keyed(10).assign(judge=False), "no rows are left for 'evaluation'"),
    ],
)
def test_a_column_that_does_not_say_which_is_refused(frame, words):
    with pytest.raises(DataError, match=words):
        split_by_column(open_dataset(frame, "real"), "judge")
