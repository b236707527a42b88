from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from synthmix_dagster.data.opening import open_store
from synthmix_dagster.errors import ReleaseError
from synthmix_dagster.orchestration.drift_watch.references import Reference, References, Terms


def agree(one: Terms, other: Terms) -> bool:
    return one == other


def collect(
    references: References, key: str, value: int, version: str = "v1", **options: Any
) -> Reference:
    return references.collect(
        key,
        pd.DataFrame({"x": [value] * 3}),
        **{
            "terms": {"generator_version": version},
            "agree": agree,
            "wanted": 2,
            "fingerprint": f"rows {value}",
            "batch_rows": 30,
            **options,
        },
    )


def test_a_reference_is_complete_after_so_many_batches_and_then_never_changes(
    tmp_path: Path,
) -> None:
    references = References(open_store(tmp_path / "real"))
    assert not collect(references, "a", 1).complete
    second = collect(references, "b", 2)
    assert second.complete
    files = {path.name: path.read_bytes() for path in second.store.path.iterdir()}
    collect(references, "c", 3)
    collect(references, "a", 4)
    found = references.find({"generator_version": "v1"}, agree, 2)
    assert found.frame()["x"].tolist() == [1, 1, 1, 2, 2, 2]
    assert found.usual_rows == 30
    assert {path.name: path.read_bytes() for path in second.store.path.iterdir()} == files


def test_a_batch_that_comes_again_replaces_itself_while_it_is_collected(tmp_path: Path) -> None:
    references = References(open_store(tmp_path))
    collect(references, "a", 1)
    assert not collect(references, "a", 5).complete
    assert collect(references, "b", 2).frame()["x"].tolist() == [5, 5, 5, 2, 2, 2]


def test_the_same_rows_under_another_key_are_no_second_batch(tmp_path: Path) -> None:
    references = References(open_store(tmp_path))
    collect(references, "a", 1)
    found = collect(references, "b", 1)
    assert not found.complete
    assert found.holds("b", "rows 1")
    assert not found.holds("b", "rows 2")


def test_other_terms_begin_another_reference_and_earlier_ones_find_theirs(tmp_path: Path) -> None:
    references = References(open_store(tmp_path))
    first = collect(references, "a", 1)
    assert first.replaced is None
    other = collect(references, "a", 2, version="v2")
    assert other.reference_id != first.reference_id
    assert other.replaced == {"generator_version": "v1"}
    assert collect(references, "b", 3).frame()["x"].tolist() == [1, 1, 1, 3, 3, 3]


def test_an_altered_file_is_refused(tmp_path: Path) -> None:
    references = References(open_store(tmp_path))
    collect(references, "a", 1)
    complete = collect(references, "b", 2)
    next(complete.store.path.glob("*.parquet")).write_bytes(b"other")
    with pytest.raises(ReleaseError, match=r"missing or was altered.*change 'baseline'"):
        complete.frame()


def test_a_damaged_manifest_is_refused(tmp_path: Path) -> None:
    references = References(open_store(tmp_path))
    path = collect(references, "a", 1).store.path
    (path / "reference.json").write_text("{}")
    with pytest.raises(ReleaseError, match="cannot be read"):
        references.find({"generator_version": "v1"}, agree, 2)


def test_a_key_names_no_path(tmp_path: Path) -> None:
    references = References(open_store(tmp_path / "inside"))
    collect(references, "../../outside", 1)
    assert [path.name for path in tmp_path.iterdir()] == ["inside"]
    assert len(list((tmp_path / "inside").rglob("*.parquet"))) == 1


def test_what_a_killed_writer_left_is_no_part_of_it(tmp_path: Path) -> None:
    references = References(open_store(tmp_path))
    first = collect(references, "a", 1)
    (first.store.path / ".writing.parquet").write_bytes(b"half")
    assert collect(references, "b", 2).frame()["x"].tolist() == [1, 1, 1, 2, 2, 2]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ReleaseError, match="the reference cannot be written"):
        collect(References(open_store(tmp_path / "file")), "a", 1)
