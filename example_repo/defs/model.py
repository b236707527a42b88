"""What the team does with a release: train, with the release as a parameter."""

import dagster as dg
import pandas as pd


@dg.asset(
    key=["digits", "model"],
    ins={"training_data": dg.AssetIn(["digits", "training_data"])},
    group_name="digits",
    kinds={"scikitlearn"},
)
def model(training_data: pd.DataFrame) -> dg.MaterializeResult[None]:
    """Kernel ridge regression on the release that this run depends on."""
    from example_repo.learner import train

    learner = train(training_data)
    return dg.MaterializeResult(
        metadata={"rows": len(training_data), "ridge": float(learner[-1].alpha_)}
    )


train_digits = dg.define_asset_job("train_digits", selection=[model])
