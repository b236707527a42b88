"""Files and a release that the tests of the commands share."""

from pathlib import Path

import pytest
from scenario import bad, good, rows

from synthmix_dagster import mix


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("files")
    for name, frame in (("real", rows(60, seed=0)), ("good", good(200)), ("bad", bad(200))):
        frame.to_parquet(folder / f"{name}.parquet")
    return {path.stem: str(path) for path in folder.iterdir()}


@pytest.fixture
def release(files: dict[str, str], tmp_path: Path) -> Path:
    return mix(files["real"], files["good"], ratio=1, output=tmp_path / "mixes").path
