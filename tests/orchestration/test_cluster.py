"""The engine of a mix in its settings, and the resources by which a cluster is reached."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from synthmix_dagster import SynthMixSpark, build_synthmix_defs
from synthmix_dagster.errors import ConfigError
from synthmix_dagster.orchestration.cluster import cluster_at
from synthmix_dagster.orchestration.config.mix import MixConfig


def settings(folder: Path, **more: Any) -> dict[str, Any]:
    return {
        "name": "churn",
        "real": {"path": "real.parquet"},
        "synthetic": {"path": "synthetic.parquet"},
        "target": "y",
        "task": "regression",
        "threshold": 0.3,
        "output_root": str(folder / "mixes"),
        **more,
    }


def test_every_step_of_a_mix_on_spark_needs_the_resource_of_the_cluster(tmp_path: Path) -> None:
    for options, key in (({}, "spark"), ({"spark": "mine"}, "mine")):
        defs = build_synthmix_defs(**settings(tmp_path, engine="spark", **options))
        for asset in defs.assets or ():
            assert key in asset.required_resource_keys, asset
    on_this_machine = build_synthmix_defs(**settings(tmp_path))
    assert all("spark" not in each.required_resource_keys for each in on_this_machine.assets or ())


TABLE = {"table": "main.customers", "connection": "spark"}
FILES = {"path": "e.parquet"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"spark": "mine"}, "'spark' requires 'engine: spark'"),
        ({"engine": "dask"}, "unknown value 'dask'"),
        ({"engine": "spark", "evaluation_share": 0.2}, "'evaluation_share' splits"),
        ({"engine": "spark", "evaluation_column": "judge"}, "'evaluation_column' splits"),
        ({"engine": "spark", "evaluation": TABLE}, "'evaluation' is a table on the cluster"),
        (
            {"engine": "spark", "synthetic": {"generator": "made", "generator_rows": 5}},
            "'synthetic' has a 'generator', which is fitted on this machine",
        ),
        (
            {"engine": "spark", "real": {"query": "select 1", "connection": "warehouse"}},
            "'real' is read from the connection 'warehouse', not by the cluster",
        ),
        (
            {"engine": "spark", "spark": "mine", "real": TABLE},
            "'real' is read from the connection 'spark'",
        ),
    ],
)
def test_what_a_cluster_cannot_do_is_said_as_the_project_loads(
    tmp_path: Path, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        build_synthmix_defs(**settings(tmp_path, **options))


def test_a_table_of_the_catalogue_is_unloaded_by_nobody(tmp_path: Path) -> None:
    config = MixConfig(**settings(tmp_path, engine="spark", real=TABLE, evaluation=FILES))
    assert config.in_catalogue(config.real)
    assert not config.is_unloaded(config.real)
    assert not config.in_catalogue(config.dataset("synthetic"))
    elsewhere = MixConfig(**settings(tmp_path, real=TABLE))
    assert elsewhere.is_unloaded(elsewhere.real)


class Session:
    """What a session of Spark has, as far as a resource is looked at."""

    conf = None

    def sql(self) -> None: ...
    def table(self) -> None: ...
    def range(self) -> None: ...


class Holder:
    spark_session = Session()


def test_a_cluster_is_reached_by_a_resource_of_ours_or_by_a_session() -> None:
    ours = SynthMixSpark(remote="sc://host:15002/;token=planted", options={"a": "b"})
    access = cluster_at(ours, "spark")
    assert (access.place, access.options) == ("sc://host:15002/", {"a": "b"})
    session = Session()
    assert cluster_at(session, "spark").session is session
    assert cluster_at(Holder(), "spark").session is Holder.spark_session
    with pytest.raises(ConfigError, match="the resource 'spark' is a str, which has no session"):
        cluster_at("spark://host", "spark")


def test_an_address_that_is_none_is_said_in_the_step(tmp_path: Path) -> None:
    """The resource is whatever the environment says, so that it is judged when a step runs."""
    defs = build_synthmix_defs(**settings(tmp_path, engine="spark"))
    resources = {**(defs.resources or {}), "spark": SynthMixSpark(master="http://nowhere")}
    done = dg.materialize(
        defs.assets, resources=resources, selection=["churn/real"], raise_on_error=False
    )
    (failed,) = done.get_step_failure_events()
    said = failed.step_failure_data.user_failure_data
    assert said is not None
    assert "'http://nowhere' is not the address of a master" in str(said.description)
