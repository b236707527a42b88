"""Releases on a real S3 server: through a proxy that fails now and then, and writers are killed."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

import pytest
from s3 import BUCKET, access, failing, s3_server

from synthmix_dagster import load_release, verify_release
from synthmix_dagster.data.opening import open_store
from synthmix_dagster.errors import ReleaseError

pytestmark = pytest.mark.server

#: Runs behind the failing proxy; a hundred of them take over ten minutes.
RUNS = int(os.environ.get("SYNTHMIX_FAULT_RUNS", "20"))

WRITER = """
import json, os, sys
import pandas as pd
import synthmix_dagster.verbs.mixing, synthmix_dagster.release.report.page
from synthmix_dagster import StoreAccess, mix
from synthmix_dagster.errors import SynthMixError

given = json.loads(sys.argv[1])
sides = [pd.DataFrame({"x": range(n), "y": [i / 7 for i in range(n)]}) for n in (3000, 5000)]
print("ready", flush=True)


def run(seed):
    try:
        made = mix(
            *sides, ratio=1.0, output=given["output"], seed=seed, rows_per_shard=1500,
            keep_releases=3, storage=StoreAccess(**given["access"]),
        )
        print(made.release_id, flush=True)
    except SynthMixError as error:
        print(f"refused: {error}", flush=True)


for line in sys.stdin:
    # A process for every run, which needs not import anything again.
    child = os.fork()
    if not child:
        run(int(line))
        os._exit(0)
    print(child, flush=True)
    _, status = os.waitpid(child, 0)
    if status:
        print("died", flush=True)
"""


@pytest.fixture(scope="module")
def endpoint():
    with s3_server() as address:
        yield address


def started(output, address):
    given = {
        name: getattr(address, name)
        for name in ("endpoint", "region", "access_key_id", "secret_access_key", "lease_seconds")
    }
    given |= {"timeout_seconds": address.timeout_seconds, "retry_seconds": address.retry_seconds}
    pipe = subprocess.PIPE
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, json.dumps({"output": output, "access": given})],
        stdin=pipe,
        stdout=pipe,
        text=True,
    )
    assert writer.stdout.readline() == "ready\n"
    return writer


def ask(writer, seed):
    """Begin a run, and return the process that it is in."""
    writer.stdin.write(f"{seed}\n")
    writer.stdin.flush()
    return int(writer.stdout.readline())


def answer(writer):
    return writer.stdout.readline().strip()


class Reader:
    """Reads whatever `latest` names, again and again, as somebody who trains would."""

    def __init__(self, output, address):
        self.output, self.address = output, address
        self.seen, self.broken, self.done = set(), [], threading.Event()
        self.thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()

    def _read(self):
        while not self.done.is_set():
            try:
                release = load_release(self.output, self.address)
            except ReleaseError as error:
                if "cannot be read" not in str(error) or self.seen:
                    self.broken.append(str(error))
                continue
            rows = release.to_arrow(["x"]).num_rows
            if rows != 6000:
                self.broken.append(f"{release.release_id} has {rows} rows")
            self.seen.add(release.release_id)


def test_through_a_failing_proxy_a_run_is_whole_or_a_named_error(endpoint):
    through_faults(endpoint, 3)


@pytest.mark.slow
def test_through_a_failing_proxy_many_runs_are_whole_or_named_errors(endpoint):
    through_faults(endpoint, RUNS)


def through_faults(endpoint, runs):
    output = f"s3://{BUCKET}/faults-{runs}"
    direct = access(endpoint)
    published, refused = set(), []
    with failing(endpoint, seed=runs, silence=1.5) as (proxy, faults):
        hit = access(proxy, timeout_seconds=1.0, retry_seconds=30.0, lease_seconds=20.0)
        writer = started(output, hit)
        for seed in range(runs):
            ask(writer, seed)
            said = answer(writer)
            if said.startswith("refused: "):
                refused.append(said)
            else:
                published.add(said)
                assert verify_release(output, storage=direct).release_id == said
        writer.stdin.close()
        assert writer.wait(30) == 0
    failed = sum(count for kind, count in faults.seen.items() if kind)
    print(f"{runs} runs: {len(published)} whole, {len(refused)} named; {faults.seen}")
    assert failed > runs
    assert len(published) + len(refused) == runs
    assert published
    # A store that fails names itself and what to do, and never a traceback.
    assert all("store 's3://" in one or "release at 's3://" in one for one in refused)


def test_kills_at_random_show_no_reader_half_a_release(endpoint):
    killed_at_random(endpoint, 5)


@pytest.mark.slow
def test_a_hundred_kills_at_random_show_no_reader_half_a_release(endpoint):
    killed_at_random(endpoint, 100)


def killed_at_random(endpoint, kills):
    output = f"s3://{BUCKET}/kills-{kills}"
    # Dead writers are found at once: what a test waits for is not what it tests.
    address = access(endpoint, lease_seconds=1.0)
    chance, died = random.Random(kills), 0
    writer = started(output, address)
    ask(writer, -1 % kills)
    assert not answer(writer).startswith("refused")
    began = time.monotonic()
    ask(writer, kills)
    assert not answer(writer).startswith("refused")
    took = time.monotonic() - began
    with Reader(output, address) as reader:
        for seed in range(kills):
            process = ask(writer, seed)
            timer = threading.Timer(chance.uniform(0.0, 1.2 * took), _kill, (process,))
            timer.start()
            died += answer(writer) == "died"
            timer.cancel()
        ask(writer, 0)
        last = answer(writer)
    writer.kill()
    print(f"{kills} kills, {died} before the end; {len(reader.seen)} releases seen")
    assert reader.broken == []
    assert died >= kills / 4
    assert verify_release(output, storage=address).release_id == last
    store = open_store(output, address)
    assert [name for name in store.below(".writing").folders() if name != "trials"] == []


def _kill(process):
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


def test_two_writers_for_one_mix_leave_both_whole_and_one_latest(endpoint):
    output, address = f"s3://{BUCKET}/two", access(endpoint)
    writers = [started(output, address) for _ in range(2)]
    ids = []
    for seeds in ((1, 2), (3, 3), (5, 4)):
        for writer, seed in zip(writers, seeds, strict=True):
            ask(writer, seed)
        ids += [answer(writer) for writer in writers]
        made = ids[-2:]
        assert not [said for said in made if said.startswith("refused")]
        for one in made:
            assert verify_release(f"{output}/releases/{one}", storage=address).release_id == one
        assert load_release(output, address).release_id in made
    for writer in writers:
        writer.kill()
