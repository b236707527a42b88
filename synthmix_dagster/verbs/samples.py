"""Bounded samples of datasets for the numerics, and what has to hold before they are drawn."""

from collections.abc import Collection, Sequence

import pandas as pd

from synthmix_dagster.data.dataset import Dataset, as_frame
from synthmix_dagster.data.identity import shared_key
from synthmix_dagster.encoding.columns import LEAST_ROWS, require_known, require_rows
from synthmix_dagster.encoding.target import TargetCode, target_values
from synthmix_dagster.errors import ConfigError, DataError, did_you_mean
from synthmix_dagster.release.arrow_engine import ArrowEngine

#: One column, several, or none.
Names = str | Collection[str] | None


def listed(names: Names) -> list[str]:
    """A list of column names; one name is not a list of its letters."""
    return [names] if isinstance(names, str) else list(names or ())


def draw_samples(
    sides: Sequence[Dataset], limits: Sequence[int], seed: int, key: Sequence[str]
) -> tuple[list[pd.DataFrame], list[str]]:
    """Uniform samples of each side, and notes on those that were left out of.

    Parameters
    ----------
    sides : sequence of Dataset
    limits : sequence of int
        Most rows of each.
    seed : int
    key : sequence of str
        Columns that identify a row, where a side has them.
    """
    engine = ArrowEngine()
    frames, notes = [], []
    for side, limit in zip(sides, limits, strict=True):
        engine.identify(side, shared_key(side, key))
        frames.append(as_frame(engine.sample(side, limit, seed, shared_key(side, key))))
        if limit < side.rows:
            notes.append(f"a uniform sample of {limit} of {side.rows} {side.name} rows was used")
    return frames, notes


def require_usable(
    sides: Sequence[Dataset], sample_rows: int, key: Sequence[str], seed: int
) -> None:
    """Refuse too few rows, and options that no sample can be drawn with."""
    for side in sides:
        require_rows(side.rows, side.name)
    if sample_rows < LEAST_ROWS:
        raise ConfigError(
            f"it is {sample_rows}", option="sample_rows", fix=f"Set it to {LEAST_ROWS} or more"
        )
    if seed < 0:
        raise ConfigError(f"it is {seed}", option="seed", fix="Set it to 0 or more")
    require_known(key, [column for side in sides for column in side.columns], "key")


def check_target(sides: Sequence[Dataset], target: str, task: str | None) -> None:
    """Look at every label, not only at the sampled ones."""
    for side in sides:
        if target not in side.columns:
            raise DataError(
                f"it has no target column '{target}'",
                dataset=side.name,
                fix=did_you_mean(target, side.columns),
            )
        frame = side.select([target]).frame()
        target_values(frame, target, side.name)
        if task is not None and side.name == "real":
            TargetCode.fit(frame, target, task)
