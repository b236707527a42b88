"""Who a row is."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from synthmix_dagster.data import identity
from synthmix_dagster.data.dataset import open_dataset
from synthmix_dagster.data.identity import identify, row_ids, scan
from synthmix_dagster.errors import DataError


def test_whole_numbers_are_their_own_identities_and_others_do_not_depend_on_the_batch():
    values = [5, -1, 2**60, 2**59, 0, 2**62]
    dataset = open_dataset(pa.table({"id": values}), "real")
    ids = row_ids(dataset, ["id"])
    assert ids[[0, 3, 4]].tolist() == [5, 2**59, 0]
    assert len(set(ids.tolist())) == 6
    one_by_one = np.concatenate([rows.ids for rows in scan(dataset, ["id"], [], 1)])
    assert one_by_one.tolist() == ids.tolist()


def test_large_unsigned_keys_are_told_apart():
    dataset = open_dataset(pa.table({"id": pa.array([2**64 - 1, 2**64 - 2, 3], pa.uint64())}), "a")
    assert len(set(row_ids(dataset, ["id"]).tolist())) == 3


def test_a_repeated_key_is_found_however_few_are_looked_at_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(identity, "KEYS_AT_A_TIME", 7)
    keys = [f"key {i}" for i in range(50)]
    pq.write_table(pa.table({"k": keys}), tmp_path / "a.parquet", row_group_size=9)
    assert identify(open_dataset(tmp_path, "real"), ["k"]) == {"by": "key", "columns": ["k"]}
    pq.write_table(pa.table({"k": ["other", "key 33"]}), tmp_path / "b.parquet")
    with pytest.raises(DataError, match="'key 33' occurs more than once"):
        identify(open_dataset(tmp_path, "real"), ["k"])


def test_without_columns_places_in_files_are_known_without_reading(tmp_path, monkeypatch):
    pq.write_table(pa.table({"x": range(10)}), tmp_path / "a.parquet")
    dataset = open_dataset(tmp_path, "real")
    monkeypatch.setattr(pq, "ParquetFile", lambda *_, **__: pytest.fail("it was read"))
    assert len(row_ids(dataset)) == 10


def test_scanned_rows_are_those_of_the_table_with_their_identities(tmp_path):
    pq.write_table(pa.table({"x": range(10), "y": range(10)}), tmp_path / "a.parquet")
    dataset = open_dataset(tmp_path, "real")
    found = list(scan(dataset, ["x"], ["y"], 4))
    assert [rows.table.column_names for rows in found] == [["y"]] * 3
    assert np.concatenate([rows.ids for rows in found]).tolist() == list(range(10))
    assert [len(rows.ids) for rows in found] == [4, 4, 2]
