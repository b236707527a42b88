"""The documents of a release beside its shards: dataset card, Croissant metadata and report."""

import json
from pathlib import Path

import pyarrow.parquet as pq

from synthmix_dagster.data.fingerprint import file_sha256
from synthmix_dagster.release.atomic_files import write_text
from synthmix_dagster.release.croissant import CROISSANT, croissant
from synthmix_dagster.release.dataset_card import CARD, card
from synthmix_dagster.release.manifest import Document, Manifest
from synthmix_dagster.release.report.page import REPORT, release_report


def write_documents(
    folder: Path, manifest: Manifest, previous: Manifest | None
) -> tuple[Document, ...]:
    """Write the documents of a release, and list them with their digests.

    Parameters
    ----------
    folder : Path
        Where the release is being written, its shards already there.
    manifest : Manifest
        Without documents yet.
    previous : Manifest, optional
        Of the release before, for what changed.
    """
    schema = pq.read_schema(folder / manifest.shards[0].path)
    metadata = json.dumps(croissant(manifest, schema), indent=2, ensure_ascii=False) + "\n"
    before = None if previous is None else previous.to_dict()
    report = release_report(manifest.to_dict(), before)
    texts = {CARD: card(manifest, schema), CROISSANT: metadata, REPORT: report}
    for name, text in texts.items():
        write_text(folder / name, text)
    return tuple(
        Document(name, (folder / name).stat().st_size, file_sha256(folder / name)) for name in texts
    )
