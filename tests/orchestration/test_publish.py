"""`publish`: after its gates a release goes to a Delta table, once, and the metadata says where."""

import dagster as dg
import pytest
from scenario import bad, write_inputs

from synthmix_dagster import build_synthmix_defs, load_release
from synthmix_dagster.errors import ConfigError

deltalake = pytest.importorskip("deltalake")


def run(options, instance, selection=None):
    defs = build_synthmix_defs(**options)
    return dg.materialize(
        [*(defs.assets or ())],
        instance=instance,
        resources=dict(defs.resources or {}),
        selection=selection,
        raise_on_error=False,
    )


def quick(folder, **options):
    return write_inputs(folder) | {"permutations": 0, "directions": 5} | options


def test_a_release_is_appended_after_its_gates_and_not_again(tmp_path, instance):
    table = str(tmp_path / "table")
    options = quick(tmp_path, publish={"delta": table})
    for selection in (None, "key:demo/training_data"):
        result = run(options, instance, selection)
        assert result.success
        (event,) = result.asset_materializations_for_node("demo__training_data")
        said = {name: each.value for name, each in event.metadata.items()}
        assert (said["synthmix/delta_table"], said["synthmix/delta_version"]) == (table, 1)
    release = load_release(tmp_path / "mixes" / "demo")
    found = deltalake.DeltaTable(table)
    assert found.history(1)[0]["synthmix.release_id"] == release.release_id
    assert found.to_pyarrow_table().num_rows == release.details.realised.rows
    # A gate that fails: the table stays as it is.
    bad().to_parquet(tmp_path / "synthetic.parquet")
    assert not run(options, instance).success
    assert deltalake.DeltaTable(table).version() == 1


def test_a_table_that_cannot_be_reached_fails_the_step_and_a_retry_completes_it(tmp_path, instance):
    blocked = tmp_path / "table"
    blocked.write_text("a file where the table should be")
    options = quick(tmp_path, publish={"delta": str(blocked)})
    result = run(options, instance)
    assert not result.success
    (failure,) = result.filter_events(lambda event: event.event_type_value == "STEP_FAILURE")
    assert "cannot be added to the Delta table" in str(failure.step_failure_data)
    release = load_release(tmp_path / "mixes" / "demo")
    blocked.unlink()
    assert run(options, instance, "key:demo/training_data").success
    assert load_release(tmp_path / "mixes" / "demo") == release
    assert deltalake.DeltaTable(blocked).version() == 1


def test_settings_of_publish_are_checked_when_the_project_loads(tmp_path):
    options = write_inputs(tmp_path)
    for publish, message in (
        ({}, "no target is set"),
        ({"delta": "memory://x/y"}, "not a place for a table"),
        ({"delta": "ftp://x/y"}, "not a place to write to"),
        ({"delt": "x"}, "Did you mean 'delta'"),
    ):
        with pytest.raises(ConfigError, match=message):
            build_synthmix_defs(**options, publish=publish)


def test_its_storage_is_a_resource_of_the_step(tmp_path):
    options = quick(tmp_path, publish={"delta": str(tmp_path / "table"), "storage": "lake"})
    (released,) = [
        each for each in build_synthmix_defs(**options).assets if "training_data" in str(each.keys)
    ]
    assert "lake" in released.required_resource_keys
