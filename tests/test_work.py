"""What the verbs cost, in counts that are the same on every machine: time is measured elsewhere.

A ceiling is a few per cent above what was counted. Whoever makes a verb cheaper lowers it; whoever
goes over it has made something be computed, read or written twice.
"""

import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from synthmix_dagster import measure_distance, mix, recommend_ratio
from synthmix_dagster.data.formats import Parquet
from synthmix_dagster.release.spill import Spill

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
            {"sort": 640, "argsort": 10, "eigh": 63, "ours": 5_850},
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


def test_a_mix_passes_over_its_rows_once_and_over_its_shards_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cells that are decoded, rows that are spilled, and how often: by selection as well."""
    sizes = {"real": 20_000, "synthetic": 10_000}
    for seed, (name, rows) in enumerate(sizes.items()):
        table(rows, seed).to_parquet(tmp_path / f"{name}.parquet", row_group_size=2_500)
    counts: Counter[str] = Counter()
    pieces, batches, spilled = Parquet.pieces, pq.ParquetFile.iter_batches, Spill.write

    def decoding(*arguments: Any) -> Iterator[tuple[int, pa.Table]]:
        for start, piece in pieces(*arguments):
            counts["cells of inputs"] += piece.num_rows * piece.num_columns
            yield start, piece

    def decoded(*arguments: Any, **options: Any) -> Iterator[pa.RecordBatch]:
        for batch in batches(*arguments, **options):
            counts["cells decoded"] += batch.num_rows * batch.num_columns
            yield batch

    def spilling(self: Spill, rows: pa.RecordBatch, sizes: Any) -> None:
        counts["rows spilled"] += rows.num_rows
        counts["bytes spilled"] += rows.nbytes
        spilled(self, rows, sizes)

    monkeypatch.setattr(Parquet, "pieces", decoding)
    monkeypatch.setattr(pq.ParquetFile, "iter_batches", decoded)
    monkeypatch.setattr(Spill, "write", spilling)
    mix(
        *(tmp_path / f"{name}.parquet" for name in sizes),
        output=tmp_path / "out",
        ratio=0.25,
        seed=1,
    )
    columns, taken = 7, sizes["real"] + 5_000
    # Once, and the first piece of each input to learn how long rows are.
    assert counts["cells of inputs"] == columns * (sum(sizes.values()) + 2 * 2_500)
    # The selection decodes nothing: places in files identify rows. The recount decodes three
    # columns of provenance.
    assert counts["cells decoded"] == counts["cells of inputs"] + 3 * taken
    assert counts["rows spilled"] == taken
    # Doubles, and beside them the priority, the identity and the number of the part.
    assert counts["bytes spilled"] <= taken * (8 * columns + 8 + 8 + 2) * 1.05


def test_a_measurement_leaves_libraries_alone_that_it_does_not_need() -> None:
    """They take longer to import than it takes itself."""
    code = """
import sys
import numpy as np, pandas as pd
from synthmix_dagster import measure_distance
real, synthetic = (pd.DataFrame(np.random.default_rng(s).normal(size=(200, 3))) for s in (0, 1))
measure_distance(real.add_prefix("c"), synthetic.add_prefix("c"), target="c2")
print([name for name in ("sklearn", "scipy.stats", "matplotlib") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
