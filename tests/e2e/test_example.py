"""The example as a newcomer meets it: commands, not functions."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

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
    for mix in ("digits", "digits_candidate", "eights"):
        assert f"{mix}/training_data" in keys
    assert len(listed["schedules"]) == 1
