import numpy as np
import pandas as pd
import pytest
from scenario import rows

from synthmix_dagster.distance.wasserstein import orthonormal_directions
from synthmix_dagster.drift.scores import (
    MAX_COLUMNS,
    Score,
    block_squares,
    deal,
    reference_score,
    same_schema,
    schema_of,
)
from synthmix_dagster.encoding.options import Columns
from synthmix_dagster.errors import DataError

OPTIONS = {"block_rows": 20, "directions": 20}


def test_blocks_are_measured_as_the_formula_says() -> None:
    rng = np.random.default_rng(0)
    reference = rng.normal(size=(60, 2)).astype(np.float32)
    batch = rng.normal(0.5, 1, size=(40, 2)).astype(np.float32)
    directions = orthonormal_directions(2, 4, rng)
    halves = deal(40, 20, np.random.default_rng(1))
    found = block_squares(reference, batch, directions, halves)
    assert found.shape == (2,)
    folds = [range(at, at + 10) for at in range(0, 60, 10)]
    for block in range(2):
        expected = []
        for direction in directions:
            r = [np.sort(reference[fold] @ direction) for fold in folds]
            s = [np.sort(batch[half] @ direction) for half in halves[2 * block : 2 * block + 2]]
            cross = np.mean([np.mean((a - b) ** 2) for a in r for b in s])
            within = np.mean([np.mean((r[a] - r[b]) ** 2) for a in range(6) for b in range(a)])
            expected.append(cross - within / 2 - np.mean((s[0] - s[1]) ** 2) / 2)
        assert found[block] == pytest.approx(np.mean(expected), abs=1e-5)


def test_blocks_and_batch_have_one_scale_and_no_bias() -> None:
    reference = rows(1500, 0)
    same = [reference_score(reference, rows(640, seed), **OPTIONS) for seed in range(1, 9)]
    assert len(same[0].blocks) == 32
    assert abs(np.mean([score.square for score in same])) < 0.02
    assert abs(np.mean([score.blocks for score in same])) < 0.03
    moved = reference_score(reference, rows(640, 9, shift=1.0), **OPTIONS)
    assert moved.square == pytest.approx(np.mean(moved.blocks), rel=0.1)
    assert next(iter(moved.columns or {})) == "x"


def test_what_the_reference_lacks_is_seen() -> None:
    reference = rows(1000, 0).drop(columns="z").assign(flag=True)
    batch = rows(640, 1).drop(columns="z").assign(flag=True)
    quiet = reference_score(reference, batch, **OPTIONS).square
    for column, values in {
        "x": batch["x"].mask(np.arange(640) % 2 == 0),
        "kind": batch["kind"].mask(np.arange(640) % 2 == 0, "never seen"),
        "flag": pd.Series(np.arange(640) % 2 == 0),
    }.items():
        score = reference_score(reference, batch.assign(**{column: values}), **OPTIONS)
        assert score.square > quiet + 0.1, column
        assert next(iter(score.columns or {})) == column


@pytest.mark.parametrize("kind", ["datetime", "timedelta", "vector", "code", "category", "text"])
def test_every_kind_of_column_can_be_compared_with_a_reference(kind: str) -> None:
    def frame(n: int, seed: int) -> pd.DataFrame:
        rng = np.random.default_rng(seed)
        whole = rng.integers(0, 50, n)
        values = {
            "datetime": pd.Timestamp("2026-01-01") + pd.to_timedelta(whole, unit="D"),
            "timedelta": pd.to_timedelta(whole, unit="h"),
            "vector": [list(v) for v in rng.normal(size=(n, 3))],
            "code": whole % 5,
            "category": pd.Categorical(whole % 3),
            "text": np.array(["a", "b"])[whole % 2],
        }[kind]
        return pd.DataFrame({"c": values})

    score = reference_score(
        frame(600, 0),
        frame(640, 1),
        columns=Columns(categorical=["c"] if kind == "code" else []),
        **OPTIONS,
    )
    assert abs(score.square) < 0.15
    assert np.isfinite(score.blocks).all()


def test_a_score_is_the_same_again_and_depends_on_the_batch_alone() -> None:
    reference, batch = rows(500, 0), rows(300, 1)
    first = reference_score(reference, batch, **OPTIONS)
    assert first == reference_score(reference, batch.copy(), **OPTIONS)
    assert first != reference_score(reference, batch, seed=1, **OPTIONS)


def test_a_larger_batch_has_more_blocks_of_the_same_size() -> None:
    for n in (160, 640, 650):
        halves = deal(n, 20, np.random.default_rng(0))
        assert len(halves) == 2 * (n // 20)
        assert {len(half) for half in halves} == {10}
    assert deal(19, 20, np.random.default_rng(0)) == []


def test_whole_groups_share_a_half_of_a_block() -> None:
    groups = np.repeat(np.arange(90), 7)
    halves = deal(len(groups), 20, np.random.default_rng(0), groups)
    assert len(halves) == 2 * 31
    where = {}
    for half, positions in enumerate(halves):
        for group in groups[positions]:
            assert where.setdefault(group, half) == half
    assert len(where) == 90
    frames = [rows(630, seed).assign(day=groups) for seed in (0, 1)]
    score = reference_score(*frames, columns=Columns(groups="day"), **OPTIONS)
    assert len(score.blocks) == 31
    assert abs(score.square) < 0.1
    with pytest.raises(DataError, match="without a group"):
        reference_score(
            frames[0], frames[1].assign(day=np.nan), columns=Columns(groups="day"), **OPTIONS
        )


def test_only_the_largest_parts_are_kept() -> None:
    rng = np.random.default_rng(0)
    wide = [
        pd.DataFrame(rng.normal(size=(n, 40)), columns=[f"c{i}" for i in range(40)])
        for n in (200, 160)
    ]
    wide[1]["c7"] += 2
    score = reference_score(*wide, **OPTIONS)
    assert len(score.columns or {}) == MAX_COLUMNS
    assert next(iter(score.columns or {})) == "c7"


def test_a_batch_without_a_column_is_refused() -> None:
    with pytest.raises(DataError, match="column 'x'"):
        reference_score(rows(200, 0), rows(200, 1).drop(columns="x"), **OPTIONS)


def test_a_schema_names_kinds_and_forgives_what_is_empty() -> None:
    frame = pd.DataFrame({"b": [True, False], "a": [1, 2], "id": [1, 2], "e": [None, None]})
    schema = schema_of(frame, ["id"], ["a"])
    assert schema == "a categorical, b boolean, e empty"
    assert same_schema(schema, "a categorical, b boolean, e numeric")
    assert not same_schema(schema, "a numeric, b boolean, e empty")
    assert not same_schema(schema, "a categorical, b boolean")
    spaced = schema_of(pd.DataFrame({"a column": [1.0]}), [], [])
    assert same_schema(spaced, spaced)


def test_a_score_is_plain_json() -> None:
    found = Score(0.123456789, 10, (1 / 3,), {"x": 1 / 3}).to_dict()
    assert found["blocks"] == [0.3333333]
    assert found["columns"] == {"x": 0.3333}
