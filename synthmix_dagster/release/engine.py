"""The interface of an engine, which holds and moves the rows of a mix.

`ArrowEngine` answers on one machine in bounded memory. Another engine has to give the same rows for
the same seed: identities, priorities and cut-offs are plain integer arithmetic for that reason.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import pyarrow as pa

from synthmix_dagster.data.dataset import Dataset, Found
from synthmix_dagster.data.identity import Rows
from synthmix_dagster.data.store import Draft, Store
from synthmix_dagster.release.categories import Levels
from synthmix_dagster.release.selection import Selection
from synthmix_dagster.release.sources import REAL, Source

if TYPE_CHECKING:
    from synthmix_dagster.release.manifest import Shard


class Origin(NamedTuple):
    """What a row of a release says of the input that it comes from.

    Attributes
    ----------
    name : str
        ``real``, or the name of a generator.
    source : Source
    weight : float
        Weight of each of its rows, in a mix that has weights.
    """

    name: str
    source: Source
    weight: float


@dataclass(frozen=True)
class Part:
    """One input of a mix and what is taken of it.

    Attributes
    ----------
    name : str
        ``real``, or the name of a generator.
    dataset : Dataset
    key : sequence of str
        Columns that identify a row.
    selection : Selection, optional
        Rows to take, all by default.
    weight : float
        Weight of each of them, in a mix that has weights.
    other_domain : bool
        Whether these are real rows of another domain.
    """

    name: str
    dataset: Dataset
    key: Sequence[str] = ()
    selection: Selection | None = None
    weight: float = 1.0
    other_domain: bool = False

    @property
    def source(self) -> Source:
        """Whether its rows are ``real``, ``synthetic``, or real rows of an ``other`` domain."""
        if self.name == REAL:
            return "real"
        return "other" if self.other_domain else "synthetic"

    @property
    def origin(self) -> Origin:
        """What its rows say of it in a release."""
        return Origin(self.name, self.source, self.weight)

    @property
    def rows(self) -> int:
        """Rows that are taken of it."""
        return self.dataset.rows if self.selection is None else sum(self.selection.quotas.values())


@dataclass(frozen=True)
class Layout:
    """What the shards of a release look like.

    Attributes
    ----------
    schema : pyarrow.Schema
        Columns of the data.
    seed : int
        Seed of the order of rows.
    rows_per_shard : int
    stratify : str, optional
        Column whose values are counted.
    provenance : bool
        Whether every row states its source.
    weights : bool
        Whether every row has a weight.
    domains : tuple of str
        Names of the parts that hold real rows of another domain.
    levels : mapping of str to Levels
        Columns that are written as categories.
    """

    schema: pa.Schema
    seed: int
    rows_per_shard: int
    stratify: str | None = None
    provenance: bool = True
    weights: bool = False
    domains: tuple[str, ...] = ()
    levels: Mapping[str, Levels] = field(default_factory=dict)

    @property
    def stored(self) -> pa.Schema:
        """Columns of the data as the shards have them."""
        kinds = {name: levels.type for name, levels in self.levels.items()}
        return pa.schema([each.with_type(kinds.get(each.name, each.type)) for each in self.schema])


@dataclass
class Counts:
    """What shards hold, or what was meant to go into them.

    Attributes
    ----------
    rows : mapping of str to int
        Rows by name of the part; without provenance, all of them under no name.
    strata : mapping of str to mapping of str to int
        Rows by stratum and name of the part.
    nulls : mapping of str to int
        Missing values by column of the data.
    duplicates : int
        Rows that occur more than once, or out of order.
    weights : mapping of str to float
        Weight of each row by name of the part, in a mix that has weights.
    """

    rows: dict[str, int] = field(default_factory=dict)
    strata: dict[str, dict[str, int]] = field(default_factory=dict)
    nulls: dict[str, int] = field(default_factory=dict)
    duplicates: int = 0
    weights: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Written:
    """Shards, and what was meant to go into them.

    Attributes
    ----------
    shards : sequence of Shard
    counts : Counts
        Counted on the way in.
    """

    shards: "Sequence[Shard]"
    counts: Counts


class Engine(Protocol):
    """The verbs of a mix."""

    def over(
        self,
        dataset: Dataset,
        kernel: Callable[[Iterable[Rows]], Found],
        key: Sequence[str] = (),
        columns: Sequence[str] | None = None,
    ) -> list[Found]:
        """Hand all rows with their identities to a kernel, and return what it makes of each part.

        Rows come in order, a bounded number at a time. On a cluster a kernel runs there and returns
        plain values, containers of them, and arrays.
        """

    def identify(self, dataset: Dataset, key: Sequence[str] = ()) -> Mapping[str, Any]:
        """Return what identifies the rows, and refuse a key that is not unique."""

    def fit(self, synthetic: Dataset, real: Dataset, optional: Sequence[str] = ()) -> None:
        """Refuse synthetic rows that do not fit the columns of the real ones."""

    def sample(
        self, dataset: Dataset, rows: int, seed: int | str, key: Sequence[str] = ()
    ) -> pa.Table:
        """A uniform sample in priority order: a larger one begins with a smaller one."""

    def strata(self, dataset: Dataset, column: str) -> Mapping[str, int]:
        """Rows by the values of a column."""

    def select(
        self,
        dataset: Dataset,
        k: int,
        seed: int,
        key: Sequence[str] = (),
        stratify: str | None = None,
        quotas: Mapping[str, int] | None = None,
    ) -> Selection:
        """Exactly k rows, those of lowest priority in their stratum.

        Each stratum gives its share of them, or what `quotas` says of it.
        """

    def shuffle(self, parts: Sequence[Part], draft: Draft, layout: Layout) -> Written:
        """Write the selected rows of all parts as shards, in seeded order."""

    def recount(
        self, folder: Store, shards: Sequence[str], layout: Layout, names: Sequence[str]
    ) -> Counts:
        """Count what shards in a folder hold, from the shards alone."""

    def digests(self, folder: Store, files: Sequence[str]) -> list[str]:
        """SHA-256 of the bytes of some files that are there."""
