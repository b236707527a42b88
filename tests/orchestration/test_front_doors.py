"""YAML and Python are two doors to one house."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster.components.testing import create_defs_folder_sandbox
from scenario import MINIMAL, write_inputs

from synthmix_dagster import SynthMixComponent, SynthMixError, build_synthmix_defs
from synthmix_dagster.orchestration.assets import Mix


def from_yaml(attributes: dict[str, Any]) -> dg.Definitions:
    with create_defs_folder_sandbox() as sandbox:
        path = sandbox.scaffold_component(
            component_cls=SynthMixComponent,
            defs_yaml_contents={
                "type": "synthmix_dagster.SynthMixComponent",
                "attributes": attributes,
            },
        )
        with sandbox.load_component_and_build_defs(defs_path=path) as (_, defs):
            return defs


def shape(defs: dg.Definitions) -> dict[str, Any]:
    graph = defs.resolve_asset_graph()
    return {
        "assets": {
            key.to_user_string(): (
                sorted(parent.to_user_string() for parent in graph.get(key).parent_keys),
                graph.get(key).group_name,
                graph.get(key).description,
            )
            for key in graph.get_all_asset_keys()
        },
        "checks": sorted(str(key) for key in graph.asset_check_keys),
        "jobs": sorted(job.name for job in defs.jobs or ()),
        "schedules": sorted(schedule.name for schedule in defs.schedules or ()),
    }


@pytest.mark.parametrize(
    "options",
    [
        MINIMAL,
        {**MINIMAL, "schedule": {"cron": "0 6 * * *", "timezone": "Europe/Paris"}},
        {**MINIMAL, "real": {"asset": "warehouse/real"}, "key_prefix": ["ml"], "group_name": "g"},
        {**MINIMAL, "real": {"path": "r.csv", "deps": ["landing"]}, "owners": ["team:ml"]},
        {
            **MINIMAL,
            "real": {
                "path": "s3://bucket/in/*.parquet",
                "columns": ["a", "b", "target"],
                "rename": {"target": "y"},
                "filters": [[["a", ">=", 2024], ["b", "in", ["u", "v"]]], [["a", "is null"]]],
            },
            "mode": "weights",
            "max_rows": 10_000,
            "provenance": False,
            "keep_releases": 3,
        },
    ],
)
def test_yaml_and_python_give_the_same_definitions(options: dict[str, Any]) -> None:
    stubs = dg.Definitions(assets=[dg.AssetSpec("landing"), dg.AssetSpec(["warehouse", "real"])])
    assert shape(dg.Definitions.merge(from_yaml(options), stubs)) == shape(
        dg.Definitions.merge(build_synthmix_defs(**options), stubs)
    )


def test_the_component_takes_every_option_of_the_config() -> None:
    assert SynthMixComponent.model_fields.keys() == Mix.model_fields.keys()


def test_templates_are_filled_in_before_validation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THRESHOLD", "0.25")
    templated = {**MINIMAL, "threshold": "{{ env.THRESHOLD | float }}"}
    defs = from_yaml(templated)
    check = next(
        spec for item in defs.assets or () for spec in item.check_specs if "gap" in spec.name
    )
    assert "0.25" in (check.description or "")


def test_two_mixes_live_in_one_project() -> None:
    defs = dg.Definitions.merge(
        build_synthmix_defs(**MINIMAL), build_synthmix_defs(**{**MINIMAL, "name": "other"})
    )
    assert len(list(defs.resolve_asset_graph().get_all_asset_keys())) == 10
    dg.Definitions.validate_loadable(defs)


def test_a_schedule_is_stopped_until_somebody_starts_it() -> None:
    defs = build_synthmix_defs(**MINIMAL, schedule={"cron": "0 6 * * *"})
    schedule = next(iter(defs.schedules or ()))
    assert isinstance(schedule, dg.ScheduleDefinition)
    assert schedule.default_status is dg.DefaultScheduleStatus.STOPPED
    assert schedule.cron_schedule == "0 6 * * *"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"thresold": 1}, "Did you mean 'threshold'?"),
        ({"real": {"pth": "a"}}, "Did you mean 'path'?"),
        ({"task": "regresion"}, "Did you mean 'regression'?"),
        ({"rule": "larges_equivalent"}, "Did you mean 'largest_equivalent'?"),
        (
            {"real": {"path": "a", "asset": "b"}},
            "exactly one of 'path', 'query', 'table' and 'asset'",
        ),
        ({"real": {}}, "exactly one of 'path', 'query', 'table' and 'asset'"),
        ({"threshold": -1}, "0 or more"),
        ({"threshold": float("nan")}, "0 or more"),
        ({"sample_rows": 0}, "10 or more"),
        ({"real": {"path": "a", "filters": [["x", "=>", 1]]}}, "unknown value '=>'"),
        ({"real": {"path": "a", "filters": [["x"]]}}, "is not a valid condition"),
        ({"mode": "weight"}, "Did you mean 'weights'?"),
        ({"max_rows": 0}, "1 or more"),
        ({"keep_releases": 0}, "1 or more"),
        ({"name": "../x"}, "letters, digits and underscores"),
        ({"output": "../elsewhere"}, "outside 'output_root'"),
        ({"output": "/elsewhere"}, "outside 'output_root'"),
    ],
)
def test_a_wrong_option_is_named_with_its_remedy_by_both_doors(
    change: dict[str, Any], named: str
) -> None:
    with pytest.raises(SynthMixError) as in_python:
        build_synthmix_defs(**{**MINIMAL, **change})
    assert named in str(in_python.value)
    assert f"option '{next(iter(change))}" in str(in_python.value)
    with pytest.raises(Exception) as in_yaml:
        from_yaml({**MINIMAL, **change})
    said: BaseException | None = in_yaml.value
    words = ""
    while said is not None:
        words += str(said)
        said = said.__cause__ or said.__context__
    assert named in words


def test_a_missing_option_is_named() -> None:
    with pytest.raises(SynthMixError, match="option 'target'"):
        build_synthmix_defs(**{key: value for key, value in MINIMAL.items() if key != "target"})


def test_a_mistyped_asset_key_is_found_at_definition_time(tmp_path: Path) -> None:
    options = {**write_inputs(tmp_path), "real": {"asset": "warehouse/reel"}}
    defs = dg.Definitions.merge(
        build_synthmix_defs(**options), dg.Definitions(assets=[dg.AssetSpec("warehouse/real")])
    )
    with pytest.raises(dg.DagsterInvalidDefinitionError, match="reel"):
        dg.Definitions.validate_loadable(defs)


@pytest.mark.parametrize("option", ["categorical", "ignore", "key", "key_prefix"])
def test_one_name_is_a_list_of_one(option: str) -> None:
    keys = build_synthmix_defs(**{**MINIMAL, option: "abc"}).resolve_all_asset_keys()
    assert len(list(keys)) == 5


def test_one_dependency_is_a_list_of_one() -> None:
    real = {"path": "real.csv", "deps": "landing/files"}
    defs = dg.Definitions.merge(
        build_synthmix_defs(**{**MINIMAL, "real": real}),
        dg.Definitions(assets=[dg.AssetSpec(["landing", "files"])]),
    )
    parents = defs.resolve_asset_graph().get(dg.AssetKey(["demo", "real"])).parent_keys
    assert parents == {dg.AssetKey(["landing", "files"])}


@pytest.mark.parametrize("option", ["ignore", "key"])
def test_a_gate_that_would_not_see_the_labels_is_refused(option: str) -> None:
    with pytest.raises(SynthMixError, match="cannot detect wrong ones"):
        build_synthmix_defs(**MINIMAL, **{option: ["y"]})
