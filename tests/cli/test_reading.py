"""Options of datasets on the command line, for both sides or one."""

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from synthmix_dagster import load_release
from synthmix_dagster.cli import main
from synthmix_dagster.cli.reading import options_of
from synthmix_dagster.errors import ConfigError


@pytest.fixture
def sides(tmp_path):
    for name, seed, separator in (("real", 0, ";"), ("synthetic", 1, "|")):
        rng = np.random.default_rng(seed)
        frame = pd.DataFrame({"x": rng.normal(size=60), "y": rng.normal(size=60)})
        frame.to_csv(tmp_path / f"{name}.csv", sep=separator, decimal=",", index=False)
    return [str(tmp_path / "real.csv"), str(tmp_path / "synthetic.csv")]


def run(*arguments):
    return CliRunner().invoke(main, arguments)


def test_each_side_is_read_with_its_own_options(sides):
    refused = run("measure", *sides, "--permutations", "1")
    assert refused.exit_code == 2
    assert 'csv: {delimiter: ";"}' in refused.stderr
    read = ("--read", "csv.decimal=,", "--read-real", "csv.delimiter=;")
    result = run(
        "measure",
        *sides,
        *read,
        "--read-synthetic",
        "csv.delimiter=|",
        "--permutations",
        "1",
        "--json",
    )
    assert result.exit_code == 0, result.output
    columns = {c["column"] for c in json.loads(result.stdout)["distance"]["columns"]}
    assert columns == {"x", "y"}


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        ("csv.delimeter=;", "Did you mean 'csv.delimiter'"),
        ("timezone", "unknown option"),
        ("csv.types=string", "unknown option"),
        ("csv.decimal.x=,", "unknown option"),
        ("key=x", "unknown option"),
        ("csv.header=maybe", "Use true or false"),
    ],
)
def test_an_unknown_option_is_refused_with_the_nearest(pair, words):
    with pytest.raises(ConfigError, match=words):
        options_of([pair])
    assert options_of(["csv.header=false", "csv.skip_rows=2", "version=7"]) == {
        "csv": {"header": False, "skip_rows": 2},
        "version": "7",
    }


def test_a_release_states_how_each_side_was_read(sides, tmp_path):
    read = ("--read", "csv.decimal=,", "--read-real", "csv.delimiter=;")
    made = ("--read-synthetic", "csv.delimiter=|", "--ratio", "1", "--output", str(tmp_path / "o"))
    result = run("mix", *sides, *read, *made)
    assert result.exit_code == 0, result.output
    inputs = load_release(tmp_path / "o").manifest["inputs"]
    assert inputs["real"]["reading"] == {"csv": {"decimal": ",", "delimiter": ";"}}
    assert inputs["synthetic"]["reading"] == {"csv": {"decimal": ",", "delimiter": "|"}}


def test_evaluation_rows_are_read_as_the_real_ones(sides, tmp_path):
    rng = np.random.default_rng(2)
    judges = pd.DataFrame({"x": rng.normal(size=60), "y": rng.normal(size=60)})
    judges.to_csv(tmp_path / "judges.csv", sep=";", decimal=",", index=False)
    command = ("recommend", *sides, "--target", "y", "--task", "regression", "--read")
    read = (
        "csv.decimal=,",
        "--read-real",
        "csv.delimiter=;",
        "--read-synthetic",
        "csv.delimiter=|",
    )
    result = run(*command, *read, "--evaluation", str(tmp_path / "judges.csv"), "--json")
    assert result.exit_code in (0, 1), result.output
    assert json.loads(result.stdout)["recommendation"]["learner"]
