"""Tables and queries of a database on the command line; its address is in the environment."""

import sqlite3
from pathlib import Path

import duckdb
import pytest
from cli_runs import QUICK, TASK, answer, run
from scenario import good, rows

from synthmix_dagster import load_release


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "shop.duckdb"
    with duckdb.connect(str(path)) as connection:
        for name, frame in (("customers", rows(100, seed=0)), ("generated", good())):
            connection.register("given", frame)
            connection.execute(f"create table {name} as select * from given")
    monkeypatch.setenv("SHOP", f"duckdb://{path}")
    return path


def test_a_table_and_a_query_are_measured_and_mixed(tmp_path: Path, database: Path) -> None:
    sides = ("table:main.customers", "query:select * from generated where x < 9")
    measured = run("measure", *sides, "--connection", "SHOP", *TASK, *QUICK, "--json")
    assert measured.exit_code == 0, measured.stderr
    # Frames of the same rows give the same gap.
    rows(100, seed=0).to_parquet(tmp_path / "real.parquet")
    good().to_parquet(tmp_path / "good.parquet")
    files = (tmp_path / "real.parquet", tmp_path / "good.parquet")
    of_files = run("measure", *files, *TASK, *QUICK, "--json")
    assert answer(measured)["distance"]["gap"] == answer(of_files)["distance"]["gap"]
    mixed = run("mix", *sides, "--connection", "SHOP", "--ratio", 1, "--output", tmp_path / "out")
    assert mixed.exit_code == 0, mixed.stderr
    origin = load_release(tmp_path / "out").details.real.origin
    assert origin is not None
    assert origin["connection"] == "SHOP"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["table:customers", "--connection", "NOWHERE"], "no address of a database is given"),
        (["table:customers"], "no address of a database is given"),
        (["table:a b", "--connection", "SHOP"], "is not a plain name of a table"),
        (["query:drop table customers", "--connection", "SHOP"], "it begins with 'drop'"),
        (["table:nothing", "--connection", "SHOP"], "connection 'SHOP', query 'nothing'"),
        (["table:customers", "--connection", "HOME"], "the variable 'HOME' holds no address"),
        (
            ["table:customers", "--connection", "SHOP", "--read-real", "format=csv"],
            "only has a time zone",
        ),
    ],
)
def test_what_is_wrong_is_named(
    tmp_path: Path, database: Path, arguments: list[str], why: str
) -> None:
    first, *rest = arguments
    good().to_parquet(tmp_path / "good.parquet")
    result = run("measure", first, tmp_path / "good.parquet", *rest)
    assert result.exit_code == 2
    assert why in result.stderr


def test_other_schemes_are_drivers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with sqlite3.connect(tmp_path / "s.db") as connection:
        good().to_sql("generated", connection, index=False)
        rows(100, seed=0).to_sql("customers", connection, index=False)
    monkeypatch.setenv("SHOP", f"sqlite://{tmp_path}/s.db")
    sides = ("table:customers", "table:generated", "--connection", "SHOP")
    assert run("measure", *sides, *QUICK).exit_code == 0
    monkeypatch.setenv("SHOP", "invented://me:hunter2planted@host/db")
    refused = run("measure", *sides)
    assert refused.exit_code == 2
    assert "Install adbc-driver-invented" in refused.stderr
    assert "hunter2" not in refused.stderr
