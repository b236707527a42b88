"""A run that sleeps longer than its lease, at each request of its retention, and then goes on.

While it sleeps, another run publishes the very release that it is about to remove. The sleeper's
request is on its way already, so that it is carried out afterwards, whatever has happened.
"""

import threading

import pandas as pd
import pytest
import s3_answers as answers
from s3 import BUCKET, access, s3_server

from synthmix_dagster import load_release, mix, verify_release
from synthmix_dagster.data.opening import open_store
from synthmix_dagster.errors import ReleaseError

pytestmark = [pytest.mark.slow, pytest.mark.server]

SIDES = pd.DataFrame({"x": range(10)}), pd.DataFrame({"x": range(100, 130)})

DOCUMENTS = ("README.md", "croissant.json", "report.html")


def publish(output, given, seed, keep=None):
    return mix(
        *SIDES,
        ratio=1.0,
        output=output,
        seed=seed,
        rows_per_shard=5,
        keep_releases=keep,
        storage=given,
    )


class Asleep:
    """Passes requests on until one that follows the beginning of a removal; then sleeps."""

    def __init__(self, begins, after, meanwhile):
        self.begins, self.after, self.meanwhile = begins, after, meanwhile
        self.lock, self.awake = threading.Lock(), threading.Event()
        self.awake.set()
        self.seen, self.slept_at = -1, None

    def __call__(self, request):
        # While a process sleeps, none of its threads asks for anything.
        self.awake.wait(60)
        with self.lock:
            begun = self.seen >= 0 or self.begins in request.path
            self.seen += begun
            sleeps = self.slept_at is None and self.seen == self.after
            if sleeps:
                self.slept_at = f"{request.method} {request.path}"
                self.awake.clear()
        if sleeps:
            self.meanwhile()
            self.awake.set()
        return request


@pytest.fixture(scope="module")
def endpoint():
    with s3_server() as address:
        yield address


@pytest.mark.parametrize("after", range(28))
def test_what_was_published_meanwhile_stays_whole(endpoint, after):
    output = f"s3://{BUCKET}/asleep-{after}"
    direct = access(endpoint, lease_seconds=1.0)
    oldest = publish(output, direct, 0)
    begins = f".writing/{oldest.release_id}.json"
    sleeper = Asleep(begins, after, lambda: publish(output, direct, 0))
    with answers.answering(endpoint, sleeper) as proxy:
        newest = publish(output, access(proxy, lease_seconds=1.0), 1, keep=1)
    # What it published itself does not suffer from that.
    assert verify_release(f"{output}/releases/{newest.release_id}", storage=direct) == newest
    if sleeper.slept_at is None:
        # The removal needs fewer requests.
        assert load_release(output, direct).release_id != oldest.release_id
        return
    print(f"{after}: {sleeper.slept_at}")
    found = load_release(open_store(f"{output}/releases/{oldest.release_id}", direct))
    assert found.to_arrow().num_rows == 20
    whole = found.store
    if set(DOCUMENTS) - {file.name for file in whole.files()}:
        # A document whose removal was on its way: verification names it, and it is written again.
        with pytest.raises(ReleaseError, match=r"README.md|croissant.json|report.html"):
            verify_release(whole)
        whole = publish(output, direct, 0).store
    assert verify_release(whole).release_id == oldest.release_id
