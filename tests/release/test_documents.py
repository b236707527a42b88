"""What accompanies the rows: manifest, card, Croissant."""

import json
import logging

import jsonschema
import pandas as pd
import pyarrow as pa
import pytest
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
