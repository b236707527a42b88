"""What accompanies the rows of a release: a card for people, Croissant metadata for machines.

Both say what is synthetic, by which generator and in what proportion. Croissant is the format of
dataset metadata of MLCommons; what is synthetic is told in the words of its extension for
responsible AI, and once more in numbers, in a vocabulary of this package's own.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from synthmix_dagster.data.fingerprint import file_sha256
from synthmix_dagster.release.atomic_files import write_text

_CARD, _CROISSANT = "README.md", "croissant.json"
_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
    "synthmix": "urn:synthmix-dagster:",
}


def write_documents(
    folder: Path, manifest: Mapping[str, Any], further: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Write card and metadata of a release, and list them with their digests.

    Parameters
    ----------
    folder : Path
        Where the release is being written, its shards already there.
    manifest : mapping
        The manifest so far.
    further : mapping of str to str
        Texts of other documents by the names of their files.
    """
    schema = pq.read_schema(folder / manifest["shards"][0]["path"])
    described = json.dumps(croissant(manifest, schema), indent=2, ensure_ascii=False) + "\n"
    texts = {_CARD: card(manifest), _CROISSANT: described, **further}
    for name, text in texts.items():
        write_text(folder / name, text)
    return [
        {
            "path": name,
            "bytes": (folder / name).stat().st_size,
            "sha256": file_sha256(folder / name),
        }
        for name in texts
    ]


def composition(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows of every input, and its share of what a model is trained on.

    With weights that is its share of all weight, and not of all rows.
    """
    due = {name: given["rows"] for name, given in manifest["mix"]["generators"].items()}
    real = manifest["inputs"]["real"]["rows"]
    total = real + sum(due.values())
    rows = {"real": real, **manifest["realised"]["generators"]}
    return [
        {
            "source": "real" if name == "real" else "synthetic",
            "generator": None if name == "real" else name,
            "rows": rows[name],
            "share": {"real": real, **due}[name] / total,
        }
        for name in rows
    ]


def card(manifest: Mapping[str, Any]) -> str:
    """The dataset card, in Markdown."""
    asked, realised = manifest["mix"], manifest["realised"]
    weighted = asked["mode"] == "weights"
    lines = [
        f"# Training data, release {manifest['release_id']}",
        "",
        f"{realised['rows']} rows of {len(manifest['columns'])} columns in "
        f"{len(manifest['shards'])} Parquet files, in seeded order. {_sentence(manifest)}",
        "",
        f"| source | generator | rows | share of the {'weight' if weighted else 'rows'} |",
        "|---|---|---|---|",
    ]
    for part in composition(manifest):
        generator = part["generator"] or ""
        lines.append(f"| {part['source']} | {generator} | {part['rows']} | {part['share']:.2%} |")
    lines += [
        "",
        f"Ratio {asked['ratio']:g} was asked for (synthetic rows per real row), seed "
        f"{asked['seed']}, "
        + (f"stratified by `{asked['stratify']}`" if asked["stratify"] else "not stratified")
        + ".",
        *(f"Note: {note}." for note in manifest["notes"]),
        "",
        "| column | type |",
        "|---|---|",
        *(f"| {_cell(c['name'])} | {_cell(c['type'])} |" for c in manifest["columns"]),
        "",
        "`manifest.json` says what this was made from and has the SHA-256 of every file; "
        "`synthmix_dagster.verify_release` checks them. `croissant.json` is Croissant metadata.",
    ]
    return "\n".join(lines) + "\n"


def croissant(manifest: Mapping[str, Any], schema: pa.Schema) -> dict[str, Any]:
    """Croissant metadata of a release, as JSON-LD.

    Parameters
    ----------
    manifest : mapping
    schema : pyarrow.Schema
        Columns of the shards.
    """
    name = manifest["evidence"].get("mix", "training_data")
    shards = [
        {
            "@type": "cr:FileObject",
            "@id": shard["path"],
            "name": shard["path"],
            "contentUrl": shard["path"],
            "contentSize": f"{shard['bytes']} B",
            "encodingFormat": "application/x-parquet",
            "sha256": shard["sha256"],
        }
        for shard in manifest["shards"]
    ]
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": [
            "http://mlcommons.org/croissant/1.0",
            "http://mlcommons.org/croissant/RAI/1.0",
        ],
        "name": name,
        "description": f"Training data of real and synthetic rows. {_sentence(manifest)}",
        "version": f"0.0.0+{manifest['release_id']}",
        "isLiveDataset": False,
        "rai:dataCollection": _sentence(manifest),
        "rai:dataManipulationProtocol": (
            f"All real rows were kept, once. Synthetic rows were chosen by seeded priority, seed "
            f"{manifest['mix']['seed']}, and mixed with them in seeded order by synthmix-dagster "
            f"{manifest['libraries']['synthmix-dagster']}."
        ),
        "synthmix:composition": [
            {f"synthmix:{key}": value for key, value in part.items() if value is not None}
            for part in composition(manifest)
        ],
        "distribution": shards,
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": f"rows/{number:05d}",
                "name": f"rows/{number:05d}",
                "description": f"The rows of {shard['path']}.",
                "field": [_field(shard["path"], number, field) for field in schema],
            }
            for number, shard in enumerate(manifest["shards"])
        ],
    }


def _field(shard: str, number: int, field: pa.Field) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"rows/{number:05d}/{field.name}",
        "name": field.name,
        "dataType": _data_type(field.type),
        "source": {"fileObject": {"@id": shard}, "extract": {"column": field.name}},
    }


def _data_type(kind: pa.DataType) -> str:
    known = {
        "sc:Boolean": pa.types.is_boolean,
        "sc:Integer": pa.types.is_integer,
        "sc:Float": lambda found: pa.types.is_floating(found) or pa.types.is_decimal(found),
        "sc:Date": pa.types.is_date,
        "sc:DateTime": pa.types.is_timestamp,
    }
    return next((name for name, fits in known.items() if fits(kind)), "sc:Text")


def _sentence(manifest: Mapping[str, Any]) -> str:
    """What is synthetic, by which generator, in what proportion."""
    parts = composition(manifest)
    real = parts[0]
    rest = ", ".join(
        f"{part['rows']} ({part['share']:.2%}) were made by the generator '{part['generator']}'"
        for part in parts[1:]
    )
    unit = "by weight" if manifest["mix"]["mode"] == "weights" else "of all rows"
    return f"{real['rows']} rows ({real['share']:.2%} {unit}) are real, {rest}."


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
