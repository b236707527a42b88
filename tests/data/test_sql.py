"""Statements are cut into code and quotes, and refused where they write."""

import pytest

from synthmix_dagster.data.sql import Query, code_of, names_of, quoted, require_reading
from synthmix_dagster.errors import ConfigError

READS = [
    "select * from t",
    " ( select 1 ) ",
    "with x as (select 1) select * from x;",
    "VALUES (1)",
    "select 'delete from t; drop' as x from t",
    'select "update" from t -- insert into t',
    "select insert(a, 1, 2, 'x') from t",
    "select t.update from t /* ; delete */",
    "select $tag$ ; delete from t $tag$",
    "from t",
]
WRITES = {
    "delete from t": "it begins with 'delete'",
    "select 1; delete from t": "it holds several statements",
    "with x as (delete from t returning *) select * from x": r"it writes \('delete'\)",
    "with x as (select 1) insert into t select * from x": r"it writes \('insert'\)",
    "select * into u from t": r"it writes \('into'\)",
    "select * from t for update": r"it writes \('update'\)",
    "copy t to '/tmp/x'": "it begins with 'copy'",
    "/* select */ drop table t": "it begins with 'drop'",
    "'select'": "it begins with ''",
    "": "it begins with ''",
}


@pytest.mark.parametrize("sql", READS)
def test_statements_that_read(sql: str) -> None:
    require_reading(sql)


@pytest.mark.parametrize(("sql", "why"), WRITES.items())
def test_statements_that_write_are_refused(sql: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        require_reading(sql)


@pytest.mark.parametrize(
    "name", ['t"; drop table u; --', "a b", "t;", "a.b.c.d", "", ".t", "t.", "1t", "t'"]
)
def test_names_that_are_not_plain_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="is not a plain name of a table"):
        names_of(name)
    assert quoted("analytics.churn_training") == '"analytics"."churn_training"'


def test_code_is_what_stands_outside_of_quotes_and_comments() -> None:
    assert code_of("a 'b''c' d \"e\" -- f\ng /* h\n */ i `j` $$k$$ $1").split() == [
        "a",
        "d",
        "g",
        "i",
        "$1",
    ]


def test_what_is_shown_of_a_query_is_one_line_without_secrets() -> None:
    query = Query(
        ("\n  select * from postgres_scan('host=h password=hunter2', 't')\nwhere a = ", ""), ("1",)
    )
    assert query.shown == "select * from postgres_scan('host=h password=***', 't')"
    assert "hunter2" not in query.whole
    assert query.whole.endswith("where a = {1}")
    assert len(Query(("select " + "x" * 500,)).shown) == 122
    assert Query(table="a.b").shown == "a.b"
    with_address = Query(("select * from read_parquet('s3://key:topsecret@b/c')",))
    assert "topsecret" not in with_address.shown
