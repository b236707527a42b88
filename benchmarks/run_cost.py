"""What one run costs with Dagster's executors, beside a run whose steps do nothing.

    python -m benchmarks.run_cost [--repeat N] [--json FILE]

bare   five assets in a row that do nothing: Dagster's share
mix    the five steps of a mix of 500 real and 3,000 synthetic rows of 8 columns

Each is run in one process and with a process for every step, in turns. Every run is a process of
its own that has a new instance; its processor seconds are those of all its processes. The lowest of
N counts.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_BARE = """
import dagster as dg

def asset(number):
    @dg.asset(name=f"step_{number}", deps=[f"step_{number - 1}"] if number else [])
    def nothing():
        return None
    return nothing

def job(executor):
    steps = [asset(number) for number in range(5)]
    return dg.Definitions(steps, jobs=[dg.define_asset_job("run", executor_def=executor)])
"""

_MIX = """
import dagster as dg
from synthmix_dagster import build_synthmix_defs

def job(executor):
    mix = build_synthmix_defs(
        name="demo", real={"path": "real.parquet"}, synthetic={"path": "synthetic.parquet"},
        output_root="out", target="y", task="regression", threshold=100.0,
    )
    alone = dg.Definitions(jobs=[dg.define_asset_job("run", executor_def=executor)])
    return dg.Definitions.merge(mix, alone)
"""

PROJECTS = {"bare": _BARE, "mix": _MIX}

_RUN = """
import sys
import dagster as dg
from project import job

def in_one():
    return job(dg.in_process_executor).resolve_job_def("run")

def in_many():
    return job(dg.multiprocess_executor).resolve_job_def("run")

if __name__ == "__main__":
    with dg.DagsterInstance.get() as instance:
        made = dg.reconstructable(in_many if sys.argv[1] == "many" else in_one)
        with dg.execute_job(made, instance=instance) as result:
            assert result.success
"""


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found: dict[str, list[tuple[float, float]]] = {}
    for _ in range(options.repeat):
        for project, code in PROJECTS.items():
            for executor in ("one", "many"):
                name = f"{project}, {executor} process" + ("es" if executor == "many" else "")
                found.setdefault(name, []).append(run(code, executor))
    best = {
        name: [min(column) for column in zip(*runs, strict=True)] for name, runs in found.items()
    }
    for name, (processor, clock) in best.items():
        print(f"{name:22} {processor:6.1f} processor seconds, {clock:6.1f} by the clock")
    if options.json:
        options.json.write_text(json.dumps(best, indent=1) + "\n", encoding="utf-8")


def run(code: str, executor: str) -> tuple[float, float]:
    """Processor seconds of all processes of one run, and seconds by the clock."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        _write_rows(home)
        (home / "project.py").write_text(code, encoding="utf-8")
        (home / "run.py").write_text(_RUN, encoding="utf-8")
        (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n", encoding="utf-8")
        before, started = os.times(), time.perf_counter()
        subprocess.run(
            [sys.executable, "run.py", executor],
            cwd=home,
            env=os.environ | {"DAGSTER_HOME": folder},
            check=True,
            capture_output=True,
        )
        after, ended = os.times(), time.perf_counter()
    busy = after.children_user + after.children_system
    return busy - before.children_user - before.children_system, ended - started


def _write_rows(folder: Path) -> None:
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(0)
    for name, count in (("real", 500), ("synthetic", 3_000)):
        rows = pd.DataFrame(rng.normal(size=(count, 7)), columns=list("abcdefg"))
        rows["y"] = rows["a"] + rng.normal(size=count)
        rows.to_parquet(folder / f"{name}.parquet")


if __name__ == "__main__":
    main()
