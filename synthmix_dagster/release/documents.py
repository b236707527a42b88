"""The documents of a release beside its shards: dataset card, Croissant metadata and report."""

import hashlib
import json

import pyarrow.parquet as pq

from synthmix_dagster.data.store import Draft
from synthmix_dagster.release.croissant import CROISSANT, croissant
from synthmix_dagster.release.dataset_card import CARD, card
from synthmix_dagster.release.manifest import Document, Manifest
from synthmix_dagster.release.report.page import REPORT, release_report


def write_documents(
    draft: Draft, manifest: Manifest, previous: Manifest | None
) -> tuple[Document, ...]:
    """Write the documents of a release, and list them with their digests.

    Parameters
    ----------
    draft : Draft
        Where the release is being written, its shards already there.
    manifest : Manifest
        Without documents yet.
    previous : Manifest, optional
        Of the release before, for what changed.
    """
    with draft.folder.open(manifest.shards[0].path) as shard:
        schema = pq.read_schema(shard)
    metadata = json.dumps(croissant(manifest, schema), indent=2, ensure_ascii=False) + "\n"
    before = None if previous is None else previous.to_dict()
    report = release_report(manifest.to_dict(), before)
    texts = {CARD: card(manifest, schema), CROISSANT: metadata, REPORT: report}
    documents = []
    for name, text in texts.items():
        content = text.encode("utf-8")
        draft.put(name, content)
        documents.append(Document(name, len(content), hashlib.sha256(content).hexdigest()))
    return tuple(documents)
