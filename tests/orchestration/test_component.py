"""The component as an expert expects it: translated, subclassed, scaffolded, explained."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster.components.testing import create_defs_folder_sandbox
from dagster.components.testing.test_cases import TestTranslation
from scenario import MINIMAL, write_inputs

from synthmix_dagster import SynthMixComponent, build_synthmix_defs
from synthmix_dagster.orchestration.config.drift import DriftConfig
from synthmix_dagster.orchestration.definitions import definitions_of

TYPE = "synthmix_dagster.SynthMixComponent"
RELEASE = dg.AssetKey(["demo", "training_data"])


def loaded(attributes: dict[str, Any], **contents: Any) -> dg.Definitions:
    with create_defs_folder_sandbox() as sandbox:
        path = sandbox.scaffold_component(
            component_cls=SynthMixComponent,
            defs_yaml_contents={"type": TYPE, "attributes": attributes, **contents},
        )
        with sandbox.load_component_and_build_defs(defs_path=path) as (_, defs):
            return defs


class TestTranslated(TestTranslation):
    """Dagster's own cases."""

    def test_translation(
        self, attributes: Mapping[str, Any], assertion: Any, key_modifier: Any
    ) -> None:
        defs = loaded({**MINIMAL, "translation": dict(attributes)})
        key = key_modifier(RELEASE) if key_modifier else RELEASE
        stubs = [dg.AssetSpec("nonexistent")]
        specs = {spec.key: spec for spec in defs.resolve_all_asset_specs()}
        assert assertion(specs[key])
        dg.Definitions.validate_loadable(dg.Definitions.merge(defs, dg.Definitions(stubs)))


def test_keys_that_are_translated_stay_connected() -> None:
    defs = loaded({**MINIMAL, "translation": {"key": "{{ 'ml/' + role + '_of_demo' }}"}})
    graph = defs.resolve_asset_graph()
    parents = graph.get(dg.AssetKey(["ml", "training_data_of_demo"])).parent_keys
    assert {key.path[-1] for key in parents} == {
        "real_of_demo",
        "synthetic_of_demo",
        "distribution_distance_of_demo",
        "optimal_ratio_of_demo",
    }
    assert {check.asset_key.path[0] for check in graph.asset_check_keys} == {"ml"}


def test_in_python_a_translation_is_a_function() -> None:
    def shout(spec: dg.AssetSpec, role: str) -> dg.AssetSpec:
        return spec.replace_attributes(description=role.upper())

    defs = build_synthmix_defs(**MINIMAL, translation=shout)
    specs = {spec.key: spec for spec in defs.resolve_all_asset_specs()}
    assert specs[RELEASE].description == "TRAINING_DATA"


class Noted(SynthMixComponent):
    """What a project may do to a mix."""

    def get_asset_spec(self, role: str) -> dg.AssetSpec:
        return super().get_asset_spec(role).merge_attributes(tags={"team": "ml"})

    def execute(
        self, role: str, context: dg.AssetExecutionContext, frames: Mapping[str, Any]
    ) -> Iterator[dg.MaterializeResult[Any]]:
        for result in super().execute(role, context, frames):
            yield result._replace(metadata={**result.metadata, "noted": role})


@pytest.mark.slow
def test_a_project_may_override_specs_and_steps(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    component = Noted(**write_inputs(tmp_path))
    defs = definitions_of(component)
    result = defs.resolve_job_def("demo_job").execute_in_process(instance=instance)
    assert result.success
    for event in result.get_asset_materialization_events():
        assert event.materialization.metadata["noted"].value == event.asset_key.path[-1]
    assert all(spec.tags["team"] == "ml" for spec in defs.resolve_all_asset_specs())


def test_several_instances_live_in_one_file() -> None:
    with create_defs_folder_sandbox() as sandbox:
        path = sandbox.scaffold_component(component_cls=SynthMixComponent)
        documents = [
            {"type": TYPE, "attributes": {**MINIMAL, "name": name}} for name in ("one", "two")
        ]
        (path / "defs.yaml").write_text(yaml.safe_dump_all(documents))
        with sandbox.build_all_defs() as defs:
            keys = {key.path[0] for key in defs.resolve_all_asset_keys()}
    assert keys == {"one", "two"}


def test_steps_carry_the_options_of_their_op() -> None:
    op = {
        "tags": {"kubernetes": "big"},
        "pool": "distances",
        "retry": {"max_retries": 2, "delay": 5, "backoff": "exponential"},
        "backfill_policy": {"type": "multi_run", "max_partitions_per_run": 4},
    }
    defs = loaded(
        {**MINIMAL, "op": op, "partitions_def": {"type": "static", "partition_keys": ["a"]}}
    )
    for asset in defs.assets or ():
        assert isinstance(asset, dg.AssetsDefinition)
        assert asset.op.tags["kubernetes"] == "big"
        assert asset.op.pool == "distances"
        assert asset.op.retry_policy == dg.RetryPolicy(
            max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL
        )
        assert asset.backfill_policy == dg.BackfillPolicy.multi_run(4)


def test_a_condition_also_waits_for_the_gate(tmp_path: Path) -> None:
    condition = dg.AutomationCondition.eager()
    defs = build_synthmix_defs(**write_inputs(tmp_path), automation_condition=condition)
    found = {
        spec.key.path[-1]: spec.automation_condition for spec in defs.resolve_all_asset_specs()
    }
    assert found["real"] == condition
    gated = condition & dg.AutomationCondition.all_deps_blocking_checks_passed()
    assert found["training_data"] == found["optimal_ratio"] == gated
    yaml_defs = loaded({**MINIMAL, "automation_condition": "{{ dg.AutomationCondition.eager() }}"})
    assert {
        spec.key.path[-1]: spec.automation_condition for spec in yaml_defs.resolve_all_asset_specs()
    } == found


def test_a_gate_that_failed_stops_what_a_condition_would_request(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    from scenario import bad

    options = write_inputs(tmp_path, synthetic=bad())
    defs = build_synthmix_defs(**options, automation_condition=dg.AutomationCondition.eager())
    job = defs.resolve_job_def("demo_job")
    before = dg.evaluate_automation_conditions(defs=defs, instance=instance)
    assert not job.execute_in_process(instance=instance, raise_on_error=False).success
    after = dg.evaluate_automation_conditions(defs=defs, instance=instance, cursor=before.cursor)
    assert after.get_num_requested(dg.AssetKey(["demo", "optimal_ratio"])) == 0
    assert after.get_num_requested(RELEASE) == 0


def test_freshness_is_that_of_the_release() -> None:
    from datetime import timedelta

    policy = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=26))
    defs = build_synthmix_defs(**MINIMAL, freshness_policy=policy)
    found = {spec.key.path[-1]: spec.freshness_policy for spec in defs.resolve_all_asset_specs()}
    assert found.pop("training_data") == policy
    assert set(found.values()) == {None}


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"threshold": "often"}, "threshold"),
        ({"synthetic": {"pth": "x"}}, "synthetic"),
        ({"partitions_def": {"type": "dayly"}}, "partitions_def"),
        ({"checks": {"wasserstein_gap": {"severity": "BAD"}}}, "checks"),
        ({"contract": {"columns": {"age": {"type": "int46"}}}}, "contract"),
        ({"op": {"retry": {"max_retry": 2}}}, "op"),
    ],
)
def test_an_error_points_at_the_key_in_the_file(change: dict[str, Any], place: str) -> None:
    with pytest.raises(Exception) as caught:
        loaded({**MINIMAL, **change})
    error: BaseException | None = caught.value
    words = ""
    while error is not None:
        words += str(error)
        error = error.__cause__ or error.__context__
    assert place in words
    assert "defs.yaml" in words


def test_every_option_is_explained_where_dagster_shows_it() -> None:
    schema = SynthMixComponent.get_model_cls().model_json_schema()
    silent = [name for name, field in schema["properties"].items() if not field.get("description")]
    assert silent == []
    assert (
        schema["properties"]["target"]["description"]
        == "Label column; null where there is none, and then wrong labels are invisible."
    )
    drift = schema["$defs"][DriftConfig.model().__name__]["properties"]
    assert "false alarm" in drift["delta"]["description"]
