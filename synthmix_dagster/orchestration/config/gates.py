"""What stops a release: thresholds, what is compared with them, and how each check acts."""

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any

import dagster as dg
from pydantic import field_validator, model_validator

from synthmix_dagster.errors import did_you_mean
from synthmix_dagster.gates.threshold import GATES, Compare, Gate, Severity, Threshold
from synthmix_dagster.orchestration.config.base import Settings, by_name
from synthmix_dagster.orchestration.config.contract import ContractConfig

#: Checks whose severity and blocking can be set, and what they are by default.
DEFAULTS: Mapping[str, tuple[Severity, bool]] = {
    "wasserstein_gap": ("ERROR", True),
    "conditional_gap": ("ERROR", True),
    "class_gap": ("ERROR", True),
    "classifier_accuracy": ("ERROR", True),
    "distinct_rows": ("ERROR", True),
    # Of what the real rows suggest; what somebody states is enforced.
    "schema_matches": ("WARN", False),
    "memorisation": ("WARN", False),
    "recommendation_usable": ("WARN", False),
    "mix_as_recommended": ("ERROR", True),
}


class CheckConfig(Settings):
    """How one check acts.

    Attributes
    ----------
    severity : {"ERROR", "WARN"}, optional
        Severity of a failure. A gate that only warns stops no release.
    blocking : bool, optional
        Whether a failure of severity ERROR stops everything downstream in the run, and the release.
    """

    severity: Severity | None = None
    blocking: bool | None = None


class GateConfig(Settings):
    """What stops a release.

    Attributes
    ----------
    threshold : float or str
        Maximum gap for a release, in real standard deviations; ``3 x floor`` for a multiple
        of the floor, or ``auto`` for the gap at which the stability bound takes no synthetic rows.
    warn_threshold : float or str, optional
        Maximum gap without a warning, written like `threshold`.
    conditional_threshold : float, optional
        Maximum conditional gap for a release: how far the target moved for given inputs.
    class_threshold : float, optional
        Maximum class gap for a release: how far the labels of the worst class moved.
    classifier_threshold : float, optional
        Maximum balanced accuracy, such as 0.6, with which a classifier may tell synthetic rows from
        real ones. It is trained only if this is set, which takes some seconds.
    min_distinct_share : float, optional
        Minimum share of distinct rows that the synthetic rows may count as.
    compare : {"estimate", "upper", "lower"}
        What is compared with a threshold: the estimate, or an end of its 95 % interval.
    contract : ContractConfig, optional
        What `schema_matches` holds both datasets to; by default it holds the synthetic rows to what
        the real ones look like, and warns.
    checks : mapping of str to CheckConfig
        Severity and blocking of checks, by their names.
    """

    threshold: Annotated[Threshold, dg.Resolver.default(model_field_type=float | str)]
    warn_threshold: Annotated[
        Threshold | None, dg.Resolver.default(model_field_type=float | str | None)
    ] = None
    conditional_threshold: Annotated[
        Threshold | None, dg.Resolver.default(model_field_type=float | str | None)
    ] = None
    class_threshold: Annotated[
        Threshold | None, dg.Resolver.default(model_field_type=float | str | None)
    ] = None
    classifier_threshold: Annotated[
        Threshold | None, dg.Resolver.default(model_field_type=float | str | None)
    ] = None
    min_distinct_share: Annotated[
        Threshold | None, dg.Resolver.default(model_field_type=float | str | None)
    ] = None
    compare: Compare = "estimate"
    contract: ContractConfig | None = None
    checks: Annotated[Mapping[str, CheckConfig], by_name(CheckConfig)] = {}

    @field_validator("warn_threshold", *GATES.values(), mode="before")
    @classmethod
    def _parsed_once(cls, value: Any) -> Threshold | None:
        return None if value is None else Threshold.parse(value)

    @field_validator(
        "conditional_threshold", "class_threshold", "classifier_threshold", "min_distinct_share"
    )
    @classmethod
    def _is_a_number(cls, value: Threshold | None) -> Threshold | None:
        if value is not None and value.kind != "number":
            raise ValueError(f"it is '{value}'. Set it to a number of 0 or more")
        return value

    @field_validator("classifier_threshold", "min_distinct_share")
    @classmethod
    def _is_a_share(cls, value: Threshold | None) -> Threshold | None:
        if value is not None and value.value > 1:
            raise ValueError(f"it is {value}. Set it to a number from 0 to 1")
        return value

    @field_validator("checks")
    @classmethod
    def _known(cls, value: Mapping[str, CheckConfig]) -> Mapping[str, CheckConfig]:
        for name in value:
            if name not in DEFAULTS:
                raise ValueError(f"unknown check '{name}'. {did_you_mean(name, DEFAULTS)}")
        return value

    @model_validator(mode="after")
    def _warns_before_it_fails(self) -> "GateConfig":
        warn, fail = self.warn_threshold, self.threshold
        if warn is not None and warn.kind == fail.kind and warn.value >= fail.value:
            raise ValueError(
                f"'warn_threshold' ({warn}) is not below 'threshold' ({fail}). Lower it"
            )
        return self

    def acts(self, check: str) -> tuple[Severity, bool]:
        """Severity of a failing check, and whether it is blocking."""
        severity, blocking = DEFAULTS[check]
        if check == "schema_matches" and self.contract is not None:
            severity, blocking = "ERROR", True
        said = self.checks.get(check, CheckConfig())
        return said.severity or severity, blocking if said.blocking is None else said.blocking

    def stops(self, check: str) -> bool:
        """Whether a release is refused while a check fails."""
        return self.acts(check) == ("ERROR", True)

    @cached_property
    def gates(self) -> list[Gate]:
        """The gates that are set."""
        return [
            Gate(
                name,
                threshold,
                self.warn_threshold if name == "wasserstein_gap" else None,
                self.compare,
                self.acts(name)[0],
            )
            for name, option in GATES.items()
            if (threshold := getattr(self, option)) is not None
        ]

    def measured_for_gates(self) -> dict[str, Any]:
        """Options of `measure_distance` that only a gate asks for."""
        return {} if self.classifier_threshold is None else {"classifier": True}

    @property
    def judged_after_ratio(self) -> bool:
        """Whether the gate needs the recommendation."""
        return any(gate.threshold.kind == "auto" for gate in self.gates)
