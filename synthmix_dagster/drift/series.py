"""The series that are watched, by name. Settings are read with this module, so it stays light."""

from collections.abc import Mapping
from typing import Literal

Unit = Literal["batch", "block"]

#: The series, and what each compares.
SERIES: Mapping[str, str] = {
    "gap": "real against synthetic",
    "generator": "synthetic against its reference",
    "reality": "real against its reference",
}

#: Seasons of daily batches: any shape of the week, and a wave over the year.
DAILY = (7.0, 365.25)
