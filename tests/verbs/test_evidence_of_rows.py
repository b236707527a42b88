"""A verdict belongs to the rows that it was measured on."""

import os
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from scenario import bad, good, rows

from synthmix_dagster import (
    DistanceReport,
    Release,
    measure_distance,
    mix,
    open_dataset,
    recommend_ratio,
)
from synthmix_dagster.errors import DataError, GateError

QUICK = {"permutations": 0, "directions": 20}


def report() -> DistanceReport:
    return measure_distance(rows(100, seed=0), good(), **QUICK)


def test_a_report_names_what_it_measured() -> None:
    real, synthetic = rows(100, seed=0), good()
    inputs = measure_distance(real, synthetic, **QUICK).inputs
    assert inputs == {
        "real": open_dataset(real, "real").fingerprint,
        "synthetic": open_dataset(synthetic, "synthetic").fingerprint,
    }
    shuffled = synthetic.sample(frac=1.0, random_state=1)
    assert measure_distance(real, shuffled, **QUICK).inputs == inputs
    assert DistanceReport.from_dict(report().to_dict()) == report()


def test_a_recommendation_names_what_it_was_computed_from() -> None:
    real, synthetic = rows(60, seed=0), good(200)
    advice = recommend_ratio(real, synthetic, target="y", task="regression")
    assert advice.inputs["synthetic"] == open_dataset(synthetic, "synthetic").fingerprint


@pytest.mark.parametrize("n", [400, 300])
def test_a_verdict_on_other_synthetic_rows_releases_nothing(n: int, tmp_path: Path) -> None:
    with pytest.raises(GateError, match="not measured on the synthetic dataset"):
        mix(
            rows(100, seed=0),
            bad(n),
            ratio=0.5,
            output=tmp_path / "o",
            distance=report(),
            threshold=0.5,
        )
    assert not (tmp_path / "o" / "releases").exists()


def test_a_verdict_on_other_real_rows_releases_nothing(tmp_path: Path) -> None:
    with pytest.raises(GateError, match="not measured on the real dataset"):
        mix(
            rows(100, seed=5),
            good(),
            ratio=0.5,
            output=tmp_path / "o",
            distance=report(),
            threshold=0.5,
        )


def mixed(tmp_path: Path, generators: dict[str, Any], **options: Any) -> Release:
    ratios = dict.fromkeys(generators, 0.5)
    return mix(rows(100, seed=0), generators, ratio=ratios, output=tmp_path / "o", **options)


def test_one_verdict_is_not_for_several_generators(tmp_path: Path) -> None:
    generators = {"a": good(), "b": bad()}
    for distance in (report(), {"a": report()}, {"a": report(), "c": report()}):
        with pytest.raises(GateError, match="not of each of them"):
            mixed(tmp_path, generators, distance=distance, threshold=5.0)
    with pytest.raises(GateError, match="not measured on the synthetic dataset"):
        mixed(tmp_path, generators, distance={"a": report(), "b": report()}, threshold=5.0)


def test_each_of_several_generators_has_to_pass(tmp_path: Path) -> None:
    generators = {"a": good(), "b": bad()}
    reports = {
        name: measure_distance(rows(100, seed=0), made, **QUICK)
        for name, made in generators.items()
    }
    with pytest.raises(GateError, match=r"generator b.*'wasserstein_gap' failed"):
        mixed(tmp_path, generators, distance=reports, threshold=0.5)
    assert not (tmp_path / "o" / "latest").exists()
    release = mixed(tmp_path, generators, distance=reports, threshold=9.0)
    checks = release.manifest["evidence"]["checks"]
    assert sorted(checks) == [
        "released_rows of a",
        "released_rows of b",
        "wasserstein_gap of a",
        "wasserstein_gap of b",
    ]
    assert "wasserstein_gap of b" in (release.path / "report.html").read_text(encoding="utf-8")


def test_the_very_rows_pass_in_any_order(tmp_path: Path) -> None:
    release = mix(
        rows(100, seed=0).iloc[::-1],
        good().sample(frac=1.0, random_state=2),
        ratio=0.5,
        output=tmp_path,
        distance=report(),
        threshold=5.0,
    )
    assert release.manifest["evidence"]["distribution_distance"]["inputs"]


def test_a_file_that_is_replaced_by_one_of_its_size_and_time_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "made.csv"
    good(50).round(3).to_csv(path, index=False)
    opened = open_dataset(path, "synthetic")
    before = path.stat()
    content = path.read_bytes()
    path.write_bytes(content[::-1])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    with pytest.raises(DataError, match="changed while it was read"):
        mix(pd.DataFrame(rows(20, seed=0)), opened, ratio=0.5, output=tmp_path / "o")
    assert not (tmp_path / "o" / "latest").exists()
