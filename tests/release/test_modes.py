"""Weights, several generators, caps, and provenance."""

from collections import Counter

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from mixes import PROVENANCE, SOURCE, frame, ids_of, real, rows_of, synthetic

from synthmix_dagster import mix, verify_release
from synthmix_dagster.errors import ConfigError, DataError, StoreError, UnknownChoiceError

# Weights


def test_with_weights_all_rows_are_there_and_count_as_much_as_those_due(tmp_path):
    release = mix(real(), synthetic(), ratio=0.5, mode="weights", output=tmp_path)
    rows = rows_of(release).to_pandas()
    assert rows.groupby(SOURCE)["id"].nunique().to_dict() == {"real": 30, "synthetic": 80}
    assert rows.groupby(SOURCE)["sample_weight"].unique().map(list).to_dict() == {
        "real": [1.0],
        "synthetic": [15 / 80],
    }
    realised = release.manifest["realised"]
    assert realised["ratio"] == pytest.approx(0.5, abs=1e-12)
    assert realised["weights"] == {"real": 1.0, "synthetic": 15 / 80}
    assert verify_release(tmp_path) == release


def test_weights_above_one_are_refused_as_rows_that_do_not_exist(tmp_path):
    with pytest.raises(ConfigError, match="there are 80"):
        mix(real(), synthetic(), ratio=3, mode="weights", output=tmp_path)


def test_a_row_with_another_weight_is_noticed(tmp_path):
    release = mix(real(), synthetic(), ratio=0.5, mode="weights", output=tmp_path)
    shard = release.shards[0]
    rows = pq.read_table(shard)
    weights = rows["sample_weight"].to_numpy().copy()
    weights[3] *= 2
    number = rows.column_names.index("sample_weight")
    pq.write_table(rows.set_column(number, "sample_weight", [weights]), shard)
    from synthmix_dagster.errors import ReleaseError
    from synthmix_dagster.release.verification import require_realised

    with pytest.raises(ReleaseError, match="have weights"):
        require_realised(release)


def test_an_unknown_mode_is_named(tmp_path):
    with pytest.raises(UnknownChoiceError, match="Did you mean 'weights'"):
        mix(real(), synthetic(), ratio=0.5, mode="weight", output=tmp_path)


# Several generators


def generators():
    return {"gan": frame(1000, 1080), "copula": frame(2000, 2040)}


def test_every_generator_gives_the_rows_of_its_own_ratio(tmp_path):
    ratios = {"gan": 1.0, "copula": 0.5}
    release = mix(real(), generators(), ratio=ratios, output=tmp_path, stratify="g")
    rows = rows_of(release).to_pandas()
    assert Counter(rows["synthmix_generator"].dropna()) == {"gan": 30, "copula": 15}
    assert set(rows.loc[rows["synthmix_generator"] == "gan", "id"]) <= set(range(1000, 1080))
    assert rows["id"].is_unique
    realised = release.manifest["realised"]
    assert (realised["ratio"], realised["synthetic_rows"]) == (1.5, 45)
    assert realised["generators"] == {"copula": 15, "gan": 30}
    assert sum(by["gan"] for by in realised["strata"].values()) == 30
    assert set(release.manifest["inputs"]) == {"real", "gan", "copula"}
    assert verify_release(tmp_path) == release


def test_the_order_in_which_generators_are_named_changes_nothing(tmp_path):
    ratios = {"gan": 1.0, "copula": 0.5}
    turned = dict(reversed(generators().items()))
    one = mix(real(), generators(), ratio=ratios, output=tmp_path / "one")
    two = mix(real(), turned, ratio=ratios, output=tmp_path / "two")
    assert one.manifest == two.manifest


def test_a_generator_gives_the_rows_it_would_give_alone(tmp_path):
    alone = mix(real(), generators()["gan"], ratio=0.5, output=tmp_path / "alone")
    both = mix(real(), generators(), ratio={"gan": 0.5, "copula": 1}, output=tmp_path / "both")
    rows = rows_of(both).to_pandas()
    of_gan = rows.loc[rows["synthmix_generator"] == "gan", "id"]
    assert set(of_gan) == set(ids_of(alone, "synthetic"))


def test_a_generator_of_ratio_0_gives_no_rows(tmp_path):
    release = mix(real(), generators(), ratio={"gan": 0, "copula": 1}, output=tmp_path)
    assert release.manifest["realised"]["generators"] == {"gan": 0, "copula": 30}


@pytest.mark.parametrize(
    ("given", "ratio", "named"),
    [
        (generators(), 0.5, "the generators are copula, gan"),
        (generators(), {"gan": 0.5}, "the generators are copula, gan"),
        (generators(), {"gan": 0.5, "copula": 1, "x": 1}, "the generators are copula, gan"),
        (synthetic(), {"synthetic": 0.5}, "one synthetic dataset"),
        ({"real": synthetic()}, {"real": 0.5}, "not a valid generator name"),
        ({"a b": synthetic()}, {"a b": 0.5}, "not a valid generator name"),
        ({"gan": synthetic()}, {"gan": 9}, "there are 80"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_ratios_that_do_not_belong_to_the_generators_are_refused(tmp_path, given, ratio, named):
    with pytest.raises(ConfigError, match=named):
        mix(real(), given, ratio=ratio, output=tmp_path)


# Caps


def test_a_cap_on_rows_takes_from_the_generators_in_proportion_and_says_so(tmp_path):
    ratios = {"gan": 1.0, "copula": 0.5}
    release = mix(real(), generators(), ratio=ratios, output=tmp_path, max_rows=60)
    realised = release.manifest["realised"]
    assert (realised["rows"], realised["real_rows"]) == (60, 30)
    assert realised["generators"] == {"gan": 20, "copula": 10}
    assert "'max_rows' of 60 leaves room for 30 of 45 synthetic rows" in release.manifest["notes"]
    assert "leaves room for 30 of 45" in (release.path / "README.md").read_text()


def test_a_cap_that_nothing_reaches_changes_no_row(tmp_path):
    capped = mix(real(), synthetic(), ratio=1, output=tmp_path / "a", max_rows=60)
    plain = mix(real(), synthetic(), ratio=1, output=tmp_path / "b")
    assert capped.to_arrow().equals(plain.to_arrow())
    assert capped.manifest["notes"] == []


def test_a_cap_below_the_real_rows_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="cannot hold the 30 real ones"):
        mix(real(), synthetic(), ratio=1, output=tmp_path, max_rows=29)


def test_more_rows_than_there_are_is_refused_or_capped_and_said(tmp_path):
    with pytest.raises(ConfigError, match="asks for 90 synthetic rows but there are 80"):
        mix(real(), synthetic(), ratio=3, output=tmp_path)
    release = mix(real(), synthetic(), ratio=3, output=tmp_path, shortage="cap")
    assert sorted(ids_of(release, "synthetic")) == list(range(1000, 1080))
    assert release.manifest["realised"]["ratio"] == 80 / 30
    assert "asks for 90 synthetic rows but there are 80" in release.manifest["notes"][0]


# Provenance


def test_without_provenance_the_rows_are_the_same_without_its_columns(tmp_path):
    plain = mix(real(), synthetic(), ratio=1, output=tmp_path / "a", stratify="g")
    bare = mix(real(), synthetic(), ratio=1, output=tmp_path / "b", stratify="g", provenance=False)
    assert bare.to_arrow().equals(plain.to_arrow().drop_columns(PROVENANCE))
    assert bare.manifest["realised"] == plain.manifest["realised"]
    assert verify_release(bare.path) == bare


def test_names_that_a_release_adds_are_free_where_it_does_not_add_them(tmp_path):
    taken = real().assign(synthmix_row_id=1, sample_weight=2.0)
    generated = synthetic().assign(synthmix_row_id=1, sample_weight=2.0)
    with pytest.raises(DataError, match=r"'synthmix_row_id'.*taken"):
        mix(taken, generated, ratio=1, output=tmp_path)
    release = mix(taken, generated, ratio=1, output=tmp_path, provenance=False)
    assert set(release.to_pandas()["sample_weight"]) == {2.0}
    with pytest.raises(DataError, match=r"'sample_weight'.*taken"):
        mix(taken, generated, ratio=1, output=tmp_path, provenance=False, mode="weights")


def test_a_row_id_leads_back_to_the_row_of_its_file(tmp_path):
    for name, start in (("real", 0), ("synthetic", 1000)):
        frame(start, start + 100).to_parquet(tmp_path / f"{name}.parquet")
    release = mix(
        tmp_path / "real.parquet", tmp_path / "synthetic.parquet", ratio=0.5, output=tmp_path / "o"
    )
    rows = rows_of(release).to_pandas()
    number = rows["synthmix_row_id"].to_numpy() & (2**30 - 1)
    assert (number == rows["id"] % 1000).all()


def test_an_output_that_is_no_store_is_refused():
    with pytest.raises(StoreError, match="not a store that can be written to"):
        mix(real(), synthetic(), ratio=1, output="ftp://host/mixes")


def test_categories_are_kept_as_their_values(tmp_path):
    sides = [
        pd.DataFrame({"c": pd.Categorical(values, ordered=True), "n": np.arange(3)})
        for values in (["a", "b", "a"], ["z", "b", None])
    ]
    got = mix(*sides, ratio=1, output=tmp_path).to_pandas()
    assert Counter(got["c"].dropna()) == {"a": 2, "b": 2, "z": 1}
