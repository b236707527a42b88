"""The verbs on a session that a project has: tables of its catalogue, DataFrames, samples."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from synthmix_dagster import SparkAccess, measure_distance, mix, recommend_ratio
from synthmix_dagster.data.dataset import open_dataset
from synthmix_dagster.errors import ConfigError, DataError
from synthmix_dagster.verbs.engines import engine_of, open_on_cluster, united

pytestmark = pytest.mark.cluster


def rows(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    kind = rng.choice(["a", "b"], size=n)
    kind[:2] = "rare"
    return pd.DataFrame({"id": np.arange(n) + 10_000 * seed, "x": x, "kind": kind})


REAL, SYNTHETIC = rows(300, 0), rows(600, 1)


@pytest.fixture(scope="module")
def access(session: Any) -> SparkAccess:
    session.createDataFrame(REAL).createOrReplaceTempView("customers")
    return SparkAccess(session=session)


def test_a_table_of_the_catalogue_and_a_dataframe_are_datasets(access: SparkAccess) -> None:
    options = {"key": ["id"], "columns": ["id", "x"], "filters": [("x", ">", 0)]}
    table = open_on_cluster(access, None, "real", table="customers", **options)
    frame = open_on_cluster(access, access.session.table("customers"), "real", **options)
    assert table.rows == frame.rows == int((REAL.x > 0).sum())
    assert table.columns == ["id", "x"]
    assert table.fingerprint == frame.fingerprint
    with pytest.raises(DataError, match="the catalogue has no table 'nowhere'"):
        open_on_cluster(access, None, "real", table="nowhere")


def test_partitions_are_put_below_each_other(access: SparkAccess) -> None:
    frame = access.session.table("customers")
    assert united({"b": frame, "a": frame}, "real").count() == 2 * len(REAL)
    with pytest.raises(DataError, match="partition 'a' is a DataFrame, whose rows are not on"):
        united({"a": REAL}, "real")
    with pytest.raises(DataError, match="no partition arrived"):
        united({}, "real")


def test_a_mix_of_tables_takes_the_rows_that_one_machine_takes(
    access: SparkAccess, tmp_path: Path
) -> None:
    given: dict[str, Any] = {"ratio": 0.7, "key": "id", "stratify": "kind", "seed": 3}
    frames = (access.session.createDataFrame(each) for each in (REAL, SYNTHETIC))
    there = mix(*frames, output=tmp_path / "there", engine=access, **given)
    here = mix(REAL, SYNTHETIC, output=tmp_path / "here", **given)
    found, expected = (each.to_arrow().to_pandas().sort_values("id") for each in (there, here))
    pd.testing.assert_frame_equal(found.reset_index(drop=True), expected.reset_index(drop=True))
    assert there.details.realised == here.details.realised


def test_rows_of_both_kinds_do_not_go_together(access: SparkAccess) -> None:
    far = open_on_cluster(access, None, "real", table="customers")
    with pytest.raises(ConfigError, match="the rows of real are on a cluster, and those of made"):
        engine_of(None, [far, open_dataset(SYNTHETIC, "made")])


def test_distance_and_ratio_see_a_bounded_sample_and_every_class(
    access: SparkAccess, tmp_path: Path
) -> None:
    paths = []
    for name, frame in (("real", REAL), ("synthetic", SYNTHETIC)):
        paths.append(str(tmp_path / f"{name}.parquet"))
        frame.to_parquet(paths[-1])
    quick: dict[str, Any] = {"target": "kind", "task": "classification", "sample_rows": 150}
    quick |= {"ignore": ["id"]}
    measured = [
        measure_distance(*paths, permutations=0, directions=20, engine=engine, **quick).to_dict()
        for engine in (access, None)
    ]
    assert measured[0] == measured[1]
    advised = [recommend_ratio(*paths, engine=engine, **quick) for engine in (access, None)]
    assert advised[0].ratio == advised[1].ratio
    # Two of 300 rows: a sample of half of them may lack the class, and the target must not.
    lacking = SYNTHETIC.assign(kind=SYNTHETIC.kind.where(SYNTHETIC.index != 5, None))
    frame = access.session.createDataFrame(lacking)
    with pytest.raises(DataError, match="the target is missing in 1 of 600 rows"):
        recommend_ratio(access.session.table("customers"), frame, engine=access, **quick)
