"""What stops a release: thresholds, what is compared with them, and how each check acts."""

from collections.abc import Mapping
from typing import Annotated, Any

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
        Of a failure. A gate that only warns stops no release.
    blocking : bool, optional
        Whether a failure of severity ERROR stops what follows in the run, and the release.
    """

    severity: Severity | None = None
    blocking: bool | None = None


class GateConfig(Settings):
    """What stops a release.

    Attributes
    ----------
    threshold : float or str
        Largest gap that may be released, in real standard deviations; ``3 x floor`` for a multiple
        of the floor, or ``auto`` for the gap at which the stability bound takes no synthetic rows.
    warn_threshold : float or str, optional
        Largest gap without a warning, written like `threshold`.
    conditional_threshold : float, optional
        Largest conditional gap that may be released: how far the target moved for given inputs.
    class_threshold : float, optional
        Largest class gap that may be released: how far the labels of the worst class moved.
    classifier_threshold : float, optional
        Largest balanced accuracy, such as 0.6, with which a classifier may tell synthetic rows from
        real ones. It is trained only if this is set, which takes some seconds.
    min_distinct_share : float, optional
        Smallest share of distinct rows that the synthetic rows may count as.
    compare : {"estimate", "upper", "lower"}
        What is compared with a threshold: the estimate, or an end of its 95 % interval.
    contract : ContractConfig, optional
        What `schema_matches` holds both datasets to; by default it holds the synthetic rows to what
        the real ones look like, and warns.
    checks : mapping of str to CheckConfig
        Severity and blocking of checks, by their names.
    """

    threshold: float | str
    warn_threshold: float | str | None = None
    conditional_threshold: float | None = None
    class_threshold: float | None = None
    classifier_threshold: float | None = None
    min_distinct_share: float | None = None
    compare: Compare = "estimate"
    contract: ContractConfig | None = None
    checks: Annotated[Mapping[str, CheckConfig], by_name(CheckConfig)] = {}

    @field_validator("threshold", "warn_threshold")
    @classmethod
    def _can_be_read(cls, value: Any) -> Any:
        if value is None:
            return None
        threshold = Threshold.parse(value)
        return threshold.value if threshold.kind == "number" else str(threshold)

    @field_validator("conditional_threshold", "class_threshold")
    @classmethod
    def _is_a_number(cls, value: float | None) -> float | None:
        return None if value is None else Threshold.parse(value).value

    @field_validator("classifier_threshold", "min_distinct_share")
    @classmethod
    def _is_a_share(cls, value: float | None) -> float | None:
        if value is not None and not 0 <= value <= 1:
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
        if self.warn_threshold is not None:
            warn, fail = Threshold.parse(self.warn_threshold), Threshold.parse(self.threshold)
            if warn.kind == fail.kind and warn.value >= fail.value:
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

    @property
    def gates(self) -> list[Gate]:
        """The gates that are set."""
        warn = None if self.warn_threshold is None else Threshold.parse(self.warn_threshold)
        severity, _ = self.acts("wasserstein_gap")
        threshold = Threshold.parse(self.threshold)
        gates = [Gate("wasserstein_gap", threshold, warn, self.compare, severity)]
        for name, option in GATES.items():
            limit = getattr(self, option)
            if name != "wasserstein_gap" and limit is not None:
                severity, _ = self.acts(name)
                number = Threshold("number", limit)
                gates.append(Gate(name, number, None, self.compare, severity))
        return gates

    def measured_for_gates(self) -> dict[str, Any]:
        """Options of `measure_distance` that only a gate asks for."""
        return {} if self.classifier_threshold is None else {"classifier": True}

    @property
    def judged_after_ratio(self) -> bool:
        """Whether the gate needs the recommendation."""
        return any(gate.threshold.kind == "auto" for gate in self.gates)
