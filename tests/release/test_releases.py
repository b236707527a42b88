"""Immutable directories that a reader sees whole or not at all."""

import json
import shutil
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mixes import edit_manifest, publish_mix

from synthmix_dagster import load_release, mix, verify_release
from synthmix_dagster.errors import ReleaseError


@pytest.fixture
def release(tmp_path):
    return publish_mix(tmp_path / "output", "old")


# Reading


def test_a_release_is_loaded_from_its_directory_its_output_or_latest(release):
    output = release.path.parent.parent
    for path in (release.path, output, output / "latest", str(output)):
        assert load_release(path) == verify_release(path) == release
    assert release.to_dict()["path"] == str(release.path)
    json.dumps(release.to_dict())


@pytest.mark.parametrize("content", [None, b"", b"{", b"\xff"], ids=repr)
def test_a_directory_without_a_readable_manifest_is_no_release(tmp_path, content):
    if content is not None:
        (tmp_path / "manifest.json").write_bytes(content)
    with pytest.raises(ReleaseError, match="manifest cannot be read"):
        load_release(tmp_path)


@pytest.mark.parametrize("content", ["[]", "null", "{}", '{"shards": [{}]}'])
def test_a_manifest_of_another_shape_is_refused(release, content):
    (release.path / "manifest.json").write_text(content)
    with pytest.raises(ReleaseError):
        verify_release(release.path)


def test_a_latest_that_points_nowhere_is_refused(release):
    shutil.rmtree(release.path)
    with pytest.raises(ReleaseError):
        load_release(release.path.parent.parent)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_missing_shard_is_named(release, number):
    name = f"data/part-{number:05d}.parquet"
    (release.path / name).unlink()
    with pytest.raises(ReleaseError, match=f"{name}' is missing"):
        verify_release(release.path)


@pytest.mark.parametrize("change", ["one bit", "cut", "grown", "swapped rows"])
def test_an_altered_shard_is_named(release, change):
    shard = release.path / "data" / "part-00001.parquet"
    whole = shard.read_bytes()
    if change == "one bit":
        shard.write_bytes(whole[:50] + bytes([whole[50] ^ 1]) + whole[51:])
    elif change == "cut":
        shard.write_bytes(whole[:-1])
    elif change == "grown":
        shard.write_bytes(whole + b"\0")
    else:
        rows = pq.read_table(shard)
        pq.write_table(rows.take(pa.array(range(rows.num_rows))[::-1]), shard)
    with pytest.raises(ReleaseError, match=r"part-00001\.parquet' was altered"):
        verify_release(release.path)


@pytest.mark.parametrize("name", ["data/part-00003.parquet", "data/more/a.parquet", "data/.x"])
def test_a_file_that_was_added_is_named(release, name):
    (release.path / name).parent.mkdir(exist_ok=True)
    shutil.copy(release.path / "data" / "part-00000.parquet", release.path / name)
    with pytest.raises(ReleaseError, match=f"'{name}' is not in its manifest"):
        verify_release(release.path)


@pytest.mark.parametrize("key", ["real_rows", "synthetic_rows"])
def test_a_count_that_was_edited_is_noticed(release, key):
    edit_manifest(release, lambda manifest: manifest["realised"].update({key: 99}))
    with pytest.raises(ReleaseError, match="rows where its manifest says 99"):
        verify_release(release.path)


@pytest.mark.parametrize("path", ["../x", "data/../../x", "/etc/hostname"])
def test_a_manifest_that_leads_outside_is_refused(release, path):
    shutil.copy(release.path / "data" / "part-00000.parquet", release.path.parent / "x")
    edit_manifest(release, lambda manifest: manifest["shards"][0].update(path=path))
    with pytest.raises(ReleaseError, match="outside"):
        verify_release(release.path)


def test_a_shard_that_links_outside_is_refused(release, tmp_path):
    shard = release.path / "data" / "part-00000.parquet"
    shard.rename(tmp_path / "elsewhere")
    shard.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ReleaseError, match="is a link"):
        verify_release(release.path)
    with pytest.raises(ReleaseError, match="outside"):
        load_release(release.path).to_pandas()


def test_a_moved_release_still_verifies(release, tmp_path):
    copy = shutil.copytree(release.path, tmp_path / "elsewhere" / release.release_id)
    assert verify_release(copy).manifest == release.manifest


# Loading


def test_rows_come_in_every_kind_of_frame_in_the_order_of_the_release(release):
    arrow = release.to_arrow()
    assert arrow.num_rows == 15
    assert load_release(release.path).to_pandas()["x"].tolist() == arrow["x"].to_pylist()
    assert release.to_pandas(["x"]).columns.tolist() == ["x"]
    batches = list(release.batches(["x"]))
    assert pa.Table.from_batches(batches).equals(arrow.select(["x"]))
    polars = pytest.importorskip("polars")
    assert polars.DataFrame(release.to_polars())["x"].to_list() == arrow["x"].to_pylist()


class Torch:
    """What torch does with an array, without its gigabytes: a tensor is the array's own memory."""

    TENSORS = ("bool", "uint8", "int8", "int16", "int32", "int64", "float32", "float64")

    @classmethod
    def from_numpy(cls, values):
        if not isinstance(values, np.ndarray) or values.dtype not in cls.TENSORS:
            raise TypeError(f"can't convert np.ndarray of type {values.dtype}")
        # Torch itself only warns, and writes where nobody may.
        assert values.flags.writeable
        return values.view()


def test_columns_of_numbers_come_as_tensors_which_may_be_written_to(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", Torch)
    real = pa.table({"x": [0.5, None], "n": [1, 2], "b": [True, False]})
    release = mix(real, real, ratio=1, output=tmp_path)
    arrow = release.to_arrow()
    tensors = load_release(tmp_path).to_torch(["x", "n", "b"])
    assert [str(tensor.dtype) for tensor in tensors.values()] == ["float64", "int64", "bool"]
    assert tensors["n"].tolist() == arrow["n"].to_pylist()
    assert tensors["b"].tolist() == arrow["b"].to_pylist()
    assert np.isnan(tensors["x"]).tolist() == arrow["x"].is_null().to_pylist()
    tensors["n"] += 1
    assert tensors["n"].tolist() != release.to_arrow()["n"].to_pylist()


def test_a_column_that_is_not_of_numbers_is_refused_as_a_tensor(release, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", Torch)
    with pytest.raises(ReleaseError, match="column 'synthmix_source' holds string"):
        release.to_torch(["x", "synthmix_source"])


def test_a_dataset_of_hugging_face_has_the_rows_in_the_order_of_the_release(
    release, tmp_path, monkeypatch
):
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    loaded = load_release(release.path).to_datasets()
    assert loaded.column_names == release.to_arrow().column_names
    assert loaded.to_list() == release.to_arrow().to_pylist()


@pytest.mark.parametrize("name", ["README.md", "croissant.json"])
def test_an_altered_document_is_named(release, name):
    (release.path / name).write_text("other")
    with pytest.raises(ReleaseError, match=f"the file '{name}' was altered"):
        verify_release(release.path)
    (release.path / name).unlink()
    with pytest.raises(ReleaseError, match=f"the file '{name}' is missing"):
        verify_release(release.path)


@pytest.mark.parametrize("method", ["to_polars", "to_lazyframe", "to_datasets", "to_torch"])
def test_a_package_that_is_not_installed_is_named(release, monkeypatch, method):
    package = {"to_lazyframe": "polars"}.get(method, method.removeprefix("to_"))
    monkeypatch.setitem(sys.modules, package, None)
    given = {"columns": ["x"]} if method == "to_torch" else {}
    with pytest.raises(ReleaseError, match=f"Install it with 'pip install {package}'"):
        getattr(release, method)(**given)
