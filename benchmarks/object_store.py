"""A release to an S3 server, beside the same one to a disk and a plain upload of its files.

    python -m benchmarks.object_store --real 10000000 --synthetic 5000000

Each is a process of its own, in turn; the server is moto's, in another process on this machine, so
that its time is that of the machine as well. What a mix costs more than a plain upload is what it
costs on a disk; the question is whether the store adds to that, and to the memory.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

COLUMNS = 23
SERVER = """
import logging, sys
from moto.server import ThreadedMotoServer
logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""


def write_rows(path: Path, rows: int, seed: int) -> None:
    """Numbers, whole numbers and categories, a million rows at a time."""
    rng = np.random.default_rng(seed)
    writer = None
    for start in range(0, rows, 1_000_000):
        n = min(1_000_000, rows - start)
        columns: dict[str, Any] = {f"x{i}": rng.normal(size=n) for i in range(15)}
        columns |= {f"k{i}": rng.integers(0, 1000, n) for i in range(5)}
        columns |= {f"c{i}": rng.choice(["red", "green", "blue"], n) for i in range(COLUMNS - 20)}
        table = pa.table(columns)
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    assert writer is not None
    writer.close()


def work(given: dict[str, Any]) -> None:
    """What a measured process does; its last line says what it cost."""
    from synthmix_dagster import StoreAccess, mix

    began = time.perf_counter()
    access = StoreAccess(**given["access"])
    if given["what"] == "upload":
        import obstore

        from synthmix_dagster.data.opening import open_store

        client = open_store("s3://bucket/plain", access).client  # type: ignore[attr-defined]
        for path in sorted(Path(given["folder"]).rglob("*.parquet")):
            obstore.put(client, f"plain/{path.name}", path, chunk_size=2**23, max_concurrency=4)
    else:
        mix(
            given["real"],
            given["synthetic"],
            ratio=given["ratio"],
            output=given["output"],
            storage=access,
        )
    usage = resource.getrusage(resource.RUSAGE_SELF)
    # The peak of `rusage` is that of the parent, where the parent is larger.
    status = Path("/proc/self/status").read_text().split("VmHWM:")[1]
    answer = {
        "what": given["what"],
        "seconds": round(time.perf_counter() - began, 1),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 1),
        "peak_mb": int(status.split()[0]) // 1024,
    }
    print(json.dumps(answer))


def measured(given: dict[str, Any]) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.object_store", "--work", json.dumps(given)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(answer, flush=True)
    return answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--real", type=int, default=10_000_000)
    parser.add_argument("--synthetic", type=int, default=5_000_000)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--work")
    args = parser.parse_args()
    if args.work:
        work(json.loads(args.work))
        return
    import boto3

    pipe = subprocess.PIPE
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(
            [sys.executable, "-c", SERVER],
            stdin=pipe,
            stdout=pipe,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as server,
    ):
        assert server.stdout is not None
        line = ""
        while not line.strip().isdigit():
            line = server.stdout.readline()
        keys = {"access_key_id": "key", "secret_access_key": "secret"}
        endpoint = f"http://127.0.0.1:{line.strip()}"
        boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name="us-east-1",
            **{f"aws_{name}": value for name, value in keys.items()},
        ).create_bucket(Bucket="bucket")
        here = Path(folder)
        for side, rows, seed in (("real", args.real, 0), ("synthetic", args.synthetic, 1)):
            write_rows(here / f"{side}.parquet", rows, seed)
        common = {
            "real": str(here / "real.parquet"),
            "synthetic": str(here / "synthetic.parquet"),
            "ratio": args.synthetic / args.real,
            "access": {"endpoint": endpoint, "region": "us-east-1", **keys},
            "folder": str(here / "0"),
        }
        results = []
        for number in range(args.repeats):
            results += [
                measured({**common, "what": "disk", "output": str(here / str(number))}),
                measured({**common, "what": "store", "output": f"s3://bucket/mixes-{number}"}),
                measured({**common, "what": "upload"}),
            ]
        size = sum(path.stat().st_size for path in (here / "0").rglob("*.parquet"))
        server.kill()
    print(f"{size / 1e6:.0f} MB of shards")
    if args.json is not None:
        args.json.write_text(json.dumps({"megabytes": size / 1e6, "runs": results}, indent=2))


if __name__ == "__main__":
    main()
