"""Assets downstream of a mix take its release, its distance and its ratio as inputs."""

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import datasets
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pytest
from mix_runs import failure
from mixes import publish_mix
from scenario import good, rows, write_inputs

from synthmix_dagster import (
    DistanceReport,
    NewRelease,
    Recommendation,
    Release,
    SynthMixIOManager,
    build_synthmix_defs,
    load_release,
)

ROLES = ("training_data", "optimal_ratio", "distribution_distance", "real")
DEMO = {role: dg.AssetKey(["demo", role]) for role in ROLES}


def downstream(seen: dict[str, Any], kind: Any, name: str = "model", **options: Any) -> Any:
    """An asset that remembers the training data it is given, annotated with a type."""

    def compute(training_data):
        seen[name] = training_data

    compute.__name__ = name
    compute.__annotations__["return"] = None
    if kind is not None:
        compute.__annotations__["training_data"] = kind
    ins = {"training_data": dg.AssetIn(DEMO["training_data"], **options.pop("input", {}))}
    return dg.asset(ins=ins, **options)(compute)


def project(options: Mapping[str, Any], *assets: Any, **more: Any) -> dg.Definitions:
    return dg.Definitions.merge(build_synthmix_defs(**options), dg.Definitions(assets, **more))


def execute(defs: dg.Definitions, instance: dg.DagsterInstance, *names: str, **more: Any) -> Any:
    keys = [DEMO.get(name) or dg.AssetKey(name.split("/")) for name in names]
    job = defs.resolve_implicit_global_asset_job_def()
    return job.execute_in_process(
        instance=instance, raise_on_error=False, asset_selection=keys or None, **more
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A release in an instance that later runs, of other assets, find it in."""
    folder = tmp_path_factory.mktemp("made")
    options = write_inputs(folder)
    instance = dg.DagsterInstance.ephemeral()
    assert execute(project(options), instance).success
    return options, instance, load_release(Path(options["output_root"]) / "demo")


READERS: dict[Any, Any] = {
    pd.DataFrame: lambda frame: pa.Table.from_pandas(frame),
    pl.DataFrame: lambda frame: frame.to_arrow(),
    pl.LazyFrame: lambda frame: frame.collect().to_arrow(),
    pa.Table: lambda table: table,
    pyarrow.dataset.Dataset: lambda dataset: dataset.to_table(),
    datasets.Dataset: lambda dataset: dataset.data.table,
    Release: lambda release: release.to_arrow(),
    None: lambda release: release.to_arrow(),
    pd.DataFrame | None: lambda frame: pa.Table.from_pandas(frame),
}


def test_a_release_is_loaded_as_its_annotation_says(made: Any) -> None:
    options, instance, release = made
    seen: dict[str, Any] = {}
    names = {f"model_{number}": kind for number, kind in enumerate(READERS)}
    models = [downstream(seen, kind, name) for name, kind in names.items()]
    result = execute(project(options, *models), instance, *names)
    assert result.success, failure(result)
    for name, kind in names.items():
        if isinstance(kind, type):
            assert isinstance(seen[name], kind)
        there = READERS[kind](seen[name]).select(release.to_arrow().column_names).to_pandas()
        pd.testing.assert_frame_equal(there, release.to_pandas(), check_dtype=False)


def test_distance_and_recommendation_are_loaded_as_well(made: Any) -> None:
    options, instance, release = made
    seen: dict[str, Any] = {}

    ins = {role: dg.AssetIn(DEMO[role]) for role in ("distribution_distance", "optimal_ratio")}

    @dg.asset(ins=ins)
    def review(distribution_distance: DistanceReport, optimal_ratio: Recommendation) -> None:
        seen["both"] = distribution_distance, optimal_ratio

    @dg.asset(ins=ins)
    def look(distribution_distance, optimal_ratio) -> None:
        seen["plain"] = distribution_distance, optimal_ratio

    result = execute(project(options, review, look), instance, "review", "look")
    assert result.success, failure(result)
    evidence = release.manifest["evidence"]
    assert seen["both"] == seen["plain"]
    assert seen["both"][0].gap == evidence["distribution_distance"]["gap"]
    assert seen["both"][1].ratio == evidence["optimal_ratio"]["ratio"]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (str, "a release cannot be loaded as builtins.str. Valid are: datasets.Dataset, pandas"),
        (
            pl.Series,
            "a release cannot be loaded as polars.Series. Did you mean 'polars.",
        ),
        (DistanceReport, "as synthmix_dagster.DistanceReport. Did you mean 'synthmix_dagster.Re"),
        (dict[str, pd.DataFrame], "it has no partitions, and its annotation is for several"),
    ],
)
def test_a_type_that_no_release_has_is_named(made: Any, kind: Any, words: str) -> None:
    options, instance, _ = made
    result = execute(project(options, downstream({}, kind)), instance, "model")
    assert words in failure(result)


def test_a_report_is_not_loaded_as_a_frame(made: Any) -> None:
    options, instance, _ = made

    @dg.asset(ins={"distribution_distance": dg.AssetIn(DEMO["distribution_distance"])})
    def review(distribution_distance: pd.DataFrame) -> None:
        raise AssertionError("it was given something")

    result = execute(project(options, review), instance, "review")
    assert "cannot be loaded as pandas.DataFrame" in failure(result)
    assert "synthmix_dagster.DistanceReport" in failure(result)


def test_ingested_rows_have_no_value_to_load(made: Any) -> None:
    options, instance, _ = made

    @dg.asset(ins={"real": dg.AssetIn(DEMO["real"])})
    def audit(real: pd.DataFrame) -> None:
        raise AssertionError("it was given something")

    result = execute(project(options, audit), instance, "audit")
    assert "names no release and no result to load" in failure(result)


def test_other_assets_keep_the_project_s_own_io_manager(made: Any) -> None:
    options, instance, _ = made
    stored: dict[Any, Any] = {}

    class Memory(dg.IOManager):
        def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
            stored[context.asset_key] = obj

        def load_input(self, context: dg.InputContext) -> Any:
            return stored[context.asset_key]

    @dg.asset
    def scores(model: int) -> int:
        return model + 1

    @dg.asset(ins={"data": dg.AssetIn(DEMO["training_data"])})
    def model(data: pd.DataFrame) -> int:
        return len(data)

    defs = project(options, model, scores, resources={"io_manager": Memory()})
    assert execute(defs, instance, "model", "scores").success
    assert set(stored) == {dg.AssetKey("model"), dg.AssetKey("scores")}
    assert stored[dg.AssetKey("scores")] == stored[dg.AssetKey("model")] + 1


def test_another_code_location_loads_by_the_key_alone(made: Any) -> None:
    _, instance, release = made
    seen: dict[str, Any] = {}
    spec = dg.AssetSpec(DEMO["training_data"]).with_io_manager_key("releases")
    defs = dg.Definitions(
        [spec, downstream(seen, None)], resources={"releases": SynthMixIOManager()}
    )
    assert execute(defs, instance, "model").success
    assert seen["model"].release_id == release.release_id
    assert defs.load_asset_value(
        DEMO["training_data"], python_type=pa.Table, instance=instance
    ) == (release.to_arrow())


@pytest.mark.slow
def test_a_resource_of_the_project_takes_its_place(tmp_path: Path) -> None:
    stored: dict[Any, Any] = {}

    class Memory(dg.IOManager):
        def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
            stored[context.asset_key.path[-1]] = obj

        def load_input(self, context: dg.InputContext) -> Any:
            return stored[context.asset_key.path[-1]].release_id

    seen: dict[str, Any] = {}
    options = write_inputs(tmp_path) | {"io_manager_key": "mine"}
    defs = project(options, downstream(seen, str), resources={"mine": Memory()})
    result = execute(defs, dg.DagsterInstance.ephemeral())
    assert result.success, failure(result)
    assert isinstance(stored["training_data"], Release)
    assert isinstance(stored["distribution_distance"], DistanceReport)
    assert isinstance(stored["optimal_ratio"], Recommendation)
    assert seen["model"] == stored["training_data"].release_id


def test_other_values_are_not_stored_by_it(made: Any) -> None:
    options, instance, _ = made

    @dg.asset(io_manager_key="synthmix_io_manager")
    def model() -> int:
        return 3

    result = execute(project(options, model), instance, "model")
    assert "it stores assets of a mix only, not a int" in failure(result)


@pytest.mark.slow
def test_a_run_loads_the_release_it_depends_on_and_not_the_latest(tmp_path: Path) -> None:
    """While a run is on its way, another one publishes; and a run for a release has its tag."""
    options = write_inputs(tmp_path)
    output = Path(options["output_root"]) / "demo"
    seen: dict[str, Any] = {}
    instance = dg.DagsterInstance.ephemeral()

    @dg.asset(deps=[DEMO["training_data"]])
    def slow() -> None:
        """Somebody else's run publishes another release meanwhile."""
        good(360).to_parquet(tmp_path / "synthetic.parquet")
        assert execute(project(options), instance).success

    @dg.asset(ins={"training_data": dg.AssetIn(DEMO["training_data"])}, deps=[slow])
    def model(training_data: Release) -> None:
        seen["model"] = training_data

    # In one run with the mix: its own.
    whole = project(options, slow, model)
    result = execute(whole, instance)
    assert result.success, failure(result)
    first, second = seen["model"], load_release(output)
    assert first.release_id != second.release_id
    assert first.details.inputs["synthetic"].rows == 400

    # Alone: what was there when it began.
    write_inputs(tmp_path)
    assert execute(whole, instance, "slow", "model").success
    assert seen["model"].release_id == second.release_id

    # For a release that a sensor saw: that one, whatever came later.
    write_inputs(tmp_path)
    tags = {"synthmix/release_id": first.release_id}
    assert execute(whole, instance, "model", tags=tags).success
    assert seen["model"].release_id == first.release_id
    # A tag about another mix's release says nothing about this one.
    other = {"synthmix/release_id": "f" * 16}
    assert execute(whole, instance, "model", tags=other).success
    assert seen["model"].release_id == load_release(output).release_id

    # Tried again from where it failed: as in the run before.
    again = {"dagster/parent_run_id": result.run_id}
    assert execute(whole, instance, "model", tags=again).success
    assert seen["model"].release_id == first.release_id


@pytest.mark.slow
def test_nothing_to_load_and_a_release_that_is_gone_are_named(tmp_path: Path) -> None:
    options = write_inputs(tmp_path)
    instance = dg.DagsterInstance.ephemeral()
    defs = project(options, downstream({}, pd.DataFrame))
    words = failure(execute(defs, instance, "model"))
    assert "asset 'demo/training_data': it has not been materialised yet" in words
    with pytest.raises(dg.Failure, match="it has not been materialised yet"):
        defs.load_asset_value(DEMO["training_data"], instance=instance)
    assert execute(project(options | {"keep_releases": 1}), instance).success
    gone = load_release(Path(options["output_root"]) / "demo").release_id
    good(360).to_parquet(tmp_path / "synthetic.parquet")
    assert execute(project(options | {"keep_releases": 1}), instance).success
    words = failure(execute(defs, instance, "model", tags={"synthmix/release_id": gone}))
    assert gone in words
    assert "If 'keep_releases' removed it, materialise 'training_data' again" in words


@pytest.mark.slow
def test_a_result_that_was_replaced_is_not_handed_out(tmp_path: Path) -> None:
    options = write_inputs(tmp_path)
    instance = dg.DagsterInstance.ephemeral()

    @dg.asset(deps=[DEMO["training_data"]])
    def slow() -> None:
        good(360).to_parquet(tmp_path / "synthetic.parquet")
        assert execute(project(options), instance).success

    @dg.asset(ins={"optimal_ratio": dg.AssetIn(DEMO["optimal_ratio"])}, deps=[slow])
    def review(optimal_ratio: Recommendation) -> None:
        raise AssertionError("it was given the result of another run")

    words = failure(execute(project(options, slow, review), instance))
    assert "that the run depends on was replaced or removed since" in words


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A mix of three partitions, of which one is refused."""
    folder = tmp_path_factory.mktemp("days")
    for number, day in enumerate(["mon", "tue", "wed"]):
        rows(100, seed=number).to_parquet(folder / f"real-{day}.parquet")
        shift = 3.0 if day == "wed" else 0.0
        rows(300, seed=9 + number, shift=shift).to_parquet(folder / f"made-{day}.parquet")
    options = write_inputs(folder) | {
        "real": {"path": str(folder / "real-{partition_key}.parquet")},
        "synthetic": {"path": str(folder / "made-{partition_key}.parquet")},
        "partitions_def": dg.StaticPartitionsDefinition(["mon", "tue", "wed"]),
    }
    instance = dg.DagsterInstance.ephemeral()
    for day in ("mon", "tue", "wed"):
        result = execute(project(options), instance, partition_key=day)
        assert result.success == (day != "wed")
    return options, instance


@pytest.mark.slow
def test_a_partition_loads_its_own_release(days: Any) -> None:
    options, instance = days
    seen: dict[str, Any] = {}
    model = downstream(seen, None, partitions_def=options["partitions_def"])
    result = execute(project(options, model), instance, "model", partition_key="tue")
    assert result.success, failure(result)
    output = Path(options["output_root"]) / "demo" / "partitions"
    assert seen["model"].release_id == load_release(output / "tue").release_id
    assert seen["model"].release_id != load_release(output / "mon").release_id
    refused = execute(project(options, model), instance, "model", partition_key="wed")
    assert "has not been materialised yet in partition 'wed'" in failure(refused)


ALLOW = {"allow_missing_partitions": True}


@pytest.mark.slow
@pytest.mark.parametrize("kind", [None, dict, dict[str, Release], Mapping[str, Release]])
def test_several_partitions_are_a_mapping(days: Any, kind: Any) -> None:
    options, instance = days
    seen: dict[str, Any] = {}
    model = downstream(seen, kind, input={"metadata": ALLOW})
    result = execute(project(options, model), instance, "model")
    assert result.success, failure(result)
    output = Path(options["output_root"]) / "demo" / "partitions"
    assert {day: release.release_id for day, release in seen["model"].items()} == {
        day: load_release(output / day).release_id for day in ("mon", "tue")
    }


@pytest.mark.slow
def test_a_mapping_of_frames_and_of_a_single_partition(days: Any) -> None:
    options, instance = days
    seen: dict[str, Any] = {}
    one = {"partition_mapping": dg.SpecificPartitionsPartitionMapping(["tue"])}
    single = downstream(seen, dict[str, pd.DataFrame], input=one)
    plain = downstream(seen, pd.DataFrame, "plain", input=one)
    result = execute(project(options, single, plain), instance, "model", "plain")
    assert result.success, failure(result)
    pd.testing.assert_frame_equal(seen["model"]["tue"], seen["plain"])


@pytest.mark.slow
def test_partitions_without_a_release_are_named_and_so_is_a_wrong_annotation(days: Any) -> None:
    options, instance = days
    words = failure(execute(project(options, downstream({}, None)), instance, "model"))
    assert "has not been materialised yet in partitions wed" in words
    assert "allow_missing_partitions" in words
    words = failure(execute(project(options, downstream({}, pd.DataFrame)), instance, "model"))
    assert "3 partitions are loaded" in words
    assert "Annotate the input as dict[str, pandas.DataFrame]" in words


class Reported:
    """Releases of one output, published without a run, and recorded as another process does."""

    def __init__(self, output: str, instance: dg.DagsterInstance) -> None:
        self._instance = instance
        self.releases = {name: publish_mix(output, name) for name in ("old", "new")}

    def ids(self, name: str) -> str:
        return self.releases[name].release_id

    def report(self, name: str) -> None:
        found = {"synthmix/release_id": self.ids(name), "dagster/uri": self.releases[name].uri}
        self._instance.report_runless_asset_event(
            dg.AssetMaterialization(DEMO["training_data"], metadata=found)
        )

    def run(self, *assets: Any, **more: Any) -> Any:
        spec = dg.AssetSpec(DEMO["training_data"]).with_io_manager_key("releases")
        defs = dg.Definitions([spec, *assets], resources={"releases": SynthMixIOManager()})
        names = [asset.key.to_user_string() for asset in assets]
        return execute(defs, self._instance, *names, **more)


@pytest.fixture
def reported(tmp_path: Path, instance: dg.DagsterInstance) -> Reported:
    return Reported(str(tmp_path / "mixes"), instance)


def test_all_steps_of_a_run_have_the_same_rows(reported: Reported) -> None:
    seen: dict[str, Any] = {}
    reported.report("old")
    first = downstream(seen, Release, "first")
    publisher = dg.asset(name="publisher", deps=[first])(lambda: reported.report("new"))
    second = downstream(seen, Release, "second", deps=[publisher])
    assert reported.run(first, publisher, second).success
    assert seen["first"].release_id == seen["second"].release_id == reported.ids("old")
    assert reported.run(first).success
    assert seen["first"].release_id == reported.ids("new")


def test_a_mark_by_hand_is_no_release(reported: Reported, instance: dg.DagsterInstance) -> None:
    seen: dict[str, Any] = {}
    reported.report("new")
    for _ in range(15):
        instance.report_runless_asset_event(dg.AssetMaterialization(DEMO["training_data"]))
    assert reported.run(downstream(seen, None)).success
    assert seen["model"].release_id == reported.ids("new")


def test_a_run_of_a_sensor_loads_the_release_that_it_is_for(reported: Reported) -> None:
    seen: dict[str, Any] = {}
    model = downstream(seen, None)
    key, tags = DEMO["training_data"], {}
    for name in ("old", "new"):
        reported.report(name)
        uri = reported.releases[name].uri
        tags[name] = NewRelease(key, reported.ids(name), uri, None, "run", {}).tags
    for name in ("old", "new"):
        assert reported.run(model, tags=tags[name]).success
        assert seen["model"].release_id == reported.ids(name)
    # Two mixes of the same rows have releases of one id: the tag says whose it is.
    of_another = tags["old"] | {"synthmix/release_of": "another/training_data"}
    assert reported.run(model, tags=of_another).success
    assert seen["model"].release_id == reported.ids("new")


def test_a_run_that_is_tried_again_has_the_rows_that_were_there_at_first(
    reported: Reported,
) -> None:
    seen: dict[str, Any] = {}
    reported.report("old")

    @dg.asset
    def failing() -> None:
        raise ValueError("the model does not fit")

    failed = reported.run(failing)
    assert not failed.success
    reported.report("new")
    tried = failed
    for _ in range(2):
        tried = reported.run(downstream(seen, None), tags={"dagster/parent_run_id": tried.run_id})
        assert tried.success
        assert seen["model"].release_id == reported.ids("old")


def test_a_release_that_came_just_after_the_launch_is_better_than_none(reported: Reported) -> None:
    """As where the clock of the launching machine is behind."""
    seen: dict[str, Any] = {}
    publisher = dg.asset(name="publisher")(lambda: reported.report("new"))
    model = downstream(seen, None, deps=[publisher])
    assert reported.run(publisher, model).success
    assert seen["model"].release_id == reported.ids("new")


def test_a_release_in_an_object_store_is_loaded_and_missed_like_any_other(
    instance: dg.DagsterInstance,
) -> None:
    output = f"memory://{uuid.uuid4().hex}/mixes"
    reported = Reported(output, instance)
    reported.report("new")
    seen: dict[str, Any] = {}
    names = {f"model_{number}": kind for number, kind in enumerate(READERS)}
    assert reported.run(*(downstream(seen, kind, name) for name, kind in names.items())).success
    rows = reported.releases["new"].to_arrow()
    for name, kind in names.items():
        there = READERS[kind](seen[name]).select(rows.column_names)
        assert there.to_pylist() == rows.to_pylist()
    publish_mix(output, "old", keep_releases=1)
    words = failure(reported.run(downstream(seen, None)))
    assert reported.ids("new") in words
    assert "If 'keep_releases' removed it" in words
