"""How a release is written: the options of `mix`, each declared once."""

from dataclasses import dataclass
from typing import Literal

from synthmix_dagster.encoding.options import require_choice, require_min

Mode = Literal["rows", "weights"]
Shortage = Literal["refuse", "cap"]


@dataclass(frozen=True)
class MixOptions:
    """How a release is written.

    Attributes
    ----------
    mode : {"rows", "weights"}
        Take the requested number of synthetic rows, or all of them with a ``sample_weight`` that
        makes them count as much as that many rows.
    seed : int
        Seed of the selection and of the order of rows.
    stratify : str, optional
        Column whose shares among the synthetic rows the selection keeps.
    max_rows : int, optional
        Maximum number of rows in the release. All real rows are kept, so synthetic ones make room.
    shortage : {"refuse", "cap"}
        If more synthetic rows are requested than there are: refuse, or take all and say so.
    provenance : bool
        Whether every row states its source, its generator and its identity.
    rows_per_shard : int
        Rows in one Parquet file.
    keep_releases : int, optional
        Releases to keep, the newest; all by default.
    memory_mb : int
        Memory budget in MB; frames that are in memory anyway are not counted.
    """

    mode: Mode = "rows"
    seed: int = 0
    stratify: str | None = None
    max_rows: int | None = None
    shortage: Shortage = "refuse"
    provenance: bool = True
    rows_per_shard: int = 1_000_000
    keep_releases: int | None = None
    memory_mb: int = 1_000

    def __post_init__(self) -> None:
        require_choice(self.mode, Mode, option="mode")
        require_choice(self.shortage, Shortage, option="shortage")
        require_min(self.seed, 0, option="seed")
        for option in ("rows_per_shard", "max_rows", "keep_releases", "memory_mb"):
            value = getattr(self, option)
            if value is not None:
                require_min(value, 1, option=option)
