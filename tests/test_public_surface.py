"""What users may rely on, spelled out by hand: a test that read it off the code would agree."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import synthmix_dagster

ROOT = Path(__file__).parents[1]
BUILD_WHEEL = [sys.executable, "-m", "build", "--no-isolation", "--wheel"]
HEAVY = {"numpy", "pandas", "pyarrow", "scipy", "sklearn", "matplotlib", "ot", "pyspark"}


def test_public_names() -> None:
    assert synthmix_dagster.__all__ == [
        "DistanceReport",
        "DriftReport",
        "History",
        "NewRelease",
        "Recommendation",
        "Release",
        "SparkAccess",
        "StoreAccess",
        "SynthMixComponent",
        "SynthMixConnection",
        "SynthMixError",
        "SynthMixIOManager",
        "SynthMixSpark",
        "SynthMixStorage",
        "build_drift_monitor",
        "build_release_sensor",
        "build_synthmix_checks",
        "build_synthmix_defs",
        "drift_report",
        "history",
        "learn_from_pairs",
        "load_release",
        "measure_distance",
        "mix",
        "open_dataset",
        "recommend_for_domain",
        "recommend_generators",
        "recommend_per_class",
        "recommend_ratio",
        "recommend_without_target",
        "split_evaluation",
        "verify_release",
    ]
    for name in synthmix_dagster.__all__:
        assert getattr(synthmix_dagster, name).__name__ == name


def test_dagster_finds_the_component_and_loads_no_engine_as_it_looks_for_it() -> None:
    """Dagster walks ``dir()`` of the package in every ``dg`` command."""
    loaded = loaded_after(
        "import dagster, synthmix_dagster\n"
        "from dagster.components.core.package_entry import get_package_objects_in_module as walk\n"
        "assert [name for name, _ in walk(synthmix_dagster)] == ['SynthMixComponent']\n"
    )
    assert not HEAVY & loaded


def test_a_name_appears_in_dir_once_it_is_used() -> None:
    loaded_after(
        "import synthmix_dagster\n"
        "assert 'measure_distance' not in dir(synthmix_dagster)\n"
        "assert {'SynthMixComponent', 'build_synthmix_defs'} <= set(dir(synthmix_dagster))\n"
        "from synthmix_dagster import *\n"
        "assert set(synthmix_dagster.__all__) <= set(dir(synthmix_dagster))\n"
    )


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        synthmix_dagster.nothing  # noqa: B018


def test_every_public_name_has_documentation() -> None:
    for name in synthmix_dagster.__all__:
        assert getattr(synthmix_dagster, name).__doc__, name


def loaded_after(statement: str) -> set[str]:
    program = f"{statement}\nimport sys; print(' '.join(sys.modules))"
    out = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(out.stdout.split())


def test_importing_the_package_loads_nothing_but_itself() -> None:
    loaded = loaded_after("import synthmix_dagster")
    assert not {"dagster", *HEAVY} & loaded
    ours = {name for name in loaded if name.partition(".")[0] == "synthmix_dagster"}
    assert ours == {"synthmix_dagster"}


def test_what_defines_things_loads_no_engine() -> None:
    """Name by name, in one process: what one of them loads is there for the next."""
    names = [
        *("SynthMixComponent", "build_synthmix_defs", "build_synthmix_checks"),
        *("build_drift_monitor", "drift_report", "build_release_sensor", "NewRelease"),
    ]
    loaded_after(
        "import dagster, sys; before = set(sys.modules)\n"
        "import synthmix_dagster\n"
        f"for name in {names}:\n"
        "    getattr(synthmix_dagster, name)\n"
        f"    assert not {HEAVY} & (set(sys.modules) - before), name\n"
    )


def test_a_project_with_every_kind_of_definition_loads_no_engine() -> None:
    program = """
from synthmix_dagster import (
    build_drift_monitor, build_release_sensor, build_synthmix_checks, build_synthmix_defs,
)
import dagster as dg
options = dict(
    name="flights",
    real={"path": "real.parquet", "filters": [["year", ">=", 2024]]},
    synthetic={"asset": "warehouse/generated"},
    target="delay",
    task="regression",
    threshold="3 x floor",
    conditional_threshold=0.2,
    contract={"columns": {"delay": {"type": "number"}}},
    evaluation_share=0.2,
    output_root="mixes",
    partitions_def={"type": "daily", "start_date": "2026-01-01"},
    schedule={},
    drift={},
)
mix = build_synthmix_defs(**options)
monitor = build_drift_monitor(name="monitor", real="warehouse/flights", output_root="monitors")
sensor = build_release_sensor("flights/training_data", on_release=lambda context, release: None)
checks = build_synthmix_checks(synthetic="warehouse/made", real="warehouse/flights", threshold=1)
outside = ["warehouse/generated", "warehouse/made", "warehouse/flights"]
rest = dg.Definitions(
    assets=[dg.AssetSpec(key.split("/")) for key in outside], asset_checks=checks, sensors=[sensor]
)
dg.Definitions.merge(mix, monitor, rest).get_repository_def()
"""
    assert not HEAVY & loaded_after(program)


def test_every_module_that_steps_need_is_there() -> None:
    """What is imported when a step runs fails only then, so it is imported here."""
    folder = ROOT / "synthmix_dagster" / "orchestration"
    places = [path.relative_to(ROOT).with_suffix("") for path in sorted(folder.rglob("*.py"))]
    names = [".".join(place.parts) for place in places if place.stem != "__init__"]
    assert len(names) > 20
    loaded = loaded_after("; ".join(f"import {name}" for name in names))
    assert set(names) <= loaded


def test_the_rooms_behind_the_assets_know_no_dagster() -> None:
    """In one process, from the rooms that read no rows to those that stand on all others."""
    program = "import sys\n"
    for room in (
        *("display", "encoding", "distance", "drift"),
        *("data", "ratio", "gates", "release", "verbs"),
    ):
        modules = sorted((ROOT / "synthmix_dagster" / room).glob("*.py"))
        names = [f"synthmix_dagster.{room}.{path.stem}" for path in modules if path.stem[0] != "_"]
        assert names
        program += f"import {', '.join(names)}\nassert 'dagster' not in sys.modules, {room!r}\n"
        if room in ("distance", "drift"):
            program += f"assert 'synthmix_dagster.data.dataset' not in sys.modules, {room!r}\n"
    assert "synthmix_dagster.verbs.core" in loaded_after(program)


@pytest.mark.slow
def test_the_wheel_holds_the_package_and_nothing_else(tmp_path: Path) -> None:
    subprocess.run(
        [*BUILD_WHEEL, "--outdir", str(tmp_path), str(ROOT)],
        check=True,
        capture_output=True,
    )
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        names = wheel.namelist()
    assert "synthmix_dagster/py.typed" in names
    templates = {p.relative_to(ROOT).as_posix() for p in ROOT.glob("synthmix_dagster/**/*.jinja")}
    assert templates
    assert templates <= set(names)
    assert {"synthmix_dagster/py.typed", "synthmix_dagster/__init__.pyi"} <= set(names)
    tops = {name.split("/")[0] for name in names}
    assert tops == {"synthmix_dagster", "synthmix_dagster-0.1.0.dist-info"}
    entry = next(name for name in names if name.endswith("entry_points.txt"))
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        assert "[dagster_dg_cli.registry_modules]" in wheel.read(entry).decode()
