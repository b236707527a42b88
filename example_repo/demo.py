"""The whole job on real flights, in a real Dagster instance: ``python -m example_repo.demo``.

Two generators apply for the same release. The decent one gets it. The broken one is refused, in the
run that measures it and again when its training data is asked for alone, and the release that the
decent one got stays as it was.
"""

import os
import sys
import time
from pathlib import Path

import dagster as dg
import pandas as pd
from rich.console import Console
from rich.markup import escape

from example_repo.flights import TARGET, all_flights, home, split
from example_repo.runs import WIDTH, Refusal, Runs, UnexpectedError
from example_repo.tables import evidence_tables, refusal_text
from synthmix_dagster import Recommendation, Release, verify_release
from synthmix_dagster.display.rendering import png
from synthmix_dagster.ratio.display import plot_risk_curve

MIX, CANDIDATE, FILES = "arrival_delay", "arrival_delay_candidate", "late_arrival"


def main() -> int:
    """Run the demo; anything but the one intended refusal is an error."""
    started = time.monotonic()
    console = Console(highlight=False, width=WIDTH)
    instance_home = home() / "dagster_home"
    instance_home.mkdir(parents=True, exist_ok=True)
    (instance_home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n", encoding="utf-8")
    os.environ["DAGSTER_HOME"] = str(instance_home)
    with dg.DagsterInstance.get() as instance:
        runs = Runs(instance, console)
        try:
            released, refusal, broken = whole_job(runs)
        except UnexpectedError as error:
            console.print(f"\n[bold red]The demo failed.[/] {escape(str(error))}")
            return 1
        console.print("\n[bold]7. Who was right? Boosted trees, judged on held-out flights[/]")
        measured = afterwards(released, broken)
    recommendation = Recommendation.from_dict(released.manifest["evidence"]["optimal_ratio"])
    picture = save_picture(recommendation)
    for table in evidence_tables(released, recommendation, refusal.gate, measured):
        console.print(table)
    console.print(refusal_text(refusal.reason, released))
    console.print(
        f"\nPicture of the risk curve: {os.path.relpath(picture)}\n"
        f"Done in {time.monotonic() - started:.0f} s. See it all in Dagster: [bold]make ui[/]"
    )
    return 0


def whole_job(runs: Runs) -> tuple[Release, Refusal, pd.DataFrame]:
    """Prepare, release, refuse twice, and make sure that the release is still there.

    Returns the release, the refusal, and the rows of the broken generator.
    """
    output = home() / "mixes" / MIX
    made = runs.expect_success("1. Real flights, and two generators of flights", "prepare_flights")
    runs.expect_success("2. The decent generator: measure, choose, mix, release", f"{MIX}_job")
    released = verify_release(output)
    runs.expect_success("3. A model trains on the release, its input", f"train_{MIX}")
    job = f"{CANDIDATE}_job"
    gate = runs.expect_refusal("4. The broken generator applies for its place", job, CANDIDATE)
    reason = runs.expect_refusal_alone(
        "5. Its training data is asked for alone, in a run of its own", job, CANDIDATE
    )
    if verify_release(output).release_id != released.release_id:
        raise UnexpectedError("The last good release is no longer the latest one.")
    runs.expect_success("6. A second mix, from CSV and Parquet files, in Python", f"{FILES}_job")
    broken = made.asset_value(dg.AssetKey(["flights", "generated_candidate"]))
    return released, Refusal(gate, reason), broken


def afterwards(released: Release, broken: pd.DataFrame) -> dict[str, float]:
    """Train boosted trees on three training sets and judge them on flights that nobody saw.

    Returns the error of each as a share of the target's variance: 0 is perfect.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor

    held_out = split(all_flights())[2]
    mixed = pd.read_parquet(released.path / "data")
    real = mixed[mixed["synthmix_source"] == "real"]
    sets = {
        "none": real,
        "recommended": mixed,
        "broken": pd.concat([real, broken], ignore_index=True),
    }
    levels = {name: sorted(held_out[name].unique()) for name in ("origin", "carrier")}

    def inputs(frame: pd.DataFrame) -> pd.DataFrame:
        columns = held_out.columns.drop([TARGET, "time_hour"])
        return frame[columns].assign(
            **{name: pd.Categorical(frame[name], known) for name, known in levels.items()}
        )

    errors = {}
    for name, rows in sets.items():
        model = HistGradientBoostingRegressor(random_state=0, categorical_features="from_dtype")
        model.fit(inputs(rows), rows[TARGET])
        missed = model.predict(inputs(held_out)) - held_out[TARGET]
        errors[name] = float((missed**2).mean() / held_out[TARGET].var())
    return errors


def save_picture(recommendation: Recommendation) -> Path:
    """Draw the risk curve next to everything else the demo wrote."""
    path = home() / "risk_curve.png"
    path.write_bytes(png(plot_risk_curve(recommendation)))
    return path


if __name__ == "__main__":
    sys.exit(main())
