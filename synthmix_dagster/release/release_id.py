"""The id of a release, a hash of inputs and settings, and the digest that seals its manifest."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from synthmix_dagster.gates.evidence import Evidence
from synthmix_dagster.release.manifest import MANIFEST_VERSION, Input, Manifest
from synthmix_dagster.release.request import Request
from synthmix_dagster.release.shuffle import SHARDS_VERSION


def release_id_of(
    request: Request, inputs: Mapping[str, Input], notes: Sequence[str], evidence: Evidence
) -> str:
    """Hash of inputs and settings: the same ones give the same id, and the same bytes of rows.

    The engine is left out of it, but may show in the fingerprints. Of files they are the same on
    every engine, and so are the bytes of the rows; of a DataFrame on a cluster the fingerprint is
    made of digests of parts, which no frame in memory has.

    Results stay out of it, as their last digits vary with the machine. A waiver is part of it: what
    was published for a stated reason is another release than what passed its gates.

    Returns
    -------
    str
        16 hexadecimal digits.
    """
    identified: dict[str, Any] = {
        "mix": request.to_dict(),
        # The same rows are the same, whatever they came from.
        "inputs": {name: _without_origin(given) for name, given in inputs.items()},
        "notes": list(notes),
        "version": MANIFEST_VERSION,
        "shards": SHARDS_VERSION,
    }
    if evidence.waiver is not None:
        identified["waiver"] = asdict(evidence.waiver)
    return _sha256(identified)[:16]


def id_of_manifest(manifest: Manifest) -> str:
    """The id that a manifest's inputs and settings come to."""
    evidence = Evidence.from_dict(manifest.evidence)
    return release_id_of(manifest.mix, manifest.inputs, manifest.notes, evidence)


def digest_of_manifest(values: Mapping[str, Any]) -> str:
    """SHA-256 of a manifest, as a mapping, without its own digest."""
    return _sha256({name: value for name, value in values.items() if name != "digest"})


def _without_origin(given: Input) -> dict[str, Any]:
    return {name: value for name, value in given.to_dict().items() if name != "origin"}


def _sha256(values: Mapping[str, Any]) -> str:
    canonical = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode(errors="surrogateescape")).hexdigest()
