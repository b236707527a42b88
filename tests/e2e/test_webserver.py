"""A real dagster-webserver on a real instance shows what happened."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from scenario import bad, write_inputs
from servers import ask, free_port, wait_for

from synthmix_dagster import build_synthmix_defs

pytestmark = [pytest.mark.server, pytest.mark.slow]

MODULE = """
import json, pathlib
from synthmix_dagster import build_synthmix_defs
defs = build_synthmix_defs(**json.loads(pathlib.Path({options!r}).read_text()))
"""


@pytest.fixture
def server(tmp_path: Path, instance_on_disk: dg.DagsterInstance) -> Iterator[str]:
    """Serve an instance in which one mix was refused at its gate."""
    options = write_inputs(tmp_path / "data", synthetic=bad())
    job = build_synthmix_defs(**options).resolve_job_def("demo_job")
    assert not job.execute_in_process(instance=instance_on_disk, raise_on_error=False).success
    (tmp_path / "options.json").write_text(json.dumps(options))
    module = tmp_path / "project.py"
    module.write_text(MODULE.format(options=str(tmp_path / "options.json")))
    port = free_port()
    home = instance_on_disk.root_directory
    process = subprocess.Popen(
        [
            str(Path(sys.executable).parent / "dagster-webserver"),
            *("--python-file", str(module), "--host", "127.0.0.1", "--port", str(port)),
        ],
        env={**os.environ, "DAGSTER_HOME": home},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield wait_for(f"http://127.0.0.1:{port}", process)
    finally:
        process.terminate()
        process.wait(timeout=30)


def test_the_web_api_shows_the_refusal_and_no_release(server: str) -> None:
    data = ask(
        server,
        """{ assetNodes { assetKey { path }
             assetMaterializations(limit: 1) { metadataEntries { label } }
             assetChecksOrError { ... on AssetChecks { checks { name blocking
               executionForLatestMaterialization { status evaluation { success description } }
             } } } } }""",
    )
    nodes = {node["assetKey"]["path"][-1]: node for node in data["assetNodes"]}
    assert nodes["training_data"]["assetMaterializations"] == []
    labels = [
        entry["label"]
        for entry in nodes["distribution_distance"]["assetMaterializations"][0]["metadataEntries"]
    ]
    assert {"synthmix/gap", "synthmix/threshold", "synthmix/columns"} <= set(labels)
    (check,) = nodes["distribution_distance"]["assetChecksOrError"]["checks"]
    assert check["name"] == "wasserstein_gap"
    assert check["blocking"]
    found = check["executionForLatestMaterialization"]["evaluation"]
    assert not found["success"]
    assert "over the threshold 0.5" in found["description"]
