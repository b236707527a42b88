"""The Python front door: a classification mix read from a CSV file and a folder of Parquet."""

from example_repo.flights import home
from synthmix_dagster import build_synthmix_defs

defs = build_synthmix_defs(
    name="late_arrival",
    real={"path": str(home() / "landing" / "labelled.csv"), "deps": ["flights/landing"]},
    synthetic={"path": str(home() / "landing" / "generated"), "deps": ["flights/landing"]},
    target="late",
    task="classification",
    stratify="late",
    threshold=0.35,
    conditional_threshold=0.2,
    output_root=str(home() / "mixes"),
)
