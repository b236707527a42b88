"""Drift settings, of a mix and of a monitor on its own."""

import math
from typing import Literal

from pydantic import field_validator

from synthmix_dagster.drift.series import SERIES, Unit
from synthmix_dagster.orchestration.config.base import Settings


class DriftConfig(Settings):
    """How drift is monitored.

    Attributes
    ----------
    delta : float
        Maximum probability of ever raising a false alarm, over all series together.
    unit : {"auto", "batch", "block"}
        What is ranked: one score per batch, or one score per block of rows. ``auto`` uses blocks
        for a generator declared frozen by `generator_version`, and batches otherwise.
    history : int
        Number of scored batches that are taken as normal before the first is judged.
    reference : int
        Number of batches from which the reference of each side is collected.
    blocking : bool
        Whether an alarm stops everything downstream in the run and refuses the release.
    generator_version : str, optional
        Version of a frozen generator: until it changes, the rows are taken as independent draws
        from one distribution. A new version starts a new reference and a new history.
    baseline : str, optional
        Any label. Changing it starts a new reference and a new history of every series, which
        accepts a change as the new normal.
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
        """What was declared for a series; declaring something else clears its alarm.

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
        """The series to monitor, and what is ranked in each; gaps have one score per batch.

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
