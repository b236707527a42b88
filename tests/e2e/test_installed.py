"""A project of somebody else's: made by Dagster's own command, with the wheel installed in it."""

import json
import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
from servers import ask, free_port, running, until, wait_for

from synthmix_dagster import verify_release

ROOT = Path(__file__).parents[2]
COMMANDS = ("create-dagster", "dagster", "dagster-daemon", "dagster-webserver", "dg")
PARTITIONS = [f"p{number:02}" for number in range(1, 13)]
REFUSED = ["p04", "p09"]

#: Assets of the project's own, in two of whose partitions the generator went wrong.
ASSETS = f"""
import dagster as dg
import numpy as np
import pandas as pd

PARTITIONS = dg.StaticPartitionsDefinition({PARTITIONS!r})


def rows(n, seed, shift=0.0):
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=(2, n))
    kind = rng.choice(["a", "b"], size=n)
    y = np.sin(2 * x) + z + (kind == "a") + rng.normal(0, 0.4, size=n)
    return pd.DataFrame({{"x": x + shift, "z": z, "kind": kind, "y": y}})


@dg.asset(key_prefix="shop", partitions_def=PARTITIONS)
def orders(context: dg.AssetExecutionContext) -> pd.DataFrame:
    return rows(100, seed=int(context.partition_key[1:]))


@dg.asset(key_prefix="shop", partitions_def=PARTITIONS, deps=[orders])
def generated(context: dg.AssetExecutionContext) -> pd.DataFrame:
    wrong = context.partition_key in {REFUSED!r}
    return rows(100, seed=100 + int(context.partition_key[1:]), shift=4.0 * wrong)


defs = dg.Definitions(assets=[orders, generated], executor=dg.in_process_executor)
"""

PARTITIONED = f"""
type: synthmix_dagster.SynthMixComponent
attributes:
  name: mixed
  real: {{ asset: shop/orders }}
  synthetic: {{ asset: shop/generated }}
  target: y
  task: regression
  threshold: 0.75
  permutations: 9
  directions: 20
  flat_curve: rows
  output_root: "{{{{ context.project_root }}}}/mixes"
  partitions_def: {{ type: static, partition_keys: {json.dumps(PARTITIONS)} }}
"""

SCHEDULED = """
type: synthmix_dagster.SynthMixComponent
attributes:
  name: every_minute
  real: { path: "{{ context.project_root }}/data/real.parquet" }
  synthetic: { path: "{{ context.project_root }}/data/synthetic.parquet" }
  target: y
  task: regression
  threshold: 0.75
  permutations: 9
  directions: 20
  flat_curve: rows
  output_root: "{{ context.project_root }}/mixes"
  schedule: { cron: "* * * * *", default_status: RUNNING }
"""


@dataclass
class Project:
    """A project and the environment that it is installed in."""

    folder: Path
    environment: Path
    home: Path

    @property
    def python(self) -> Path:
        return self.environment / "bin" / "python"

    @property
    def variables(self) -> dict[str, str]:
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("DAGSTER", "PYTHON", "SYNTHMIX"))
        }
        return {
            **clean,
            "PATH": f"{self.environment / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "VIRTUAL_ENV": str(self.environment),
            "DAGSTER_HOME": str(self.home),
            "DAGSTER_DISABLE_TELEMETRY": "1",
            # No command looks for a newer version of itself on the net.
            "DAGSTER_DG_UPDATE_CHECK_ENABLED": "0",
            "HOME": str(self.home),
            "COLUMNS": "300",
            "NO_COLOR": "1",
        }

    def run(self, *words: str, cwd: Path | None = None) -> str:
        done = subprocess.run(
            [str(self.environment / "bin" / words[0]), *words[1:]],
            cwd=cwd or self.folder,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        said = done.stdout + done.stderr
        assert done.returncode == 0, said
        return said

    def component(self, name: str) -> Path:
        return self.folder / "src" / "shop" / "defs" / name / "defs.yaml"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """What a newcomer has after `create-dagster project` and `pip install` of the wheel."""
    folder = tmp_path_factory.mktemp("installed")
    made = Project(folder / "shop", folder / "environment", folder / "home")
    made.home.mkdir()
    (made.home / "dagster.yaml").write_text(
        "telemetry:\n  enabled: false\nconcurrency:\n  runs:\n    max_concurrent_runs: 2\n"
        "compute_logs:\n  module: dagster._core.storage.noop_compute_log_manager\n"
        "  class: NoOpComputeLogManager\n"
    )
    wheels = folder / "wheels"
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", wheels, ROOT],
        check=True,
        capture_output=True,
    )
    venv.create(made.environment, symlinks=True)
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "--python", made.python, "install", "--quiet"),
            *("--no-index", "--no-deps", "--disable-pip-version-check", *wheels.iterdir()),
        ],
        check=True,
    )
    # Its dependencies are those of the tests, seen from afar to save the time to install them; the
    # project's own code as an editable installation has it.
    places = [sysconfig.get_paths()["purelib"], str(made.folder / "src")]
    (site,) = made.environment.glob("lib/python*/site-packages")
    (site / "afar.pth").write_text("\n".join(places))
    for script in entry_points(group="console_scripts"):
        if script.name in COMMANDS:
            program = made.environment / "bin" / script.name
            program.write_text(
                f"#!{made.python}\nimport sys\nfrom {script.module} import {script.attr}\n"
                f"sys.exit({script.attr}())\n"
            )
            program.chmod(0o755)
    made.run("create-dagster", "project", "--no-uv-sync", "shop", cwd=folder)
    (made.folder / "src" / "shop" / "defs" / "assets.py").write_text(ASSETS)
    return made


def is_clean(said: str) -> bool:
    return "All definitions loaded successfully" in said and "warning" not in said.lower()


@pytest.mark.slow
def test_a_scaffolded_component_loads_as_it_stands_and_explains_itself(project: Project) -> None:
    place = project.run(
        "python", "-c", "import synthmix_dagster; print(synthmix_dagster.__file__)"
    ).strip()
    assert Path(place).is_relative_to(project.environment)
    listed = json.loads(project.run("dg", "list", "components", "--json"))
    summaries = {each["key"]: each["summary"] for each in listed["items"]}
    assert "gate its release" in summaries["synthmix_dagster.SynthMixComponent"]
    project.run(
        *("dg", "scaffold", "defs", "synthmix_dagster.SynthMixComponent", "first"),
        *("--target", "label", "--threshold", "0.3"),
    )
    written = project.component("first").read_text()
    assert "target: label" in written
    assert "threshold: 0.3" in written
    said = project.run("dg", "check", "defs")
    assert is_clean(said), said
    listed = json.loads(project.run("dg", "list", "defs", "--json"))
    keys = {each["asset_key"] for each in listed["assets"]}
    roles = ("real", "synthetic", "distribution_distance", "optimal_ratio", "training_data")
    assert {f"first/{role}" for role in roles} < keys
    assert "first_job" in {each["name"] for each in listed["jobs"]}


@pytest.fixture
def served(project: Project) -> Iterator[str]:
    """A webserver and a daemon on the project, with a mix in partitions and one on a schedule."""
    for name, attributes in {"mixed": PARTITIONED, "every_minute": SCHEDULED}.items():
        project.component(name).parent.mkdir()
        project.component(name).write_text(attributes)
    project.run(
        "python",
        "-c",
        "from pathlib import Path; from shop.defs.assets import rows; Path('data').mkdir();"
        "rows(100, 1).to_parquet('data/real.parquet');"
        "rows(100, 2).to_parquet('data/synthetic.parquet')",
    )
    said = project.run("dg", "check", "defs")
    assert is_clean(said), said
    workspace = project.folder / "workspace.yaml"
    workspace.write_text(
        "load_from:\n  - python_module:\n      module_name: shop.definitions\n"
        "      location_name: shop\n"
    )
    port = free_port()
    program, logs = project.environment / "bin", project.folder.parent
    where = {"cwd": project.folder, "env": project.variables}
    web = (f"{program}/dagster-webserver", "-w", "workspace.yaml", "-h", "127.0.0.1")
    daemon = (f"{program}/dagster-daemon", "run", "-w", "workspace.yaml")
    with ExitStack() as stack:
        process = stack.enter_context(
            running((*web, "-p", str(port)), logs / "webserver.log", **where)
        )
        stack.enter_context(running(daemon, logs / "daemon.log", **where))
        yield wait_for(f"http://127.0.0.1:{port}", process)


def runs(url: str, tag: str, value: str) -> dict[str, dict[str, Any]]:
    """Runs with a tag, by their ids."""
    found = ask(
        url,
        """query($tags: [ExecutionTag!]) { runsOrError(filter: {tags: $tags}) { ... on Runs {
             results { runId status jobName tags { key value } } } } }""",
        tags=[{"key": tag, "value": value}],
    )
    return {run["runId"]: run for run in found["runsOrError"]["results"]}


def statuses(url: str, *path: str) -> dict[str, list[str]]:
    """Partitions of an asset by what became of them."""
    found = ask(
        url,
        """query($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode {
             assetPartitionStatuses { ... on DefaultPartitionStatuses {
               materializedPartitions failedPartitions unmaterializedPartitions } } } } }""",
        key={"path": path},
    )
    lists: dict[str, list[str]] = found["assetNodeOrError"]["assetPartitionStatuses"]
    return {name: sorted(keys) for name, keys in lists.items()}


def launch_backfill(url: str) -> str:
    """Submit twelve partitions as the UI does it."""
    ours = ("distribution_distance", "optimal_ratio", "training_data")
    keys = [["shop", "orders"], ["shop", "generated"], *(["mixed", role] for role in ours)]
    launched = ask(
        url,
        """mutation($what: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $what) {
             __typename ... on LaunchBackfillSuccess { backfillId }
             ... on PythonError { message } } }""",
        what={"partitionNames": PARTITIONS, "assetSelection": [{"path": key} for key in keys]},
    )["launchPartitionBackfill"]
    assert launched["__typename"] == "LaunchBackfillSuccess", launched
    return str(launched["backfillId"])


SCHEDULE = "every_minute_job_schedule"


def stop_schedule(url: str) -> None:
    """Leave the machine to the backfill."""
    selector = {
        "repositoryName": "__repository__",
        "repositoryLocationName": "shop",
        "scheduleName": SCHEDULE,
    }
    query = """query($one: ScheduleSelector!) { scheduleOrError(scheduleSelector: $one) {
        ... on Schedule { id scheduleState { id status } } } }"""
    schedule = ask(url, query, one=selector)["scheduleOrError"]
    assert schedule["scheduleState"]["status"] == "RUNNING"
    stopped = ask(
        url,
        "mutation($id: String!) { stopRunningSchedule(id: $id) { __typename } }",
        id=schedule["scheduleState"]["id"],
    )
    assert stopped["stopRunningSchedule"]["__typename"] == "ScheduleStateResult"


@pytest.mark.server
@pytest.mark.slow
def test_a_backfill_releases_all_but_what_the_gate_refused_and_a_schedule_ticks(
    project: Project, served: str
) -> None:
    # The twelve runs go on while the schedule is waited for.
    backfill = launch_backfill(served)
    until(lambda: runs(served, "dagster/schedule_name", SCHEDULE) or None, "a tick", 200)
    stop_schedule(served)

    def of_the_schedule() -> dict[str, Any] | None:
        found = runs(served, "dagster/schedule_name", SCHEDULE).values()
        return next((run for run in found if run["status"] in ("SUCCESS", "FAILURE")), None)

    run = until(of_the_schedule, "the run of the schedule ends", 400)
    assert (run["jobName"], run["status"]) == ("every_minute_job", "SUCCESS")
    release = verify_release(project.folder / "mixes" / "every_minute")
    assert release.manifest["inputs"]["synthetic"]["rows"] == 100

    def of_the_backfill() -> dict[str, str] | None:
        done = {
            tag["value"]: run["status"]
            for run in runs(served, "dagster/backfill", backfill).values()
            for tag in run["tags"]
            if tag["key"] == "dagster/partition" and run["status"] in ("SUCCESS", "FAILURE")
        }
        return done if len(done) == len(PARTITIONS) else None

    good = [key for key in PARTITIONS if key not in REFUSED]
    assert until(of_the_backfill, "all twelve runs end", 600) == {
        **dict.fromkeys(good, "SUCCESS"),
        **dict.fromkeys(REFUSED, "FAILURE"),
    }
    assert statuses(served, "mixed", "training_data") == {
        "materializedPartitions": good,
        "failedPartitions": REFUSED,
        "unmaterializedPartitions": REFUSED,
    }
    measured = statuses(served, "mixed", "distribution_distance")
    assert measured["materializedPartitions"] == PARTITIONS
    folder = project.folder / "mixes" / "mixed" / "partitions"
    for key in good:
        assert verify_release(folder / key).manifest["inputs"]["real"]["rows"] == 100
    for key in REFUSED:
        assert not list(folder.glob(f"{key}/releases/*")), key
        assert not (folder / key / "latest").exists()
