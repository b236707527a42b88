"""The report of a release: one page that a reviewer reads and signs.

It is made of the manifest alone, and of that of the release before, so it can be made again for any
release. The same manifests give the same bytes: no date, no random name, no address of anything
outside. It needs no JavaScript and no network.
"""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from synthmix_dagster.display.rendering import undisturbed
from synthmix_dagster.display.templates import part, render
from synthmix_dagster.gates.evidence import Evidence
from synthmix_dagster.release.manifest import Manifest
from synthmix_dagster.release.report import sections
from synthmix_dagster.release.report.sections import Sources, Values

#: File name of the report in a release.
REPORT = "report.html"

_TEMPLATES = "release/report/templates"
#: Title of every section by its anchor.
_TITLES = {
    "released": "Release contents",
    "inputs": "Inputs",
    "ratio": "Choice of the ratio",
    "distance": "Distance between real and synthetic data",
    "checked": "Checks",
    "changed": "Changes since the previous release",
    "reproduce": "Reproducing the release",
    "glossary": "Glossary",
}
_SECTIONS: dict[str, Callable[[Sources], Values]] = {
    "released": sections.released,
    "inputs": sections.inputs,
    "ratio": sections.ratio,
    "distance": sections.distance,
    "checked": sections.checked,
    "changed": sections.changed,
    "reproduce": sections.reproduce,
    "glossary": sections.glossary,
}

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Key:
    """One of the few numbers that matter most."""

    name: str
    value: str
    remark: str


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
    sources = _sources(manifest, previous)
    evidence = sources.evidence
    with undisturbed():
        bodies = {anchor: _body(anchor, sources) for anchor in _TITLES}
    mix = f" of {evidence.mix}" if evidence.mix else ""
    return render(
        f"{_TEMPLATES}/report.html.jinja",
        title=f"Training data{mix}, release {sources.manifest.release_id}",
        manifest=sources.manifest,
        evidence=evidence,
        failed_gates=[
            name
            for name, verdict in evidence.checks.items()
            if not verdict.passed and verdict.severity == "ERROR"
        ],
        keys=_keys(sources.manifest, evidence),
        sections=_TITLES,
        bodies=bodies,
    )


def _sources(manifest: Mapping[str, Any], previous: Mapping[str, Any] | None) -> Sources:
    """Both manifests, in one order of everything, whether they come from memory or from files."""
    plain = _plain(manifest)
    # While a release is being written, its documents are not in its manifest yet.
    typed = Manifest.from_dict({"documents": [], **plain})
    before = None if previous is None else Manifest.from_dict(_plain(previous))
    return Sources(typed, Evidence.from_dict(typed.evidence), before)


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    text = json.dumps(values, sort_keys=True, ensure_ascii=False)
    # Half a character, which no page can hold, becomes a question mark.
    plain: dict[str, Any] = json.loads(text.encode("utf-8", "replace"))
    return plain


def _body(anchor: str, sources: Sources) -> Markup:
    """One section; what is wrong with it must not cost the release."""
    try:
        return part(f"{_TEMPLATES}/{anchor}.html.jinja", **_SECTIONS[anchor](sources))
    except Exception as error:
        title = _TITLES[anchor]
        _log.warning("The section '%s' of the report could not be written", title, exc_info=True)
        return part(f"{_TEMPLATES}/failed.html.jinja", problem=type(error).__name__)


def _keys(manifest: Manifest, evidence: Evidence) -> list[Key]:
    realised, report, advice = manifest.realised, evidence.distance, evidence.recommendation
    recommended = "no recommendation" if advice is None else f"recommended {advice.ratio:.2f}"
    if report is None:
        gap = Key("gap", "-", "not measured")
    else:
        threshold = evidence.thresholds.get("wasserstein_gap")
        limit = "no threshold" if threshold is None else f"threshold {threshold:g}"
        gap = Key("gap", f"{report.gap:.3f}", limit)
    passed = sum(verdict.passed for verdict in evidence.checks.values())
    gates = f"{passed} of {len(evidence.checks)}" if evidence.checks else "none"
    return [
        Key("rows", f"{realised.rows:,}", f"{len(manifest.columns)} columns"),
        Key("ratio", f"{realised.ratio:.2f}", recommended),
        gap,
        Key("gates passed", gates, ", ".join(evidence.checks)),
    ]
