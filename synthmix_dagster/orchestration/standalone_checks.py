"""Only the gate, between two assets that a project already has."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import dagster as dg

from synthmix_dagster.orchestration.config.base import validated
from synthmix_dagster.orchestration.config.dataset import DatasetConfig
from synthmix_dagster.orchestration.config.pair import PairConfig
from synthmix_dagster.orchestration.failures import at_the_edge
from synthmix_dagster.orchestration.partitions import partitions_of, require_apart


def build_synthmix_checks(**options: Any) -> list[dg.AssetChecksDefinition]:
    """Build checks that compare one existing asset with another, and nothing else.

    Parameters
    ----------
    **options
        The fields of `PairConfig`. ``synthetic`` and ``real`` are keys of assets, of any I/O
        manager; ``real`` may also be ``{"path": "data/real.parquet"}``.

    Returns
    -------
    list of AssetChecksDefinition
        One step with the checks ``wasserstein_gap``, ``conditional_gap`` where it has a threshold,
        and ``schema_matches``. By default a gap over its threshold blocks everything downstream of
        the synthetic asset in its run.

    Raises
    ------
    ConfigError
        An option is unknown, missing or wrong.

    Examples
    --------
    >>> (checks,) = build_synthmix_checks(
    ...     synthetic="warehouse/generated", real="warehouse/customers", threshold=0.25
    ... )
    >>> sorted(key.name for key in checks.check_keys)
    ['schema_matches', 'wasserstein_gap']
    """
    config = validated(PairConfig, options, "checks")

    def compare(
        context: dg.AssetCheckExecutionContext, **frames: Any
    ) -> Iterator[dg.AssetCheckResult]:
        from synthmix_dagster.orchestration.check_results import check_result, judge_partitions
        from synthmix_dagster.orchestration.check_steps import judge_pair

        one = config.partitions_def is None
        partitions = [None] if one else partitions_of(context.op_execution_context)
        with at_the_edge():
            if not one:
                require_apart(context.op_execution_context, frames, config.at(None))
            judge = partial(judge_pair, config)
            judged = judge_partitions(config.names, partitions, frames, judge, judged_again=False)
        for name, each in judged.items():
            yield check_result(each, check_name=name, asset_key=key)

    ins = {
        name: dg.AssetIn(source.asset)
        for name, source in config.at(None).items()
        if source.asset is not None
    }
    real = config.real.dependency
    key = config.synthetic.asset or dg.AssetKey("synthetic")
    specs = [
        dg.AssetCheckSpec(
            name,
            asset=key,
            description=f"Compares with {_place(config.real)}.",
            additional_deps=list(config.real.deps) if real is None else [real],
            blocking=config.acts(name)[1],
            partitions_def=config.partitions_def,
        )
        for name in config.names
    ]
    return [dg.multi_asset_check(name="__".join([*key.path, "gap"]), specs=specs, ins=ins)(compare)]


def _place(source: DatasetConfig) -> str:
    return source.path or (source.asset.to_user_string() if source.asset else "the real rows")
