"""Small mixes that the tests of the data plane share."""

import json
import subprocess
import sys

import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq

from synthmix_dagster import mix
from synthmix_dagster.release.release_id import digest_of_manifest

SOURCE = "synthmix_source"
PROVENANCE = [SOURCE, "synthmix_generator", "synthmix_row_id"]


def frame(start, stop, **more):
    index = range(start, stop)
    columns = {
        "id": index,
        "x": [i / 7 for i in index],
        "g": [None if i % 11 == 0 else "abc"[i % 3] for i in index],
    }
    return pd.DataFrame({**columns, **more})


def real():
    return frame(0, 30)


def synthetic():
    return frame(1000, 1080)


def rows_of(release, source=None):
    whole = pq.read_table(release.path / "data")
    if source is None:
        return whole
    return whole.filter(pc.equal(whole[SOURCE], source)).drop_columns(PROVENANCE)


def ids_of(release, source):
    return rows_of(release, source)["id"].to_pylist()


def files_of(release, below="."):
    """Bytes by name of the files of a release, or of a folder."""
    folder = getattr(release, "path", release) / below
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file()
    }


#: What lies beside the releases of an output.
KEPT = (".writer.lock", ".swap.lock", ".publications.json", "releases")


def traces(output):
    """What a failed mix left that a reader or a disk would notice."""
    return [path for path in output.rglob("*") if path.name not in KEPT]


RATIOS = {"old": 0.5, "new": 1.0}

CHILD = """
import os, pkgutil, signal, sys
import pandas as pd
from synthmix_dagster import mix

output, point, when, nth = sys.argv[1:]
owner, name = point.rsplit(".", 1)
owner = pkgutil.resolve_name(owner)
original, calls = getattr(owner, name), []

def hooked(*args, **kwargs):
    calls.append(args)
    if len(calls) != int(nth):
        return original(*args, **kwargs)
    if when == "after":
        original(*args, **kwargs)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(owner, name, hooked)
print("ready", flush=True)
sys.stdin.readline()
sides = pd.DataFrame({"x": range(10)}), pd.DataFrame({"x": range(100, 130)})
print(mix(*sides, ratio=1.0, output=output, rows_per_shard=5).release_id)
"""


def publish_mix(output, name="new", **options):
    sides = pd.DataFrame({"x": range(10)}), pd.DataFrame({"x": range(100, 130)})
    return mix(*sides, ratio=RATIOS[name], output=output, rows_per_shard=5, **options)


def start(output, point="os.getpid", when="before", nth=10**9):
    arguments = [sys.executable, "-c", CHILD, str(output), point, when, str(nth)]
    pipe = subprocess.PIPE
    return subprocess.Popen(arguments, stdin=pipe, stdout=pipe, text=True)


def edit_manifest(release, change, *, sealed=True):
    """Alter a manifest as somebody would who knows how it is sealed, or who does not."""
    path = release.path / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    if sealed and "digest" in manifest:
        manifest["digest"] = digest_of_manifest(manifest)
    path.write_text(json.dumps(manifest))


def entries(folder):
    return sorted(path.name for path in folder.iterdir())
