"""Croissant metadata of a release, for machines.

Croissant is the format of dataset metadata of MLCommons; what is synthetic is stated in the terms
of its extension for responsible AI, and once more in numbers, in a vocabulary of this package.
"""

from typing import Any

import pyarrow as pa

from synthmix_dagster.gates.evidence import Evidence
from synthmix_dagster.release.dataset_card import composition_sentence
from synthmix_dagster.release.manifest import Manifest

#: File name of the metadata in a release.
CROISSANT = "croissant.json"

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


def croissant(manifest: Manifest, schema: pa.Schema) -> dict[str, Any]:
    """Croissant metadata of a release, as JSON-LD.

    Parameters
    ----------
    manifest : Manifest
    schema : pyarrow.Schema
        Columns of the shards.
    """
    sentence = composition_sentence(manifest)
    name = Evidence.from_dict(manifest.evidence).mix or "training_data"
    shards = [
        {
            "@type": "cr:FileObject",
            "@id": shard.path,
            "name": shard.path,
            "contentUrl": shard.path,
            "contentSize": f"{shard.bytes} B",
            "encodingFormat": "application/x-parquet",
            "sha256": shard.sha256,
        }
        for shard in manifest.shards
    ]
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": [
            "http://mlcommons.org/croissant/1.0",
            "http://mlcommons.org/croissant/RAI/1.0",
        ],
        "name": name,
        "description": f"Training data of real and synthetic rows. {sentence}",
        "version": f"0.0.0+{manifest.release_id}",
        "isLiveDataset": False,
        "rai:dataCollection": sentence,
        "rai:dataManipulationProtocol": (
            f"All real rows were kept, once. Synthetic rows were chosen by seeded priority, seed "
            f"{manifest.mix.seed}, and mixed with them in seeded order by synthmix-dagster "
            f"{manifest.libraries['synthmix-dagster']}."
        ),
        "synthmix:composition": [
            {
                "synthmix:source": part.source,
                **({} if part.generator is None else {"synthmix:generator": part.generator}),
                "synthmix:rows": part.rows,
                "synthmix:share": part.share,
            }
            for part in manifest.composition()
        ],
        "distribution": shards,
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": f"rows/{number:05d}",
                "name": f"rows/{number:05d}",
                "description": f"The rows of {shard.path}.",
                "field": [_field(shard.path, number, field) for field in schema],
            }
            for number, shard in enumerate(manifest.shards)
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
