"""Which recorded batches make up a series, by rules that are stated and never look at a score.

1. Order is by partition, then by time. A partition that was materialised again counts once, as it
   was last.
2. What is compared is what was measured on the terms of the latest materialisation: generator
   version, schema, reference, baseline, method, settings. All other batches are left out.
3. The same rows again add no evidence: they count once, where they came first.
4. A batch without a finite score is left out. So is one that is part of the reference.
5. A batch that came late, after later ones, is bet on no sooner than the next one that comes in
   order. A partition came when it was first materialised on these terms.
6. Where a batch has one score, so is a batch with less than half or more than twice as many rows as
   are usual: scores of few rows vary more. (Blocks have one size whatever the batch.)
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from statistics import median_high

from synthmix_dagster.drift.series import Unit
from synthmix_dagster.results import Result

#: Batches that say what number of rows is usual.
_RECENT = 9
#: A batch of fewer blocks does not speak for its day.
MIN_BLOCKS = 4


@dataclass(frozen=True)
class Observation(Result):
    """What was recorded of one series for one batch.

    Attributes
    ----------
    square : float, optional
        Signed, debiased squared distance; None where there is none.
    rows : int
        Rows that were measured: of the batch, or of its smaller side.
    fingerprint : str
        Of the rows.
    terms : mapping of str to str
        What has to be equal for two scores to be comparable; empty where measuring failed.
    blocks : tuple of float
        The same as `square` for every block of rows.
    columns : mapping of str to float
        Parts of the columns in `square`.
    floor : float, optional
        What chance alone shows, in standard deviations.
    collected : bool
        The batch is part of the reference, so it has no score.
    problem : str
        Why there is no score.
    """

    square: float | None
    rows: int
    fingerprint: str
    terms: Mapping[str, str]
    blocks: tuple[float, ...] = ()
    columns: Mapping[str, float] = field(default_factory=dict)
    floor: float | None = None
    collected: bool = False
    problem: str = ""


@dataclass(frozen=True)
class Batch:
    """One materialisation, as the instance remembers it.

    Attributes
    ----------
    label : str
        What messages call it: the partition, or the time.
    key : str
        Partition, or the run's id: what ties are broken by.
    partition : str, optional
    position : int
        Place of the partition among all partitions; 0 where there are none.
    time : float
        Seconds since the epoch.
    version : str
        Version of the generator.
    series : mapping of str to Observation
    """

    label: str
    key: str
    partition: str | None
    position: int
    time: float
    version: str
    series: Mapping[str, Observation]


@dataclass(frozen=True)
class Selection:
    """The batches of one series that can be compared, and why others cannot.

    Attributes
    ----------
    batches : tuple of Batch
        In their order.
    others : tuple of Batch
        Left out, but with a score that can be shown.
    notes : tuple of str
    problem : str
        Why the latest batch cannot be judged; empty if it can.
    odd : frozenset of str
        Keys of batches of another size than is usual, among `batches`: by block only.
    came : tuple of float
        When each of `batches` was there for the first time.
    terms : mapping of str to str
        What `batches` were measured on.
    """

    batches: tuple[Batch, ...]
    others: tuple[Batch, ...]
    notes: tuple[str, ...]
    problem: str
    odd: frozenset[str] = frozenset()
    came: tuple[float, ...] = ()
    terms: Mapping[str, str] = field(default_factory=dict)

    def in_order(self) -> "Selection":
        """All but the batches that came late and wait for the next one in order."""
        waiting = [came > self.came[-1] for came in self.came]
        kept = [i for i, waits in enumerate(waiting) if not waits]
        return replace(
            self,
            batches=tuple(self.batches[i] for i in kept),
            came=tuple(self.came[i] for i in kept),
        )

    def judged(self) -> list[bool]:
        """Whether each of `batches` came when all before it were there, so that it was judged."""
        latest = accumulate(self.came, max)
        return [came >= before for came, before in zip(self.came, latest, strict=True)]


def in_order(batches: Sequence[Batch]) -> list[Batch]:
    """Order by partition, then by time; a partition counts as it was materialised last."""
    last: dict[str, Batch] = {}
    for batch in sorted(batches, key=lambda one: one.time):
        last[batch.key] = batch
    return sorted(last.values(), key=lambda one: (one.position, one.partition or "", one.time))


def select(batches: Sequence[Batch], series: str, unit: Unit) -> Selection:
    """Apply the rules to one series.

    Parameters
    ----------
    batches : sequence of Batch
        In any order.
    series : str
        One of `SERIES`.
    unit : {"batch", "block"}
    """
    ordered = [batch for batch in in_order(batches) if series in batch.series]
    if not ordered:
        return Selection((), (), (), "")
    latest = max(ordered, key=lambda one: one.time)
    measured = [batch for batch in ordered if batch.series[series].terms] or ordered
    terms = max(measured, key=lambda one: one.time).series[series].terms
    notes = []
    here: list[Batch] = []
    elsewhere: list[Batch] = []
    for batch in ordered:
        comparable = batch.series[series].terms in (terms, {})
        (here if comparable else elsewhere).append(batch)
    if elsewhere:
        before = max(elsewhere, key=lambda one: one.time)
        notes.append(
            f"{_counted(elsewhere)} measured on other terms left out "
            f"({_changes(before.series[series].terms, terms)})"
        )
    refused = {batch.key: _refusal(batch.series[series], unit) for batch in here}
    scored = [batch for batch in here if not refused[batch.key]]
    repeated: list[Batch] = []
    fresh: list[Batch] = []
    seen: set[str] = set()
    for batch in scored:
        fingerprint = batch.series[series].fingerprint
        (repeated if fingerprint in seen else fresh).append(batch)
        seen.add(fingerprint)
    if repeated:
        notes.append(f"{_counted(repeated)} with the same rows as an earlier one count once")
    odd = _odd_sizes(fresh, series)
    for why in sorted({*refused.values()} - {""}):
        of_this = [batch for batch in here if refused[batch.key] == why]
        notes.append(f"{_counted(of_this)} without a score: {why}")
    dropped = odd if unit == "batch" else {}
    if dropped:
        notes.append(f"{len(odd)} batch{'es' * (len(odd) > 1)} of another size left out")
    kept = [batch for batch in fresh if batch.key not in dropped]
    collecting = latest.series[series].collected
    problem = "" if collecting else refused[latest.key] or dropped.get(latest.key, "")
    counted = {batch.key for batch in kept}
    others = [
        batch
        for batch in ordered
        if batch.key not in counted and _finite(batch.series[series].square)
    ]
    odd_kept = frozenset(odd.keys() - dropped.keys())
    first: dict[str, float] = {}
    for batch in batches:
        if series in batch.series and batch.series[series].terms in (terms, {}):
            first[batch.key] = min(batch.time, first.get(batch.key, batch.time))
    came = tuple(first[batch.key] for batch in kept)
    return Selection(tuple(kept), tuple(others), tuple(notes), problem, odd_kept, came, terms)


def _refusal(observation: Observation, unit: Unit) -> str:
    if observation.collected:
        return "part of the reference"
    if observation.square is None:
        return observation.problem or "it is missing"
    if not (_finite(observation.square) and all(map(math.isfinite, observation.blocks))):
        return "it is not a number"
    if unit == "block" and len(observation.blocks) < MIN_BLOCKS:
        return f"too few rows for {MIN_BLOCKS} blocks"
    return ""


def _odd_sizes(batches: Sequence[Batch], series: str) -> dict[str, str]:
    """Batches with another number of rows than is usual of late, and the words for it."""
    if not batches:
        return {}
    recent = sorted(batches, key=lambda one: one.time)[-_RECENT:]
    usual = median_high(batch.series[series].rows for batch in recent)
    return {
        batch.key: f"it has {batch.series[series].rows} rows where {usual} are usual"
        for batch in batches
        if not usual / 2 <= batch.series[series].rows <= usual * 2
    }


def _changes(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """Name what changed; what follows from it (the reference) only if nothing else did."""
    changed = [name for name in sorted({*before, *after}) if before.get(name) != after.get(name)]
    causes = [name for name in changed if name != "reference"] or changed
    return "; ".join(
        f"{name} {_short(before.get(name, 'none'))} to {_short(after.get(name, 'none'))}"
        for name in causes
    )


def _short(text: str, most: int = 60) -> str:
    return f"'{text}'" if len(text) <= most else f"'{text[: most - 1]}…'"


def _counted(batches: Sequence[Batch]) -> str:
    if len(batches) == 1:
        return f"1 batch ({batches[0].label})"
    return f"{len(batches)} batches ({batches[0].label} to {batches[-1].label})"


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
