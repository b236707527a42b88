"""From ratios to a release: every real row, exactly the synthetic rows requested, in order."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from synthmix_dagster.data.alignment import released_schema
from synthmix_dagster.data.dataset import Dataset, Found
from synthmix_dagster.data.identity import Rows, shared_key
from synthmix_dagster.data.opening import open_store
from synthmix_dagster.data.store import Draft, Store
from synthmix_dagster.errors import ConfigError, DataError, did_you_mean
from synthmix_dagster.gates.evidence import Evidence
from synthmix_dagster.release.arrow_engine import ArrowEngine
from synthmix_dagster.release.categories import common_levels
from synthmix_dagster.release.documents import write_documents
from synthmix_dagster.release.engine import Engine, Layout, Part
from synthmix_dagster.release.handle import Release
from synthmix_dagster.release.manifest import (
    MANIFEST_VERSION,
    Column,
    Input,
    InputFile,
    InputView,
    KeyIdentity,
    Manifest,
    RowIdentity,
)
from synthmix_dagster.release.options import MixOptions
from synthmix_dagster.release.publishing import publish
from synthmix_dagster.release.release_id import digest_of_manifest, release_id_of
from synthmix_dagster.release.request import GeneratorRequest, Request
from synthmix_dagster.release.selection import Selection, require_strata
from synthmix_dagster.release.shares import Share, shares_of, shares_of_strata
from synthmix_dagster.release.shuffle import added_columns
from synthmix_dagster.release.signing import Sign
from synthmix_dagster.release.sources import REAL
from synthmix_dagster.release.verification import Checks, realised

#: Rows of an input, and which of them a release will hold; None for all of them.
Marked = tuple[pa.Table, NDArray[np.bool_] | None]

_LIBRARIES = ("synthmix-dagster", "pyarrow", "numpy")


def mix_datasets(
    real: Dataset,
    synthetic: Dataset | Mapping[str, Dataset],
    *,
    ratio: float | Mapping[str, float],
    output: Path | Store,
    options: MixOptions | None = None,
    key: Sequence[str] = (),
    optional: Sequence[str] = (),
    evidence: Evidence | None = None,
    engine: Engine | None = None,
) -> Release:
    """Publish all real rows and exactly ``round(ratio * n)`` synthetic ones as a release.

    Parameters
    ----------
    real, synthetic, ratio, options, key, optional, engine : see `plan_mix`
    output : Path or Store
        Folder that holds ``releases`` and ``latest``.
    evidence : Evidence, optional
        The results that led to the release; manifest and report keep them.

    Returns
    -------
    Release

    Raises
    ------
    ConfigError, DataError
        See `plan_mix`.
    ReleaseError
        The release cannot be written, or what was written is not what was meant.
    """
    plan = plan_mix(
        real,
        synthetic,
        ratio=ratio,
        options=options,
        key=key,
        optional=optional,
        engine=engine,
    )
    return plan.publish(open_store(output), evidence or Evidence())


def plan_mix(
    real: Dataset,
    synthetic: Dataset | Mapping[str, Dataset],
    *,
    ratio: float | Mapping[str, float],
    options: MixOptions | None = None,
    key: Sequence[str] = (),
    optional: Sequence[str] = (),
    domains: Sequence[str] = (),
    engine: Engine | None = None,
) -> "MixPlan":
    """Check inputs and settings of a mix, and select its rows; nothing is written yet.

    Parameters
    ----------
    real : Dataset
    synthetic : Dataset or mapping of str to Dataset
        Generated rows; of several generators, by their names.
    ratio : float or mapping of str to float
        Synthetic rows per real row: of each generator where there are several, of each stratum
        where there is one generator.
    options : MixOptions, optional
    key : sequence of str
        Columns that identify a row.
    optional : sequence of str
        Real columns that the synthetic rows may lack; they are empty there.
    domains : sequence of str
        Names of the generators that are real rows of another domain.
    engine : Engine, optional
        What moves the rows, `ArrowEngine` by default.

    Raises
    ------
    ConfigError
        An option is wrong, or asks for more synthetic rows than there are.
    DataError
        The synthetic rows do not fit the schema of the real ones.
    """
    options = options or MixOptions()
    engine = engine or ArrowEngine(options.memory_mb)
    layout = _layout(real, options, domains)
    if isinstance(synthetic, Dataset) and isinstance(ratio, Mapping):
        shares, notes = shares_of_strata(engine, real, synthetic, ratio, options)
    else:
        shares, notes = shares_of(real, synthetic, ratio, options)
    _require_known(domains, shares)
    identities = {REAL: engine.identify(real, key)}
    parts = [Part(REAL, real, key)]
    for name, share in shares.items():
        own_key = shared_key(share.dataset, key)
        engine.fit(share.dataset, real, optional)
        identities[name] = engine.identify(share.dataset, own_key)
        parts.append(_part(engine, name, share, own_key, layout))
    layout = replace(layout, levels=common_levels(real, [part.dataset for part in parts[1:]]))
    return MixPlan(
        request=_request(shares, options, key, domains),
        inputs={part.name: _input(part.dataset, identities[part.name]) for part in parts},
        notes=notes,
        engine=engine,
        parts=parts,
        layout=layout,
        keep_releases=options.keep_releases,
    )


@dataclass(frozen=True)
class MixPlan:
    """A mix whose inputs were checked and whose rows were selected, ready to be written."""

    request: Request
    inputs: Mapping[str, Input]
    notes: tuple[str, ...]
    engine: Engine
    parts: Sequence[Part]
    layout: Layout
    keep_releases: int | None

    def over(
        self, name: str, columns: Sequence[str], kernel: Callable[[Iterable[Marked]], Found]
    ) -> list[Found]:
        """Hand all rows of one input, marked, to a kernel, and return what it makes of each part.

        Parameters
        ----------
        name : str
            ``real``, or the name of a generator.
        columns : sequence of str
            Columns to read.
        kernel : callable
            See `Engine.over`.
        """
        part = next(part for part in self.parts if part.name == name)
        stratify = [] if self.layout.stratify is None else [self.layout.stratify]
        read = list(dict.fromkeys([*columns, *stratify]))
        marked = partial(_marked, part.selection, kernel)
        return self.engine.over(part.dataset, marked, part.key, read)

    def publish(
        self,
        output: Store,
        evidence: Evidence,
        sign: Sign | None = None,
        table: Mapping[str, str] | None = None,
    ) -> Release:
        """Write the release and publish it with the evidence that led to it.

        Parameters
        ----------
        output : Store
        evidence : Evidence
        sign : callable, optional
        table : mapping of str to str, optional
            Where it will be written to as a table, for the manifest.
        """
        planned = _Mix(**vars(self), evidence=evidence, table=table or None)
        return publish(
            output,
            planned.release_id,
            planned.write,
            self.keep_releases,
            sign,
            Checks(self.engine.recount, self.engine.digests),
        )


@dataclass(frozen=True, kw_only=True)
class _Mix(MixPlan):
    """A planned mix with its evidence."""

    evidence: Evidence
    table: Mapping[str, str] | None = None

    @property
    def release_id(self) -> str:
        """Hash of inputs and settings."""
        return release_id_of(self.request, self.inputs, self.notes, self.evidence)

    def write(self, draft: Draft, previous: Release | None) -> Manifest:
        """Write shards and documents into a draft, and return the manifest."""
        written = self.engine.shuffle(self.parts, draft, self.layout)
        weights = {part.name: part.weight for part in self.parts} if self.layout.weights else {}
        due = replace(
            written.counts, rows={part.name: part.rows for part in self.parts}, weights=weights
        )
        manifest = Manifest(
            manifest_version=MANIFEST_VERSION,
            release_id=self.release_id,
            mix=self.request,
            inputs=self.inputs,
            notes=self.notes,
            evidence=self.evidence.to_dict(),
            realised=realised(due, self.inputs[REAL].rows),
            columns=tuple(
                Column(field.name, str(field.type))
                for field in (*self.layout.stored, *added_columns(self.layout))
            ),
            shards=tuple(written.shards),
            documents=(),
            libraries={name: version(name) for name in _LIBRARIES},
            previous=previous.release_id if previous else None,
            table=self.table,
        )
        # As its file will have it, so that a report made later from the file is the same.
        manifest = Manifest.from_dict(manifest.to_dict())
        before = None if previous is None else previous.details
        manifest = replace(manifest, documents=write_documents(draft, manifest, before))
        return replace(manifest, digest=digest_of_manifest(manifest.to_dict()))


def _marked(
    selection: Selection | None, kernel: Callable[[Iterable[Marked]], Found], rows: Iterable[Rows]
) -> Found:
    return kernel(
        (each.table, None if selection is None else selection.mask(each.ids, each.table))
        for each in rows
    )


def _layout(real: Dataset, options: MixOptions, domains: Sequence[str]) -> Layout:
    """What the shards will look like, once names and strata are known to be possible."""
    layout = Layout(
        released_schema(real),
        options.seed,
        options.rows_per_shard,
        options.stratify,
        options.provenance,
        options.mode == "weights",
        tuple(sorted(domains)),
    )
    taken = {field.name for field in added_columns(layout)}
    for name in real.columns:
        if name in taken:
            raise DataError(
                "this name is taken by a column that a release adds",
                dataset="real",
                column=name,
                fix="Rename the column",
            )
    if options.stratify is not None:
        require_strata(real, options.stratify)
    return layout


def _require_known(domains: Sequence[str], shares: Mapping[str, Share]) -> None:
    for name in domains:
        if name not in shares:
            raise ConfigError(
                f"it names '{name}', which is not a generator",
                option="domains",
                fix=did_you_mean(name, shares),
            )


def _part(engine: Engine, name: str, share: Share, key: Sequence[str], layout: Layout) -> Part:
    """Select the rows of a generator, or weigh all of them."""
    dataset, other = share.dataset, name in layout.domains
    if layout.weights:
        return Part(name, dataset, key, weight=share.rows / dataset.rows, other_domain=other)
    quotas = None if share.strata is None else {n: of.rows for n, of in share.strata.items()}
    selection = engine.select(dataset, share.rows, layout.seed, key, layout.stratify, quotas)
    return Part(name, dataset, key, selection, other_domain=other)


def _request(
    shares: Mapping[str, Share],
    options: MixOptions,
    key: Sequence[str],
    domains: Sequence[str],
) -> Request:
    return Request(
        mode=options.mode,
        ratio=sum(share.ratio for share in shares.values()),
        synthetic_rows=sum(share.rows for share in shares.values()),
        generators={
            name: GeneratorRequest(share.ratio, share.rows, share.strata)
            for name, share in shares.items()
        },
        seed=options.seed,
        stratify=options.stratify,
        key=tuple(key),
        max_rows=options.max_rows,
        provenance=options.provenance,
        rows_per_shard=options.rows_per_shard,
        domains=tuple(sorted(domains)) or None,
    )


def _input(dataset: Dataset, identity: Mapping[str, Any]) -> Input:
    view = None if isinstance(dataset.source, pa.Table) else dataset.source.view
    return Input(
        rows=dataset.rows,
        fingerprint=dataset.fingerprint,
        identity=(KeyIdentity if "columns" in identity else RowIdentity)(**identity),
        view=InputView(**view.to_dict()) if view else None,
        files=tuple(InputFile(file.name, file.rows, file.sha256) for file in dataset.files),
        reading=dataset.options.said or None,
        origin=dict(dataset.origin) or None,
    )
