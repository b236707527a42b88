"""A manifest that was altered in any place is refused with a reason, or is still a manifest."""

import copy
import json
import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mixes import frame, real

from synthmix_dagster import load_release, mix, verify_release
from synthmix_dagster.errors import ReleaseError
from synthmix_dagster.release.report.page import release_report
from synthmix_dagster.release.verification import require_realised

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["..", "data", "data/part-00000.parquet", "a\0b", "\ud800", "x" * 300, [], {}]),
    st.lists(st.integers(-1, 2), max_size=2),
    st.dictionaries(st.sampled_from(["real", "rows", "by", "x"]), st.integers(-1, 2), max_size=2),
)


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """A release with everything that a manifest may have."""
    folder = tmp_path_factory.mktemp("damaged")
    real().to_parquet(folder / "r.parquet")
    return mix(
        folder / "r.parquet",
        {"gan": frame(1000, 1080), "copula": frame(2000, 2040)},
        ratio={"gan": 1.0, "copula": 0.5},
        output=folder / "out",
        stratify="g",
        rows_per_shard=40,
        max_rows=60,
        mode="rows",
    )


def places(value, path=()):
    """Every place in nested JSON."""
    if path:
        yield path
    if isinstance(value, dict | list):
        for key, child in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(child, (*path, key))


def altered(manifest, path, kind, value):
    changed = copy.deepcopy(manifest)
    *outer, key = path
    holder = changed
    for step in outer:
        holder = holder[step]
    if kind == "remove":
        del holder[key]
    elif kind == "replace":
        holder[key] = value
    elif isinstance(holder, dict):
        holder["another"] = value
    else:
        holder.insert(key, value)
    return changed


MANY = settings(
    derandomize=True,
    deadline=None,
    max_examples=300,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@settings(MANY, max_examples=40)
@given(data=st.data())
def test_an_altered_manifest_is_refused_or_still_read(release, data):
    alter(release, data)


@pytest.mark.slow
@MANY
@given(data=st.data())
def test_many_altered_manifests_are_refused_or_still_read(release, data):
    alter(release, data)


def alter(release, data):
    manifest = dict(release.manifest)
    path = data.draw(st.sampled_from(list(places(manifest))))
    kind = data.draw(st.sampled_from(["remove", "replace", "add"]))
    changed = altered(manifest, path, kind, data.draw(VALUES))
    whole = (release.path / "manifest.json").read_bytes()
    try:
        (release.path / "manifest.json").write_text(json.dumps(changed))
        try:
            found = load_release(release.path)
        except ReleaseError:
            return
        assert sum(part.rows for part in found.details.composition()) > 0
        assert release_report(found.manifest, None).startswith("<!DOCTYPE html>")
        try:
            verify_release(release.path)
        except ReleaseError:
            return
    finally:
        (release.path / "manifest.json").write_bytes(whole)


@pytest.mark.parametrize(
    "content",
    [
        "[" * 100_000,
        '{"manifest_version": 2, "mix": {"seed": ' + "9" * 5000 + "}}",
        "NaN",
        '"text"',
    ],
    ids=["nested deeply", "a huge number", "not a number", "text"],
)
def test_json_that_no_manifest_is_made_of_is_refused(release, tmp_path, content):
    copied = shutil.copytree(release.path, tmp_path / "copy")
    (copied / "manifest.json").write_text(content)
    with pytest.raises(ReleaseError, match="its manifest"):
        load_release(copied)


ALTERED = {
    "another seed": (("mix", "seed"), 9, "duplicates where its manifest says 0"),
    "strata of a column that is not there": (("mix", "stratify"), "h", "no column 'h'"),
    "weights that are not there": (("mix", "mode"), "weights", "no column 'sample_weight'"),
    "another name of a column": (("columns", 0, "name"), "h", "column 'id' in .* says 'h'"),
    "other rows of a shard": (("shards", 0, "rows"), 41, "40 rows in .* says 41"),
    "other bytes of a document": (("documents", 0, "bytes"), 7, "bytes in 'README.md' .* says 7"),
    "no provenance": (("mix", "provenance"), False, "do not count the missing values of column"),
}


@pytest.mark.parametrize("case", ALTERED)
def test_what_the_files_contradict_is_named(release, tmp_path, case):
    path, value, message = ALTERED[case]
    copied = shutil.copytree(release.path, tmp_path / "copy")
    changed = altered(dict(release.manifest), path, "replace", value)
    (copied / "manifest.json").write_text(json.dumps(changed))
    with pytest.raises(ReleaseError, match="altered after it was written"):
        verify_release(copied)
    # Whoever seals it again is found by what the files hold.
    with pytest.raises(ReleaseError, match=message):
        require_realised(load_release(copied))
