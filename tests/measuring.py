"""The inner steps of the verbs, called with plain keywords as the verbs are."""

from dataclasses import fields
from typing import Any

import pandas as pd

from synthmix_dagster.distance import measure as measuring
from synthmix_dagster.distance.options import DistanceOptions
from synthmix_dagster.distance.report import DistanceReport
from synthmix_dagster.encoding.options import Columns

_COLUMNS = {field.name for field in fields(Columns)}
_HOW = {field.name for field in fields(DistanceOptions)}


def columns_of(options: dict[str, Any]) -> Columns:
    """The keywords that say which columns take part."""
    return Columns(**{name: value for name, value in options.items() if name in _COLUMNS})


def distance_options_of(options: dict[str, Any]) -> DistanceOptions:
    """The keywords that say how to measure."""
    return DistanceOptions(**{name: value for name, value in options.items() if name in _HOW})


def measure(real: pd.DataFrame, synthetic: pd.DataFrame, **options: Any) -> DistanceReport:
    """Measure these very rows, drawn by nobody."""
    return measuring.measure(
        real,
        synthetic,
        columns=columns_of(options),
        options=distance_options_of(options),
        **{name: value for name, value in options.items() if name not in _COLUMNS | _HOW},
    )
