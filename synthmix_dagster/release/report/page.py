"""The report of a release: one page that a reviewer reads and signs.

It is made of the manifest alone, and of that of the release before, so it can be made again for any
release. The same manifests give the same bytes: no date, no random name, no address of anything
outside. It needs no JavaScript and no network.
"""

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

from markupsafe import Markup

from synthmix_dagster.display.rendering import undisturbed
from synthmix_dagster.display.templates import part, render
from synthmix_dagster.gates.evidence import Evidence
from synthmix_dagster.release.manifest import Manifest
from synthmix_dagster.release.report import sections
from synthmix_dagster.release.report.sections import Sources, Values
from synthmix_dagster.release.report.summary import summary

#: File name of the report in a release.
REPORT = "report.html"

_TEMPLATES = "release/report/templates"
#: Template of the first screen.
_FIRST = "summary"
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
    with undisturbed():
        first = _part(_FIRST, "Summary", _summary, sources)
        bodies = {
            anchor: _part(anchor, title, _SECTIONS[anchor], sources)
            for anchor, title in _TITLES.items()
        }
    mix = f" of {sources.evidence.mix}" if sources.evidence.mix else ""
    return render(
        f"{_TEMPLATES}/report.html.jinja",
        title=f"Training data{mix}, release {sources.manifest.release_id}",
        manifest=sources.manifest,
        first=first,
        sections=_TITLES,
        bodies=bodies,
    )


def _summary(sources: Sources) -> Values:
    return {**summary(sources), "titles": _TITLES}


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


def _part(name: str, title: str, values: Callable[[Sources], Values], sources: Sources) -> Markup:
    """One part of the page; what is wrong with it must not cost the release."""
    try:
        return part(f"{_TEMPLATES}/{name}.html.jinja", **values(sources))
    except Exception as error:
        _log.warning("The section '%s' of the report could not be written", title, exc_info=True)
        return part(f"{_TEMPLATES}/failed.html.jinja", problem=type(error).__name__)
