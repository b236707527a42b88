"""Files as the field writes them: dialects, codes, JSON, ORC, indexes, zones and odd types."""

import bz2
import gzip
import json
import uuid
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.orc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthmix_dagster import measure_distance, mix, open_dataset
from synthmix_dagster.errors import ConfigError, DataError


def rows_of(path: Any, **options: Any) -> dict[str, list[Any]]:
    return open_dataset(path, "real", **options).table.to_pydict()


CODES = "zip,n\n00012,1\n00090,2\n10115,3\n"


def test_codes_stay_text_and_reach_the_release(tmp_path: Path) -> None:
    for side, more in (("real", "00012"), ("synthetic", "00090")):
        lines = [f"{more},{n + (side == 'real') / 2}" for n in range(20)]
        (tmp_path / f"{side}.csv").write_text("zip,n\n" + "\n".join(lines) + "\n")
    release = mix(
        tmp_path / "real.csv", tmp_path / "synthetic.csv", ratio=0.5, output=tmp_path / "out"
    )
    assert set(release.to_arrow()["zip"].to_pylist()) == {"00012", "00090"}


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["12", "90"], pa.int64()),
        (["0", "10"], pa.int64()),
        (["012", "90"], pa.string()),
        (["-01", "7"], pa.string()),
        (["0.5", "1.5"], pa.float64()),
        (["00.5", "1.5"], pa.string()),
        (["1234567890123456789", "2"], pa.string()),
        (["123456789012345678", "2"], pa.int64()),
        (["12345678901234567890123", "2"], pa.string()),
        (["", "007"], pa.string()),
    ],
)
def test_leading_zeros_and_long_numbers_are_codes(
    tmp_path: Path, values: list[str], kind: pa.DataType
) -> None:
    (tmp_path / "a.csv").write_text("code,x\n" + "".join(f"{each},1\n" for each in values))
    table = open_dataset(tmp_path / "a.csv").table
    assert table["code"].type == kind
    if kind == pa.string():
        assert table["code"].to_pylist() == [each or None for each in values]


def test_codes_in_one_file_of_a_folder_are_text_in_all(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("zip\n10115\n20095\n")
    (tmp_path / "b.csv").write_text("zip\n01067\n")
    assert rows_of(tmp_path) == {"zip": ["10115", "20095", "01067"]}


def test_a_stated_type_stands_over_what_looks_like_a_code(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(CODES)
    assert rows_of(tmp_path / "a.csv", csv={"types": {"zip": "int64"}})["zip"] == [12, 90, 10115]
    as_text = rows_of(tmp_path / "a.csv", csv={"types": {"n": "string"}})
    assert as_text["n"] == ["1", "2", "3"]
    money = rows_of(tmp_path / "a.csv", csv={"types": {"n": "decimal(10, 2)"}})
    assert money["n"] == [Decimal("1.00"), Decimal("2.00"), Decimal("3.00")]
    with pytest.raises(DataError, match=r"unknown type 'texts' of column 'n'.*Use one of string"):
        open_dataset(tmp_path / "a.csv", csv={"types": {"n": "texts"}})


DIALECTS: dict[str, tuple[bytes, dict[str, Any]]] = {
    "semicolons and decimal commas": (
        b"x;c;y\n0,5;b;-0,25\n1,5;a;2,0\n",
        {"delimiter": ";", "decimal": ","},
    ),
    "tabs": (b"x\tc\ty\n0.5\tb\t-0.25\n1.5\ta\t2.0\n", {"delimiter": "\t"}),
    "single quotes": (b"x,c,y\n0.5,'b',-0.25\n1.5,'a',2.0\n", {"quote": "'"}),
    "without header": (
        b"0.5,b,-0.25\n1.5,a,2.0\n",
        {"header": False, "names": ["x", "c", "y"]},
    ),
    "other names": (b"u,v,w\n0.5,b,-0.25\n1.5,a,2.0\n", {"names": ["x", "c", "y"]}),
    "lines before the header": (
        b"exported\nby hand\nx,c,y\n0.5,b,-0.25\n1.5,a,2.0\n",
        {"skip_rows": 2},
    ),
    "utf-16": ("x,c,y\n0.5,b,-0.25\n1.5,a,2.0\n".encode("utf-16"), {"encoding": "utf-16"}),
}


@pytest.mark.parametrize("name", DIALECTS)
def test_a_dialect_is_read_as_it_is_stated(tmp_path: Path, name: str) -> None:
    content, options = DIALECTS[name]
    (tmp_path / "a.csv").write_bytes(content)
    found = rows_of(tmp_path / "a.csv", csv=options)
    assert found == {"x": [0.5, 1.5], "c": ["b", "a"], "y": [-0.25, 2.0]}


def test_missing_values_and_encodings(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("x,name\n1,Zoë\nn/a,-\n".encode("latin-1"))
    options = {"encoding": "latin-1", "null_values": ["n/a", "-"]}
    assert rows_of(tmp_path / "a.csv", csv=options) == {"x": [1, None], "name": ["Zoë", None]}


def test_tab_separated_files_need_no_option(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("x\ty\n1\t2\n")
    assert rows_of(tmp_path / "a.tsv") == {"x": [1], "y": [2]}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"x;c;y\n0,1257;b;-0,5047\n", "looks separated by ';'.*delimiter: \";\""),
        (b"x\ty\n1\t2\n", "looks separated by"),
        (b"x|y\n1|2\n", r"looks separated by '\|'"),
        ("x,größe\n1,2\n".encode("latin-1"), "encoding: latin-1"),
        ("x,c\n1,größe\n".encode("latin-1"), "encoding: latin-1"),
    ],
)
def test_another_dialect_is_guessed_in_the_message(
    tmp_path: Path, content: bytes, words: str
) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(DataError, match=words):
        open_dataset(tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"delimeter": ";"}, "Did you mean 'delimiter'"),
        ({"delimiter": ";;"}, "single character"),
        ({"decimal": ","}, "is the decimal point as well"),
        ({"encoding": "latin-99"}, "unknown encoding"),
        ({"skip_rows": -1}, "Set it to 0 or more"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        open_dataset("a.csv", csv=options)


def test_a_dialect_is_part_of_the_fingerprint(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,c\n1,NA\n")
    plain = open_dataset(tmp_path / "a.csv")
    told = open_dataset(tmp_path / "a.csv", csv={"null_values": ["NA"]})
    assert plain.fingerprint != told.fingerprint
    assert plain.fingerprint == open_dataset(tmp_path / "a.csv", csv={}).fingerprint


RECORDS = [{"x": n, "c": "ab"[n % 2], "more": None if n % 3 else n / 2} for n in range(500)]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("block", [64, 2**20])
def test_one_array_of_objects_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, indent: int | None, block: int
) -> None:
    monkeypatch.setattr("synthmix_dagster.data.text_formats.TEXT_BLOCK", block)
    (tmp_path / "a.json").write_text(json.dumps(RECORDS, indent=indent))
    assert open_dataset(tmp_path / "a.json").table.to_pylist() == RECORDS
    lines = "\n".join(map(json.dumps, RECORDS))
    (tmp_path / "b.json").write_text(lines)
    assert open_dataset(tmp_path / "b.json").table.to_pylist() == RECORDS


@pytest.mark.parametrize(
    ("text", "words"),
    [('[{"x": 1}, 2]', "not objects only"), ('[{"x": 1}, {"x"', "does not end")],
)
def test_other_json_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(DataError, match=words):
        open_dataset(tmp_path / "a.json")


def test_json_about_rows_beside_them_is_not_rows(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": [1, 2]}), tmp_path / "a.parquet")
    (tmp_path / "manifest.json").write_text('{"x": 3}')
    assert rows_of(tmp_path) == {"x": [1, 2]}


def test_orc_is_read_a_stripe_at_a_time(tmp_path: Path) -> None:
    table = pa.table({"x": range(300_000), "c": ["abc"[n % 3] for n in range(300_000)]})
    pyarrow.orc.write_table(table, tmp_path / "a.orc", stripe_size=2**16)
    opened = open_dataset(tmp_path / "a.orc")
    assert opened.table.equals(table)
    assert opened.frame([7, 299_999])["x"].tolist() == [7, 299_999]
    assert opened.select(["c"]).table["c"].to_pylist()[:3] == ["a", "b", "c"]


PACKERS = {"gz": gzip.compress, "bz2": bz2.compress, "zst": lambda raw: _zstd(raw)}


def _zstd(raw: bytes) -> bytes:
    return pa.compress(raw, codec="zstd", asbytes=True)


@pytest.mark.parametrize("ending", PACKERS)
@pytest.mark.parametrize(("kind", "text"), [("csv", "x\n1\n2\n"), ("jsonl", '{"x":1}\n{"x":2}\n')])
def test_packed_text_is_read(tmp_path: Path, ending: str, kind: str, text: str) -> None:
    (tmp_path / f"a.{kind}.{ending}").write_bytes(PACKERS[ending](text.encode()))
    assert rows_of(tmp_path / f"a.{kind}.{ending}") == {"x": [1, 2]}


@pytest.mark.parametrize("begin", [0, 1])
@pytest.mark.parametrize("name", ["", "Unnamed: 0"])
def test_an_unnamed_running_number_is_left_out(tmp_path: Path, name: str, begin: int) -> None:
    frame = pd.DataFrame({"x": [0.5, 0.25, 0.75]}, index=range(begin, begin + 3))
    frame.to_csv(tmp_path / "a.csv", index_label=name or None)
    opened = open_dataset(tmp_path / "a.csv")
    assert opened.columns == ["x"]
    assert opened.notes == (
        "the unnamed first column, a running number, is not data and was left out",
    )


def test_an_unnamed_column_of_data_is_kept(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(",x\n5,1\n3,2\n")
    assert rows_of(tmp_path / "a.csv") == {"": [5, 3], "x": [1, 2]}


def test_a_stored_index_is_left_out_but_for_the_key(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": np.arange(40.0), "g": ["a", "b"] * 20})
    frame[frame["x"] % 3 > 0].to_parquet(tmp_path / "a.parquet")
    named = frame.set_index(pd.Index([f"c{n}" for n in range(40)], name="customer"))
    named.to_parquet(tmp_path / "b.parquet")
    opened = open_dataset(tmp_path / "a.parquet")
    assert opened.columns == ["x", "g"]
    assert opened.notes == (
        "the index '__index_level_0__' that pandas stored is not data and was left out",
    )
    assert open_dataset(tmp_path / "b.parquet").columns == ["x", "g"]
    assert open_dataset(tmp_path / "b.parquet", key=["customer"]).columns[-1] == "customer"
    assert open_dataset(tmp_path / "b.parquet", columns=["customer"]).columns == ["customer"]
    report = measure_distance(
        tmp_path / "a.parquet", tmp_path / "b.parquet", permutations=9, directions=20
    )
    assert {column.column for column in report.columns} == {"x", "g"}
    assert any("real: the index '__index_level_0__'" in note for note in report.notes)


def test_categories_in_some_files_are_read_as_what_they_stand_for(tmp_path: Path) -> None:
    pd.DataFrame({"c": pd.Categorical(["a", "b"])}).to_parquet(tmp_path / "a.parquet")
    pd.DataFrame({"c": ["b", "d"]}).to_parquet(tmp_path / "b.parquet")
    assert rows_of(tmp_path) == {"c": ["a", "b", "b", "d"]}
    pd.DataFrame({"c": [1.5]}).to_parquet(tmp_path / "c.parquet")
    with pytest.raises(DataError, match="incompatible types"):
        open_dataset(tmp_path)


NOON = datetime(2026, 7, 1, 12)


@pytest.mark.parametrize("naive", ["real", "synthetic"])
def test_times_with_and_without_a_zone_are_refused_by_name(tmp_path: Path, naive: str) -> None:
    whole = {"at": pd.date_range("2026-07-01", periods=30, freq="h"), "x": np.arange(30.0)}
    sides = {name: pd.DataFrame(whole) for name in ("real", "synthetic")}
    sides["synthetic"]["x"] += 0.5
    for name, frame in sides.items():
        if name != naive:
            frame["at"] = frame["at"].dt.tz_localize("UTC")
    with pytest.raises(DataError, match=f"'{naive}', column 'at': its times have no time zone"):
        measure_distance(*sides.values())
    opened = [
        open_dataset(frame, name, timezone="UTC" if name == naive else None)
        for name, frame in sides.items()
    ]
    assert measure_distance(*opened, permutations=0, directions=20).gap < 0.1


def test_a_stated_zone_is_the_one_of_the_clock(tmp_path: Path) -> None:
    pd.DataFrame({"at": [NOON]}).to_parquet(tmp_path / "a.parquet")
    pd.DataFrame({"at": [NOON]}).to_csv(tmp_path / "a.csv", index=False)
    for name in ("a.parquet", "a.csv"):
        (at,) = rows_of(tmp_path / name, timezone="Europe/Berlin")["at"]
        assert at.astimezone(timezone.utc) == datetime(2026, 7, 1, 10, tzinfo=timezone.utc)
    with pytest.raises(ConfigError, match="unknown time zone 'Berlin'"):
        open_dataset(tmp_path / "a.csv", timezone="Berlin")


def test_types_of_databases_become_plain_ones(tmp_path: Path) -> None:
    ids = [uuid.UUID(int=n) for n in (1, 2)]
    numeric = pa.opaque(pa.string(), "numeric", "PostgreSQL")
    exact = pa.opaque(pa.string(), "numeric(10, 2)", "PostgreSQL")
    table = pa.table(
        {
            "n": pa.ExtensionArray.from_storage(numeric, pa.array(["1.5", None])),
            "exact": pa.ExtensionArray.from_storage(exact, pa.array(["1.50", "2.25"])),
            "id": pa.ExtensionArray.from_storage(
                pa.uuid(), pa.array([i.bytes for i in ids], pa.binary(16))
            ),
            "doc": pa.ExtensionArray.from_storage(pa.json_(), pa.array(['{"a": 1}', "[]"])),
        }
    )
    expected = {
        "n": [Decimal("1.5"), None],
        "exact": [Decimal("1.50"), Decimal("2.25")],
        "id": [str(i) for i in ids],
        "doc": ['{"a": 1}', "[]"],
    }
    pq.write_table(table, tmp_path / "a.parquet")
    for source in (table, tmp_path / "a.parquet"):
        opened = open_dataset(source, "real")
        assert opened.table.to_pydict() == expected
        assert opened.schema.field("exact").type == pa.decimal128(10, 2)
        assert "'id' holds uuids and is read as text" in opened.notes


SAME = pd.DataFrame({"x": np.arange(50) / 7, "c": ["a", "b"] * 25})


def test_the_same_rows_on_both_sides_are_refused(tmp_path: Path) -> None:
    SAME.to_parquet(tmp_path / "a.parquet")
    SAME.sample(frac=1, random_state=3).to_csv(tmp_path / "b.csv", index=False)
    for other in (tmp_path / "a.parquet", tmp_path / "b.csv", SAME):
        with pytest.raises(DataError, match="'synthetic': it holds the same 50 rows as 'real'"):
            measure_distance(tmp_path / "a.parquet", other)
    one_differs = SAME.assign(x=SAME["x"].where(SAME.index != 3, 9.5))
    assert measure_distance(SAME, one_differs, permutations=0, directions=20).gap < 0.1


@given(
    st.lists(
        st.integers(0, 10**25).map(str) | st.from_regex(r"0?\d{1,4}", fullmatch=True), min_size=1
    )
)
def test_whole_numbers_come_back_as_they_were_written(values: list[str]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.csv"
        path.write_text("code,x\n" + "".join(f"{each},1\n" for each in values))
        assert [str(each) for each in rows_of(path)["code"]] == values


def test_times_are_read_as_they_are_written(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("day,at,iso\n28.11.2026,28.11.2026 13:05,2026-11-28 13:05:00\n01.02.2026,,\n")
    plain = open_dataset(path, "real").table
    assert plain.schema.field("day").type == pa.string()
    formats = ["%d.%m.%Y %H:%M", "%d.%m.%Y"]
    read = open_dataset(path, "real", csv={"time_formats": formats})
    day, moment = datetime(2026, 11, 28), datetime(2026, 11, 28, 13, 5)
    assert read.table.to_pydict() == {
        "day": [day, datetime(2026, 2, 1)],
        "at": [moment, None],
        "iso": [moment, None],
    }
    assert read.options.said == {"csv": {"time_formats": formats}}
    assert read.fingerprint != open_dataset(path, "real").fingerprint


@pytest.mark.parametrize("text", ["d.m.Y", "%H:%M", "%d.%m.%Q", "%d.%m"])
def test_a_format_that_names_no_day_is_refused(tmp_path, text):
    with pytest.raises(ConfigError, match=r"csv.time_formats.*does not say day, month and year"):
        open_dataset(tmp_path / "a.csv", "real", csv={"time_formats": [text]})


def test_hexadecimal_codes_stay_text(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,n\n0x10,1\n0x11,2\n")
    assert rows_of(tmp_path / "a.csv")["x"] == ["0x10", "0x11"]


def test_a_codec_that_is_not_of_texts_is_refused() -> None:
    with pytest.raises(ConfigError, match="unknown encoding 'base64'"):
        open_dataset("a.csv", csv={"encoding": "base64"})


def test_the_only_column_is_data_even_without_a_name(tmp_path: Path) -> None:
    pq.write_table(pa.table({"": [0, 1, 2]}), tmp_path / "a.parquet")
    assert rows_of(tmp_path / "a.parquet") == {"": [0, 1, 2]}


def test_times_of_day_with_nanoseconds_are_read(tmp_path: Path) -> None:
    times = pa.table({"at": pa.array([1, 10**9], pa.time64("ns")), "x": [1, 2]})
    opened = open_dataset(times)
    assert opened.table["at"].cast(pa.int64()).to_pylist() == [1, 10**9]
    assert [str(at) for at in opened.frame()["at"]] == ["00:00:00", "00:00:01"]
