"""What cannot be mixed is refused, with the reason, and nothing is written."""

import pyarrow as pa
import pytest
from mixes import SOURCE, frame, real, synthetic, traces

from synthmix_dagster import mix, verify_release
from synthmix_dagster.errors import SynthMixError

# Refusals


REFUSED = {
    "negative ratio": ({"ratio": -1}, "'ratio'"),
    "nan ratio": ({"ratio": float("nan")}, "'ratio'"),
    "ratio too large": ({"ratio": 80 / 30 + 0.1}, "there are 80"),
    "no shard": ({"rows_per_shard": 0}, "rows_per_shard"),
    "missing column": ({"synthetic": synthetic().drop(columns="x")}, "column 'x'.*lack"),
    "lossy type": ({"synthetic": synthetic().assign(id=3.7)}, "column 'id'.*without loss"),
    "reserved name": ({"real": real().assign(**{SOURCE: "me"})}, f"'{SOURCE}'.*taken"),
    "no real rows": ({"real": real().iloc[:0]}, "'real'.*no rows"),
    "no synthetic rows": ({"synthetic": synthetic().iloc[:0]}, "'synthetic'.*no rows"),
    "path not there": ({"real": "/nowhere/at/all.csv"}, "no file or folder"),
    "key not in real": ({"key": ["k"]}, "'real', column 'k'"),
    "key null": ({"real": real().assign(id=[None, *range(29)]), "key": ["id"]}, "missing values"),
    "key repeated": ({"synthetic": synthetic().assign(id=5), "key": ["id"]}, "more than once"),
    "stratum not there": ({"stratify": "h"}, "no column 'h'"),
}
RAW = {
    KeyError: {"synthetic": synthetic().assign(h="a"), "stratify": "h"},
    ValueError: {
        "real": frame(0, 30, h=[[1, 2]] * 30),
        "synthetic": frame(1000, 1080, h=[[1, 2]] * 80),
        "key": ["id"],
        "stratify": "h",
    },
    pa.ArrowNotImplementedError: {
        side: pa.table({"x": pa.array([(1, 2, 3)], pa.month_day_nano_interval())})
        for side in ("real", "synthetic")
    },
    TypeError: {"ratio": "1"},
}


def attempt(output, changes):
    options = {"real": real(), "synthetic": synthetic(), "ratio": 1.0, **changes}
    return mix(options.pop("real"), options.pop("synthetic"), output=output, **options)


@pytest.mark.parametrize("case", REFUSED)
def test_a_refused_mix_says_why_and_leaves_the_last_good_release(tmp_path, case):
    changes, message = REFUSED[case]
    good = attempt(tmp_path, {"ratio": 0.5})
    with pytest.raises(SynthMixError, match=message):
        attempt(tmp_path, changes)
    assert verify_release(tmp_path) == good
    visible = [path.name for path in (tmp_path / "releases").iterdir() if path.name[0] != "."]
    assert visible == [good.release_id]


@pytest.mark.parametrize("case", REFUSED)
def test_a_refused_mix_writes_nothing(tmp_path, case):
    with pytest.raises(SynthMixError):
        attempt(tmp_path / "output", REFUSED[case][0])
    assert traces(tmp_path / "output") == []


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(
            changes,
            id=name,
        )
        for name, (raw, changes) in zip(
            ("stratum not in real", "nested stratum", "type without Parquet", "ratio is text"),
            RAW.items(),
            strict=True,
        )
    ],
)
def test_input_that_cannot_be_mixed_is_refused_with_an_error_of_the_family(tmp_path, changes):
    with pytest.raises(SynthMixError):
        attempt(tmp_path, changes)
