"""Any settings, names, records and manifests: what comes of them is right, or a named error."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from fuzzing import cases, result_or_named
from hypothesis import given
from hypothesis import strategies as st
from odd_tables import HOSTILE, NAMES
from scenario import MINIMAL

from synthmix_dagster import (
    build_synthmix_defs,
    load_release,
    measure_distance,
    mix,
    verify_release,
)
from synthmix_dagster.data.opening import open_store
from synthmix_dagster.orchestration.config.mix import MixConfig
from synthmix_dagster.orchestration.records import Records

LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.sampled_from(HOSTILE),
    st.sampled_from(
        ["{partition_key}", "{{ env.X }}", "3 x floor", "0 0 * * *", "s3://b/c", "x.y:z"]
    ),
)
KEYS = st.sampled_from(
    [
        "path",
        "columns",
        "rename",
        "filters",
        "csv",
        "cron",
        "type",
        "threshold",
        "x",
        "",
        "a b",
        "asset",
    ]
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(KEYS, inner, max_size=2)),
    max_leaves=4,
)
FIELDS = st.dictionaries(
    st.sampled_from(sorted(MixConfig.model_fields)), VALUES, min_size=1, max_size=3
)
#: What a side of a mix may be given beside its path.
SIDES = st.dictionaries(
    st.sampled_from(
        ["columns", "rename", "filters", "csv", "timezone", "version", "format", "path"]
    ),
    VALUES,
    max_size=3,
)


def configured(changes: dict[str, Any], side: dict[str, Any]) -> None:
    # As YAML writes and reads them again, for a user has no other objects.
    try:
        changes = yaml.safe_load(yaml.safe_dump(changes))
    except (yaml.YAMLError, UnicodeError):
        return
    real = {**MINIMAL["real"], **side}
    result_or_named(lambda: build_synthmix_defs(**{**MINIMAL, "real": real, **changes}), "option '")


@cases(40)
@given(changes=FIELDS, side=SIDES)
def test_settings(changes: dict[str, Any], side: dict[str, Any]) -> None:
    configured(changes, side)


@pytest.mark.slow
@cases(1_000)
@given(changes=FIELDS, side=SIDES)
def test_settings_at_length(changes: dict[str, Any], side: dict[str, Any]) -> None:
    configured(changes, side)


def named(folder: Path, names: list[str], mix_name: str) -> None:
    """Columns and folders of any name: measured, released and found again."""
    rows = pd.DataFrame(
        {name: [row * (place + 1.0) for row in range(12)] for place, name in enumerate(names)}
    )
    other = rows.assign(**{names[0]: rows[names[0]] + 0.5}) if names[0] else rows + 0.5
    places = "'real'", "'synthetic'", "option '", "release at '"
    report = result_or_named(
        lambda: measure_distance(rows, other, target=names[-1], permutations=0, directions=5),
        *places,
    )
    if report is not None:
        assert {each.column for each in report.columns} == set(names)
    output = folder / "out" / (mix_name.replace("/", "") or "x")
    try:
        output.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError):
        return  # nobody can have such a folder
    release = result_or_named(lambda: mix(rows, other, ratio=1, output=output), *places)
    if release is not None:
        verify_release(output)
        assert load_release(output).to_arrow().column_names[: len(names)] == names


@cases(5)
@given(names=st.lists(NAMES, min_size=1, max_size=3, unique=True), mix_name=NAMES)
def test_names(tmp_path_factory: pytest.TempPathFactory, names: list[str], mix_name: str) -> None:
    named(tmp_path_factory.mktemp("names"), names, mix_name)


@pytest.mark.slow
@cases(200)
@given(names=st.lists(NAMES, min_size=1, max_size=3, unique=True), mix_name=NAMES)
def test_names_at_length(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], mix_name: str
) -> None:
    named(tmp_path_factory.mktemp("names"), names, mix_name)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("documents") / "out"
    rows = pd.DataFrame({"x": range(9), "kind": list("abcabcabc")})
    return mix(rows, rows.assign(x=rows.x + 20), ratio=1, output=folder).path


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner)
    ),
    max_leaves=6,
)


@st.composite
def torn(draw: st.DrawFn) -> tuple[float, float, bytes]:
    """Where bytes of a document are replaced, as shares of its length, and by what."""
    ends = sorted((draw(st.floats(0, 1)), draw(st.floats(0, 1))))
    by = draw(st.one_of(st.binary(max_size=6), JSON.map(lambda value: json.dumps(value).encode())))
    return ends[0], ends[1], by


def manifest_read(release: Path, tear: tuple[float, float, bytes]) -> None:
    path = release / "manifest.json"
    whole = path.read_bytes()
    first, last, by = tear
    changed = whole[: int(first * len(whole))] + by + whole[int(last * len(whole)) :]
    try:
        path.write_bytes(changed)
        verified = result_or_named(lambda: verify_release(release), str(release))
        # What verifies says the same, however it is written.
        assert verified is None or json.loads(changed) == json.loads(whole)
        result_or_named(lambda: load_release(release).to_arrow(), str(release))
    finally:
        path.write_bytes(whole)


@cases(40)
@given(tear=torn())
def test_manifests(release: Path, tear: tuple[float, float, bytes]) -> None:
    manifest_read(release, tear)


@pytest.mark.slow
@cases(1_000)
@given(tear=torn())
def test_manifests_at_length(release: Path, tear: tuple[float, float, bytes]) -> None:
    manifest_read(release, tear)


def records_read(folder: Path, record: Any, tear: tuple[float, float, bytes]) -> None:
    records = Records(open_store(folder), "demo")
    records.write("real", {"result": record})
    path = folder / "records" / "demo" / "real.json"
    whole = path.read_bytes()
    first, last, by = tear
    path.write_bytes(whole[: int(first * len(whole))] + by + whole[int(last * len(whole)) :])
    found = result_or_named(lambda: records.read("real"), "'", "real")
    if found is not None and "digest" in json.loads(path.read_bytes()):
        assert records.digest("real") == json.loads(path.read_bytes())["digest"]


@cases(40)
@given(record=JSON, tear=torn())
def test_records(tmp_path_factory: pytest.TempPathFactory, record: Any, tear: Any) -> None:
    records_read(tmp_path_factory.mktemp("records"), record, tear)


@pytest.mark.slow
@cases(1_000)
@given(record=JSON, tear=torn())
def test_records_at_length(
    tmp_path_factory: pytest.TempPathFactory, record: Any, tear: Any
) -> None:
    records_read(tmp_path_factory.mktemp("records"), record, tear)
