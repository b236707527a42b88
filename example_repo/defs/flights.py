"""The part that a team already has: labelled rows, and the rows its generator made."""

import dagster as dg
import numpy as np
import pandas as pd

from example_repo.flights import COLUMNS, GENERATED, TARGET, all_flights, home, split
from example_repo.generators import CartGenerator

GROUP = "flights"


@dg.asset(key=["flights", "labelled"], group_name=GROUP, kinds={"pandas"})
def labelled() -> pd.DataFrame:
    """Six hundred real flights with their arrival delay: all the labels this team has."""
    return split(all_flights())[0][["time_hour", *COLUMNS]]


@dg.asset(key=["flights", "generated"], group_name=GROUP, kinds={"pandas"})
def generated() -> pd.DataFrame:
    """Flights from a generator that somebody else fitted on 30,000 flights of their own.

    None of them is among the labelled ones. The gain that the demo shows is what their labels, by
    way of the generator, are worth to a team that may not see them.
    """
    return CartGenerator(seed=1).fit(split(all_flights())[1][COLUMNS]).sample(GENERATED)


@dg.asset(key=["flights", "generated_candidate"], group_name=GROUP, kinds={"pandas"})
def generated_candidate(generated: pd.DataFrame) -> pd.DataFrame:
    """The next version of the generator, with a bug: its columns are no longer aligned.

    Every column by itself is as good as before, so checks column by column pass it. No row is.
    """
    rng = np.random.default_rng(2)
    return pd.DataFrame({name: rng.permutation(generated[name].to_numpy()) for name in COLUMNS})


@dg.asset(key=["flights", "landing"], group_name=GROUP, kinds={"csv", "parquet"})
def landing(labelled: pd.DataFrame, generated: pd.DataFrame) -> dg.MaterializeResult[None]:
    """The same flights as files, for the mix that reads files: late or not, as a yes or no."""
    folder = home() / "landing"
    (folder / "generated").mkdir(parents=True, exist_ok=True)
    _late(labelled.drop(columns="time_hour")).to_csv(folder / "labelled.csv", index=False)
    for number, part in enumerate(np.array_split(np.arange(len(generated)), 2)):
        _late(generated.iloc[part]).to_parquet(
            folder / "generated" / f"part-{number}.parquet", index=False
        )
    return dg.MaterializeResult(metadata={"dagster/uri": str(folder)})


def _late(flights: pd.DataFrame) -> pd.DataFrame:
    return flights.drop(columns=TARGET).assign(late=flights[TARGET] > 15)


prepare_flights = dg.define_asset_job("prepare_flights", dg.AssetSelection.groups(GROUP))
