"""Drift settings, of a mix and of a monitor on its own."""

import math
from typing import Literal

from pydantic import field_validator

from synthmix_dagster.drift.series import DAILY, SERIES, Unit
from synthmix_dagster.orchestration.config.base import Settings

#: Seasons of partitions that are not daily: days and weeks, weeks of a year, months.
_SEASONS = {"HOURLY": (24.0, 168.0, 8766.0), "WEEKLY": (52.18,), "MONTHLY": (12.0,)}


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
    season : number or list of numbers, optional
        Lengths of seasons, in partitions (or batches, without partitions), that scores by batch may
        have beside autocorrelation: up to 31 any shape, longer ones a wave. ``1`` allows for
        autocorrelation alone; ``0`` declares that batches are exchangeable. Default: by the
        partitions: a week and a year for daily ones.
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
    season: float | tuple[float, ...] | None = None
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

    @field_validator("season")
    @classmethod
    def _lengths(cls, value: float | tuple[float, ...] | None) -> float | tuple[float, ...] | None:
        for length in value if isinstance(value, tuple) else (value or 1.0,):
            if not (math.isfinite(length) and length >= 1):
                raise ValueError(
                    f"a length of {length:g} is not a season. Set it to batches such as 7, to a "
                    "list such as [7, 365.25], or to 0 for exchangeable batches"
                )
        return value

    def seasons(self, schedule: str = "") -> tuple[float, ...] | None:
        """Lengths of the seasons to allow for; None where batches are declared exchangeable.

        Parameters
        ----------
        schedule : str
            How often there is a partition, as Dagster calls it; daily if it is not known.

        Examples
        --------
        >>> DriftConfig().seasons(), DriftConfig().seasons("HOURLY")
        ((7.0, 365.25), (24.0, 168.0, 8766.0))
        >>> DriftConfig(season=12).seasons(), DriftConfig(season=0).seasons()
        ((12.0,), None)
        """
        if self.season is None:
            return _SEASONS.get(schedule, DAILY)
        if isinstance(self.season, tuple):
            return self.season
        return (self.season,) if self.season else None

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
