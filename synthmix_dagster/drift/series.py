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
