"""YAML of the docs: whole components, settings of a mix, and the configuration of a run."""

import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import yaml
from dagster.components.testing import create_defs_folder_sandbox

from synthmix_dagster import SynthMixComponent
from synthmix_dagster.orchestration.config.mix import MixConfig

COMPONENT = "synthmix_dagster.SynthMixComponent"
MINIMAL: Mapping[str, Any] = {
    "name": "churn",
    "real": {"path": "data/real"},
    "synthetic": {"path": "data/generated"},
    "target": "churned",
    "task": "classification",
    "threshold": 0.3,
    "output_root": "mixes",
}


def check(body: str) -> str:
    """Load what the YAML describes, and say what that was."""
    kinds = [_check(document) for document in yaml.safe_load_all(body) if document is not None]
    assert kinds, "it says nothing"
    return kinds[0]


def _check(document: Mapping[str, Any]) -> str:
    if "type" in document and "attributes" in document:
        assert document["type"] == COMPONENT, f"unknown component {document['type']}"
        _load(document["attributes"], document.get("template_vars_module"))
        return "component"
    if set(document) == {"ops"}:
        _validate_run(document)
        return "run configuration"
    if set(document) == {"telemetry"}:
        return "instance"
    settings = document["attributes"] if set(document) == {"attributes"} else document
    unknown = set(settings) - set(MixConfig.model_fields)
    assert not unknown, f"neither a component nor settings of a mix: {sorted(unknown)}"
    _load({**MINIMAL, **settings})
    return "settings"


def _load(attributes: Mapping[str, Any], variables: str | None = None) -> dg.Definitions:
    """Load a component, with the module of template variables that the page wrote."""
    contents = {"type": COMPONENT, "attributes": dict(attributes)}
    if variables is not None:
        contents["template_vars_module"] = variables
    with create_defs_folder_sandbox() as sandbox:
        path = sandbox.scaffold_component(
            component_cls=SynthMixComponent, defs_yaml_contents=contents
        )
        if variables is not None:
            (written,) = Path("defs").rglob(f"{variables.removeprefix('.')}.py")
            shutil.copy(written, path)
        with sandbox.load_component_and_build_defs(defs_path=path) as (_, defs):
            whole = dg.Definitions.merge(defs, _stubs(attributes))
            dg.Definitions.validate_loadable(whole)
            return whole


def _stubs(attributes: Mapping[str, Any]) -> dg.Definitions:
    """The assets and resources that the project would have already."""
    keys = {key for side in _sides(attributes) for key in _keys(side)}
    kinds = ("generator", "storage", "connection")
    named = [side.get(what) for side in _sides(attributes) for what in kinds]
    named += [attributes.get("storage"), attributes.get("publish", {}).get("connection")]
    if attributes.get("engine") == "spark":
        named.append(attributes.get("spark", "spark"))
    resources = {name for name in named if name is not None}
    return dg.Definitions(
        assets=[dg.AssetSpec(dg.AssetKey.from_user_string(key)) for key in sorted(keys)],
        resources={name: dg.ResourceDefinition.none_resource() for name in resources},
    )


def _sides(attributes: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for name in ("real", "synthetic", "evaluation", "other"):
        side = attributes.get(name, {})
        several = side and all(isinstance(each, Mapping) for each in side.values())
        yield from side.values() if several else [side]


def _keys(side: Mapping[str, Any]) -> list[str]:
    return [*([side["asset"]] if "asset" in side else []), *side.get("deps", [])]


def _validate_run(config: Mapping[str, Any]) -> None:
    """Hold a run's configuration to the job of the mix that its steps name."""
    names = {re.split("__", op)[0] for op in config["ops"]}
    assert len(names) == 1, names
    name = names.pop()
    defs = _load({**MINIMAL, "name": name, "conditional_threshold": 0.1})
    dg.validate_run_config(defs.resolve_job_def(f"{name}_job"), dict(config))
