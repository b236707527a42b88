"""A mix in YAML, and a model downstream of it, each step in a process of its own."""

import json
from pathlib import Path

import dagster as dg
import pytest
from scenario import write_inputs
from servers import execute

from synthmix_dagster import load_release

pytestmark = pytest.mark.slow

PYPROJECT = """
[tool.dg]
directory_type = "project"

[tool.dg.project]
root_module = "shop"
"""

MODEL = """
import dagster as dg
import polars as pl

from synthmix_dagster import DistanceReport


ROLES = ("training_data", "optimal_ratio", "distribution_distance")


@dg.asset(ins={role: dg.AssetIn(["ml", "demo", role]) for role in ROLES})
def model(training_data: pl.LazyFrame, optimal_ratio, distribution_distance: DistanceReport):
    counted = training_data.select(pl.len()).collect().item()
    found = {"rows": counted, "ratio": optimal_ratio.ratio, "gap": distribution_distance.gap}
    return dg.MaterializeResult(metadata=found)
"""

PROJECT = """
from pathlib import Path

import dagster as dg


def job():
    defs = dg.load_from_defs_folder(path_within_project=Path(__file__).parent / "shop")
    everything = dg.define_asset_job("everything", selection="*")
    own = dg.Definitions(jobs=[everything], executor=dg.multiprocess_executor)
    return dg.Definitions.merge(defs, own).resolve_job_def("everything")
"""


def test_a_model_is_given_what_the_mix_made_in_other_processes(tmp_path: Path) -> None:
    options = write_inputs(tmp_path / "in") | {"permutations": 9, "key_prefix": ["ml"]}
    home, project = tmp_path / "home", tmp_path / "project"
    for folder in (home, project / "shop" / "defs" / "demo"):
        folder.mkdir(parents=True)
    (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    (project / "pyproject.toml").write_text(PYPROJECT)
    for folder in (project / "shop", project / "shop" / "defs"):
        (folder / "__init__.py").touch()
    component = {"type": "synthmix_dagster.SynthMixComponent", "attributes": options}
    # JSON is YAML.
    (project / "shop" / "defs" / "demo" / "defs.yaml").write_text(json.dumps(component))
    (project / "shop" / "defs" / "model.py").write_text(MODEL)
    succeeded, said = execute(PROJECT, project, home)
    assert succeeded, said
    release = load_release(Path(options["output_root"]) / "ml" / "demo")
    with dg.DagsterInstance.from_config(str(home)) as instance:
        key = dg.AssetKey("model")
        (record,) = instance.fetch_materializations(key, limit=10).records
        started = dg.DagsterEventType.STEP_WORKER_STARTED
        workers = instance.all_logs(record.run_id, of_type=started)
    assert record.asset_materialization is not None
    found = {name: value.value for name, value in record.asset_materialization.metadata.items()}
    assert found["rows"] == release.details.realised.rows
    assert found["ratio"] == release.manifest["evidence"]["optimal_ratio"]["ratio"]
    assert found["gap"] == release.manifest["evidence"]["distribution_distance"]["gap"]
    # Five assets of the mix and the model, each in a process.
    assert len(workers) == 6
