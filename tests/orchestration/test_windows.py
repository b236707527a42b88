"""Windows of partitions in paths and filters."""

from datetime import datetime, timezone
from typing import Any

import dagster as dg
import pytest
from scenario import MINIMAL

from synthmix_dagster import build_synthmix_defs
from synthmix_dagster.errors import ConfigError
from synthmix_dagster.orchestration.config.dataset import DatasetConfig
from synthmix_dagster.orchestration.config.placeholders import filled, path_of, values_of

DAILY = dg.DailyPartitionsDefinition("2026-01-01")
HOURLY = dg.HourlyPartitionsDefinition("2026-01-01-00:00", timezone="Europe/Berlin")
REGIONS = dg.StaticPartitionsDefinition(["eu", "us"])
BOTH = dg.MultiPartitionsDefinition({"day": DAILY, "region": REGIONS})


@pytest.mark.parametrize(
    ("definition", "key", "path", "expected"),
    [
        (DAILY, "2026-03-01", "in/{partition_start:%Y/%m/%d}/x.csv", "in/2026/03/01/x.csv"),
        (DAILY, "2026-02-28", "in/{partition_end:%Y%m%d}.csv", "in/20260301.csv"),
        (
            DAILY,
            "2026-03-01",
            "in/{partition_key}-{partition_start}",
            "in/2026-03-01-2026-03-01T00:00:00",
        ),
        (HOURLY, "2026-07-01-05:00", "in/{partition_start:%H%z}", "in/05+0200"),
        (BOTH, "2026-03-01|eu", "{region}/{day}/{day_start:%m}", "eu/2026-03-01/03"),
        (BOTH, "2026-03-01|eu", "{region}/{partition_end:%d}", "eu/02"),
        (REGIONS, "eu", "{partition_key}/a", "eu/a"),
    ],
)
def test_a_partition_fills_in_its_key_and_its_window(
    definition: Any, key: str, path: str, expected: str
) -> None:
    config = DatasetConfig(path=path)
    assert config.at(key, definition).path == expected


def test_filters_are_filled_in_as_paths_are() -> None:
    filters = [["t", ">=", "{partition_start}"], ["t", "<", "{partition_end:%Y-%m-%d}"]]
    config = DatasetConfig(path="a.csv", filters=filters)
    assert config.is_filtered_by_partition
    found = config.at("2026-03-01", DAILY).filters
    assert found == [["t", ">=", "2026-03-01T00:00:00"], ["t", "<", "2026-03-02"]]


@pytest.mark.parametrize(
    ("definition", "path", "words"),
    [
        (REGIONS, "{partition_start:%Y}", r"unknown placeholder '\{partition_start\}'"),
        (DAILY, "{partition_strat:%Y}", r"Valid placeholders: .*\{partition_start\}"),
        (DAILY, "{partition_start:Y}", "is not a format of times"),
        (DAILY, "{partition_key:%Y}", "has a format, but is not a time"),
        (BOTH, "{region_start:%Y}", "unknown placeholder"),
        (None, "{partition_start:%Y}", "Set 'partitions_def'"),
    ],
)
def test_what_nothing_fills_in_is_refused_when_the_project_loads(
    definition: Any, path: str, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        build_synthmix_defs(**{**MINIMAL, "real": {"path": path}, "partitions_def": definition})


def test_a_filter_by_a_window_needs_partitions() -> None:
    real = {"path": "a.csv", "filters": [["t", ">=", "{partition_start}"]]}
    with pytest.raises(ConfigError, match="Set 'partitions_def'"):
        build_synthmix_defs(**{**MINIMAL, "real": real})


def test_a_key_cannot_lead_a_path_elsewhere() -> None:
    with pytest.raises(ConfigError, match="cannot be part of a path"):
        path_of("in/{partition_key}", values_of("../x", None))
    moment = {"partition_start": datetime(2026, 1, 2, tzinfo=timezone.utc)}
    assert filled(["{partition_start:%d}", 3], moment) == ["02", 3]
