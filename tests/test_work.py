"""What the verbs cost, in counts that are the same on every machine: time is measured elsewhere.

A ceiling is a few per cent above what was counted. Whoever makes a verb cheaper lowers it; whoever
goes over it has made something be computed, read or written twice.
"""

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from synthmix_dagster import measure_distance, mix, recommend_ratio

pytestmark = pytest.mark.slow


def table(n: int, seed: int, shift: float = 0.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 6)) + shift
    return pd.DataFrame(x, columns=list("abcdef")).assign(y=x[:, 0] / 2 + rng.normal(size=n))


def counted(work: Callable[[], Any]) -> Counter[str]:
    """Calls of sorts, of decompositions and of functions of the package."""
    calls: Counter[str] = Counter()

    def note(frame: FrameType, event: str, called: Any) -> None:
        code = frame.f_code
        if event == "c_call":
            calls[getattr(called, "__name__", "")] += 1
        elif event == "call" and "linalg" in code.co_filename:
            calls[code.co_name] += 1
        elif event == "call" and "synthmix_dagster" in code.co_filename:
            calls["ours"] += 1

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize(
    ("verb", "options", "ceilings"),
    [
        (
            measure_distance,
            {},
            {"sort": 1_350, "argsort": 1_850, "eigh": 31, "cho_factor": 17, "ours": 36_500},
        ),
        (
            recommend_ratio,
            {"task": "regression"},
            {"sort": 640, "argsort": 10, "eigh": 63, "ours": 5_650},
        ),
    ],
)
def test_nothing_is_computed_twice(
    verb: Callable[..., Any], options: dict[str, Any], ceilings: dict[str, int]
) -> None:
    real, synthetic = table(400, 0), table(1_600, 1, shift=0.2)
    # What is imported, compiled and cached at the first call is not counted.
    verb(real, synthetic, target="y", **options)
    calls = counted(lambda: verb(real, synthetic, target="y", **options))
    assert {name: calls[name] for name in ceilings if calls[name] > ceilings[name]} == {}
    assert all(calls[name] > ceilings[name] / 3 for name in ceilings), "lower the ceilings"


def transferred() -> tuple[int, int]:
    """Bytes that this process has read and written by system calls."""
    lines = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
    counts = {name: int(count) for name, count in (line.split(": ") for line in lines)}
    return counts["rchar"], counts["wchar"]


@pytest.mark.skipif(sys.platform != "linux", reason="the system counts no bytes of a process")
def test_rows_are_read_and_written_a_stated_number_of_times(tmp_path: Path) -> None:
    real, synthetic = tmp_path / "real.parquet", tmp_path / "synthetic.parquet"
    table(200_000, 2).to_parquet(real)
    table(100_000, 3).to_parquet(synthetic)
    given = real.stat().st_size + synthetic.stat().st_size
    mix(real, synthetic, output=tmp_path / "first", ratio=0.4, seed=1)
    before = transferred()
    mix(real, synthetic, output=tmp_path / "second", ratio=0.4, seed=1)
    read, written = (after - was for after, was in zip(transferred(), before, strict=True))
    released = sum(
        path.stat().st_size
        for path in (tmp_path / "second").rglob("*.parquet")
        if not path.is_symlink() and "latest" not in path.parts
    )
    # Fingerprint, selection, the rows themselves, and what was written once more for the recount.
    assert read < 3.75 * given + released
    # The release, and the rows on their way into their order.
    assert written < released + 1.15 * given
