"""The Python front door: a mix read from a CSV file and a folder of Parquet, with a rare class."""

from example_repo.digits import home
from synthmix_dagster import build_synthmix_defs

defs = build_synthmix_defs(
    name="eights",
    real={"path": str(home() / "landing" / "labelled.csv"), "deps": ["images/landing"]},
    synthetic={"path": str(home() / "landing" / "generated"), "deps": ["images/landing"]},
    target="eight",
    task="classification",
    stratify="eight",
    threshold=0.6,
    conditional_threshold=0.2,
    output_root=str(home() / "mixes"),
)
