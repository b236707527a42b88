"""The report of a release: one page that a reviewer reads and signs.

It is made of the manifest alone, and of that of the release before, so it can be made again for any
release. The same manifests give the same bytes: no date, no random name, no address of anything
outside. It needs no JavaScript and no network.
"""

import json
from collections.abc import Mapping
from typing import Any

from synthmix_dagster.display.markup import keys, page, paragraph, section, text, words
from synthmix_dagster.display.rendering import undisturbed
from synthmix_dagster.gates.evidence import Evidence
from synthmix_dagster.release.report.reproducing import reproduced
from synthmix_dagster.release.report.sections import (
    changed,
    checked,
    distance,
    inputs,
    ratio,
    released,
)

#: File name of the report in a release.
REPORT = "report.html"

_TITLES = {
    "released": "What was released",
    "inputs": "What it was made from",
    "ratio": "Why this ratio",
    "distance": "How far the synthetic rows are from the real ones",
    "checked": "What was checked",
    "changed": "What changed since the last release",
    "reproduce": "How to reproduce it",
    "words": "What the words mean",
}
_WORDS = (
    ("ratio", "Synthetic rows for each real row."),
    (
        "gap",
        "How far apart the distributions of real and synthetic rows are: a Wasserstein distance in "
        "standard deviations of the real data, with the distance that chance alone produces taken "
        "off. It can be slightly negative: then the two cannot be told apart at this number of "
        "rows.",
    ),
    ("floor", "That chance part: what two halves of the real rows show."),
    ("conditional gap", "How far the target moved for rows that are otherwise alike."),
    (
        "predicted risk",
        "The error that a model trained on the mix is expected to have on new real rows, predicted "
        "before anything is trained.",
    ),
    ("gate", "A check that stops a release."),
    (
        "fingerprint",
        "SHA-256 over the bytes of an input's files, or over the rows of a frame. Equal "
        "fingerprints mean equal rows.",
    ),
)


def release_documents(
    manifest: Mapping[str, Any], previous: Mapping[str, Any] | None
) -> dict[str, str]:
    """Return what is written into a release for people to look at, by file name.

    Parameters
    ----------
    manifest : mapping
    previous : mapping, optional
        Manifest of the release that ``latest`` named before.
    """
    return {REPORT: release_report(manifest, previous)}


def release_report(manifest: Mapping[str, Any], previous: Mapping[str, Any] | None) -> str:
    """Return the report of a release as one HTML page.

    Parameters
    ----------
    manifest : mapping
    previous : mapping, optional
        Manifest of the release before, for what changed.

    Examples
    --------
    >>> import pandas as pd, tempfile
    >>> from synthmix_dagster import mix
    >>> with tempfile.TemporaryDirectory() as output:
    ...     release = mix(
    ...         pd.DataFrame({"x": [1, 2]}), pd.DataFrame({"x": [3, 4]}), ratio=1, output=output
    ...     )
    >>> "The distance was not measured" in release_report(release.manifest, None)
    True
    """
    # One order of everything, whether the manifest comes from memory or from its file.
    manifest, previous = (
        json.loads(json.dumps(found, sort_keys=True)) for found in (manifest, previous)
    )
    evidence = Evidence.of(manifest)
    with undisturbed():
        parts = {
            "released": released(manifest),
            "inputs": inputs(manifest),
            "ratio": ratio(manifest, evidence),
            "distance": distance(evidence),
            "checked": checked(manifest, evidence),
            "changed": changed(manifest, previous),
            "reproduce": reproduced(manifest),
            "words": [words(_WORDS)],
        }
    name = f" of {evidence.mix}" if evidence.mix else ""
    title = f"Training data{name}, release {manifest['release_id']}"
    contents = "".join(
        f'<li><a href="#{anchor}">{text(said)}</a></li>' for anchor, said in _TITLES.items()
    )
    body = "\n".join(
        (
            f"<header>\n<h1>{text(title)}</h1>",
            paragraph(_lead(manifest, evidence), "lead"),
            _keys(manifest, evidence),
            f'</header>\n<nav aria-label="Contents"><ol>{contents}</ol></nav>\n<main>',
            *(section(anchor, _TITLES[anchor], *found) for anchor, found in parts.items()),
            "</main>",
            f"<footer>{paragraph(_foot(manifest))}</footer>",
        )
    )
    return page(title, body)


def _lead(manifest: Mapping[str, Any], evidence: Evidence) -> str:
    """The release in three sentences."""
    realised = manifest["realised"]
    said = (
        f"{realised['rows']:,} rows: every one of {realised['real_rows']:,} real rows and "
        f"{realised['synthetic_rows']:,} synthetic ones."
    )
    if evidence.distance is None:
        said += " How far the synthetic rows are from the real ones was not measured."
    if not evidence.checks:
        return f"{said} No gate had to be passed."
    failed = [
        name
        for name, verdict in evidence.checks.items()
        if not verdict.passed and verdict.severity == "ERROR"
    ]
    if failed:
        return f"{said} Released although a gate failed: {', '.join(failed)}."
    count = len(evidence.checks)
    return f"{said} It passed {'its gate' if count == 1 else f'all of its {count} gates'}."


def _keys(manifest: Mapping[str, Any], evidence: Evidence) -> str:
    realised, report = manifest["realised"], evidence.distance
    advice = evidence.recommendation
    recommended = "no recommendation" if advice is None else f"recommended {advice.ratio:.2f}"
    shown = [
        ("rows", f"{realised['rows']:,}", f"{len(manifest['columns'])} columns"),
        ("ratio", f"{realised['ratio']:.2f}", recommended),
    ]
    if report is None:
        shown.append(("gap", "-", "not measured"))
    else:
        most = evidence.thresholds.get("wasserstein_gap")
        shown.append(
            ("gap", f"{report.gap:.3f}", "no threshold" if most is None else f"threshold {most:g}")
        )
    passed = sum(verdict.passed for verdict in evidence.checks.values())
    gates = f"{passed} of {len(evidence.checks)}" if evidence.checks else "none"
    shown.append(("gates passed", gates, ", ".join(evidence.checks)))
    return keys(shown)


def _foot(manifest: Mapping[str, Any]) -> str:
    version = manifest["libraries"].get("synthmix-dagster", "")
    return (
        f"Made by synthmix-dagster {version} from the manifest of the release. Machines read "
        "manifest.json and croissant.json beside it."
    )
