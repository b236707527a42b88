"""Draw two pictures of the docs again: drift, simulated with a change on a known day, and a report.

    python -m benchmarks.pictures [--folder docs/images] [--report RELEASE/report.html]

The report is that of the demo (`make demo`), as Chromium shows it.

Seventy daily batches: a new version of the generator after twenty, and a change of it after fifty;
scores of blocks and batches are drawn, not measured.
"""

import argparse
import os
import subprocess
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from synthmix_dagster.display.rendering import png
from synthmix_dagster.drift.history import Batch, Observation
from synthmix_dagster.drift.monitor import judge_history
from synthmix_dagster.drift.series import Unit

UNITS: dict[str, Unit] = {"gap": "batch", "generator": "block", "reality": "batch"}
DAYS, NEW_VERSION, CHANGE = 70, 20, 50
#: Squared distance of each series before and after the change.
LEVELS = {"gap": (0.035, 0.2), "generator": (0.003, 0.12), "reality": (0.06, 0.06)}


def history() -> list[Batch]:
    """Batches as they would be read back from Dagster."""
    rng = np.random.default_rng(3)
    batches = []
    for day in range(DAYS):
        version = "v1" if day < NEW_VERSION else "v2"
        terms = {"generator_version": version}
        series = {}
        for name, levels in LEVELS.items():
            square = float(levels[day >= CHANGE] + 0.01 * rng.standard_normal())
            series[name] = Observation(
                square,
                1_000,
                f"{name} {day}",
                {} if name == "reality" else terms,
                blocks=tuple((square + 0.03 * rng.standard_normal(32)).tolist()),
                columns={"age": square * 0.7, "income": square * 0.3},
                floor=0.28 + 0.03 * float(rng.standard_normal()) if name == "gap" else None,
            )
        label = (date(2026, 1, 1) + timedelta(days=day)).isoformat()
        batches.append(Batch(label, label, label, day, float(day), version, series))
    return batches


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=Path("docs/images"))
    parser.add_argument("--report", type=Path, help="Report of a release, for a picture of it.")
    arguments = parser.parse_args()
    if arguments.report is not None:
        _photograph(arguments.report, arguments.folder / "report.png")
    report = judge_history(history(), units=UNITS, delta=0.01, threshold=0.5)
    print(report.sentence)
    picture = arguments.folder / "drift.png"
    picture.write_bytes(png(report.plot()[0].figure))
    return 0


def _photograph(page: Path, picture: Path) -> None:
    """Take a picture of the upper part of a page."""
    # Containers run as root, where the sandbox cannot start.
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
    subprocess.run(
        [
            *("chromium", "--headless=new", "--disable-gpu", "--hide-scrollbars", *as_root),
            *("--window-size=800,720", f"--screenshot={picture.resolve()}"),
            page.resolve().as_uri(),
        ],
        check=True,
        capture_output=True,
    )


if __name__ == "__main__":
    raise SystemExit(main())
