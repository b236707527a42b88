"""The part that a team already has: labelled rows, and the rows its generator made."""

import dagster as dg
import numpy as np
import pandas as pd

from example_repo.digits import COLUMNS, GENERATED, TARGET, home, split
from example_repo.generators import SmoteGenerator

GROUP = "images"


@dg.asset(key=["images", "labelled"], group_name=GROUP, kinds={"pandas"})
def labelled() -> pd.DataFrame:
    """Five hundred handwritten digits that somebody has read: all the labels this team has."""
    return split()[0]


@dg.asset(key=["images", "generated"], group_name=GROUP, kinds={"pandas"})
def generated() -> pd.DataFrame:
    """Digits from a generator that another team fitted on 200 digits of its own.

    None of them is among the labelled ones. They carry what the other team's digits are worth, and
    repeat what is special about these 200, which is why too many of them hurt.
    """
    return SmoteGenerator(TARGET).fit(split()[1][COLUMNS]).sample(GENERATED)


@dg.asset(key=["images", "generated_candidate"], group_name=GROUP, kinds={"pandas"})
def generated_candidate(generated: pd.DataFrame) -> pd.DataFrame:
    """The next version of the generator, with a bug: its columns are no longer aligned.

    Every column by itself is as good as before, so checks column by column pass it. No row is.
    """
    rng = np.random.default_rng(2)
    return pd.DataFrame({name: rng.permutation(generated[name].to_numpy()) for name in COLUMNS})


@dg.asset(key=["images", "landing"], group_name=GROUP, kinds={"csv", "parquet"})
def landing(labelled: pd.DataFrame, generated: pd.DataFrame) -> dg.MaterializeResult[None]:
    """The same digits as files, for the mix that reads files: an eight or not, as a yes or no."""
    folder = home() / "landing"
    (folder / "generated").mkdir(parents=True, exist_ok=True)
    _eights(labelled.drop(columns="image")).to_csv(folder / "labelled.csv", index=False)
    for number, part in enumerate(np.array_split(np.arange(len(generated)), 2)):
        _eights(generated.iloc[part]).to_parquet(
            folder / "generated" / f"part-{number}.parquet", index=False
        )
    return dg.MaterializeResult(metadata={"dagster/uri": str(folder)})


def _eights(digits: pd.DataFrame) -> pd.DataFrame:
    return digits.drop(columns=TARGET).assign(eight=digits[TARGET] == 8)


prepare_images = dg.define_asset_job("prepare_images", dg.AssetSelection.groups(GROUP))
