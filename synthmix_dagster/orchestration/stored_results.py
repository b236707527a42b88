"""Results that one step stores for another, each with the rows and settings it was computed from.

A result is used only for the same rows, settings and code: what is stale is refused, never reused.
"""

from collections.abc import Mapping
from typing import Any

from synthmix_dagster.distance.report import DistanceReport
from synthmix_dagster.errors import GateError
from synthmix_dagster.orchestration.config.mix import MixConfig
from synthmix_dagster.orchestration.inputs import Sides
from synthmix_dagster.orchestration.outcome import CODE_VERSION
from synthmix_dagster.orchestration.paths import MixPaths
from synthmix_dagster.ratio.recommendation import Recommendation


def overridden(config: MixConfig, overrides: Mapping[str, Any]) -> MixConfig:
    """The settings with those of a run in their place."""
    return config.model_copy(update=dict(overrides)) if overrides else config


def store(
    config: MixConfig,
    sides: Sides,
    role: str,
    overrides: Mapping[str, Any],
    result: Mapping[str, Any],
) -> None:
    """Record the result of a step with the rows and settings it belongs to."""
    origin = _origin(config, sides, role)
    MixPaths.of(config).records.write(
        role, {**origin, "overrides": dict(overrides), "result": dict(result)}
    )


def stored_distance(config: MixConfig, sides: Sides) -> DistanceReport:
    """The stored distance of these rows.

    Raises
    ------
    GateError
        There is none, or it belongs to other rows, settings or code.
    """
    return DistanceReport.from_dict(_fresh(config, sides, "distribution_distance"))


def stored_recommendation(config: MixConfig, sides: Sides) -> Recommendation:
    """The stored recommendation for these rows.

    Raises
    ------
    GateError
        There is none, or it belongs to other rows, settings or code.
    """
    return Recommendation.from_dict(_fresh(config, sides, "optimal_ratio"))


def _fresh(config: MixConfig, sides: Sides, role: str) -> dict[str, Any]:
    """A stored result, unless it is stale.

    Options set for the run that stored it are taken as they were set: its result is as good as any.
    """
    record = MixPaths.of(config).records.read(role)
    if record is None:
        problem = f"'{role}' was never materialised"
    elif record.get("code_version") != CODE_VERSION:
        problem = f"'{role}' was computed by another version of synthmix-dagster"
    else:
        origin = _origin(overridden(config, record["overrides"]), sides, role)
        if record["inputs"] != origin["inputs"]:
            problem = f"'{role}' was computed from different rows"
        elif record["settings"] != origin["settings"]:
            problem = f"'{role}' was computed with different settings"
        else:
            result: dict[str, Any] = record["result"]
            return result
    raise GateError(
        problem,
        mix=config.name,
        fix=f"Materialise '{config.asset_key(role).to_user_string()}' and everything downstream",
    )


def _origin(config: MixConfig, sides: Sides, role: str) -> dict[str, Any]:
    """What a result belongs to: these rows, these settings, this code."""
    measured = role == "distribution_distance"
    return {
        "code_version": CODE_VERSION,
        "inputs": {side.name: side.fingerprint for side in sides},
        "settings": config.measure_options() if measured else config.recommend_options(),
    }
