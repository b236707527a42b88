"""What changed from one release to the next."""

from dataclasses import replace
from pathlib import Path

import pandas as pd

from synthmix_dagster import mix
from synthmix_dagster.release.report.changes import Change, changes


def frame(start: int, stop: int, **more: object) -> pd.DataFrame:
    return pd.DataFrame({"x": range(start, stop), **more})


def test_counts_inputs_columns_and_settings_are_compared(tmp_path: Path) -> None:
    before = mix(frame(0, 10), frame(100, 120), ratio=1, output=tmp_path).details
    now = mix(frame(0, 10, y=1.5), frame(100, 130, y=2.5), ratio=2, seed=4, output=tmp_path).details
    found = {c.name: (c.before, c.now, c.difference) for c in changes(before, now)}
    assert found["rows"] == (20, 30, "+10")
    assert found["synthetic rows"] == (10, 20, "+10")
    assert found["ratio"] == (1.0, 2.0, "+1")
    assert found["input rows of 'synthetic'"] == (20, 30, "")
    assert found["column 'y'"] == ("absent", "double", "")
    assert found["setting 'seed'"] == (0, 4, "")
    fingerprint = now.real.fingerprint[:12]
    assert found["fingerprint of 'real' (first 12 digits)"][1] == fingerprint
    assert "real rows" not in found
    assert not [name for name in found if name.startswith("version")]


def test_a_release_has_not_changed_from_itself(tmp_path: Path) -> None:
    manifest = mix(frame(0, 10), frame(100, 120), ratio=1, output=tmp_path).details
    assert changes(manifest, manifest) == []


def test_generators_that_come_and_go_are_named(tmp_path: Path) -> None:
    sides = {"a": frame(100, 120), "b": frame(200, 220)}
    before = mix(frame(0, 10), sides, ratio={"a": 1, "b": 1}, output=tmp_path).details
    now = mix(frame(0, 10), {"b": sides["b"]}, ratio={"b": 1}, output=tmp_path).details
    found = {change.name: (change.before, change.now) for change in changes(before, now)}
    assert found["rows of generator 'a'"] == (10, None)
    assert "rows of generator 'b'" not in found


def test_what_was_measured_for_one_of_them_only_is_there(tmp_path: Path) -> None:
    before = mix(frame(0, 10), frame(100, 120), ratio=1, output=tmp_path).details
    evidence = {"distribution_distance": {"gap": 0.25}, "thresholds": {"wasserstein_gap": 0.3}}
    found = changes(before, replace(before, evidence=evidence))
    assert found == [
        Change("gap", None, 0.25, ""),
        Change("threshold of 'wasserstein_gap'", None, 0.3, ""),
    ]
