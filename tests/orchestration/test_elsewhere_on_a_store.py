"""Sensor, monitor, generator and command line where everything lies in an object store."""

import uuid
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest
from cli_runs import run as command
from scenario import good, rows, write_inputs

from synthmix_dagster import (
    NewRelease,
    build_drift_monitor,
    build_release_sensor,
    build_synthmix_defs,
    load_release,
    verify_release,
)
from synthmix_dagster.data.opening import open_store
from synthmix_dagster.ratio.experience import SHIPPED, Experience, shipped_experience

INPUTS = ("real.parquet", "synthetic.parquet")
QUICK = {"permutations": 0, "directions": 5}


@pytest.fixture
def root():
    return f"memory://{uuid.uuid4().hex}/mixes"


class Drawing:
    """A generator that draws its rows from those that it was fitted on, and moves them."""

    def fit(self, frame: pd.DataFrame) -> None:
        self.frame = frame

    def sample(self, count: int) -> pd.DataFrame:
        drawn = self.frame.sample(count, replace=True, random_state=7, ignore_index=True)
        return drawn.assign(x=drawn["x"] + 0.1 * rows(count, seed=1)["x"])


def test_a_generator_writes_to_the_store_and_the_sensor_hands_on_what_loads(
    tmp_path: Path, instance: dg.DagsterInstance, root: str
) -> None:
    options = write_inputs(tmp_path) | QUICK
    options |= {
        "synthetic": {"generator": "drawing", "generator_rows": 300},
        "evaluation_share": 0.3,
        "output_root": root,
        "threshold": 2.0,
        "flat_curve": "rows",
    }
    defs = build_synthmix_defs(**options)
    loaded: list[tuple[NewRelease, int]] = []

    def train(_: dg.SensorEvaluationContext, new: NewRelease) -> None:
        loaded.append((new, len(load_release(new.uri).to_pandas())))

    sensor = build_release_sensor("demo/training_data", on_release=train)
    empty = sensor.evaluate_tick(dg.build_sensor_context(instance=instance))
    result = dg.materialize(
        [*(defs.assets or ())],
        instance=instance,
        resources={**(defs.resources or {}), "drawing": Drawing()},
    )
    assert result.success
    sensor.evaluate_tick(dg.build_sensor_context(instance=instance, cursor=empty.cursor))
    release = verify_release(f"{root}/demo")
    ((new, count),) = loaded
    assert (new.uri, new.release_id) == (release.uri, release.release_id)
    assert count == release.details.realised.rows
    generated = open_store(f"{root}/demo/generated/demo")
    assert [file.name for file in generated.files()] == ["rows.parquet"]
    # 'storage' is where Dagster's own I/O manager keeps the generator's input.
    assert {path.name for path in tmp_path.iterdir()} <= {*INPUTS, "storage"}


def test_a_monitor_keeps_its_references_in_the_store(
    tmp_path: Path, instance: dg.DagsterInstance, root: str
) -> None:
    path = tmp_path / "rows.parquet"
    defs = build_drift_monitor(
        name="watch",
        real={"path": str(path)},
        generator_version="1",
        output_root=root,
        reference=1,
    )
    for seed in range(2):
        rows(200, seed=seed).to_parquet(path)
        assert dg.materialize([*(defs.assets or ())], instance=instance).success
    kept = {file.name for file in open_store(f"{root}/watch").files()}
    assert [name for name in kept if name.startswith("references/")]
    assert {each.name for each in tmp_path.iterdir()} == {"rows.parquet"}


def test_the_command_line_writes_to_a_store_and_reads_from_it(root: str) -> None:
    inputs = open_store(f"{root}/in")
    for side, frame in (("real", rows(100, seed=0)), ("generated", good())):
        inputs.put(f"{side}.parquet", frame.to_parquet())
    sides = [f"{inputs.uri}/real.parquet", f"{inputs.uri}/generated.parquet"]
    made = command("mix", *sides, "--output", root, "--ratio", "1")
    assert made.exit_code == 0, made.output
    release = load_release(root)
    assert command("verify", root).exit_code == 0
    page = f"{root}/report.html"
    assert command("report", root, "-o", page).stdout.strip() == page
    assert open_store(root).read("report.html") == release.store.read("report.html")
    inside = command("report", root, "-o", f"{release.uri}/other.html")
    assert inside.exit_code == 2
    assert "is inside the release" in inside.stderr
    missing = command("verify", f"{root}/nowhere")
    assert missing.exit_code != 0
    assert "Traceback" not in missing.output


def test_an_experience_is_read_by_its_uri(root: str) -> None:
    open_store(root).put("experience.json", SHIPPED["kernel"].read_bytes())
    assert Experience.read(f"{root}/experience.json").digest == shipped_experience().digest
