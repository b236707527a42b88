"""Whatever is set wrongly is refused as the project loads, by a ConfigError that names the key."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scenario import MINIMAL, good, rows, write_inputs

from synthmix_dagster import SynthMixComponent, build_synthmix_defs
from synthmix_dagster.errors import ConfigError

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.floats()
    | st.sampled_from(["", ".", "..", "a/b", "{x}", "a b", "\n", "daily", "é", "path", "asset"])
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["path", "asset", "type", "cron", "timezone", "name", "tags", "columns"]
            )
            | st.text(max_size=5),
            inner,
            max_size=3,
        )
    ),
    max_leaves=5,
)
OPTIONS = sorted(SynthMixComponent.model_fields)
DAILY = dg.DailyPartitionsDefinition("2024-01-01")
MULTI = dg.MultiPartitionsDefinition(
    {"day": DAILY, "region": dg.StaticPartitionsDefinition(["north", "south"])}
)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(option=st.sampled_from(OPTIONS), value=JSON)
def test_whatever_an_option_is_set_to_only_a_config_error_comes_out(
    option: str, value: Any
) -> None:
    message = ""
    try:
        build_synthmix_defs(**{**MINIMAL, option: value})
    except ConfigError as error:
        message = str(error)
    assert not message or message.startswith("option '")


@pytest.mark.parametrize("asset", [{"a": 1}, 5, 1.5, True, [], [1], "", [""], {}])
@pytest.mark.parametrize("side", ["real", "synthetic", "evaluation"])
def test_what_is_no_asset_key_is_named(side: str, asset: Any) -> None:
    with pytest.raises(ConfigError, match=rf"^option '{side}.asset': .*is not an asset key"):
        build_synthmix_defs(**{**MINIMAL, side: {"asset": asset}})


@pytest.mark.parametrize("deps", [5, [5], {"a": 1}, [{}]])
def test_what_is_no_dependency_is_named(deps: Any) -> None:
    with pytest.raises(ConfigError, match=r"^option 'real.deps': .*is not an asset key"):
        build_synthmix_defs(**{**MINIMAL, "real": {"path": "a", "deps": deps}})


@pytest.mark.parametrize(
    ("schedule", "named"),
    [
        ({"cron": "0 25 * * *"}, r"schedule\.cron': '0 25 \* \* \*' is not a cron expression"),
        ({"cron": "daily"}, r"schedule\.cron': 'daily' is not a cron"),
        ({"cron": ""}, r"schedule\.cron': '' is not a cron"),
        (
            {"cron": "0 6 * * *", "timezone": "Europe/Berlim"},
            r"schedule\.timezone': unknown time zone 'Europe/Berlim'",
        ),
    ],
)
def test_a_mistyped_schedule_is_named(schedule: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        build_synthmix_defs(**MINIMAL, schedule=schedule)


@pytest.mark.parametrize(
    ("partitions", "path", "said"),
    [
        (None, "in/{partition_key}.csv", "Set 'partitions_def'"),
        (
            DAILY,
            "in/{partition}.csv",
            r"Valid placeholders: \{partition_key\}, \{partition_start\}, \{partition_end\}\.",
        ),
        (DAILY, "in/{day}/{partition_key}.csv", r"'\{day\}'"),
        (
            MULTI,
            "in/{day}/{zone}",
            r"'\{zone\}'.*Valid placeholders: \{partition_key\}, \{day\}, \{region\}",
        ),
        (None, "in/{}.csv", r"'\{\}'"),
    ],
)
@pytest.mark.parametrize("side", ["real", "synthetic", "evaluation"])
def test_a_placeholder_that_nothing_fills_in_is_refused(
    side: str, partitions: Any, path: str, said: str
) -> None:
    options = {**MINIMAL, side: {"path": path}, "partitions_def": partitions}
    with pytest.raises(ConfigError, match=rf"^option '{side}': unknown placeholder.*{said}"):
        build_synthmix_defs(**options)


def test_a_filter_by_the_partition_needs_partitions() -> None:
    by_key = {"path": "a", "filters": [["day", "==", "{partition_key}"]]}
    with pytest.raises(ConfigError, match="in 'filters'"):
        build_synthmix_defs(**{**MINIMAL, "real": by_key})
    assert build_synthmix_defs(**{**MINIMAL, "real": by_key}, partitions_def=DAILY).assets


def test_every_dimension_of_a_partition_fills_its_placeholder(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    options = write_inputs(tmp_path)
    folder = tmp_path / "2024-01-02" / "south"
    folder.mkdir(parents=True)
    rows(100, seed=0).assign(region="south").to_parquet(folder / "real.parquet")
    good().assign(region="south").to_parquet(folder / "synthetic.parquet")
    for side in ("real", "synthetic"):
        options[side] = {
            "path": f"{tmp_path}/{{day}}/{{region}}/{side}.parquet",
            "filters": [["region", "==", "{region}"]],
            "columns": ["x", "z", "kind", "y"],
        }
    job = build_synthmix_defs(**options, partitions_def=MULTI).resolve_job_def("demo_job")
    key = dg.MultiPartitionKey({"day": "2024-01-02", "region": "south"})
    result = job.execute_in_process(instance=instance, partition_key=key)
    assert result.success
    other = dg.MultiPartitionKey({"day": "2024-01-02", "region": "north"})
    failed = job.execute_in_process(instance=instance, partition_key=other, raise_on_error=False)
    assert not failed.success
