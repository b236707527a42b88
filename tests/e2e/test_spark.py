"""A mix on a real cluster: through Dagster and S3, over Spark Connect, and with machines that die.

Drivers are processes of their own, as they are for a user: a process has one.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest
from s3 import BUCKET, KEY, SECRET, access, s3_server
from servers import execute, until
from spark_cluster import OPTIONS, PATIENCE, Cluster, connect_server

from synthmix_dagster import (
    Release,
    SynthMixStorage,
    build_synthmix_defs,
    load_release,
    mix,
    verify_release,
)
from synthmix_dagster.data.opening import open_store
from synthmix_dagster.errors import ReleaseError

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

#: Times that a worker is killed in the middle of a mix; ten are measured now and then.
KILLS = int(os.environ.get("SYNTHMIX_WORKER_KILLS", "2"))
ROOT = f"s3://{BUCKET}"


def frame(n: int, seed: int) -> pd.DataFrame:
    """Rows with everything that may differ between engines: nulls, text, whole 64-bit integers."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    city = rng.choice(["Köln", "東京", "a b", "🙂"], size=n).astype(object)
    city[rng.random(n) < 0.05] = None
    return pd.DataFrame(
        {
            "id": rng.integers(-(2**63), 2**63 - 1, size=n, dtype=np.int64),
            "x": x,
            "city": city,
            "y": np.sin(2 * x) + rng.normal(0, 0.4, size=n),
        }
    )


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Real and synthetic rows in several files each."""
    folder = tmp_path_factory.mktemp("rows")
    for name, n, seed in (("real", 3_000, 0), ("synthetic", 9_000, 1)):
        (folder / name).mkdir()
        parts = frame(n, seed)
        for part in range(3):
            one = parts.iloc[part::3]
            one.to_parquet(folder / name / f"part-{part}.parquet", row_group_size=500)
    return {name: str(folder / name) for name in ("real", "synthetic")}


#: Options of every mix here: many shards, so that a mix is in the middle for long.
MIXED: dict[str, Any] = {"ratio": 0.8, "stratify": "city", "rows_per_shard": 350, "seed": 5}


@pytest.fixture(scope="module")
def expected(files: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Release:
    """The release that one machine writes."""
    return mix(**files, output=tmp_path_factory.mktemp("here"), **MIXED)


def require_same(found: Release, expected: Release) -> None:
    """The same rows in the same order with the same provenance, and counted alike."""
    assert found.to_arrow().equals(expected.to_arrow())
    assert found.details.realised == expected.details.realised
    for name, given in expected.details.inputs.items():
        assert found.details.inputs[name].fingerprint == given.fingerprint
        assert found.details.inputs[name].rows == given.rows


PROJECT = """
import json, pathlib
import dagster as dg
from synthmix_dagster import SynthMixSpark, SynthMixStorage, build_synthmix_defs

GIVEN = json.loads(pathlib.Path({given!r}).read_text())


def job():
    lake = SynthMixStorage(
        endpoint=GIVEN["endpoint"],
        region="us-east-1",
        access_key_id=dg.EnvVar("LAKE_KEY"),
        secret_access_key=dg.EnvVar("LAKE_SECRET"),
    )
    spark = SynthMixSpark(master=GIVEN["master"], options=GIVEN["session"])
    defs = dg.Definitions.merge(
        build_synthmix_defs(engine="spark", **GIVEN["options"]),
        dg.Definitions(executor=dg.in_process_executor, resources={{"lake": lake, "spark": spark}}),
    )
    return defs.resolve_job_def("churn_job")
"""


def settings(name: str) -> dict[str, Any]:
    return {
        "name": "churn",
        "real": {"path": f"{ROOT}/in/real", "storage": "lake"},
        "synthetic": {"path": f"{ROOT}/in/synthetic", "storage": "lake"},
        "output_root": f"{ROOT}/{name}",
        "storage": "lake",
        "target": "y",
        "task": "regression",
        "key": ["id"],
        "stratify": "city",
        "threshold": 0.5,
        "flat_curve": "rows",
        "rows": "all",
        "permutations": 9,
        "directions": 20,
        "rows_per_shard": 1_000,
    }


@pytest.mark.server
def test_a_job_on_the_cluster_releases_what_one_machine_does(
    cluster: Cluster, files: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKE_KEY", KEY)
    monkeypatch.setenv("LAKE_SECRET", SECRET)
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    with s3_server() as endpoint:
        store = open_store(ROOT, access(endpoint))
        for side, folder in files.items():
            for path in Path(folder).iterdir():
                store.put(f"in/{side}/{path.name}", path.read_bytes())
        given = {
            "endpoint": endpoint,
            "master": cluster.master,
            "session": {**OPTIONS, "spark.hadoop.fs.secret.key": "planted-option"},
            "options": settings("on_cluster"),
        }
        (tmp_path / "given.json").write_text(json.dumps(given))
        source = PROJECT.format(given=str(tmp_path / "given.json"))
        succeeded, log = execute(source, tmp_path, home)
        assert succeeded, log[-5000:]

        lake = SynthMixStorage(
            endpoint=endpoint, region="us-east-1", access_key_id=KEY, secret_access_key=SECRET
        )
        here = build_synthmix_defs(**settings("here"))
        resources = {**(here.resources or {}), "lake": lake}
        assert dg.materialize([*(here.assets or ())], resources=resources).success
        found, expected = (
            verify_release(f"{ROOT}/{name}/churn", storage=access(endpoint))
            for name in ("on_cluster", "here")
        )
        require_same(found, expected)
        gaps = [each.details.evidence["distribution_distance"]["gap"] for each in (found, expected)]
        # As squares: the root of what is nearly zero magnifies what the order of sums leaves.
        squares = [gap * abs(gap) for gap in gaps]
        assert squares[0] == pytest.approx(squares[1], abs=1e-6)
        written = b"".join(
            store.read(each.name) for each in store.files() if each.name.endswith(".json")
        )
        for planted in (SECRET, "planted-option"):
            assert planted.encode() not in written
            assert planted not in log
        # Dagster itself keeps plain values of resources with the run, and none with its events.
        events = b"".join(each.read_bytes() for each in (home / "history" / "runs").glob("*.db"))
        assert b"planted-option" not in events


_COMMAND = "from synthmix_dagster.cli import main; main()"


def command(*words: object, **more: str) -> "subprocess.CompletedProcess[str]":
    """Run the command `synthmix` in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", _COMMAND, *map(str, words)],
        env={**os.environ, **more},
        capture_output=True,
        text=True,
        check=False,
    )


def options(given: dict[str, Any]) -> Iterator[str]:
    for name, value in given.items():
        yield from (f"--{name.replace('_', '-')}", str(value))


@pytest.fixture(scope="module")
def remote(cluster: Cluster) -> Iterator[str]:
    with connect_server(cluster) as address:
        yield address


def test_over_spark_connect_the_command_line_gives_the_same(
    remote: str, files: dict[str, str], expected: Release, tmp_path: Path
) -> None:
    sides = [files["real"], files["synthetic"]]
    reach = ["--engine", "spark", "--remote", "CONNECT"]
    mixed = ["mix", *sides, *options(MIXED), "--output", tmp_path / "mixes"]
    done = command(*mixed, *reach, CONNECT=remote)
    assert done.returncode == 0, done.stderr[-3000:]
    require_same(verify_release(tmp_path / "mixes"), expected)
    measured = ["measure", *sides, "--permutations", "9", "--directions", "20", "--json"]
    there = command(*measured, *reach, CONNECT=remote)
    assert there.returncode == 0, there.stderr[-3000:]
    assert json.loads(there.stdout)["distance"] == json.loads(command(*measured).stdout)["distance"]


#: Mixes the same rows several times, each into a folder of its own, with one driver.
_MIX = """
import json, pathlib, sys
from synthmix_dagster import SparkAccess, mix

given = json.loads(sys.argv[1])
access = SparkAccess(master=given["master"], options=given["session"])
for output in given["outputs"]:
    pathlib.Path(output).mkdir()
    mix(**given["files"], **given["mixed"], output=output, engine=access)
    print("released", output, flush=True)
"""


def start_mixes(
    cluster: Cluster, files: dict[str, str], outputs: list[Path], log: Path
) -> "subprocess.Popen[bytes]":
    given = {
        "master": cluster.master,
        "session": dict(OPTIONS),
        "files": files,
        "mixed": MIXED,
        "outputs": [str(each) for each in outputs],
    }
    with log.open("wb") as out:
        return subprocess.Popen(
            [sys.executable, "-c", _MIX, json.dumps(given)], stdout=out, stderr=subprocess.STDOUT
        )


def seen(
    process: "subprocess.Popen[bytes]", log: Path, found: Callable[[], bool], what: str
) -> None:
    """Wait for something that a process does while it runs."""

    def there() -> bool | None:
        if found():
            return True
        assert process.poll() is None, log.read_text(errors="replace")[-5000:]
        return None

    until(there, what, PATIENCE)


def shards(output: Path) -> list[Path]:
    return list(output.rglob("*.parquet"))


def test_a_worker_that_dies_in_the_middle_changes_nothing(
    cluster: Cluster, files: dict[str, str], expected: Release, tmp_path: Path
) -> None:
    outputs = [tmp_path / f"mix-{number}" for number in range(KILLS)]
    log = tmp_path / "driver.log"
    process = start_mixes(cluster, files, outputs, log)
    try:
        for number, output in enumerate(outputs):
            # While rows are read and selected, and while they are written, in turn.
            if number % 2:
                seen(process, log, output.exists, "the mix begins")
            else:
                seen(process, log, lambda place=output: bool(shards(place)), "a shard")
            cluster.kill_worker()
            cluster.start_worker()
            said = f"released {output}"
            seen(process, log, lambda said=said: said in log.read_text(errors="replace"), said)
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()
    for output in outputs:
        require_same(verify_release(output), expected)
        assert len(list((output / "releases").iterdir())) == 1


def test_a_driver_that_dies_before_the_manifest_leaves_no_release(
    cluster: Cluster, files: dict[str, str], expected: Release, tmp_path: Path
) -> None:
    output, log = tmp_path / "mix", tmp_path / "driver.log"
    process = start_mixes(cluster, files, [output], log)
    try:
        seen(process, log, lambda: bool(shards(output)), "a shard")
        process.send_signal(signal.SIGKILL)
    finally:
        process.kill()
        process.wait()
    with pytest.raises(ReleaseError):
        load_release(output)
    reach = ["--engine", "spark", "--master", cluster.master]
    given = [word for pair in OPTIONS.items() for word in ("--spark-option", "=".join(pair))]
    words = ["mix", files["real"], files["synthetic"], *options(MIXED), "--output", output]
    done = command(*words, *reach, *given)
    assert done.returncode == 0, done.stderr[-3000:]
    require_same(verify_release(output), expected)
