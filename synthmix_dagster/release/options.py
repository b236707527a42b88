"""How a release is written: the options of `mix`, each declared once."""

import math
import numbers
from dataclasses import dataclass
from typing import Any, Literal

from synthmix_dagster.encoding.options import require_choice, require_min
from synthmix_dagster.errors import ConfigError

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
        for option, minimum in _MINIMA.items():
            value = getattr(self, option)
            if value is not None:
                # A number of numpy becomes one that JSON has.
                object.__setattr__(self, option, whole_number(value, option=option))
                require_min(value, minimum, option=option)


#: What Python and its libraries take before a row is read, and the least that leaves for rows.
LIBRARIES_MB = 300
MIN_MEMORY_MB = LIBRARIES_MB + 100

_MINIMA = {
    "seed": 0,
    "rows_per_shard": 1,
    "max_rows": 1,
    "keep_releases": 1,
    "memory_mb": MIN_MEMORY_MB,
}


def whole_number(value: Any, *, option: str) -> int:
    """A whole number as a plain ``int``, whatever numeric type it came as.

    Raises
    ------
    ConfigError

    Examples
    --------
    >>> whole_number(3.0, option="seed")
    3
    """
    number = finite_number(value, option=option)
    if not number.is_integer():
        raise ConfigError(f"it is {value!r}", option=option, fix="Set it to a whole number")
    return int(value)


def finite_number(value: Any, *, option: str) -> float:
    """A finite number as a plain ``float``, whatever numeric type it came as.

    Raises
    ------
    ConfigError
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise ConfigError(f"it is {value!r}", option=option, fix="Set it to a number")
    number = float(value)
    if not math.isfinite(number):
        raise ConfigError(f"it is {number}", option=option, fix="Set it to a finite number")
    return number
