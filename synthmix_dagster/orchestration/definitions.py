"""The Python front door: one call builds the definitions of one mix."""

from typing import Any

import dagster as dg

from synthmix_dagster.orchestration.assets import Mix, build_assets
from synthmix_dagster.orchestration.config.base import validated
from synthmix_dagster.orchestration.config.orchestration import IO_MANAGER_KEY
from synthmix_dagster.orchestration.directories import claim
from synthmix_dagster.orchestration.io_manager import io_manager_for
from synthmix_dagster.orchestration.schedules import build_job, build_schedules


def build_synthmix_defs(**options: Any) -> dg.Definitions:
    """Build assets, checks, job and schedule of one mix.

    Parameters
    ----------
    **options
        The fields of `synthmix_dagster.orchestration.config.mix.MixConfig`, the same as in YAML.
        ``real`` and ``synthetic`` are mappings such as ``{"path": "data/real.parquet"}`` or
        ``{"asset": "warehouse/flights"}``. Where YAML uses a template, as for
        ``partitions_def``, pass Dagster's own object.

    Returns
    -------
    Definitions

    Raises
    ------
    ConfigError
        An option is unknown, missing or wrong.

    Examples
    --------
    >>> defs = build_synthmix_defs(
    ...     name="flights",
    ...     real={"path": "real.parquet"},
    ...     synthetic={"path": "synthetic.parquet"},
    ...     target="delay",
    ...     task="regression",
    ...     threshold=0.25,
    ...     output_root="mixes",
    ... )
    >>> sorted(key.path[-1] for key in defs.resolve_all_asset_keys())
    ['distribution_distance', 'optimal_ratio', 'real', 'synthetic', 'training_data']
    """
    return definitions_of(validated(Mix, options, "mix"))


def definitions_of(mix: Mix) -> dg.Definitions:
    """Build the definitions of a validated mix.

    Raises
    ------
    ConfigError
        Its directory lies in that of another mix or monitor, or another's in it.
    """
    claim(mix)
    job = build_job(mix)
    brings_its_own = mix.io_manager_key == IO_MANAGER_KEY
    own = {mix.used_io_manager_key: io_manager_for(mix.storage)}
    return dg.Definitions(
        assets=build_assets(mix),
        jobs=[job],
        schedules=build_schedules(mix, job),
        resources=own if brings_its_own else None,
    )
