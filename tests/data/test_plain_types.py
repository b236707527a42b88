"""Extension types of databases become plain Arrow types that hold every value."""

import itertools
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthmix_dagster import measure_distance, mix, open_dataset
from synthmix_dagster.data.number_text import NumberRange

NUMERIC = pa.opaque(pa.string(), "numeric", "PostgreSQL")


def numeric(values: list[str | None], modifier: int | None = None) -> pa.Table:
    """A column as the driver of PostgreSQL hands it over."""
    column = pa.ExtensionArray.from_storage(NUMERIC, pa.array(values, pa.string()))
    metadata = {} if modifier is None else {"POSTGRESQL:typmod": str(modifier)}
    return pa.table([column], schema=pa.schema([pa.field("n", NUMERIC, metadata=metadata)]))


def modifier(precision: int, scale: int) -> int:
    """As `numerictypmodin` of PostgreSQL packs both."""
    return ((precision << 16) | (scale & 0x7FF)) + 4


@pytest.mark.parametrize(
    ("values", "stated", "kind"),
    [
        (["1.50", None, "-7.25"], modifier(12, 2), pa.decimal128(12, 2)),
        (["1" * 30], modifier(50, 0), pa.decimal256(50, 0)),
        (["1200", "-300"], modifier(5, -2), pa.decimal128(5, -2)),
        (["1", "-9223372036854775808", None], -1, pa.int64()),
        (["9223372036854775808"], -1, pa.decimal128(38, 0)),
        (["9223372036854775807"], -1, pa.int64()),
        (["0.1", "12.345"], -1, pa.decimal128(18, 3)),
        (["0.1", "1234567890123456.345"], None, pa.decimal128(38, 3)),
        (["1" * 40 + ".5"], None, pa.decimal256(76, 1)),
        (["1.5", "NaN"], -1, pa.float64()),
        (["1" * 80], -1, pa.float64()),
        ([None, None], -1, pa.int64()),
    ],
)
def test_a_number_has_the_narrowest_type_that_holds_every_value(
    tmp_path: Path, values: list[str | None], stated: int | None, kind: pa.DataType
) -> None:
    table = numeric(values, stated)
    pq.write_table(table, tmp_path / "a.parquet")
    for source in (table, tmp_path / "a.parquet"):
        opened = open_dataset(source, "real")
        assert opened.schema.field("n").type == kind
        held = opened.table["n"].to_pylist()
        if kind == pa.float64():
            assert opened.notes == (
                "'n' holds numbers that no decimal holds, and is read as float64",
            )
        else:
            assert held == [None if v is None else Decimal(v) for v in values]
            assert opened.notes == ()


def test_files_of_one_dataset_agree_on_a_type_that_holds_the_values_of_all(tmp_path: Path) -> None:
    parts = ["1", None], ["0.25"], ["123456789012345678"]
    for number, values in enumerate(parts):
        pq.write_table(numeric(list(values)), tmp_path / f"{number}.parquet")
    opened = open_dataset(tmp_path, "real")
    assert opened.schema.field("n").type == pa.decimal128(38, 2)
    held = opened.table["n"].to_pylist()
    assert held == [None if v is None else Decimal(v) for v in itertools.chain(*parts)]


@settings(max_examples=60)
@given(
    st.lists(
        st.decimals(allow_nan=False, allow_infinity=False, places=4)
        | st.integers(-(10**25), 10**25).map(Decimal),
        min_size=1,
        max_size=8,
    )
)
def test_no_digit_is_lost_and_no_type_is_wider_than_needed(values: list[Decimal]) -> None:
    texts = [f"{value:f}" for value in values]
    seen = NumberRange().including(pa.chunked_array([texts]))
    kind = seen.type
    if seen.is_exact:
        assert pa.array(texts).cast(kind).to_pylist() == values
    digits = max(len(t.lstrip("-").partition(".")[0]) for t in texts) + max(
        len(t.partition(".")[2]) for t in texts
    )
    assert seen.is_exact == (digits <= 76)
    if pa.types.is_decimal(kind):
        assert kind.precision == next(most for most in (18, 38, 76) if digits <= most)


def test_opaque_bytes_are_text_and_a_release_is_written_in_plain_types(tmp_path: Path) -> None:
    inet = pa.opaque(pa.binary(), "inet", "PostgreSQL")
    n = 60

    def side(seed: int) -> pa.Table:
        amounts = [f"{(i * 37 + seed) % 100}.{i % 10}0" for i in range(n)]
        at = pa.ExtensionArray.from_storage(inet, pa.array([bytes([i % 3, 255]) for i in range(n)]))
        columns = {
            "amount": pa.ExtensionArray.from_storage(NUMERIC, pa.array(amounts)),
            "at": at,
            "x": pa.array([float((i * 7 + seed) % 11) for i in range(n)]),
        }
        return pa.table(columns)

    real, synthetic = open_dataset(side(0), "real"), open_dataset(side(3), "synthetic")
    assert set(real.table["at"].to_pylist()) == {"00ff", "01ff", "02ff"}
    assert "'at' has a type of its database and is read as text" in real.notes
    # An amount is measured as a number: as a category, its unseen values would be counted.
    report = measure_distance(real, synthetic, permutations=0, directions=20)
    (amount,) = [each for each in report.columns if each.column == "amount"]
    assert set(synthetic.table["amount"].to_pylist()) - set(real.table["amount"].to_pylist())
    assert amount.unseen == 0
    release = mix(real, synthetic, ratio=0.5, output=tmp_path / "out")
    with pq.ParquetFile(release.shards[0]) as shard:
        kinds = {field.name: field.type for field in shard.schema_arrow}
    assert kinds["amount"] == pa.decimal128(18, 2)
    assert kinds["at"] == pa.string()
