"""The history of a mix: every release and refusal in order, with the numbers that decided.

Read from manifests, the log of publications and the file of events; no shard is opened.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from synthmix_dagster.data.opening import open_store
from synthmix_dagster.data.store import TOMBSTONE, Store, StoreAccess
from synthmix_dagster.errors import ReleaseError
from synthmix_dagster.gates.evidence import of_generator
from synthmix_dagster.release.events import EVENTS, Event, read_events
from synthmix_dagster.release.publication_log import Publication, read_log
from synthmix_dagster.results import Result

#: What came of an attempt, or what was seen.
Verdict = Literal["released", "with a warning", "no gate", "in spite of a gate", "removed"]
Kind = Literal["released", "refused", "drift alarm"]

#: Manifests read at once; in an object store waiting is all that takes time.
_AT_ONCE = 16
#: Folders between an output root and a mix: its key prefix and its name.
_MAX_DEPTH = 4
#: Folders of a mix that hold no other mix.
_INNER = {"releases", "records", "references", "generated", "latest", "spill"}


@dataclass(frozen=True)
class Entry(Result):
    """One release, refusal or alarm.

    Attributes
    ----------
    at : str
        When, in UTC; empty for releases from before there was a log.
    kind : {"released", "refused", "drift alarm"}
    verdict : str
        Of a release: ``released``, ``with a warning``, ``no gate``, ``in spite of a gate``, or
        ``removed`` once it was removed.
    place : str
        Folder below the one that was asked for: the mix, and its partition.
    release_id : str, optional
    rows : int, optional
    ratio, gap, threshold : float, optional
        As far as they are known.
    reason : str
        Of a refusal, an alarm, or a release in spite of a gate.
    report : str, optional
        Address of the report.
    mix : str
        Name of the mix; empty outside of Dagster. Several mixes may share a folder.
    """

    at: str
    kind: Kind
    verdict: str
    place: str = ""
    release_id: str | None = None
    rows: int | None = None
    ratio: float | None = None
    gap: float | None = None
    threshold: float | None = None
    reason: str = ""
    report: str | None = None
    mix: str = ""

    @property
    def name(self) -> str:
        """Folder and mix, each once."""
        own = "" if self.mix in self.place.split("/") else self.mix
        return " ".join(filter(None, (self.place, own)))


@dataclass(frozen=True)
class History(Result):
    """Every release and refusal below a folder, oldest first.

    Attributes
    ----------
    uri : str
    entries : tuple of Entry
    """

    uri: str
    entries: tuple[Entry, ...]

    def __repr__(self) -> str:
        counts = ", ".join(
            f"{sum(entry.kind == kind for entry in self.entries)} {kind}"
            for kind in ("released", "refused", "drift alarm")
        )
        return f"History({self.uri!r}: {counts})"

    def to_html(self, folder: str | None = None) -> str:
        """Return the history as one HTML page that needs nothing from outside.

        Parameters
        ----------
        folder : str, optional
            Folder that the page will lie in: links to reports below it are relative.
        """
        from synthmix_dagster.release.history_page import history_page

        return history_page(self, folder)


def history(path: Path | str | Store, storage: StoreAccess | None = None) -> History:
    """List every release and refusal of a mix, of its partitions, or of all mixes of a project.

    Parameters
    ----------
    path : path or URI
        Folder of a mix, or one that holds mixes (`output_root`): a local directory or a URI.
    storage : StoreAccess, optional
        Endpoint, region and credentials of an object store; by default those of the environment.

    Returns
    -------
    History

    Raises
    ------
    ReleaseError
        There is neither a release nor a refusal.

    Examples
    --------
    >>> import pandas as pd, tempfile
    >>> from synthmix_dagster import mix
    >>> real, synthetic = pd.DataFrame({"x": range(10)}), pd.DataFrame({"x": range(10, 40)})
    >>> with tempfile.TemporaryDirectory() as output:
    ...     for ratio in (0.5, 2):
    ...         _ = mix(real, synthetic, ratio=ratio, output=output)
    ...     found = history(output)
    >>> [(entry.verdict, entry.rows) for entry in found.entries]
    [('no gate', 15), ('no gate', 30)]
    """
    root = open_store(path, storage)
    outputs = list(_outputs(root, ""))
    if not outputs:
        raise ReleaseError(
            "there is neither a release nor a refusal",
            path=root.uri,
            fix="Pass the folder of a mix, or the one that holds mixes ('output_root')",
        )
    entries = [entry for place, output in outputs for entry in entries_of(output, place)]
    # Those without a time are older than all others; the sort keeps the order of each log.
    return History(root.uri, tuple(sorted(entries, key=lambda entry: entry.at)))


def entries_of(output: Store, place: str = "") -> list[Entry]:
    """Releases and events of one output, oldest first.

    Parameters
    ----------
    output : Store
        Folder that holds ``releases``.
    place : str
        What it is called in the history.
    """
    # Whoever may write to the folder may write anything into the log.
    published = [each for each in read_log(output) if type(each.at) is type(each.release_id) is str]
    known = {publication.release_id for publication in published}
    there = output.below("releases").folders()
    earlier = [name for name in there if name not in known and not name.startswith(".")]
    log = [*(Publication(name, "", "") for name in earlier), *published]
    manifests = _manifests(output, sorted({publication.release_id for publication in log}))
    released = [
        _of_release(publication, manifests[publication.release_id], output, place)
        for publication in log
        # A folder without a manifest that no log names is a draft.
        if publication.at or manifests[publication.release_id]
    ]
    events = [_of_event(event, place) for event in read_events(output)]
    return sorted([*released, *events], key=lambda entry: entry.at)


def _outputs(store: Store, place: str, depth: int = 0) -> Iterator[tuple[str, Store]]:
    """The folder itself where it holds releases or refusals, and those below it that do."""
    folders = store.folders()
    if "releases" in folders or store.exists(EVENTS):
        yield place, store
    if depth == _MAX_DEPTH:
        return
    for name in folders:
        if name not in _INNER and not name.startswith("."):
            below = place if name == "partitions" else f"{place}/{name}".lstrip("/")
            yield from _outputs(store.below(name), below, depth + 1)


def _manifests(output: Store, names: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """Manifests by release; an empty one where there is none that can be read."""

    def read(name: str) -> Mapping[str, Any]:
        try:
            found = json.loads(output.below("releases", name).read("manifest.json"))
        except (OSError, ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) and TOMBSTONE not in found else {}

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(zip(names, pool.map(read, names), strict=True))


def _of_release(
    publication: Publication, manifest: Mapping[str, Any], output: Store, place: str
) -> Entry:
    name = publication.release_id
    if not manifest:
        return Entry(publication.at, "released", "removed", place, name)
    waiver = _at(manifest, "evidence", "waiver", "reason")
    rows = _number(_at(manifest, "realised", "rows"))
    return Entry(
        at=publication.at,
        kind="released",
        verdict=_verdict(manifest),
        place=place,
        release_id=name,
        rows=None if rows is None else int(rows),
        ratio=_number(_at(manifest, "realised", "ratio")),
        **_gap(_at(manifest, "evidence")),
        reason=_text(waiver),
        report=f"{output.uri}/releases/{name}/report.html",
        mix=_text(_at(manifest, "evidence", "mix")),
    )


def _gap(evidence: Any) -> dict[str, float | None]:
    """Gap and threshold; of several generators those of the largest gap."""
    several = _at(evidence, "distribution_distances")
    each = several if isinstance(several, Mapping) else {}
    gaps = {name: _number(_at(report, "gap")) for name, report in each.items()}
    known = {name: gap for name, gap in gaps.items() if gap is not None}
    worst = max(known, key=lambda name: known[name], default="")
    gap = known.get(worst, _number(_at(evidence, "distribution_distance", "gap")))
    check = of_generator("wasserstein_gap", worst)
    return {"gap": gap, "threshold": _number(_at(evidence, "thresholds", check))}


def _of_event(event: Event, place: str) -> Entry:
    return Entry(
        at=event.at,
        kind=event.kind,
        verdict=event.kind,
        place=place,
        ratio=event.ratio,
        gap=event.gap,
        threshold=event.threshold,
        reason=event.reason,
        mix=event.mix,
    )


def _verdict(manifest: Mapping[str, Any]) -> Verdict:
    checks = _at(manifest, "evidence", "checks")
    if _at(manifest, "evidence", "waiver") is not None:
        return "in spite of a gate"
    if not isinstance(checks, Mapping) or not checks:
        return "no gate"
    passed = all(_at(check, "passed") is True for check in checks.values())
    return "released" if passed else "with a warning"


def _at(found: Any, *path: str) -> Any:
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _number(value: Any) -> float | None:
    """A finite number; whoever may write to a folder may write anything into a manifest."""
    fits = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if fits and math.isfinite(value) else None
