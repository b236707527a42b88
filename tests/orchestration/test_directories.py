"""No mix and no monitor lies in another: by name, by pairs of a project, and on disk."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from scenario import write_inputs

from synthmix_dagster import build_drift_monitor, build_synthmix_defs, verify_release
from synthmix_dagster.errors import ConfigError

RESERVED = ["latest", "releases", "records", "references", "partitions", "generated"]


def monitor(root: Path, name: str, **options: Any) -> dg.Definitions:
    return build_drift_monitor(
        name=name, real="rows", generator_version="1", output_root=str(root / "mixes"), **options
    )


def ran(options: dict[str, Any], instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    job = build_synthmix_defs(**options).resolve_job_def("demo_job")
    return job.execute_in_process(instance=instance, raise_on_error=False)


@pytest.mark.parametrize("name", [*RESERVED, "Latest"])
def test_a_folder_of_a_mix_is_no_name_anywhere(name: str, tmp_path: Path) -> None:
    options = write_inputs(tmp_path)
    for change, option in (
        ({"name": name}, "name"),
        ({"key_prefix": ["a", name]}, "key_prefix"),
        ({"output": name}, "output"),
        ({"output": f"a/{name}/b"}, "output"),
    ):
        with pytest.raises(ConfigError, match=rf"^option '{option}'.*'{name}' is the name of"):
            build_synthmix_defs(**{**options, **change})
        with pytest.raises(ConfigError, match=rf"^option '{option}'.*'{name}' is the name of"):
            monitor(tmp_path, **{"name": "m", **change})


@pytest.mark.parametrize("change", [{"output": ".writing-1"}, {"key_prefix": [".hidden"]}])
def test_a_hidden_name_is_refused(change: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=next(iter(change))):
        build_synthmix_defs(**write_inputs(tmp_path) | change)


@pytest.mark.parametrize(
    "inner",
    [
        {"key_prefix": ["demo"], "name": "candidate"},
        {"name": "other", "output": "demo/candidate"},
        {"name": "other", "output": "demo/a/b"},
    ],
)
@pytest.mark.parametrize("inner_first", [True, False])
def test_a_mix_below_another_is_refused_as_the_project_loads(
    inner: dict[str, Any], inner_first: bool, tmp_path: Path
) -> None:
    outer = write_inputs(tmp_path)
    pair = [{**outer, **inner}, outer] if inner_first else [outer, {**outer, **inner}]
    first = build_synthmix_defs(**pair[0])
    with pytest.raises(
        ConfigError, match=r"of '(demo/candidate|other)' lies inside that of 'demo'"
    ):
        build_synthmix_defs(**pair[1])
    assert first.assets


def test_a_monitor_and_a_mix_are_kept_apart_as_well(tmp_path: Path) -> None:
    mix = build_synthmix_defs(**write_inputs(tmp_path))
    with pytest.raises(ConfigError, match="'demo/watched' lies inside that of 'demo'"):
        monitor(tmp_path, "watched", key_prefix=["demo"])
    other = monitor(tmp_path, "watched")
    with pytest.raises(ConfigError, match="'watched/x' lies inside that of 'watched'"):
        monitor(tmp_path, "x", key_prefix=["watched"])
    assert mix.assets
    assert other.assets


def test_neighbours_shared_outputs_and_the_same_definition_again_are_fine(tmp_path: Path) -> None:
    options = write_inputs(tmp_path)
    kept = [
        build_synthmix_defs(**options),
        build_synthmix_defs(**options),
        build_synthmix_defs(**{**options, "name": "demo2"}),
        build_synthmix_defs(**{**options, "name": "other", "output": "demo"}),
        build_synthmix_defs(**{**options, "output_root": str(tmp_path / "elsewhere")}),
    ]
    assert all(defs.assets for defs in kept)


def test_a_definition_that_is_built_again_takes_the_place_of_the_first(tmp_path: Path) -> None:
    options = write_inputs(tmp_path)
    for output in (None, "demo/moved", "demo"):
        assert build_synthmix_defs(**options, output=output).assets
    with pytest.raises(ConfigError, match="'other' lies inside that of 'demo'"):
        build_synthmix_defs(**{**options, "name": "other", "output": "demo/moved"})


@pytest.mark.parametrize("taken", ["demo", pytest.param("demo/a/b", marks=pytest.mark.slow)])
def test_a_folder_of_another_mix_on_disk_is_refused_before_anything_is_written(
    taken: str, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    options = write_inputs(tmp_path)
    assert ran({**options, "output": taken}, instance).success
    before = sorted((tmp_path / "mixes").rglob("*"))
    for other in ("demo/a", "demo/a/b/c") if taken == "demo/a/b" else ("demo/a",):
        result = ran({**options, "output": other}, instance)
        assert not result.success
        log = " ".join(entry.to_json() for entry in instance.all_logs(result.run_id))
        assert "of another mix" in log
    assert sorted((tmp_path / "mixes").rglob("*")) == before
    verify_release(tmp_path / "mixes" / taken)
    assert ran({**options, "output": taken}, instance).success


def test_a_mix_that_is_its_whole_output_root_lets_none_in(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    options = write_inputs(tmp_path)
    assert ran({**options, "output_root": str(tmp_path), "output": "mixes"}, instance).success
    # The same name again, as by another process, whose project knows nothing of the first.
    result = ran(options, instance)
    assert not result.success
    log = " ".join(entry.to_json() for entry in instance.all_logs(result.run_id))
    assert "it lies inside the directory of another mix" in log
