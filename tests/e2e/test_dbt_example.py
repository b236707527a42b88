"""The example with dbt: two models are mixed on a schedule, and the release comes back as a table.

dbt has an environment of its own, which `make test-all` makes.
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from servers import unavailable

from synthmix_dagster import verify_release

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
#: An interpreter that has dbt.
PYTHON = Path(os.environ.get("SYNTHMIX_DBT_PYTHON", ROOT / ".venv-dbt" / "bin" / "python"))

RUN = """
import json, sys
import dagster as dg
import duckdb
import shop

out = {}
with dg.DagsterInstance.get() as instance:
    schedule = shop.defs.resolve_schedule_def("training_data_of_the_day_schedule")
    with dg.build_schedule_context(instance=instance) as context:
        ticked = schedule.evaluate_tick(context)
    out["requests"] = len(ticked.run_requests)
    job = shop.defs.resolve_job_def("training_data_of_the_day")
    result = job.execute_in_process(instance=instance, raise_on_error=False)
    out["succeeded"] = result.success
    made = result.get_asset_materialization_events()
    out["made"] = [event.asset_key.to_user_string() for event in made]
graph = shop.defs.resolve_asset_graph()
out["parents"] = {
    key.to_user_string(): sorted(parent.to_user_string() for parent in graph.get(key).parent_keys)
    for key in graph.get_all_asset_keys()
}
with duckdb.connect(shop.os.environ["SHOP_DATABASE"], read_only=True) as connection:
    for name in ("analytics.churn_training", "main.training_summary"):
        out[name] = connection.execute(f"select count(*) from {name}").fetchone()[0]
json.dump(out, open(sys.argv[1], "w"))
"""


def run(folder: Path, **variables: Any) -> dict[str, Any]:
    """Tick the schedule and run its job, in the environment that has dbt."""
    (folder / "home").mkdir(exist_ok=True)
    (folder / "home" / "dagster.yaml").write_text("telemetry: { enabled: false }\n")
    done = subprocess.run(
        [PYTHON, "-c", RUN, folder / "answer.json"],
        cwd=ROOT / "examples" / "dbt",
        env={
            **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            "PATH": f"{PYTHON.parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "examples" / "dbt")]),
            "DAGSTER_HOME": str(folder / "home"),
            "SHOP_PLACE": str(folder / "place"),
            **variables,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    found: dict[str, Any] = json.loads((folder / "answer.json").read_text())
    found["said"] = done.stdout + done.stderr
    return found


def test_models_are_mixed_on_a_schedule_and_the_release_comes_back_as_a_table(
    tmp_path: Path,
) -> None:
    if not PYTHON.exists():
        unavailable("dbt is not installed; 'make .venv-dbt/.installed' makes its environment")
    found = run(tmp_path)
    assert found["requests"] == 1
    assert found["succeeded"], found["said"][-4000:]
    assert found["parents"]["churn/real"] == ["customers"]
    assert found["parents"]["churn/synthetic"] == ["generated"]
    assert found["parents"]["training_summary"] == ["churn/published_table"]
    # In the order of the graph: dbt, the mix, the table, dbt again.
    made = found["made"]
    assert made.index("customers") < made.index("churn/real")
    assert made.index("churn/published_table") < made.index("training_summary")
    release = verify_release(tmp_path / "place" / "mixes" / "churn")
    assert found["analytics.churn_training"] == release.details.realised.rows
    assert found["main.training_summary"] == 2
    kinds = {column.name: column.type for column in release.details.columns}
    assert kinds["spend"] == "decimal128(12, 2)"
