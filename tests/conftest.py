"""Fixtures and settings shared by all tests."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import hypothesis
import pytest

# Where every processor has a test of its own, threads of linear algebra wait for each other and
# cost ten times the time. The package holds its measurements to one thread; this holds tests of
# their parts to one as well. Libraries read it when numpy is first imported.
for library in ("OMP", "OPENBLAS", "MKL"):
    os.environ[f"{library}_NUM_THREADS"] = "1"

# `from scenario import ...` in every test module, wherever it lies.
sys.path.insert(0, str(Path(__file__).parent))

# The same examples in every run, on machines of every speed; a test says only how many.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.register_profile("nightly", max_examples=10_000, deadline=None, print_blob=True)
hypothesis.settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def dagster_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an instance that has its databases and no run."""
    home = tmp_path_factory.mktemp("dagster_home")
    with dg.instance_for_test(temp_dir=str(home)) as instance:
        # Databases are made when they are first asked.
        assert not instance.get_runs()
        assert not instance.all_asset_keys()
        assert not instance.all_instigator_state()
    return home


@contextmanager
def _copied(template: Path, folder: Path) -> Iterator[dg.DagsterInstance]:
    """An instance of its own in a folder: new databases take five times as long as their copies."""
    home = folder / "dagster_home"
    shutil.copytree(template, home)
    with dg.instance_for_test(temp_dir=str(home)) as instance:
        yield instance


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """A Dagster instance whose databases are in memory: a run on it costs a fifth less."""
    with dg.DagsterInstance.ephemeral(tempdir=str(tmp_path)) as ephemeral:
        yield ephemeral


@pytest.fixture
def instance_on_disk(tmp_path: Path, dagster_home: Path) -> Iterator[dg.DagsterInstance]:
    """One on SQLite, as `dagster dev` makes it: for several processes, and for what they find."""
    with _copied(dagster_home, tmp_path) as copied:
        yield copied


@pytest.fixture(scope="module")
def module_instance(
    tmp_path_factory: pytest.TempPathFactory, dagster_home: Path
) -> Iterator[dg.DagsterInstance]:
    """One for a whole module: for runs of which its tests only read what came out."""
    with _copied(dagster_home, tmp_path_factory.mktemp("module")) as copied:
        yield copied


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A Spark cluster on this machine, for all tests that need one."""
    from spark_cluster import spark_cluster

    with spark_cluster(tmp_path_factory.mktemp("cluster")) as started:
        yield started


#: The smallest picture of either kind.
_BLANK = {
    "png": bytes.fromhex(
        "89504e470d0a1a0a0000000d494844520000000100000001080000000"
        "03a7e9b550000000a49444154789c6360000000020001e221bc330000000049454e44ae426082"
    ),
    "svg": b'<svg viewBox="0 0 1 1"></svg>',
}


#: Where tests make releases by the hundred and look at one or two.
_UNSEEN = ("orchestration", "release", "cli", "verbs", "gates", "test_redaction.py")


@pytest.fixture(autouse=True)
def blank_pictures(request: pytest.FixtureRequest) -> Iterator[None]:
    """Lay out no picture, which takes a third of a run, but where a test is marked `draws`.

    What a module shares was made before its tests, and is drawn.
    """
    here, folder = request.node.path, Path(__file__).parent
    room = here.relative_to(folder).parts[0] if here.is_relative_to(folder) else ""
    with pytest.MonkeyPatch.context() as patch:
        if room in _UNSEEN and request.node.get_closest_marker("draws") is None:
            patch.setattr("matplotlib.figure.Figure.savefig", _save_blank)
        yield


def _save_blank(figure: Any, target: Any, **options: Any) -> None:
    target.write(_BLANK[options["format"]])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the slow ones, so that no processor waits for the last of them at the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
