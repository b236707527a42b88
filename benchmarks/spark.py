"""What a mix costs on a Spark cluster, beside one machine, stage by stage.

    python -m benchmarks.spark [--rows N ...] [--only arrow spark] [--repeat N] [--json FILE]

N real and N synthetic rows, 20 doubles and 2 texts each, zstd Parquet (those of
`benchmarks.mixing`); half of the synthetic rows are taken. The cluster is that of the tests: a
master and two workers on this machine, each with an executor of one core and 1 GB.

open        files are hashed and counted, and their types are looked at
sample      the distance on a sample: identities of all rows, the rows of lowest priority
all rows    the gap of every row by histograms, 100 directions
select      the cut-off of exactly k rows
write       shuffle, shards, digests, recount, publication

Seconds are those of the clock; processor seconds are those of all processes: of this engine alone,
or of driver, its JVM, master, workers, executors and their Pythons. Memory is the peak of the
driver: of its Python, and of its JVM.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.mixing import SHARDS, write_input

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
TICKS = os.sysconf("SC_CLK_TCK")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", nargs="+", type=int, default=[2_000_000, 10_000_000, 20_000_000])
    parser.add_argument("--only", nargs="+", choices=["arrow", "spark"], default=["arrow", "spark"])
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--without-all-rows", action="store_true")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for rows in options.rows:
            inputs = [Path(folder) / str(rows) / name for name in ("real", "synthetic")]
            for seed, path in enumerate(inputs):
                write_input(path, rows, seed)
            for run in range(options.repeat):
                for engine in options.only:
                    every = not options.without_all_rows
                    for found in measured(engine, inputs, Path(folder), rows, every):
                        results.append({"rows": rows, "run": run, "engine": engine, **found})
                        print(results[-1], flush=True)
            shutil.rmtree(Path(folder) / str(rows))
    show(pd.DataFrame(results))
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(results, indent=1))
    return 0


def measured(
    engine: str, inputs: list[Path], folder: Path, rows: int, every: bool
) -> Iterator[dict[str, float | str]]:
    """Each stage in turn, of one driver in a process of its own."""
    from spark_cluster import spark_cluster

    if engine == "arrow":
        yield from _stages("", inputs, folder, rows, every)
        return
    logs = folder / f"cluster-{rows}"
    logs.mkdir(exist_ok=True)
    with spark_cluster(logs) as cluster:
        yield from _stages(cluster.master, inputs, folder, rows, every)


def _stages(
    master: str, inputs: list[Path], folder: Path, rows: int, every: bool
) -> Iterator[dict[str, float | str]]:
    output = folder / "output"
    output.mkdir()
    words = [master, *map(str, inputs), str(output), str(rows), "every" if every else ""]
    code = "import sys; from benchmarks import spark; spark.run(*sys.argv[1:])"
    with subprocess.Popen(
        [sys.executable, "-c", code, *words], stdout=subprocess.PIPE, text=True
    ) as driver:
        assert driver.stdout is not None
        before = processor_seconds()
        for line in driver.stdout:
            if not line.startswith("{"):
                continue
            now = processor_seconds()
            found = json.loads(line)
            yield {
                **found,
                "processor seconds": now - before,
                "python MB": peak_mb([driver.pid]),
                "jvm MB": peak_mb([pid for pid in descendants(driver.pid) if is_java(pid)]),
                "load": os.getloadavg()[0],
            }
            before = now
    shutil.rmtree(output)
    if driver.returncode:
        raise RuntimeError(f"{master or 'arrow'}: the driver ended with {driver.returncode}")


def run(master: str, real: str, synthetic: str, output: str, rows: str, every: str) -> None:
    """Do every stage, and print what it took."""
    import time

    from synthmix_dagster import SparkAccess, measure_distance
    from synthmix_dagster.data.opening import open_store
    from synthmix_dagster.gates.evidence import Evidence
    from synthmix_dagster.release.mixing import plan_mix
    from synthmix_dagster.release.options import MixOptions
    from synthmix_dagster.verbs.engines import engine_of, opened_by

    started = time.perf_counter()

    def stage(name: str, **more: float) -> None:
        nonlocal started
        now = time.perf_counter()
        print(json.dumps({"stage": name, "seconds": now - started, **more}), flush=True)
        # Whoever reads it looks at the processors before the next stage begins.
        time.sleep(0.2)
        started = time.perf_counter()

    engine = None
    if master:
        from spark_cluster import OPTIONS

        from synthmix_dagster.spark.workers import ready_session

        engine = SparkAccess(master=master, options={**OPTIONS, "spark.driver.memory": "1g"})
        ready_session(engine)
    stage("start")
    pair = [
        opened_by(engine, path, name) for path, name in ((real, "real"), (synthetic, "synthetic"))
    ]
    stage("open")
    quick: dict[str, Any] = {"permutations": 0, "directions": 100, "ignore": ["code"]}
    sampled = measure_distance(pair[0], pair[1], **quick)
    stage("sample", gap=sampled.gap)
    if every:
        whole = measure_distance(pair[0], pair[1], rows="all", **quick)
        stage("all rows", gap=whole.gap)
    shard_rows = -(-int(rows) * 3 // 2 // SHARDS)
    plan = plan_mix(
        pair[0],
        pair[1],
        ratio=0.5,
        options=MixOptions(rows_per_shard=shard_rows),
        engine=engine_of(engine, pair),
    )
    stage("select")
    release = plan.publish(open_store(output), Evidence())
    stage("write", shards=len(release.details.shards))


def processor_seconds() -> float:
    """Processor time of everything that this process started, ended processes included."""
    own = os.times()
    ticks = 0
    for pid in descendants(os.getpid()):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += sum(int(each) for each in fields[11:15])
    return ticks / TICKS + own.children_user + own.children_system


def descendants(pid: int) -> list[int]:
    """Processes that a process started, and those that these started."""
    parents: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents.setdefault(int(fields[1]), []).append(int(path.parent.name))
    found: list[int] = []
    left = [pid]
    while left:
        here = parents.get(left.pop(), [])
        found += here
        left += here
    return found


def is_java(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip() == "java"
    except OSError:
        return False


def peak_mb(pids: list[int]) -> float:
    """Peak resident memory of the largest of some processes."""
    peaks = [0]
    for pid in pids:
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            continue
        peaks += [int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line]
    return max(peaks) / 1024


def show(results: pd.DataFrame) -> None:
    """Seconds of the clock and of processors for a million rows, and the driver's memory."""
    million = results["rows"] * 2 / 1e6
    results = results.assign(
        **{
            "s/M": results["seconds"] / million,
            "cpu s/M": results["processor seconds"] / million,
        }
    )
    by = results.groupby(["engine", "rows", "stage"], sort=False)
    columns = ["seconds", "processor seconds", "s/M", "cpu s/M", "python MB", "jvm MB"]
    print(by[columns].median().round(2).to_string())


if __name__ == "__main__":
    sys.exit(main())
