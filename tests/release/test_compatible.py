"""What was released before stays readable, and the same inputs still give the same release.

`earlier_release` was written by the version before the manifest had a typed model. The table
`EXPECTED` was made by that version too.
"""

import hashlib
import json
import shutil
from pathlib import Path

import pyarrow as pa
import pytest
from scenario import good, rows

from synthmix_dagster import load_release, mix, verify_release
from synthmix_dagster.gates.evidence import Evidence
from synthmix_dagster.release.manifest import manifest_schema

EARLIER = Path(__file__).parent / "earlier_release" / "8154e3703e265c4b"


def numbers(start, stop):
    index = range(start, stop)
    return pa.table(
        {
            "id": pa.array(index, pa.int64()),
            "x": pa.array([i / 7 for i in index], pa.float64()),
            "n": pa.array([None if i % 11 == 0 else i % 3 for i in index], pa.int32()),
        }
    )


REAL, SYNTHETIC = numbers(0, 30), numbers(1000, 1080)
GENERATORS = {"gan": numbers(1000, 1080), "copula": numbers(2000, 2040)}
CASES = {
    "plain": (SYNTHETIC, {"ratio": 0.5}),
    "weights": (SYNTHETIC, {"ratio": 0.5, "mode": "weights"}),
    "bare": (SYNTHETIC, {"ratio": 0.5, "provenance": False, "rows_per_shard": 7}),
    "capped": (SYNTHETIC, {"ratio": 0.5, "max_rows": 35}),
    "short": (SYNTHETIC, {"ratio": 9, "shortage": "cap"}),
    "key": (SYNTHETIC, {"ratio": 1, "seed": 3, "key": "id", "stratify": "n"}),
    "generators": (
        GENERATORS,
        {"ratio": {"gan": 1.0, "copula": 0.5}, "stratify": "n", "seed": 7, "max_rows": 60},
    ),
}
#: Release id, and the first digits of the SHA-256 of all rows in their order.
EXPECTED = {
    "plain": ("5835c6ca258869a2", "d97aaa8ab36efcf7"),
    "weights": ("6bcbd80e008376a9", "43c101079546dbe2"),
    "bare": ("3e0e80fca7a0f52a", "c6cf961fa9fa16fc"),
    "capped": ("a1a8787f51699c3b", "e18a9f0bc72972a9"),
    "short": ("c008ca0ab9e8fc8b", "e69343be3753061d"),
    "key": ("26b4225bc74e2aa7", "e3277a679dd0664a"),
    "generators": ("0f113a31aa629410", "d1316e6cceb45edc"),
}


def digest_of(release):
    return hashlib.sha256(repr(release.to_arrow().to_pylist()).encode()).hexdigest()[:16]


@pytest.fixture
def earlier(tmp_path):
    return shutil.copytree(EARLIER, tmp_path / EARLIER.name)


def test_an_earlier_release_loads_and_verifies(earlier):
    release = verify_release(earlier)
    assert release == load_release(earlier)
    assert release.release_id == EARLIER.name
    assert release.to_pandas()["synthmix_source"].value_counts().to_dict() == {
        "real": 60,
        "synthetic": 200,
    }
    assert release.manifest == json.loads((EARLIER / "manifest.json").read_text())
    assert release.details.to_dict() == release.manifest


def test_the_evidence_of_an_earlier_release_is_read(earlier):
    evidence = Evidence.from_dict(load_release(earlier).details.evidence)
    assert evidence.unread == ()
    assert evidence.thresholds == {"wasserstein_gap": 0.8}
    assert evidence.checks["wasserstein_gap"].passed
    assert evidence.distance.gap == pytest.approx(-0.2265, abs=1e-4)
    assert evidence.recommendation.ratio == 10 / 3


def test_an_earlier_manifest_has_the_shape_of_the_schema():
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.validate(json.loads((EARLIER / "manifest.json").read_text()), manifest_schema())


def test_the_inputs_of_an_earlier_release_give_its_id_and_its_rows(tmp_path):
    earlier = load_release(EARLIER)
    options = {"stratify": "kind", "rows_per_shard": 200}
    # Which type text becomes depends on the version of pandas, and is part of what was given.
    real, synthetic = (
        pa.Table.from_pandas(frame, preserve_index=False).cast(
            pa.schema([(n, pa.large_string() if n == "kind" else pa.float64()) for n in frame])
        )
        for frame in (rows(60, seed=0), good(200))
    )
    again = mix(real, synthetic, ratio=10 / 3, output=tmp_path, **options)
    assert again.release_id == earlier.release_id
    assert again.to_pandas().equals(earlier.to_pandas())
    if again.manifest["libraries"] == earlier.manifest["libraries"]:
        assert again.manifest["shards"] == earlier.manifest["shards"]


@pytest.mark.parametrize("case", CASES)
def test_the_same_inputs_and_settings_give_the_same_id_and_rows(tmp_path, case):
    synthetic, options = CASES[case]
    release = mix(REAL, synthetic, output=tmp_path, **options)
    assert (release.release_id, digest_of(release)) == EXPECTED[case]
