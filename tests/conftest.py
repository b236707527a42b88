"""Fixtures shared by all tests."""

import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

# `from scenario import ...` in every test module, wherever it lies.
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """A real Dagster instance on SQLite."""
    home = tmp_path / "dagster_home"
    home.mkdir()
    with dg.instance_for_test(temp_dir=str(home)) as found:
        yield found


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the slow ones, so that no processor waits for the last of them at the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
