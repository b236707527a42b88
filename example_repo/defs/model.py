"""What the team does with a release: train, with the release as a parameter."""

import dagster as dg
import pandas as pd

from example_repo.flights import TARGET


@dg.asset(
    key=["arrival_delay", "model"],
    ins={"training_data": dg.AssetIn(["arrival_delay", "training_data"])},
    group_name="arrival_delay",
    kinds={"scikitlearn"},
)
def model(training_data: pd.DataFrame) -> dg.MaterializeResult[None]:
    """Boosted trees on the release that this run depends on."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    provenance = [name for name in training_data if str(name).startswith("synthmix_")]
    inputs = training_data.drop(columns=[TARGET, "time_hour", *provenance])
    for name in ("origin", "carrier"):
        inputs[name] = inputs[name].astype("category")
    learner = HistGradientBoostingRegressor(random_state=0, categorical_features="from_dtype")
    learner.fit(inputs, training_data[TARGET])
    return dg.MaterializeResult(
        metadata={"rows": len(training_data), "trees": int(learner.n_iter_)}
    )


train = dg.define_asset_job("train_arrival_delay", selection=[model])
