"""Whether a store is good enough for releases: run it on yours before the first mix.

    python -m benchmarks.any_store s3://bucket/scratch
    python -m benchmarks.any_store az://container/scratch \
        --endpoint http://127.0.0.1:10000/account \
        --option account_name=account --option account_key=...

Everything is written below a folder of its own, which is removed if all of it holds. Credentials
are those of the environment, unless they are options.
"""

import argparse
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pandas as pd

from synthmix_dagster import StoreAccess, load_release, mix, verify_release
from synthmix_dagster.data.opening import open_store
from synthmix_dagster.data.store import Store
from synthmix_dagster.errors import StoreError

#: More than one part of an upload.
LARGE = 20_000_000


def verbs(store: Store) -> None:
    """Files are written, read, listed, replaced and deleted."""
    store.put("a/one", b"1")
    store.put("a/one", b"2")
    assert store.read("a/one") == b"2"
    assert [file.name for file in store.files()] == ["a/one"]
    assert list(store.folders()) == ["a"]
    store.delete(["a/one", "a/never"])
    assert store.look("a/one") is None


def large_files(store: Store) -> None:
    """A file of several parts appears when it is finished, whole, and not before."""
    sink = store.create("large")
    for _ in range(20):
        sink.write(bytes(LARGE // 20))
    assert not store.exists("large")
    assert sink.finish().bytes == LARGE == len(store.read("large"))


def conditions(store: Store) -> None:
    """Of sixteen who create an object one wins; a swap of an older version is refused."""
    with ThreadPoolExecutor(16) as pool:
        won = list(pool.map(lambda n: store.swap("race", str(n).encode(), None), range(16)))
    assert sum(won) == 1, f"{sum(won)} of 16 created the same object"
    held = store.look("race")
    assert held is not None
    assert store.swap("race", b"next", held.version)
    assert not store.swap("race", b"late", held.version), "an older version was swapped"


def releases(store: Store) -> None:
    """Writers at once publish whole releases, the older go, and one is the latest."""
    sides = [pd.DataFrame({"x": range(n, 3 * n)}) for n in (500, 5_000)]

    def publish(seed: int) -> str:
        made = mix(*sides, ratio=1.0, output=store, seed=seed, rows_per_shard=300, keep_releases=2)
        return made.release_id

    with ThreadPoolExecutor(3) as pool:
        made = list(pool.map(publish, (1, 1, 2)))
    assert made[0] == made[1] != made[2]
    last = publish(3)
    assert load_release(store).release_id == verify_release(store).release_id == last
    shown = store.below("releases").folders()
    whole = [name for name in shown if b"abandoned" not in _manifest(store, name)]
    assert len(whole) == 2, whole


def _manifest(store: Store, name: str) -> bytes:
    held = store.below("releases", name).look("manifest.json")
    return b"abandoned" if held is None else held.content


def missing(store: Store) -> None:
    """A file that is not there is missing, not an error."""
    assert not store.exists("nothing")
    assert not store.below("nowhere").files()


CHECKS: tuple[Callable[[Store], None], ...] = (verbs, large_files, conditions, releases, missing)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("uri")
    parser.add_argument("--endpoint")
    parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE")
    given = parser.parse_args()
    options = dict(option.split("=", 1) for option in given.option)
    access = StoreAccess(given.endpoint, options=options, retry_seconds=10.0, lease_seconds=20.0)
    root = open_store(f"{given.uri.rstrip('/')}/{uuid.uuid4().hex}", access)
    try:
        for check in CHECKS:
            check(root.below(check.__name__))
            print(f"holds: {check.__doc__}")
        root.delete([file.name for file in root.files()])
    except StoreError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
