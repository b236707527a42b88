"""The documents beside the shards of a release: dataset card, Croissant metadata, and others."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from synthmix_dagster.data.fingerprint import file_sha256
from synthmix_dagster.release.atomic_files import write_text
from synthmix_dagster.release.croissant import CROISSANT, croissant
from synthmix_dagster.release.dataset_card import CARD, card
from synthmix_dagster.release.manifest import Manifest


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
    written = Manifest.from_dict({**manifest, "documents": []})
    schema = pq.read_schema(folder / written.shards[0].path)
    described = json.dumps(croissant(written, schema), indent=2, ensure_ascii=False) + "\n"
    texts = {CARD: card(written), CROISSANT: described, **further}
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
