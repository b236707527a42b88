"""Options of datasets and windows of partitions, in settings and through a real run."""

from typing import Any

import dagster as dg
import pytest
from scenario import MINIMAL, good, rows, write_inputs

from synthmix_dagster import build_synthmix_defs, load_release
from synthmix_dagster.errors import ConfigError

DAILY = dg.DailyPartitionsDefinition("2026-01-01")
HOURLY = dg.HourlyPartitionsDefinition("2026-01-01-00:00", timezone="Europe/Berlin")
REGIONS = dg.StaticPartitionsDefinition(["eu", "us"])
BOTH = dg.MultiPartitionsDefinition({"day": DAILY, "region": REGIONS})


@pytest.mark.slow
def test_steps_read_the_version_that_was_ingested(tmp_path: Any, instance: Any) -> None:
    deltalake = pytest.importorskip("deltalake")
    options = write_inputs(tmp_path)
    table = str(tmp_path / "table")
    deltalake.write_deltalake(table, rows(100, seed=0))
    rows_of_csv = good().rename(columns={"kind": "Art"})
    rows_of_csv.to_csv(tmp_path / "made.txt", sep=";", decimal=",", index=False)
    options["real"] = {"path": table}
    options["synthetic"] = {
        "path": str(tmp_path / "made.txt"),
        "format": "csv",
        "csv": {"delimiter": ";", "decimal": ","},
        "rename": {"Art": "kind"},
    }
    job = build_synthmix_defs(**options).resolve_job_def("demo_job")
    first = [dg.AssetKey(["demo", "real"])]
    assert job.execute_in_process(instance=instance, asset_selection=first).success
    # The table moves on before the other steps run.
    deltalake.write_deltalake(table, rows(50, seed=9), mode="append")
    roles = ("synthetic", "distribution_distance", "optimal_ratio", "training_data")
    rest = [dg.AssetKey(["demo", role]) for role in roles]
    assert job.execute_in_process(instance=instance, asset_selection=rest).success
    inputs = load_release(tmp_path / "mixes" / "demo").manifest["inputs"]
    assert inputs["real"]["rows"] == 100
    assert inputs["real"]["reading"] == {"format": "delta", "version": 0}
    # Another version in the settings is another dataset, which was never ingested.
    options["real"] = {"path": table, "version": 1}
    job = build_synthmix_defs(**options).resolve_job_def("demo_job")
    measuring = [dg.AssetKey(["demo", "distribution_distance"])]
    with pytest.raises(dg.Failure, match="changed since it was ingested"):
        job.execute_in_process(instance=instance, asset_selection=measuring)
    csv = {"delimiter": ";", "decimal": ","}
    assert inputs["synthetic"]["reading"] == {"csv": csv, "format": "csv"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"csv": {"delimeter": ";"}}, "Did you mean 'delimiter'"),
        ({"format": "cvs"}, "Did you mean 'csv'"),
        ({"timezone": "Berlin"}, "unknown time zone"),
        ({"typ": 1}, "unknown option 'typ'"),
    ],
)
def test_a_wrong_option_is_refused_when_the_project_loads(options: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        build_synthmix_defs(**{**MINIMAL, "real": {"path": "a.csv", **options}})


def test_how_files_are_read_is_no_matter_of_an_asset() -> None:
    with pytest.raises(ConfigError, match="'csv' requires 'path'"):
        build_synthmix_defs(**{**MINIMAL, "real": {"asset": "a", "csv": {"delimiter": ";"}}})
