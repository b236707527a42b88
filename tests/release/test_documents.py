"""What accompanies the rows: manifest, card, Croissant."""

import datetime
import json
import logging
import shutil
from decimal import Decimal

import jsonschema
import pandas as pd
import pyarrow as pa
import pytest
import yaml
from mixes import frame, real, synthetic

from synthmix_dagster import mix
from synthmix_dagster.data.dataset import open_dataset
from synthmix_dagster.release.manifest import manifest_schema


def released(tmp_path, kind):
    if kind == "generators":
        given = {"gan": frame(1000, 1080), "copula": frame(2000, 2040)}
        return mix(real(), given, ratio={"gan": 1.0, "copula": 0.5}, output=tmp_path, stratify="g")
    if kind == "files":
        real().to_csv(tmp_path / "r.csv", index=False)
        viewed = open_dataset(tmp_path / "r.csv", "real", filters=[("id", "<", 20)])
        return mix(viewed, synthetic(), ratio=1, output=tmp_path / "out", key="id")
    options = {
        "plain": {},
        "weights": {"mode": "weights"},
        "bare": {"provenance": False, "rows_per_shard": 7},
        "capped": {"max_rows": 35},
    }[kind]
    return mix(real(), synthetic(), ratio=0.5, output=tmp_path, **options)


KINDS = ["plain", "weights", "bare", "capped", "generators", "files"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_manifest_has_the_shipped_schema(tmp_path, kind):
    validator = jsonschema.Draft202012Validator(manifest_schema())
    validator.check_schema(manifest_schema())
    release = released(tmp_path, kind)
    validator.validate(json.loads((release.path / "manifest.json").read_text()))


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: manifest.pop("seed", manifest.pop("inputs")),
        lambda manifest: manifest["mix"].update(mode="both"),
        lambda manifest: manifest["realised"].update(duplicates=1),
        lambda manifest: manifest["shards"][0].pop("sha256"),
        lambda manifest: manifest["shards"][0].update(path="../part-00000.parquet"),
        lambda manifest: manifest["inputs"]["real"].update(identity={"by": "key"}),
        lambda manifest: manifest.update(more=1),
    ],
)
def test_the_schema_refuses_what_no_release_says(tmp_path, change):
    manifest = json.loads(json.dumps(released(tmp_path, "plain").manifest))
    change(manifest)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(manifest, manifest_schema())


@pytest.mark.parametrize("kind", KINDS)
def test_mlcroissant_validates_the_metadata_and_reads_the_rows_by_it(tmp_path, kind, caplog):
    mlcroissant = pytest.importorskip("mlcroissant")
    release = released(tmp_path, kind)
    with caplog.at_level(logging.WARNING):
        dataset = mlcroissant.Dataset(jsonld=str(release.path / "croissant.json"))
    assert not dataset.metadata.ctx.issues.errors
    assert "not standard" not in caplog.text
    read = []
    for number in range(len(release.shards)):
        read += list(dataset.records(f"rows/{number:05d}"))
    columns = [column["name"] for column in release.manifest["columns"]]
    assert len(read) == release.manifest["realised"]["rows"]
    assert [name.split("/")[-1] for name in read[0]] == columns
    got = [record[next(key for key in record if key.endswith("/id"))] for record in read]
    assert got == release.to_arrow()["id"].to_pylist()


def test_metadata_says_what_is_synthetic_by_which_generator_in_what_proportion(tmp_path):
    release = released(tmp_path, "generators")
    described = json.loads((release.path / "croissant.json").read_text())
    assert described["synthmix:composition"] == [
        {"synthmix:source": "real", "synthmix:rows": 30, "synthmix:share": 0.4},
        {
            "synthmix:source": "synthetic",
            "synthmix:generator": "copula",
            "synthmix:rows": 15,
            "synthmix:share": 0.2,
        },
        {
            "synthmix:source": "synthetic",
            "synthmix:generator": "gan",
            "synthmix:rows": 30,
            "synthmix:share": 0.4,
        },
    ]
    sentence = "15 (20.00%) were made by the generator 'copula'"
    assert sentence in described["rai:dataCollection"]
    card = (release.path / "README.md").read_text()
    assert sentence in card
    assert "| synthetic | gan | 30 | 40.00% |" in card
    assert [d["sha256"] for d in described["distribution"]] == [
        shard["sha256"] for shard in release.manifest["shards"]
    ]


def test_with_weights_the_proportion_is_that_of_the_weight(tmp_path):
    release = released(tmp_path, "weights")
    shares = [(part.rows, part.share) for part in release.details.composition()]
    assert shares == [(30, 30 / 45), (80, 15 / 45)]
    assert "share of the weight" in (release.path / "README.md").read_text()


def test_types_are_told_in_the_words_of_croissant(tmp_path):
    table = pa.table(
        {
            "i": [1],
            "f": [0.5],
            "b": [True],
            "s": ["a"],
            "t": pa.array([0], pa.timestamp("us")),
            "d": pa.array([0], pa.date32()),
        }
    )
    release = mix(table, table, ratio=1, output=tmp_path, provenance=False)
    described = json.loads((release.path / "croissant.json").read_text())
    fields = {f["name"]: f["dataType"] for f in described["recordSet"][0]["field"]}
    assert fields == {
        "i": "sc:Integer",
        "f": "sc:Float",
        "b": "sc:Boolean",
        "s": "sc:Text",
        "t": "sc:DateTime",
        "d": "sc:Date",
    }


def test_names_that_would_break_the_card_are_escaped(tmp_path):
    odd = pd.DataFrame({"a|b\nc": [1, 2]})
    card = (mix(odd, odd, ratio=1, output=tmp_path).path / "README.md").read_text()
    assert "| a\\|b c | int64 |" in card


def header_of(release):
    _, header, _ = (release.path / "README.md").read_text().split("---\n", 2)
    return yaml.safe_load(header)


@pytest.fixture
def load_dataset(tmp_path, monkeypatch):
    """`load_dataset` of Hugging Face's library, without its network and with a cache of its own."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)

    def load(place):
        return datasets.load_dataset(str(place), cache_dir=str(tmp_path / "cache"))

    return load


@pytest.mark.parametrize("kind", KINDS)
def test_hugging_face_loads_the_rows_of_a_release_and_of_a_copy(tmp_path, kind, load_dataset):
    release = released(tmp_path / "mixes", kind) if kind != "files" else released(tmp_path, kind)
    # As under a partition, whose name may hold anything.
    copy = shutil.copytree(release.path, tmp_path / "partitions" / "2026-01-01%2F b" / "copy")
    for place in (release.path, copy, release.path.parents[1] / "latest"):
        loaded = load_dataset(place)
        assert list(loaded) == ["train"]
        assert loaded["train"].to_list() == release.to_arrow().to_pylist()
    assert header_of(release)["size_categories"] == ["n<1K"]


def test_hugging_face_gets_the_type_of_every_column(tmp_path, load_dataset):
    day = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
    table = pa.table(
        {
            "i": pa.array([1, 2], pa.int8()),
            "f": pa.array([0.5, None], pa.float32()),
            "b": [True, None],
            "t": pa.array([day, None], pa.timestamp("us", tz="UTC")),
            "d": pa.array([day.date()] * 2),
            "h": pa.array([datetime.time(1, 2)] * 2, pa.time64("us")),
            "m": pa.array([Decimal("1.20")] * 2, pa.decimal128(5, 2)),
            "s": pa.array(["a", None], pa.large_string()),
            "c": pa.array(["ä: #", "ä: #"]).dictionary_encode(),
            "- odd: 'name' \u2028": [b"1", b"2"],
        }
    )
    release = mix(table, table, ratio=1, output=tmp_path / "mixes", provenance=False)
    features = header_of(release)["dataset_info"]["features"]
    loaded = load_dataset(release.path)["train"]
    assert loaded.to_list() == release.to_arrow().to_pylist()
    assert features == loaded.features._to_yaml_list()
    types = {feature["name"]: feature["dtype"] for feature in features}
    assert (types["c"], types["t"], types["m"]) == (
        "string",
        "timestamp[us, tz=UTC]",
        "decimal128(5, 2)",
    )


def test_hugging_face_reads_types_from_the_files_where_a_column_is_nested(tmp_path, load_dataset):
    table = pa.table({"x": [1.0, 2.0], "v": pa.array([[1.0, 2.0]] * 2, pa.list_(pa.float32(), 2))})
    release = mix(table, table, ratio=1, output=tmp_path / "mixes", provenance=False)
    assert "dataset_info" not in header_of(release)
    assert load_dataset(release.path)["train"].to_list() == release.to_arrow().to_pylist()


def test_the_card_states_its_size_and_no_license(tmp_path):
    def released_rows(rows):
        sides = pd.DataFrame({"x": range(rows)}), pd.DataFrame({"x": range(rows)})
        return header_of(mix(*sides, ratio=0, output=tmp_path / str(rows)))

    sizes = {rows: released_rows(rows)["size_categories"] for rows in (999, 1000, 10_000)}
    assert sizes == {999: ["n<1K"], 1000: ["1K<n<10K"], 10_000: ["10K<n<100K"]}
    header = released_rows(1000)
    assert "license" not in header
    assert header["tags"] == ["tabular", "synthetic", "synthmix-dagster"]
