"""Small JSON records that one asset leaves for the next."""

import errno
import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthmix_dagster.data.opening import open_store
from synthmix_dagster.errors import ReleaseError
from synthmix_dagster.orchestration.records import Records

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def file_of(records, name):
    return records.output.path / "records" / records.mix / f"{name}.json"


@settings(max_examples=40)
@given(record=st.dictionaries(st.text(), JSON, max_size=4))
def test_a_record_comes_back_as_it_was_and_replaces_the_older(tmp_path_factory, record):
    records = Records(open_store(tmp_path_factory.getbasetemp() / "round"), "flights")
    records.write("optimal_ratio", record)
    assert records.read("optimal_ratio") == record


def test_a_record_that_was_never_written_is_none(tmp_path):
    assert Records(open_store(tmp_path), "flights").read("optimal_ratio") is None
    assert list(tmp_path.iterdir()) == []


def test_mixes_and_names_do_not_overwrite_each_other(tmp_path):
    places = [("a", "x"), ("a", "y"), ("b", "x")]
    for mix, name in places:
        Records(open_store(tmp_path), mix).write(name, {"place": [mix, name]})
    for mix, name in places:
        assert Records(open_store(tmp_path), mix).read(name) == {"place": [mix, name]}


def test_equal_records_are_equal_bytes_and_nothing_else_is_left(tmp_path):
    one, two = Records(open_store(tmp_path), "one"), Records(open_store(tmp_path), "two")
    one.write("x", {"a": 1, "b": 2})
    two.write("x", {"b": 2, "a": 1})
    assert file_of(one, "x").read_bytes() == file_of(two, "x").read_bytes()
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == ["x.json", "x.json"]


@pytest.mark.parametrize("damage", [b"", b'{"a": 1', b"\xff\xfe", b"not json"], ids=repr)
def test_a_corrupt_record_is_named(tmp_path, damage):
    records = Records(open_store(tmp_path), "flights")
    records.write("optimal_ratio", {"a": 1})
    file_of(records, "optimal_ratio").write_bytes(damage)
    with pytest.raises(ReleaseError, match=r"flights/optimal_ratio\.json.*Materialise"):
        records.read("optimal_ratio")


@pytest.mark.parametrize("damage", ["[]", "null", "3"])
def test_a_record_that_is_not_an_object_is_refused(tmp_path, damage):
    records = Records(open_store(tmp_path), "flights")
    records.write("optimal_ratio", {"a": 1})
    file_of(records, "optimal_ratio").write_text(damage)
    with pytest.raises(ReleaseError):
        records.read("optimal_ratio")


def test_a_folder_where_the_record_should_be_is_an_error_and_not_none(tmp_path):
    records = Records(open_store(tmp_path), "flights")
    file_of(records, "x").mkdir(parents=True)
    with pytest.raises(ReleaseError, match="cannot be read"):
        records.read("x")
    with pytest.raises(ReleaseError, match="cannot be written"):
        records.write("x", {})


@pytest.mark.parametrize("mix", ["../../outside", "a/../../../outside"])
@pytest.mark.parametrize("name", ["x", "../x"])
def test_a_record_outside_the_output_is_refused(tmp_path, mix, name):
    records = Records(open_store(tmp_path / "output"), mix)
    with pytest.raises(ReleaseError, match="outside"):
        records.write(name, {})
    with pytest.raises(ReleaseError, match="outside"):
        records.read(name)
    assert list(tmp_path.iterdir()) == []


def test_a_record_cannot_overwrite_a_manifest(tmp_path):
    manifest = tmp_path / "releases" / "abc" / "manifest.json"
    manifest.parent.mkdir(parents=True)
    manifest.write_text("{}")
    with pytest.raises(ReleaseError):
        Records(open_store(tmp_path), "../releases/abc").write("manifest", {"forged": True})


def test_a_records_folder_that_links_outside_is_refused(tmp_path):
    (tmp_path / "output").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "output" / "records").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ReleaseError, match="outside"):
        Records(open_store(tmp_path / "output"), "flights").write("x", {})
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("point", [(Path, "write_bytes"), (os, "fsync"), (Path, "replace")])
def test_a_failed_write_leaves_the_older_record(tmp_path, monkeypatch, point):
    records = Records(open_store(tmp_path), "flights")
    records.write("x", {"version": 1})

    def full(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(*point, full)
        with pytest.raises(ReleaseError, match=r"'x' cannot be written.*No space left"):
            records.write("x", {"version": 2})
    assert records.read("x") == {"version": 1}
    records.write("x", {"version": 3})
    assert json.loads(file_of(records, "x").read_text())["version"] == 3
