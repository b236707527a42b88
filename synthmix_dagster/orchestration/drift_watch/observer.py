"""One batch, observed: what a materialisation records so that drift can be judged later.

A monitor must not bring down what it watches, so an error here is recorded as the reason why there
is no score.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import pandas as pd

from synthmix_dagster.data.dataset import Dataset, as_frame
from synthmix_dagster.data.identity import shared_key
from synthmix_dagster.data.priority import salted
from synthmix_dagster.data.store import Store
from synthmix_dagster.distance.report import DistanceReport
from synthmix_dagster.drift.history import Observation
from synthmix_dagster.drift.scores import (
    BLOCKS,
    MAX_COLUMNS,
    MIN_BLOCK_ROWS,
    Score,
    reference_score,
    same_schema,
    schema_of,
)
from synthmix_dagster.encoding.options import Columns
from synthmix_dagster.orchestration.config.drift import DriftConfig
from synthmix_dagster.orchestration.drift_watch.references import Reference, References, Terms
from synthmix_dagster.redaction import without_secrets
from synthmix_dagster.threads import one_thread
from synthmix_dagster.verbs.engines import engine_of

#: The series that watches a side.
SERIES_OF = {"synthetic": "generator", "real": "reality"}


@dataclass(frozen=True)
class Observer:
    """What it takes to observe the batches of one monitor.

    Attributes
    ----------
    drift : DriftConfig
    folder : Store
        Where references are kept.
    options : mapping
        ``categorical``, ``ignore``, ``key``, ``weights``, ``scaling``, ``groups``, ``sample_rows``,
        ``directions`` and ``seed``, as for `measure_distance`.
    """

    drift: DriftConfig
    folder: Store
    options: Mapping[str, Any]

    def batch(
        self,
        sides: Sequence[Dataset],
        *,
        key: str | None,
        accepted: bool,
        report: DistanceReport | Exception | None,
    ) -> tuple[dict[str, Observation], list[str]]:
        """Observe every series of one batch.

        Parameters
        ----------
        sides : sequence of Dataset
            ``real``, ``synthetic`` or both.
        key : str, optional
            Partition of the batch; by default it is known by its rows.
        accepted : bool
            Whether every gate let it pass. A reference is made of accepted batches only.
        report : DistanceReport, Exception or None
            Distance of both sides, or why there is none; None where there is one side.

        Returns
        -------
        observations : dict of str to Observation
            By the name of the series.
        notes : list of str
            What happened to the references.
        """
        seen: dict[str, Observation] = {}
        notes: list[str] = []
        if isinstance(report, DistanceReport):
            seen["gap"] = self._gap(report, sides)
        elif report is not None:
            rows = min(side.rows for side in sides)
            seen["gap"] = failed_observation(report, rows, _both(sides))
        for side in reversed(sides):
            seen[SERIES_OF[side.name]], own = self.side(side, key=key, accepted=accepted)
            notes += own
        return seen, notes

    def side(
        self, side: Dataset, *, key: str | None, accepted: bool
    ) -> tuple[Observation, list[str]]:
        """Compare one side with its reference, or add it to one that is not complete.

        Parameters
        ----------
        side : Dataset
            Named ``real`` or ``synthetic``.
        key : str, optional
            Partition of the batch; by default it is known by its rows.
        accepted : bool
            Whether every gate let it pass. A reference is made of accepted batches only.

        Returns
        -------
        observation : Observation
        notes : list of str
            What happened to the reference.
        """
        try:
            with one_thread(estimators=False):
                return self._side(side, key or side.fingerprint, accepted)
        except Exception as error:  # the pipeline goes on and the check warns
            return failed_observation(error, side.rows, side.fingerprint), []

    def _gap(self, report: DistanceReport, sides: Sequence[Dataset]) -> Observation:
        """What a measured distance says for the series of gaps."""
        shared = sorted(set(sides[0].columns) & set(sides[1].columns))
        return Observation(
            square=report.gap_squared,
            rows=min(report.n_real, report.n_synthetic),
            fingerprint=_both(sides),
            terms={
                **self.drift.declared("gap"),
                "method": report.method,
                "order": str(report.p),
                "rows": report.rows,
                "columns": ", ".join(shared),
                "settings": self._settings(),
            },
            columns={
                column.column: float(f"{column.part:.4g}")
                for column in report.columns[:MAX_COLUMNS]
            },
            floor=report.floor,
        )

    def _side(self, side: Dataset, key: str, accepted: bool) -> tuple[Observation, list[str]]:
        rows = self._sample(side)
        terms = self._terms(side.name, rows)
        reference = self._references(side).find(terms, _agree, self.drift.reference)
        notes: list[str] = []
        if not reference.complete and accepted:
            reference, notes = self._collect(side, key, rows, terms, reference)
        common: dict[str, Any] = {
            "rows": len(rows),
            "fingerprint": side.fingerprint,
            "terms": {**reference.terms, "reference": reference.reference_id},
        }
        if reference.holds(key, side.fingerprint):
            return Observation(None, collected=True, **common), notes
        if not reference.complete:
            problem = "rejected by a gate, so not added to the reference, which is incomplete"
            return Observation(None, problem=problem, **common), notes
        score = self._score(reference, rows)
        return Observation(
            square=score.square, blocks=score.blocks, columns=score.columns or {}, **common
        ), notes

    def _sample(self, side: Dataset) -> pd.DataFrame:
        """The rows that are compared: the same ones whenever the side is sampled."""
        count = min(side.rows, self.options["sample_rows"])
        key = shared_key(side, self.options["key"])
        salt = salted(self.options["seed"], [side.fingerprint])
        return as_frame(engine_of(None, [side]).sample(side, count, salt, key))

    def _terms(self, side: str, rows: pd.DataFrame) -> Terms:
        """What batches have in common that may be compared with each other."""
        options = self.options
        left_out = [*options["ignore"], *options["key"], *filter(None, [options["groups"]])]
        return {
            **self.drift.declared(SERIES_OF[side]),
            "schema": schema_of(rows, left_out, options["categorical"], options["embed"]),
            "settings": self._settings(),
        }

    def _references(self, side: Dataset) -> References:
        return References(self.folder.below(side.name))

    def _collect(
        self, side: Dataset, key: str, rows: pd.DataFrame, terms: Terms, reference: Reference
    ) -> tuple[Reference, list[str]]:
        """Add a batch to a reference that is not complete, and note what happened."""
        wanted, begun = self.drift.reference, not reference.members
        reference = self._references(side).collect(
            key,
            rows.iloc[: -(-self.options["sample_rows"] // wanted)],
            terms=terms,
            agree=_agree,
            wanted=wanted,
            fingerprint=side.fingerprint,
            batch_rows=len(rows),
        )
        notes = []
        if begun and reference.replaced is not None:
            notes.append(
                f"the reference of {side.name} was begun anew: {_changed(reference)} changed"
            )
        notes.append(
            f"the reference of {side.name} holds {len(reference.members)} of {wanted} batches"
        )
        return reference, notes

    def _score(self, reference: Reference, rows: pd.DataFrame) -> Score:
        options = self.options
        return reference_score(
            reference.frame(),
            rows,
            block_rows=max(MIN_BLOCK_ROWS, reference.usual_rows // BLOCKS),
            columns=Columns(**{field.name: options[field.name] for field in fields(Columns)}),
            directions=options["directions"],
            seed=options["seed"],
        )

    def _settings(self) -> str:
        text = json.dumps(dict(self.options), sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def _both(sides: Sequence[Dataset]) -> str:
    return "+".join(side.fingerprint for side in sides)


def _agree(one: Terms, other: Terms) -> bool:
    return (
        one.keys() == other.keys()
        and all(one[name] == other[name] for name in one if name != "schema")
        and same_schema(one["schema"], other["schema"])
    )


def _changed(reference: Reference) -> str:
    before, after = reference.replaced or {}, reference.terms
    return ", ".join(
        name for name in sorted({*before, *after}) if before.get(name) != after.get(name)
    )


def failed_observation(error: Exception, rows: int = 0, fingerprint: str = "") -> Observation:
    """What is recorded of a batch that could not be measured."""
    problem = without_secrets(str(error)).rstrip(".") or type(error).__name__
    return Observation(None, rows, fingerprint, {}, problem=problem)
