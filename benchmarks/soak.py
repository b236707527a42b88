"""Does one process leak? Hundreds of scheduled materialisations on one Dagster instance.

    python -m benchmarks.soak [--runs 500] [--json FILE]

Every day the rows change, the schedule of a mix ticks, and what it asks for is materialised in this
process on an instance on disk (SQLite), drift watched and ten releases kept. Counted after every
run: resident memory, open file descriptors, threads, files in the folder for temporary ones, files
of the mix, and bytes of the instance's databases and logs. Every 50 runs a process of its own loads
the project and asks the instance for the latest release. Slopes are least squares over the second
half, when libraries are warm; beside each stands twice its standard error.
"""

import argparse
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

_EVERY = 50
_START = datetime(2026, 1, 1, 3, tzinfo=timezone.utc)

_PROJECT = """
from synthmix_dagster import build_synthmix_defs

defs = build_synthmix_defs(
    name="soak", real={"path": "real.parquet"}, synthetic={"path": "synthetic.parquet"},
    output_root="mixes", target="y", task="regression", threshold=1.0, sample_rows=200,
    permutations=19, directions=20, max_ratio=1.0, flat_curve="rows", keep_releases=10, drift={},
    schedule={"cron": "0 3 * * *"},
)
"""

_LOAD = """
import dagster as dg
from project import defs
with dg.DagsterInstance.get() as instance:
    defs.get_repository_def()
    assert instance.get_latest_materialization_event(dg.AssetKey(["soak", "training_data"]))
"""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        seen, loaded = soak(Path(folder), options.runs)
    found = {"runs": options.runs, "slopes": slopes(seen), "load": loaded, "seen": seen}
    shown = pd.DataFrame(found["slopes"])
    print(shown.to_string(index=False))
    print("CPU seconds of loading, every 50 runs:", *(f"{each:.2f}" for each in loaded))
    if options.json:
        options.json.write_text(json.dumps(found) + "\n", encoding="utf-8")
    return 0


def soak(home: Path, runs: int) -> tuple[list[dict[str, float]], list[float]]:
    """What was counted after every run, and CPU seconds of processes that load the project."""
    import dagster as dg

    temporary = home / "tmp"
    temporary.mkdir()
    os.environ["TMPDIR"] = tempfile.tempdir = str(temporary)
    os.environ["DAGSTER_HOME"] = str(home)
    os.chdir(home)
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n", encoding="utf-8")
    (home / "project.py").write_text(_PROJECT, encoding="utf-8")
    sys.path.insert(0, str(home))
    write_day(0)
    from project import defs  # type: ignore[import-not-found]

    seen, loaded = [], []
    with dg.DagsterInstance.get() as instance:
        job, schedule = (
            defs.resolve_job_def("soak_job"),
            defs.resolve_schedule_def("soak_job_schedule"),
        )
        for day in range(runs):
            write_day(day)
            started, busy = time.perf_counter(), time.process_time()
            when = _START + timedelta(days=day)
            with dg.build_schedule_context(instance, scheduled_execution_time=when) as context:
                (request,) = schedule.evaluate_tick(context).run_requests
            result = job.execute_in_process(instance=instance, tags=dict(request.tags))
            assert result.success
            del result
            gc.collect()
            row = counted(home)
            row["CPU seconds"] = time.process_time() - busy
            row["seconds"] = time.perf_counter() - started
            seen.append(row)
            if day % _EVERY == _EVERY - 1:
                loaded.append(loading())
                print(day + 1, {name: round(value, 2) for name, value in row.items()}, flush=True)
    return seen, loaded


def write_day(day: int) -> None:
    """Rows of one day on both sides."""
    rng = np.random.default_rng(day)
    for name, count in (("real", 120), ("synthetic", 240)):
        rows = pd.DataFrame(rng.normal(size=(count, 3)), columns=list("abc"))
        rows["kind"] = rng.choice(["x", "y"], count)
        rows["y"] = rows["a"] + 0.5 * rng.normal(size=count)
        rows.to_parquet(f"{name}.parquet")


def counted(home: Path) -> dict[str, float]:
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    inside = [path for path in home.rglob("*") if path.is_file()]
    mix = [path for path in inside if "mixes" in path.relative_to(home).parts]
    instance = [
        p for p in inside if {"history", "storage", "schedules"} & set(p.relative_to(home).parts)
    ]
    return {
        "memory, MB": resident / 1e6,
        "file descriptors": len(list(Path("/proc/self/fd").iterdir())),
        "threads": len(list(Path("/proc/self/task").iterdir())),
        "temporary files": sum(path.is_file() for path in (home / "tmp").rglob("*")),
        "files of the mix": len(mix),
        "files of the mix, kB": sum(path.stat().st_size for path in mix) / 1e3,
        "instance, kB": sum(path.stat().st_size for path in instance) / 1e3,
    }


def loading() -> float:
    """CPU seconds of a process that loads the project and asks for its latest release."""
    before = os.times()
    subprocess.run([sys.executable, "-c", _LOAD], check=True, capture_output=True)
    after = os.times()
    return (
        after.children_user + after.children_system - before.children_user - before.children_system
    )


def slopes(seen: list[dict[str, float]]) -> list[dict[str, Any]]:
    """What each count grows by in a run, in the second half of the runs."""
    rows, half = pd.DataFrame(seen), len(seen) // 2
    found = []
    for name in rows.columns:
        y = rows[name].to_numpy()[half:]
        x = np.arange(len(y)) - (len(y) - 1) / 2
        slope = float(x @ (y - y.mean()) / (x @ x))
        left = y - y.mean() - slope * x
        error = float(np.sqrt(left @ left / max(len(y) - 2, 1) / (x @ x)))
        found.append(
            {
                "what": name,
                "first": float(rows[name].iloc[0]),
                "half": float(rows[name].iloc[half]),
                "last": float(rows[name].iloc[-1]),
                "a run": slope,
                "two errors": 2 * error,
            }
        )
    return found


if __name__ == "__main__":
    raise SystemExit(main())
