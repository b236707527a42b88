"""Any text in any dialect: it comes back as it was written, or an error names the place."""

import csv
import io
import tempfile
from pathlib import Path
from typing import Any

import pytest
from fuzzing import cases, result_or_named
from hypothesis import assume, given
from hypothesis import strategies as st
from odd_tables import HOSTILE

from synthmix_dagster import open_dataset
from synthmix_dagster.data.options import NULLS

TEXTS = st.one_of(st.sampled_from([t for t in HOSTILE if len(t) < 100]), st.text(max_size=6))
DIALECTS = st.fixed_dictionaries(
    {
        "delimiter": st.sampled_from([",", ";", "\t", "|", "~"]),
        "quote": st.sampled_from(['"', "'"]),
        "encoding": st.sampled_from(["utf-8", "latin-1", "cp1252", "utf-16", "utf-8-sig"]),
        "header": st.booleans(),
        "skip_rows": st.sampled_from([0, 0, 2]),
    }
)


def written(rows: list[list[str]], names: list[str], dialect: dict[str, Any]) -> bytes | None:
    """A file in a dialect, every text in quotes; None where the encoding lacks a character."""
    held = io.StringIO()
    writer = csv.writer(
        held,
        delimiter=dialect["delimiter"],
        quotechar=dialect["quote"],
        quoting=csv.QUOTE_ALL,
        lineterminator="\n",
    )
    held.write("# said before\n" * dialect["skip_rows"])
    if dialect["header"]:
        writer.writerow(names)
    writer.writerows(rows)
    try:
        return held.getvalue().encode(dialect["encoding"])
    except UnicodeEncodeError:
        return None


def comes_back(rows: list[list[str]], dialect: dict[str, Any]) -> None:
    names = ["first", "second"]
    content = written(rows, names, dialect)
    assume(content is not None)
    assert content is not None
    options = {**dialect, "types": dict.fromkeys(names, "string")}
    if not dialect["header"]:
        options["names"] = names
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        path.write_bytes(content)
        opened = result_or_named(lambda: open_dataset(path, "made", csv=options), "'made'", "csv")
        if opened is not None:
            assert opened.table.to_pydict() == {
                name: [row[place] for row in rows] for place, name in enumerate(names)
            }


ROWS = st.lists(st.lists(TEXTS, min_size=2, max_size=2), min_size=1, max_size=5)


@cases(60)
@given(rows=ROWS, dialect=DIALECTS)
def test_quoted_texts_come_back(rows: list[list[str]], dialect: dict[str, Any]) -> None:
    comes_back(rows, dialect)


@pytest.mark.slow
@cases(800)
@given(rows=ROWS, dialect=DIALECTS)
def test_quoted_texts_come_back_at_length(rows: list[list[str]], dialect: dict[str, Any]) -> None:
    comes_back(rows, dialect)


def inferred(values: list[str]) -> None:
    """Types are guessed: what is no number stays what it was, and a number keeps its value."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        path.write_text("x,y\n" + "".join(f"{value},1.5\n" for value in values), "utf-8")
        opened = result_or_named(lambda: open_dataset(path, "made"), "'made'")
        if opened is None:
            return
        column = opened.table["x"]
        assert len(column) == len(values)
        for text, value in zip(values, column.to_pylist(), strict=True):
            if text in NULLS:
                assert value is None
            elif isinstance(value, str):
                assert value == text
            elif isinstance(value, bool):
                assert text.lower() in ("true", "false", "0", "1")
            elif isinstance(value, int | float):
                assert float(text) == float(value) or (
                    value != value and float(text) != float(text)
                )
                assert not isinstance(value, int) or int(text) == value
            else:  # a date or a time
                assert str(value).startswith(text[:5])


NUMERALS = st.one_of(
    st.integers(-(2**70), 2**70).map(str),
    st.floats().map(repr),
    st.sampled_from(
        ["", "0", "-0", "+5", "007", "-0012", "1.", ".5", "1e5", "1E400", "1e-400", "0x10", "1_000",
         "١٢", "inf", "-Infinity", "NaN", "NA", "true", "TRUE", "2020-01-01", "2020-02-30", "12:30",
         "2020-01-01T00:00:00Z", "9223372036854775808", "0.1", "1,5".replace(",", "."), "1 "]
    ),
)  # fmt: skip


@cases(60)
@given(values=st.lists(NUMERALS, min_size=1, max_size=4))
def test_guessed_types_keep_every_value(values: list[str]) -> None:
    inferred(values)


@pytest.mark.slow
@cases(1500)
@given(values=st.lists(NUMERALS, min_size=1, max_size=4))
def test_guessed_types_keep_every_value_at_length(values: list[str]) -> None:
    inferred(values)


def any_bytes(content: bytes, ending: str, options: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"rows.{ending}"
        path.write_bytes(content)

        def work() -> int:
            opened = open_dataset(path, "made", csv=options)
            return sum(len(frame) for frame in opened.batches())

        result_or_named(work, "'made'", "csv", "option '")


ENDINGS = st.sampled_from(
    ["csv", "tsv", "csv.gz", "csv.zst", "csv.bz2", "json", "jsonl", "parquet", "arrow", "orc"]
)
BYTES = st.one_of(
    st.binary(max_size=200),
    st.text(alphabet='a1.,;|"\n\r\t []{}:-e', max_size=60).map(str.encode),
    st.text(max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass")),
)
ODD = st.fixed_dictionaries(
    {},
    optional={
        "delimiter": st.sampled_from([",", ";", '"', "\n", "a", "1", "\x00", "é"]),
        "decimal": st.sampled_from([".", ",", "1", "e", "\n", '"']),
        "quote": st.sampled_from(['"', "", "'", "\n", "a"]),
        "encoding": st.sampled_from(
            ["utf-8", "ascii", "utf-16", "utf-7", "base64", "rot13", "idna"]
        ),
        "header": st.booleans(),
        "names": st.lists(st.sampled_from(["a", "b", "", "a b"]), max_size=3),
        "skip_rows": st.integers(0, 5),
        "null_values": st.lists(st.sampled_from(["", "a", "1", "é"]), max_size=2),
        "types": st.dictionaries(
            st.sampled_from(["a", "b", ""]),
            st.sampled_from(
                ["string", "int64", "decimal(3,5)", "decimal(99,1)", "list", "null", "x"]
            ),
            max_size=2,
        ),
        "time_formats": st.lists(st.sampled_from(["%d.%m.%Y", "%H", "%q", "", "%"]), max_size=2),
    },
)


@cases(60)
@given(content=BYTES, ending=ENDINGS, options=ODD)
def test_any_bytes_are_rows_or_a_named_error(
    content: bytes, ending: str, options: dict[str, Any]
) -> None:
    any_bytes(content, ending, options)


@pytest.mark.slow
@cases(2000)
@given(content=BYTES, ending=ENDINGS, options=ODD)
def test_any_bytes_are_rows_or_a_named_error_at_length(
    content: bytes, ending: str, options: dict[str, Any]
) -> None:
    any_bytes(content, ending, options)
