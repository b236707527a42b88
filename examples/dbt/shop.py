"""A dbt project on DuckDB: two models are mixed every morning, the release comes back as a table.

customers, generated (dbt) → churn (the mix) → analytics.churn_training → training_summary (dbt)
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DbtCliResource, DbtProject, dbt_assets
from dagster_duckdb import DuckDBResource

from synthmix_dagster import build_synthmix_defs

HERE = Path(__file__).parent
#: Where the database, the releases and what dbt writes are kept.
PLACE = Path(os.environ.get("SHOP_PLACE", HERE / ".shop")).resolve()
PLACE.mkdir(parents=True, exist_ok=True)
os.environ.setdefault("SHOP_DATABASE", str(PLACE / "shop.duckdb"))

project = DbtProject(project_dir=HERE, profiles_dir=HERE, target_path=PLACE / "target")
if not project.manifest_path.exists():
    project.preparer.prepare(project)


@dbt_assets(manifest=project.manifest_path, project=project, select="customers generated")
def models(context: dg.AssetExecutionContext, dbt: DbtCliResource) -> Iterator[Any]:
    """The tables that are mixed."""
    yield from dbt.cli(["build"], context=context).stream()


@dbt_assets(manifest=project.manifest_path, project=project, select="training_summary")
def summaries(context: dg.AssetExecutionContext, dbt: DbtCliResource) -> Iterator[Any]:
    """What is made of the release."""
    yield from dbt.cli(["build"], context=context).stream()


mix = build_synthmix_defs(
    name="churn",
    real={
        "query": "select * exclude (id) from customers",
        "connection": "warehouse",
        "deps": ["customers"],
    },
    synthetic={"table": "main.generated", "connection": "warehouse", "deps": ["generated"]},
    target="churned",
    task="classification",
    threshold=0.35,
    conditional_threshold=0.2,
    output_root=str(PLACE / "mixes"),
    publish={"table": "analytics.churn_training", "connection": "warehouse"},
)

every_morning = dg.ScheduleDefinition(
    job=dg.define_asset_job("training_data_of_the_day", dg.AssetSelection.all()),
    cron_schedule="0 6 * * *",
)

defs = dg.Definitions.merge(
    mix,
    dg.Definitions(
        assets=[models, summaries],
        schedules=[every_morning],
        resources={
            "dbt": DbtCliResource(project_dir=project),
            "warehouse": DuckDBResource(database=os.environ["SHOP_DATABASE"]),
        },
        # A file of DuckDB has one writer at a time.
        executor=dg.in_process_executor,
    ),
)
