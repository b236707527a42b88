"""Folders of Delta and Iceberg tables are not read as if all of their files were rows."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from synthmix_dagster.data.dataset import open_dataset
from synthmix_dagster.errors import DataError


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("_delta_log/00000000000000000000.json", r"is a Delta table.*deltalake"),
        ("metadata/00001-a.metadata.json", r"is an Iceberg table.*pyiceberg"),
    ],
)
def test_the_folder_of_a_table_is_not_read_file_by_file(tmp_path, place, words):
    pq.write_table(pa.table({"x": [1, 2]}), tmp_path / "a.parquet")
    assert open_dataset(tmp_path, "real").rows == 2
    (tmp_path / place).parent.mkdir()
    (tmp_path / place).write_text("{}")
    with pytest.raises(DataError, match=words):
        open_dataset(tmp_path, "real")
    # A single file of it is what it is.
    assert open_dataset(tmp_path / "a.parquet", "real").rows == 2
