"""The example as a newcomer meets it: commands, not functions."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def command(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        words,
        cwd=ROOT,
        env={
            **os.environ,
            "PATH": path,
            "VIRTUAL_ENV": sys.prefix,
            "COLUMNS": "200",
            "NO_COLOR": "1",
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def dagster_home(tmp_path: Path) -> str:
    (tmp_path / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    return str(tmp_path)


@pytest.mark.slow
def test_the_demo_releases_one_generator_and_refuses_the_other(tmp_path: Path) -> None:
    home = {"SYNTHMIX_EXAMPLE_HOME": str(tmp_path)}
    first = command(sys.executable, "-m", "example_repo.demo", **home)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "stopped  arrival_delay_candidate/distribution_distance/wasserstein_gap" in first.stdout
    assert "stopped  arrival_delay_candidate/training_data" in first.stdout
    for word in ("gap", "floor", "threshold", "refused", "requested", "realised", "untouched"):
        assert word in first.stdout
    assert (tmp_path / "risk_curve.png").stat().st_size > 10_000
    again = command(sys.executable, "-m", "example_repo.demo", **home)
    assert again.returncode == 0, again.stdout + again.stderr
    released = [re.findall(r"Release (\w+) was verified", run.stdout) for run in (first, again)]
    assert released[0] == released[1] != []


def test_dg_check_defs_passes_without_warnings(dagster_home: str) -> None:
    result = command("dg", "check", "defs", DAGSTER_HOME=dagster_home)
    said = result.stdout + result.stderr
    assert result.returncode == 0, said
    assert "All definitions loaded successfully" in said
    assert "warning" not in said.lower()


def test_dg_lists_the_component_with_its_description(dagster_home: str) -> None:
    result = command("dg", "list", "components", "--json", DAGSTER_HOME=dagster_home)
    assert result.returncode == 0, result.stderr
    listed = {entry["key"]: entry["summary"] for entry in json.loads(result.stdout)["items"]}
    assert "gate its release" in listed["synthmix_dagster.SynthMixComponent"]


def test_dg_lists_the_two_mixes_and_the_schedule(dagster_home: str) -> None:
    result = command("dg", "list", "defs", "--json", DAGSTER_HOME=dagster_home)
    assert result.returncode == 0, result.stderr
    listed = json.loads(result.stdout)
    keys = {asset["asset_key"] for asset in listed["assets"]}
    for mix in ("arrival_delay", "arrival_delay_candidate", "late_arrival"):
        assert f"{mix}/training_data" in keys
    assert len(listed["schedules"]) == 1
