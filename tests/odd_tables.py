"""Strategies of tables as nobody would write them on purpose: all types, extremes, odd names."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

#: Names and texts that break what pastes them into something else.
HOSTILE = (
    "",
    " ",
    "a b",
    "'",
    '"',
    "`",
    "\\",
    "a\nb",
    "a\r\nb",
    "\t",
    "\x00",
    "\x1b[31m",
    "<script>alert(1)</script>",
    "{{ 7 * 7 }}",
    "{x}",
    "%s",
    "'; DROP TABLE rows; --",
    "=1+1",
    "../../etc",
    "a/b",
    "NaN",
    "NULL",
    "None",
    "true",
    "00012",
    "1e5",
    "-",
    "\N{GRINNING FACE}",
    "e\N{COMBINING ACUTE ACCENT}",
    "\N{RIGHT-TO-LEFT OVERRIDE}abc",
    "\N{ZERO WIDTH SPACE}",
    "\N{BYTE ORDER MARK}x",
    "Ⅷ",
    "x" * 5_000,
)
TEXTS = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=8))
NAMES = TEXTS.filter(lambda name: len(name) < 200)

_DAYS = st.dates(dt.date(1, 1, 1), dt.date(9999, 12, 31))
_FLOATS = st.one_of(
    st.floats(),
    st.sampled_from([0.0, -0.0, 5e-324, 2.2e-308, 1.7e308, -1.7e308, float(2**53) + 2]),
)


def _integers(kind: pa.DataType) -> st.SearchStrategy[int]:
    bits = kind.bit_width
    low, high = (
        (0, 2**bits - 1) if str(kind).startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    )
    return st.one_of(st.integers(low, high), st.sampled_from([low, high, 0, 1]))


def _counts(kind: pa.DataType) -> st.SearchStrategy[int]:
    """Values of times, in their unit."""
    return st.one_of(st.integers(-(2**62), 2**62), st.integers(-(10**6), 10**6))


def _plain() -> list[tuple[pa.DataType, st.SearchStrategy[Any]]]:
    kinds: list[tuple[pa.DataType, st.SearchStrategy[Any]]] = [
        (kind, _integers(kind))
        for kind in (
            pa.int8(),
            pa.int16(),
            pa.int32(),
            pa.int64(),
            pa.uint8(),
            pa.uint16(),
            pa.uint32(),
            pa.uint64(),
        )
    ]
    kinds += [(pa.float64(), _FLOATS), (pa.float32(), st.floats(width=32))]
    kinds += [(pa.bool_(), st.booleans()), (pa.string(), TEXTS), (pa.large_string(), TEXTS)]
    kinds += [(pa.string_view(), TEXTS), (pa.binary(), st.binary(max_size=4))]
    kinds += [(pa.binary(2), st.binary(min_size=2, max_size=2)), (pa.null(), st.none())]
    for digits, scale in ((5, 2), (18, 0), (38, 10), (9, -2)):
        unit = Decimal(1).scaleb(-scale)
        whole = st.integers(-(10**digits) + 1, 10**digits - 1)
        kinds.append(
            (pa.decimal128(digits, scale), whole.map(lambda n, u=unit, d=digits: _times(n, u)))
        )
    kinds += [(pa.date32(), _DAYS), (pa.date64(), _DAYS)]
    for unit in ("s", "ms", "us", "ns"):
        for zone in (None, "UTC", "America/New_York", "+05:30"):
            kinds.append((pa.timestamp(unit, zone), _counts(pa.timestamp(unit))))
        kinds.append((pa.duration(unit), _counts(pa.duration(unit))))
    kinds += [(pa.time32("s"), st.integers(0, 86_399)), (pa.time64("ns"), st.integers(0, 10**13))]
    kinds.append((pa.list_(pa.float64()), st.lists(_FLOATS, max_size=3)))
    kinds.append(
        (
            pa.list_(pa.list_(pa.int64())),
            st.lists(st.lists(st.integers(0, 9), max_size=2), max_size=2),
        )
    )
    kinds.append((pa.list_(pa.float32(), 2), st.lists(st.floats(width=32), min_size=2, max_size=2)))
    kinds.append((pa.struct([("a", pa.int64())]), st.fixed_dictionaries({"a": st.integers(0, 9)})))
    return kinds


def _times(whole: int, unit: Decimal) -> Decimal:
    return Decimal(whole).scaleb(int(unit.as_tuple().exponent))


KINDS = _plain()


@st.composite
def columns(draw: st.DrawFn, rows: int) -> pa.Array:
    """One column of any type, with missing values, few or many distinct ones."""
    kind, values = draw(st.sampled_from(KINDS))
    if draw(st.booleans()):
        few = draw(st.lists(st.one_of(st.none(), values), min_size=1, max_size=3))
        chosen = [
            few[draw(st.integers(0, len(few) - 1))] if row < 6 else few[row % len(few)]
            for row in range(rows)
        ]
    else:
        chosen = draw(st.lists(st.one_of(values, st.none()), min_size=rows, max_size=rows))
    try:
        made = pa.array(chosen, kind)
    except (pa.ArrowException, OverflowError, ValueError):
        made = pa.nulls(rows, kind)
    packable = pa.types.is_string(kind) or pa.types.is_integer(kind) or pa.types.is_timestamp(kind)
    return made.dictionary_encode() if packable and draw(st.booleans()) else made


@st.composite
def tables(draw: st.DrawFn, min_rows: int = 0, max_rows: int = 30) -> pa.Table:
    """A table of one to four such columns, whose names differ."""
    rows = draw(st.sampled_from([n for n in (0, 1, 2, 13, 30) if min_rows <= n <= max_rows]))
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    return pa.table([draw(columns(rows)) for _ in names], names=names)
