"""What waits on disk: every row is there once, and the space of what was read is given back."""

import math
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pytest
from mixes import entries

from synthmix_dagster.release.spill import Spill

BUCKETS = 64


def run(seed):
    """Rows in the order of their buckets; some buckets have none."""
    rng = np.random.default_rng(seed)
    bucket = np.sort(rng.choice(BUCKETS // 2, 1000) * 2)
    text = [None if i % 7 == 0 else f"{seed} {i}" for i in range(1000)]
    rows = pa.record_batch({"bucket": bucket, "text": text, "list": [[seed]] * 1000})
    return rows, np.bincount(bucket, minlength=BUCKETS)


@pytest.fixture
def spill(tmp_path):
    bits = BUCKETS.bit_length() - 1
    with Spill(tmp_path, math.inf, bits) as spill, ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda seed: spill.write(*run(seed)), range(9)))
        yield spill
    assert entries(tmp_path) == []


def test_every_row_comes_back_once_in_its_bucket(spill):
    spill.finish([range(BUCKETS)])
    whole = pa.Table.from_batches([run(seed)[0] for seed in range(9)])
    assert spill.sizes.tolist() == np.bincount(whole["bucket"], minlength=BUCKETS).tolist()
    found = [spill.read(bucket) for bucket in range(BUCKETS)]
    assert [table.num_rows for table in found] == spill.sizes.tolist()
    assert all(set(table["bucket"].to_pylist()) <= {n} for n, table in enumerate(found))
    got, wanted = (
        sorted(map(str, table.to_pylist())) for table in (pa.concat_tables(found), whole)
    )
    assert got == wanted


def test_a_file_is_removed_when_all_that_will_be_read_of_it_was_read(spill, tmp_path):
    files = len(entries(tmp_path))
    assert files == 16
    # The second reader wants the last bucket of the first one as well.
    spill.finish([range(12), range(11, 20)])
    for bucket in range(12):
        spill.read(bucket)
    assert len(entries(tmp_path)) == files - 2
    spill.read(11)
    assert len(entries(tmp_path)) == files - 3


def test_a_file_that_lost_its_end_is_an_error(spill, tmp_path):
    spill.finish([range(BUCKETS)])
    os.truncate(tmp_path / "buckets-00", 100)
    with pytest.raises(OSError, match="buckets-00' is shorter than"):
        spill.read(2)
