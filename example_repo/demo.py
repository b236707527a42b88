"""The whole job on handwritten digits, in a real Dagster instance: ``python -m example_repo.demo``.

Two generators apply for the same release. The decent one gets it. The broken one is refused, in the
run that measures it and again when its training data is asked for alone, and the release that the
decent one got stays as it was.
"""

import argparse
import os
import re
import sys
import time
from pathlib import Path

import dagster as dg
import pandas as pd
from rich.console import Console
from rich.markup import escape

from example_repo.digits import home, split
from example_repo.learner import error
from example_repo.runs import WIDTH, Refusal, Runs, UnexpectedError
from example_repo.tables import Measured, evidence_tables, refusal_text, warning_text
from synthmix_dagster import Recommendation, Release, verify_release
from synthmix_dagster.display.rendering import png
from synthmix_dagster.display.style import legend_below
from synthmix_dagster.ratio.display import plot_risk_curve

MIX, CANDIDATE, FILES = "digits", "digits_candidate", "eights"
#: Synthetic rows per real row at which a model is trained afterwards.
RATIOS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
MEASURED = "#b8431e"


def main() -> int:
    """Run the demo; anything but the one intended refusal is an error."""
    parser = argparse.ArgumentParser(prog="python -m example_repo.demo", description=main.__doc__)
    parser.add_argument(
        "--pictures", type=Path, metavar="FOLDER", help="also write the pictures of the docs there"
    )
    pictures: Path | None = parser.parse_args().pictures
    started = time.monotonic()
    console = Console(highlight=False, width=WIDTH, record=True)
    instance_home = home() / "dagster_home"
    instance_home.mkdir(parents=True, exist_ok=True)
    (instance_home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n", encoding="utf-8")
    os.environ["DAGSTER_HOME"] = str(instance_home)
    with dg.DagsterInstance.get() as instance:
        runs = Runs(instance, console)
        try:
            released, refusal, decent, broken = whole_job(runs)
        except UnexpectedError as error:
            console.print(f"\n[bold red]The demo failed.[/] {escape(str(error))}")
            return 1
        console.print(
            "\n[bold]7. Who was right? Models trained on each mix, judged on held-out digits[/]"
        )
        measured = afterwards(released, decent, broken)
    recommendation = Recommendation.from_dict(released.manifest["evidence"]["optimal_ratio"])
    picture = save_picture(recommendation, measured)
    for table in evidence_tables(released, recommendation, refusal.gate, measured):
        console.print(table)
    console.print(refusal_text(refusal.reason, released))
    console.print(
        f"\nPicture of the risk curve: {os.path.relpath(picture)}\n"
        f"Done in {time.monotonic() - started:.0f} s. See it all in Dagster: [bold]make ui[/]"
    )
    if pictures is not None:
        (pictures / "risk_curve.png").write_bytes(picture.read_bytes())
        (pictures / "demo.svg").write_text(recording(console), encoding="utf-8")
    return 0


def whole_job(runs: Runs) -> tuple[Release, Refusal, pd.DataFrame, pd.DataFrame]:
    """Prepare, release, refuse twice, and make sure that the release is still there.

    Returns the release, the refusal, and the rows of the decent and the broken generator.
    """
    output = home() / "mixes" / MIX
    made = runs.expect_success("1. Real digits, and two generators of digits", "prepare_images")
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
    second = runs.expect_success(
        "6. A second mix, from CSV and Parquet files, in Python", f"{FILES}_job"
    )
    runs.say(warning_text(second.get_asset_check_evaluations()))
    decent, broken = (
        made.asset_value(dg.AssetKey(["images", name]))
        for name in ("generated", "generated_candidate")
    )
    return released, Refusal(gate, reason), decent, broken


def afterwards(released: Release, decent: pd.DataFrame, broken: pd.DataFrame) -> Measured:
    """Train on one training set a ratio, and judge every model on digits nobody saw."""
    held_out = split()[2]
    mixed = pd.read_parquet(released.path / "data")
    real = mixed[mixed["synthmix_source"] == "real"]
    chosen = float(released.manifest["realised"]["ratio"])
    errors = {
        ratio: error(
            pd.concat([real, decent.iloc[: round(ratio * len(real))]], ignore_index=True), held_out
        )
        for ratio in RATIOS
    }
    errors[chosen] = error(mixed, held_out)
    everything = pd.concat([real, broken], ignore_index=True)
    return Measured(chosen, errors, error(everything, held_out))


def save_picture(recommendation: Recommendation, measured: Measured) -> Path:
    """Draw the predicted curve, and on it what was measured once models had been trained."""
    axes = plot_risk_curve(recommendation)
    ratios = sorted(measured.errors)
    axes.plot(
        ratios,
        [measured.errors[ratio] for ratio in ratios],
        "D",
        color=MEASURED,
        label="measured afterwards on 1,097 held-out digits",
    )
    for legend in axes.figure.figure.legends:
        legend.remove()
    legend_below(axes)
    path = home() / "risk_curve.png"
    path.write_bytes(png(axes))
    return path


def recording(console: Console) -> str:
    """What the console showed, as an SVG that fetches nothing: the reader's own fonts draw it."""
    drawn = console.export_svg(title="make demo", unique_id="demo")
    return re.sub(r"@font-face\s*{.*?}", "", drawn, flags=re.DOTALL)


if __name__ == "__main__":
    sys.exit(main())
