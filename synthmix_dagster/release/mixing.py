"""From ratios to a release: every real row, exactly the synthetic rows asked for, in order."""

import hashlib
import json
import math
import numbers
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from synthmix_dagster.data.alignment import released_schema
from synthmix_dagster.data.dataset import Dataset
from synthmix_dagster.data.identity import shared_key
from synthmix_dagster.data.reading import StoredRows
from synthmix_dagster.errors import ConfigError, DataError, UnknownChoiceError
from synthmix_dagster.release.arrow_engine import ArrowEngine
from synthmix_dagster.release.documents import write_documents
from synthmix_dagster.release.engine import Engine, Layout, Part
from synthmix_dagster.release.handle import Release, realised
from synthmix_dagster.release.manifest import MANIFEST_VERSION
from synthmix_dagster.release.publishing import publish
from synthmix_dagster.release.selection import quotas, require_strata
from synthmix_dagster.release.shuffle import SHARDS_VERSION, added_columns

#: Texts to write into a release, by file name, from its manifest and that of the release before.
Documents = Callable[[Mapping[str, Any], Mapping[str, Any] | None], Mapping[str, str]]

ROWS_PER_SHARD = 1_000_000
MODES = ("rows", "weights")
SHORTAGES = ("refuse", "cap")


@dataclass(frozen=True)
class Share:
    """What is asked of one generator, and what it gives.

    Attributes
    ----------
    dataset : Dataset
    ratio : float
        Synthetic rows asked for, for each real one.
    rows : int
        Rows that it gives.
    """

    dataset: Dataset
    ratio: float
    rows: int


def mix_datasets(
    real: Dataset,
    synthetic: Dataset | Mapping[str, Dataset],
    *,
    ratio: float | Mapping[str, float],
    output: Path,
    mode: str = "rows",
    seed: int = 0,
    stratify: str | None = None,
    key: Sequence[str] = (),
    optional: Sequence[str] = (),
    max_rows: int | None = None,
    shortage: str = "refuse",
    provenance: bool = True,
    rows_per_shard: int = ROWS_PER_SHARD,
    keep_releases: int | None = None,
    evidence: Mapping[str, Any] | None = None,
    documents: Documents | None = None,
    engine: Engine | None = None,
) -> Release:
    """Publish all real rows and exactly ``round(ratio * n)`` synthetic ones as a release.

    Parameters
    ----------
    real : Dataset
    synthetic : Dataset or mapping of str to Dataset
        Generated rows; of several generators, by their names.
    ratio : float or mapping of str to float
        Synthetic rows per real row, of each generator where there are several.
    output : Path
        Directory that holds ``releases`` and ``latest``.
    mode : {"rows", "weights"}
        Take that many rows, or all of them with a ``sample_weight`` that comes to the same.
    seed : int
        Seed of the selection and of the order of rows.
    stratify : str, optional
        Column whose shares among the synthetic rows the selection keeps.
    key : sequence of str
        Columns that identify a row.
    optional : sequence of str
        Real columns that the synthetic rows may lack; they are empty there.
    max_rows : int, optional
        Most rows of the release; synthetic ones make room, in proportion.
    shortage : {"refuse", "cap"}
        What to do where more synthetic rows are asked for than there are.
    provenance : bool
        Whether every row says its source, its generator and its identity.
    rows_per_shard : int
    keep_releases : int, optional
        Releases to keep in `output`, all by default.
    evidence : mapping, optional
        JSON-serialisable records to keep in the manifest: distance, recommendation, checks.
    documents : callable, optional
        Writes further documents for people, such as a report.
    engine : Engine, optional
        What moves the rows, `ArrowEngine` by default.

    Returns
    -------
    Release

    Raises
    ------
    ConfigError
        An option is wrong, or asks for more synthetic rows than there are.
    DataError
        The synthetic rows do not fit the schema of the real ones.
    ReleaseError
        The release cannot be written, or what was written is not what was meant.
    """
    engine = engine or ArrowEngine()
    _require_choices(mode, shortage, rows_per_shard)
    seed = _number(seed, int, "seed")
    asked = _ratios(synthetic, ratio)
    notes: list[str] = []
    shares = {
        name: Share(dataset, rho, requested_rows(rho, real.rows, dataset.rows, shortage, notes))
        for name, (dataset, rho) in asked.items()
    }
    shares = _capped(shares, real.rows, max_rows, notes)
    weights = mode == "weights"
    layout = Layout(released_schema(real), seed, rows_per_shard, stratify, provenance, weights)
    _require_free_names(real, layout)
    if stratify is not None:
        require_strata(real, stratify)
    identities = {"real": engine.identify(real, key)}
    parts = [Part("real", real, key)]
    for name, share in shares.items():
        own_key = shared_key(share.dataset, key)
        engine.fit(share.dataset, real, optional)
        identities[name] = engine.identify(share.dataset, own_key)
        parts.append(_part(engine, name, share, own_key, layout))
    request: dict[str, Any] = {
        "mix": {
            "mode": mode,
            "ratio": sum(share.ratio for share in shares.values()),
            "synthetic_rows": sum(share.rows for share in shares.values()),
            "generators": {
                name: {"ratio": share.ratio, "rows": share.rows} for name, share in shares.items()
            },
            "seed": seed,
            "stratify": stratify,
            "key": list(key),
            "max_rows": max_rows,
            "provenance": provenance,
            "rows_per_shard": rows_per_shard,
        },
        "inputs": {part.name: _input(part.dataset, identities[part.name]) for part in parts},
        "notes": notes,
    }
    # Evidence stays out of the id: its last digits vary with the number of threads.
    release_id = _release_id(request)

    def write(folder: Path, previous: Release | None) -> Mapping[str, Any]:
        written = engine.shuffle(parts, folder, layout)
        due = replace(written.counts, rows=_due(parts), weights=_weights(parts, layout))
        manifest = {
            "manifest_version": MANIFEST_VERSION,
            "release_id": release_id,
            **request,
            "evidence": dict(evidence or {}),
            "realised": realised(due, request["inputs"]),
            "columns": [
                {"name": field.name, "type": str(field.type)}
                for field in (*layout.schema, *added_columns(layout))
            ],
            "shards": list(written.shards),
            "libraries": {name: version(name) for name in ("synthmix-dagster", "pyarrow", "numpy")},
            "previous": previous.release_id if previous else None,
        }
        before = None if previous is None else previous.manifest
        further = {} if documents is None else documents(manifest, before)
        return {**manifest, "documents": write_documents(folder, manifest, further)}

    return publish(output, release_id, write, keep_releases)


def requested_rows(
    ratio: float,
    n: int,
    available: int,
    shortage: str = "refuse",
    notes: list[str] | None = None,
) -> int:
    """Number of synthetic rows that a ratio asks for, halves rounded to even.

    Parameters
    ----------
    ratio : float
    n : int
        Real rows.
    available : int
        Synthetic rows.
    shortage : {"refuse", "cap"}
        What to do where there are too few.
    notes : list of str, optional
        Gets a sentence where there were.

    Examples
    --------
    >>> requested_rows(0.5, 11, 100)
    6
    """
    if not (np.isfinite(ratio) and ratio >= 0):
        raise ConfigError(f"it is {ratio}", option="ratio", fix="Set it to 0 or more")
    k = round(ratio * n)
    if k <= available:
        return k
    found = f"{ratio:g} asks for {k} synthetic rows but there are {available}"
    if shortage == "refuse":
        most = math.floor(1e4 * available / n) / 1e4
        raise ConfigError(
            found,
            option="ratio",
            fix=f"Set it to at most {most}, generate more rows, or set 'shortage' to 'cap'",
        )
    if notes is not None:
        notes.append(f"the ratio {found}: all of them were taken")
    return available


def _ratios(
    synthetic: Dataset | Mapping[str, Dataset], ratio: float | Mapping[str, float]
) -> dict[str, tuple[Dataset, float]]:
    """Dataset and ratio of every generator, in the order of their names."""
    if isinstance(synthetic, Dataset):
        if isinstance(ratio, Mapping):
            raise ConfigError(
                "it names generators, but there is one synthetic dataset",
                option="ratio",
                fix="Set it to a number, or pass the generators by the same names",
            )
        return {"synthetic": (synthetic, _number(ratio, float, "ratio"))}
    if not isinstance(ratio, Mapping) or set(ratio) != set(synthetic):
        named = sorted(ratio) if isinstance(ratio, Mapping) else ratio
        raise ConfigError(
            f"it is {named}, where the generators are {', '.join(sorted(synthetic))}",
            option="ratio",
            fix="Name a ratio for each generator, 0 for one that gives no rows",
        )
    for name in synthetic:
        if name in ("real", "rows") or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
            raise ConfigError(
                f"'{name}' is no name of a generator",
                option="synthetic",
                fix="Use letters, digits, '_', '.' and '-', and neither 'real' nor 'rows'",
            )
    return {
        name: (synthetic[name], _number(ratio[name], float, "ratio")) for name in sorted(synthetic)
    }


def _capped(
    shares: Mapping[str, Share], n: int, max_rows: int | None, notes: list[str]
) -> dict[str, Share]:
    """Fewer synthetic rows where there would be more rows than wanted, in proportion."""
    if max_rows is None:
        return dict(shares)
    if max_rows < n:
        raise ConfigError(
            f"{max_rows} rows cannot hold the {n} real ones, which are all kept",
            option="max_rows",
            fix="Set it higher, or pass fewer real rows",
        )
    due = {name: share.rows for name, share in shares.items()}
    if n + sum(due.values()) <= max_rows:
        return dict(shares)
    taken = quotas(due, max_rows - n)
    notes.append(
        f"'max_rows' of {max_rows} leaves room for {max_rows - n} of {sum(due.values())} "
        "synthetic rows"
    )
    return {name: Share(s.dataset, s.ratio, taken[name]) for name, s in shares.items()}


def _part(engine: Engine, name: str, share: Share, key: Sequence[str], layout: Layout) -> Part:
    """Select the rows of a generator, or weigh all of them."""
    dataset = share.dataset
    if layout.weights:
        return Part(name, dataset, key, weight=share.rows / dataset.rows)
    selection = engine.select(dataset, share.rows, layout.seed, key, layout.stratify)
    return Part(name, dataset, key, selection)


def _due(parts: Sequence[Part]) -> dict[str, int]:
    return {
        part.name: (
            part.dataset.rows if part.selection is None else sum(part.selection.quotas.values())
        )
        for part in parts
    }


def _weights(parts: Sequence[Part], layout: Layout) -> dict[str, float]:
    return {part.name: part.weight for part in parts} if layout.weights else {}


def _require_choices(mode: str, shortage: str, rows_per_shard: int) -> None:
    if mode not in MODES:
        raise UnknownChoiceError(mode, option="mode", known=MODES)
    if shortage not in SHORTAGES:
        raise UnknownChoiceError(shortage, option="shortage", known=SHORTAGES)
    if rows_per_shard < 1:
        raise ConfigError(
            f"it is {rows_per_shard}", option="rows_per_shard", fix="Set it to 1 or more"
        )


def _require_free_names(real: Dataset, layout: Layout) -> None:
    for field in added_columns(layout):
        if field.name in real.columns:
            raise DataError(
                "this name is taken by a column that a release adds",
                dataset="real",
                column=field.name,
                fix="Rename the column",
            )


def _number(value: Any, kind: Callable[..., Any], option: str) -> Any:
    """A plain Python number, whatever numeric type it came as."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise ConfigError(f"it is {value!r}", option=option, fix="Set it to a number")
    plain = float(value)
    number = kind(value) if math.isfinite(plain) else plain
    if number != value and not math.isnan(plain):
        raise ConfigError(f"it is {value!r}", option=option, fix="Set it to a whole number")
    return number


def _input(dataset: Dataset, identity: Mapping[str, Any]) -> dict[str, Any]:
    view = dataset.source.view if isinstance(dataset.source, StoredRows) else None
    return {
        "rows": dataset.rows,
        "fingerprint": dataset.fingerprint,
        "identity": dict(identity),
        "view": view.to_dict() if view else None,
        "files": [
            {"name": file.name, "rows": file.rows, "sha256": file.sha256} for file in dataset.files
        ],
    }


def _release_id(request: Mapping[str, Any]) -> str:
    canonical = json.dumps(
        {**request, "version": MANIFEST_VERSION, "shards": SHARDS_VERSION},
        sort_keys=True,
        separators=(",", ":"),
    )
    return hashlib.sha256(canonical.encode(errors="surrogateescape")).hexdigest()[:16]
