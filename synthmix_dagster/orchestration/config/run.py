"""Run configuration: what the launchpad or a schedule may set for a single run."""

from collections.abc import Mapping

import dagster as dg
from pydantic import Field, ValidationError

from synthmix_dagster.errors import ConfigError

Count = int | None


class MeasureRun(dg.Config):
    """What is measured and recommended with, in `distribution_distance` and `optimal_ratio`."""

    sample_rows: Count = Field(None, ge=1, description="Maximum rows of each side to measure.")
    seed: Count = Field(None, ge=0, description="Seed for everything random.")


class GateRun(dg.Config):
    """Thresholds in place of the configured ones, in the step that judges them."""

    threshold: float | None = Field(None, ge=0, description="Maximum gap for a release.")
    conditional_threshold: float | None = Field(
        None, ge=0, description="Maximum conditional gap for a release."
    )
    class_threshold: float | None = Field(
        None, ge=0, description="Maximum class gap for a release."
    )
    classifier_threshold: float | None = Field(
        None, ge=0, le=1, description="Maximum accuracy of a classifier for a release."
    )
    min_distinct_share: float | None = Field(
        None, ge=0, le=1, description="Minimum share of distinct synthetic rows."
    )


class ReleaseRun(GateRun):
    """For `training_data`."""

    ratio: float | None = Field(
        None, ge=0, description="Synthetic rows per real row; overrides the recommended ratio."
    )
    seed: Count = Field(None, ge=0, description="Seed for the selection and the order of rows.")
    release_anyway: str | None = Field(
        None,
        min_length=1,
        description="Reason to release although a gate failed; it is stored in the manifest.",
    )


RunConfig = MeasureRun | GateRun | ReleaseRun

#: What each asset takes, by its role; the thresholds of gates in its step come on top.
RUN_CONFIGS: Mapping[str, type[MeasureRun] | type[ReleaseRun]] = {
    "distribution_distance": MeasureRun,
    "optimal_ratio": MeasureRun,
    "training_data": ReleaseRun,
}


def overrides(schema: type[RunConfig], given: object) -> dict[str, object]:
    """Validate the part of one schema in the configuration of a step; return what was set in it.

    Raises
    ------
    ConfigError
        The first value that is wrong.

    Examples
    --------
    >>> overrides(MeasureRun, {"seed": 3, "sample_rows": None})
    {'seed': 3}
    """
    values = given if isinstance(given, dict) else {}
    values = {name: value for name, value in values.items() if name in schema.model_fields}
    try:
        checked = schema(**values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ConfigError(
            first["msg"][0].lower() + first["msg"][1:],
            option=f"run config: {'.'.join(map(str, first['loc']))}",
            fix=f"It is {first['input']!r}; see the schema in the launchpad",
        ) from None
    return {name: value for name, value in checked.model_dump().items() if value is not None}
