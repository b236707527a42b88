"""The same inputs give the same bytes, and others do not."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from mixes import files_of, frame, ids_of, real, synthetic

from synthmix_dagster import mix
from synthmix_dagster.data.dataset import open_dataset
from synthmix_dagster.gates.evidence import Evidence
from synthmix_dagster.release.mixing import mix_datasets
from synthmix_dagster.release.options import MixOptions

# Same and other


def test_same_inputs_and_seed_give_the_same_bytes_wherever_they_lie(tmp_path):
    releases = []
    for place in ("here", "there/deeper"):
        folder = tmp_path / place
        (folder / "real").mkdir(parents=True)
        real().iloc[:10].to_csv(folder / "real" / "a.csv", index=False)
        real().iloc[10:].to_csv(folder / "real" / "b.csv", index=False)
        synthetic().to_parquet(folder / "s.parquet")
        releases.append(
            mix(
                folder / "real",
                folder / "s.parquet",
                ratio=1.5,
                seed=3,
                stratify="g",
                output=folder / "out",
                rows_per_shard=20,
            )
        )
    one, two = releases
    assert one.release_id == two.release_id
    assert one.path != two.path
    assert len(files_of(one)) == 4 + 4
    assert files_of(one) == files_of(two)


@pytest.mark.parametrize("key", [None, ["id"]])
def test_the_order_of_input_rows_does_not_change_the_shards(tmp_path, key):
    options = {"ratio": 1.0, "seed": 5, "key": key, "stratify": "g"}
    one = mix(real(), synthetic(), output=tmp_path / "a", **options)
    shuffled = [side.sample(frac=1, random_state=1) for side in (real(), synthetic())]
    two = mix(*shuffled, output=tmp_path / "b", **options)
    assert files_of(one, "data") == files_of(two, "data")


@pytest.mark.parametrize("side", ["real", "synthetic"])
def test_another_seed_gives_other_synthetic_rows_and_another_order(tmp_path, side):
    one, two = (mix(real(), synthetic(), ratio=1, seed=s, output=tmp_path) for s in (0, 1))
    assert one.release_id != two.release_id
    assert ids_of(one, side) != ids_of(two, side)
    assert (set(ids_of(one, side)) == set(ids_of(two, side))) == (side == "real")


def test_a_larger_ratio_keeps_the_synthetic_rows_of_a_smaller_one(tmp_path):
    chosen = [
        set(ids_of(mix(real(), synthetic(), ratio=r, output=tmp_path), "synthetic"))
        for r in (0, 0.2, 1, 2, 80 / 30)
    ]
    for small, large in pairwise(chosen):
        assert small < large


@pytest.mark.parametrize(
    "change",
    [
        {"ratio": 0.6},
        {"seed": 1},
        {"stratify": "g"},
        {"key": ["id"]},
        {"rows_per_shard": 7},
        {"real": frame(0, 30, x=1.0)},
        {"synthetic": frame(1000, 1080, x=1.0)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_can_change_the_rows_changes_the_id(tmp_path, change):
    def publish(**options):
        sides = [open_dataset(options.pop(s)(), s) for s in ("real", "synthetic")]
        ratio, key = options.pop("ratio", 0.5), options.pop("key", ())
        return mix_datasets(
            *sides, ratio=ratio, key=key, output=tmp_path, options=MixOptions(**options)
        )

    sides = {"real": real, "synthetic": synthetic}
    other = {k: (lambda v=v: v) if k in sides else v for k, v in change.items()}
    assert publish(**sides).release_id != publish(**{**sides, **other}).release_id


def test_datasets_of_one_name_are_told_apart_in_the_id(tmp_path):
    first, second, third = (open_dataset(frame(s, s + 9), "rows") for s in (0, 100, 200))
    one = mix(first, third, ratio=1, output=tmp_path)
    two = mix(second, third, ratio=1, output=tmp_path)
    assert sorted(ids_of(two, "real")) == list(range(100, 109))
    assert one.release_id != two.release_id


def test_the_ratios_1_and_1_0_give_one_release(tmp_path):
    one, two = (mix(real(), synthetic(), ratio=r, output=tmp_path) for r in (1, 1.0))
    assert one.release_id == two.release_id


@pytest.mark.parametrize(
    "options",
    [
        {"ratio": np.float64(0.5)},
        pytest.param(
            {"ratio": np.float32(0.5)},
        ),
        pytest.param(
            {"ratio": 0.5, "seed": np.int64(0)},
        ),
    ],
    ids=str,
)
def test_numpy_numbers_are_accepted_as_options(tmp_path, options):
    plain = mix(real(), synthetic(), ratio=0.5, output=tmp_path)
    assert mix(real(), synthetic(), output=tmp_path, **options).release_id == plain.release_id


def test_evidence_does_not_change_the_id(tmp_path):
    sides = [
        open_dataset(frame(), name) for frame, name in ((real, "real"), (synthetic, "synthetic"))
    ]
    ids = {
        mix_datasets(
            *sides,
            ratio=0.5,
            output=tmp_path / str(gap),
            evidence=Evidence(thresholds={"wasserstein_gap": gap}),
        ).release_id
        for gap in (0.1, 0.1 + 1e-16, 0.2)
    }
    assert len(ids) == 1


def test_the_order_of_the_rows_of_a_frame_changes_nothing(tmp_path):
    shuffled = (
        real().take(pa.array(range(real().num_rows)[::-1]))
        if isinstance(real(), pa.Table)
        else real().iloc[::-1]
    )
    one = mix(real(), synthetic(), ratio=0.5, output=tmp_path / "one")
    two = mix(shuffled, synthetic(), ratio=0.5, output=tmp_path / "two")
    assert one.release_id == two.release_id
    shards = [shard["sha256"] for shard in one.manifest["shards"]]
    assert shards == [shard["sha256"] for shard in two.manifest["shards"]]
