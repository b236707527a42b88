"""Every step on a machine of its own, as under Docker or Kubernetes.

Dagster's executors for these hand each step to a `StepHandler`, which starts `dagster api
execute_step` somewhere. The one here starts it in a process with a home, a temporary folder and a
working directory of its own, and takes all of that away before the next step begins. What is
left between steps is the instance and `output_root`.
"""

import json
from pathlib import Path

import dagster as dg
import pytest
from machines import EXECUTOR
from scenario import write_inputs
from servers import execute

from synthmix_dagster import verify_release

pytestmark = pytest.mark.slow

PROJECT = (
    EXECUTOR
    + """

class Nowhere(dg.IOManager):
    def handle_output(self, context, obj):
        raise AssertionError(f"a step stored something: {{context.step_key}}")

    def load_input(self, context):
        raise AssertionError(f"a step loaded something: {{context.asset_key}}")


class Resampling:
    def fit(self, frame):
        self.frame = frame

    def sample(self, rows):
        drawn = self.frame.sample(rows, replace=True, random_state=1, ignore_index=True)
        return drawn.assign(x=drawn["x"] + 0.01, y=drawn["y"] + 0.01)


@dg.resource
def resampling(context):
    return Resampling()


def job():
    resources = {{"io_manager": Nowhere(), "resampling": resampling}}
    defs = dg.Definitions.merge(
        build_synthmix_defs(**GIVEN["options"]),
        dg.Definitions(executor=machines, resources=resources),
    )
    return defs.resolve_job_def("demo_job")
"""
)


def test_steps_share_nothing_but_the_output_and_the_instance(tmp_path: Path) -> None:
    options = write_inputs(tmp_path / "shared") | {"permutations": 9}
    # What hands on the most: rows from a generator, and a reference sample for drift.
    options |= {"synthetic": {"generator": "resampling", "generator_rows": 200}}
    options |= {"drift": {"history": 2, "reference": 1}}
    home, launcher, log = tmp_path / "home", tmp_path / "launcher", tmp_path / "steps.log"
    for folder in (home, launcher, tmp_path / "machines"):
        folder.mkdir()
    (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    given = {"options": options, "machines": str(tmp_path / "machines"), "log": str(log)}
    (launcher / "given.json").write_text(json.dumps(given))
    project = PROJECT.format(given=str(launcher / "given.json"))
    succeeded, said = execute(project, launcher, home)
    assert succeeded, said
    # One machine for each of the five assets with its checks, and nothing of any is left.
    steps = [line.split() for line in log.read_text().splitlines()]
    assert {code for _, code in steps} == {"0"}
    assert len({name for name, _ in steps}) == len(steps) == 5
    assert not list((tmp_path / "machines").iterdir())
    release = verify_release(tmp_path / "shared" / "mixes" / "demo")
    assert release.manifest["inputs"]["synthetic"]["rows"] == 200
    # All that was handed on lies below the output; the run left no value in the instance's folder.
    assert not list((home / "storage").glob("demo*"))
    with dg.DagsterInstance.from_config(str(home)) as instance:
        key = dg.AssetKey(["demo", "training_data"])
        (record,) = instance.fetch_materializations(key, limit=10).records
    assert record.asset_materialization is not None
    written = record.asset_materialization.metadata["dagster/uri"].value
    assert str(tmp_path / "shared" / "mixes") in str(written)
