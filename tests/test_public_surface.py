"""What users may rely on, spelled out by hand: a test that read it off the code would agree."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import synthmix_dagster

ROOT = Path(__file__).parents[1]
BUILD_WHEEL = [sys.executable, "-m", "build", "--no-isolation", "--wheel"]
HEAVY = ["ot", "sklearn", "scipy", "matplotlib", "pyspark"]


def test_public_names() -> None:
    assert synthmix_dagster.__all__ == [
        "DistanceReport",
        "DriftReport",
        "NewRelease",
        "Recommendation",
        "Release",
        "SynthMixComponent",
        "SynthMixError",
        "build_drift_monitor",
        "build_release_sensor",
        "build_synthmix_checks",
        "build_synthmix_defs",
        "drift_report",
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


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        synthmix_dagster.nothing  # noqa: B018


def test_every_public_name_has_documentation() -> None:
    for name in synthmix_dagster.__all__:
        assert getattr(synthmix_dagster, name).__doc__, name


def loaded_after(statement: str) -> set[str]:
    program = f"import sys; {statement}; print(' '.join(sys.modules))"
    out = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(out.stdout.split())


def test_importing_the_package_loads_nothing_but_itself() -> None:
    loaded = loaded_after("import synthmix_dagster")
    assert not {"dagster", "pandas", "pyarrow", "numpy", *HEAVY} & loaded


def test_importing_both_front_doors_loads_nothing_heavy() -> None:
    loaded = loaded_after(
        "from synthmix_dagster import SynthMixComponent, build_drift_monitor, build_synthmix_defs"
    )
    assert not set(HEAVY) & loaded


def test_importing_the_package_adds_at_most_60_ms_to_dagster() -> None:
    """By the import system's own account, once out of three times on a machine that is busy."""
    program = [sys.executable, "-X", "importtime", "-c", "import dagster, synthmix_dagster"]
    micros = 0
    for _ in range(3):
        done = subprocess.run(program, capture_output=True, text=True, check=True, cwd=ROOT)
        lines = [line.split("|") for line in done.stderr.splitlines() if "|" in line]
        names = [name.strip() for *_, name in lines]
        added = lines[names.index("dagster") + 1 : names.index("synthmix_dagster") + 1]
        assert [name.strip() for *_, name in added] == ["synthmix_dagster"]
        micros = int(added[-1][1])
        if micros <= 60_000:
            return
    pytest.fail(f"it took {micros / 1000:.0f} ms")


@pytest.mark.parametrize(
    "room",
    ["data", "display", "distance", "drift", "encoding", "gates", "ratio", "release", "verbs"],
)
def test_the_rooms_behind_the_assets_know_no_dagster(room: str) -> None:
    modules = sorted((ROOT / "synthmix_dagster" / room).glob("*.py"))
    names = [f"synthmix_dagster.{room}.{path.stem}" for path in modules if path.stem[0] != "_"]
    assert names
    loaded = loaded_after("; ".join(f"import {name}" for name in names))
    assert "dagster" not in loaded
    if room in ("distance", "drift"):
        assert "synthmix_dagster.data.dataset" not in loaded


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
    tops = {name.split("/")[0] for name in names}
    assert tops == {"synthmix_dagster", "synthmix_dagster-0.1.0.dist-info"}
    entry = next(name for name in names if name.endswith("entry_points.txt"))
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        assert "[dagster_dg_cli.registry_modules]" in wheel.read(entry).decode()
