"""What a user may set for drift, in a mix and in a monitor alone."""

import math
from typing import Literal

from pydantic import field_validator

from synthmix_dagster.drift.series import SERIES, Unit
from synthmix_dagster.orchestration.config.base import Settings


class DriftConfig(Settings):
    """How drift is watched.

    Attributes
    ----------
    delta : float
        Most chance of ever raising a false alarm, all series together.
    unit : {"auto", "batch", "block"}
        What is ranked: one score a batch, or one for each of its blocks of rows. ``auto`` takes
        blocks for a generator that is declared to be frozen, by its version, and batches otherwise.
    history : int
        Batches with a score that are taken as normal before anything is judged.
    reference : int
        Batches that the reference of either side is collected from.
    blocking : bool
        Whether an alarm stops what follows in the run, and the release of training data.
    generator_version : str, optional
        Name it, and the generator is taken to be frozen: its rows are independent draws until the
        version changes. A new version begins a new reference and a new history.
    baseline : str, optional
        Any word. Another one begins a new reference and a new history of every series: that is how
        a change is accepted as the new normal.
    """

    delta: float = 0.01
    unit: Literal["auto", "batch", "block"] = "auto"
    history: int = 5
    reference: int = 3
    blocking: bool = False
    generator_version: str | None = None
    baseline: str | None = None

    @field_validator("delta")
    @classmethod
    def _a_chance(cls, value: float) -> float:
        if not (math.isfinite(value) and 0 < value < 1):
            raise ValueError(f"it is {value}. Set it to a number between 0 and 1, such as 0.01")
        return value

    @field_validator("history")
    @classmethod
    def _some_history(cls, value: int) -> int:
        if value < 2:
            raise ValueError(f"it is {value}. Set it to 2 or more")
        return value

    @field_validator("reference")
    @classmethod
    def _some_batch(cls, value: int) -> int:
        if value < 1:
            raise ValueError(f"it is {value}. Set it to 1 or more")
        return value

    def declared(self, series: str) -> dict[str, str]:
        """What was declared of a series; to declare something else clears its alarm.

        Parameters
        ----------
        series : str
            One of `SERIES`. A new generator leaves the history of the real data valid.

        Examples
        --------
        >>> drift = DriftConfig(generator_version="v1", baseline="spring")
        >>> drift.declared("generator"), drift.declared("reality")
        ({'baseline': 'spring', 'generator_version': 'v1'}, {'baseline': 'spring'})
        """
        version = None if series == "reality" else self.generator_version
        declared = {"baseline": self.baseline, "generator_version": version}
        return {name: value for name, value in declared.items() if value is not None}

    def units(self, *sides: str) -> dict[str, Unit]:
        """The series to watch, and what to rank in each; gaps have one score a batch.

        Parameters
        ----------
        *sides : str
            ``real``, ``synthetic`` or both.

        Examples
        --------
        >>> DriftConfig(generator_version="v1").units("real", "synthetic")
        {'gap': 'batch', 'generator': 'block', 'reality': 'batch'}
        """
        frozen: Unit = "batch" if self.generator_version is None else "block"
        auto: dict[str, Unit] = {"gap": "batch", "generator": frozen, "reality": "batch"}
        watched = {
            "gap": len(sides) == 2,
            "generator": "synthetic" in sides,
            "reality": "real" in sides,
        }
        return {
            name: auto[name] if self.unit == "auto" or name == "gap" else self.unit
            for name in SERIES
            if watched[name]
        }
