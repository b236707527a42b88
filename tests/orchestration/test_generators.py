"""Generators: fitted on what will not judge them, by the project or by the mix."""

from pathlib import Path

import dagster as dg
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest
from scenario import good, rows
from storage import (
    MANAGERS,
    SYNTHETIC,
    PandasParquet,
    like,
    project,
    run,
    said,
    settings,
)

from synthmix_dagster import SynthMixError, build_synthmix_defs, verify_release


class Shuffling:
    """A generator that learns: it draws rows of what it was fitted on, and moves them a little."""

    def fit(self, frame: pd.DataFrame) -> None:
        self.frame = frame

    def sample(self, count: int) -> pd.DataFrame:
        drawn = self.frame.sample(count, replace=True, random_state=7, ignore_index=True)
        for seed, name in enumerate(("x", "z", "y")):
            noise = rows(count, seed=seed)["x"] * 0.05
            drawn[name] = drawn[name] + noise
        return drawn


@pytest.mark.parametrize(
    "name",
    [
        "duckdb",
        pytest.param("filesystem pickle of polars", marks=pytest.mark.slow),
        pytest.param("parquet", marks=pytest.mark.slow),
        pytest.param("polars", marks=pytest.mark.slow),
    ],
)
def test_the_users_generator_is_fitted_on_the_generator_input(
    tmp_path: Path, instance: dg.DagsterInstance, name: str
) -> None:
    make, kind = MANAGERS[name]
    storage = tmp_path / "storage"
    storage.mkdir()
    fitted: list[pd.DataFrame] = []

    @dg.asset(key=SYNTHETIC, ins={"given": dg.AssetIn(["demo", "generator_input"])})
    def generated_rows(given: kind) -> kind:  # type: ignore[valid-type]
        assert type(given) is kind
        frame = given.to_pandas() if isinstance(given, pl.DataFrame) else given
        fitted.append(frame)
        generator = Shuffling()
        generator.fit(frame)
        return like(kind, generator.sample(400))

    real, _ = project(kind, rows(200, seed=0), good())
    options = settings(tmp_path, evaluation_share=0.25)
    result = run([real, generated_rows], options, instance, make(storage))
    assert result.success, said(result)
    release = verify_release(tmp_path / "mixes" / "demo")
    mixed = pq.read_table(release.path / "data").to_pandas()
    mixed = mixed[mixed["synthmix_source"] == "real"]
    # What it was fitted on is what is mixed; the rows that judge are in neither.
    assert set(fitted[0]["x"]) == set(mixed["x"]) < set(rows(200, seed=0)["x"])
    assert 20 <= 200 - len(fitted[0]) <= 80


def test_the_job_of_a_mix_runs_what_lies_between_its_assets(tmp_path: Path) -> None:
    @dg.asset(key=SYNTHETIC, ins={"given": dg.AssetIn(["demo", "generator_input"])})
    def generated_rows(given: pd.DataFrame) -> pd.DataFrame:
        return given

    @dg.asset(deps=[["demo", "generator_input"]])
    def a_look_at_them() -> None: ...

    @dg.asset(deps=[["demo", "training_data"]])
    def model() -> None: ...

    real, _ = project(pd.DataFrame, rows(200, seed=0), good())
    mix = build_synthmix_defs(**settings(tmp_path, evaluation_share=0.25))
    mine = dg.Definitions(assets=[real, generated_rows, a_look_at_them, model])
    defs = dg.Definitions.merge(mix, mine)
    selected = {
        key.path[-1] for key in defs.resolve_job_def("demo_job").asset_layer.selected_asset_keys
    }
    assert selected == {
        "generator_input",
        SYNTHETIC.path[-1],
        "distribution_distance",
        "optimal_ratio",
        "training_data",
    }


def test_a_generator_input_that_no_manager_could_store_is_refused_at_definition_time(
    tmp_path: Path,
) -> None:
    options = settings(tmp_path, evaluation_share=0.25)
    with pytest.raises(SynthMixError, match="store one partition of an asset per run"):
        build_synthmix_defs(**options, op={"backfill_policy": {"type": "single_run"}})
    build_synthmix_defs(**options, op={"backfill_policy": {"type": "multi_run"}})


@pytest.mark.parametrize("source", ["asset", pytest.param("path", marks=pytest.mark.slow)])
def test_a_generator_resource_makes_the_synthetic_rows(
    tmp_path: Path, instance: dg.DagsterInstance, source: str
) -> None:
    rows(200, seed=0).to_parquet(tmp_path / "real.parquet")
    real, _ = project(pd.DataFrame, rows(200, seed=0), good())
    options = settings(
        tmp_path,
        real={"asset": "warehouse/real"}
        if source == "asset"
        else {"path": str(tmp_path / "real.parquet")},
        synthetic={"generator": "shuffling", "generator_rows": 300},
        evaluation_share=0.25,
    )
    manager = PandasParquet(tmp_path / "storage")
    generator = Shuffling()
    result = run(
        [real] if source == "asset" else [],
        options,
        instance,
        manager,
        resources={"shuffling": generator},
    )
    assert result.success, said(result)
    release = verify_release(tmp_path / "mixes" / "demo")
    assert release.manifest["inputs"]["synthetic"]["rows"] == 300
    assert 120 <= len(generator.frame) <= 180


def test_a_generator_that_fails_is_named_and_not_tried_again(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    class Broken(Shuffling):
        def sample(self, count: int) -> pd.DataFrame:
            raise RuntimeError("out of luck")

    real, _ = project(pd.DataFrame, rows(200, seed=0), good())
    options = settings(
        tmp_path,
        synthetic={"generator": "broken", "generator_rows": 300},
        op={"retry": {"max_retries": 2}},
    )
    result = run(
        [real],
        options,
        instance,
        PandasParquet(tmp_path / "storage"),
        resources={"broken": Broken()},
    )
    assert not result.success
    assert "the generator Broken failed (RuntimeError: out of luck)" in said(result)
    assert "resource 'broken'" in said(result)
    assert not result.filter_events(lambda e: e.event_type_value == "STEP_UP_FOR_RETRY")
