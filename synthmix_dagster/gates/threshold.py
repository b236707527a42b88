"""What a measured gap is compared with: a number, a multiple of the floor, or the critical gap."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Compare = Literal["estimate", "upper", "lower"]
Severity = Literal["ERROR", "WARN"]

#: Checks of a distance, and the option that turns each into a gate.
GATES: Mapping[str, str] = {
    "wasserstein_gap": "threshold",
    "conditional_gap": "conditional_threshold",
    "class_gap": "class_threshold",
    "classifier_accuracy": "classifier_threshold",
    "distinct_rows": "min_distinct_share",
}
#: Those whose threshold is a minimum.
MINIMA = frozenset({"distinct_rows"})

_MULTIPLE = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*[x*]\s*floor\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Threshold:
    """Maximum acceptable gap.

    Attributes
    ----------
    kind : {"number", "floor", "auto"}
        Real standard deviations, a multiple of the floor, or the gap at which the stability bound
        takes no synthetic rows.
    value : float
        The number or the multiple; 1 for ``auto``.
    """

    kind: Literal["number", "floor", "auto"]
    value: float = 1.0

    @classmethod
    def parse(cls, value: "float | str | Threshold") -> "Threshold":
        """Read a threshold as users write it; one that was read already stays as it is.

        Raises
        ------
        ValueError
            It is not a number of 0 or more, a multiple of the floor, or ``auto``.

        Examples
        --------
        >>> Threshold.parse(0.25), Threshold.parse("3 x floor"), Threshold.parse("auto").kind
        (Threshold(kind='number', value=0.25), Threshold(kind='floor', value=3.0), 'auto')
        """
        if isinstance(value, Threshold):
            return value
        if isinstance(value, str):
            if value.strip().lower() == "auto":
                return cls("auto")
            if multiple := _MULTIPLE.fullmatch(value):
                return cls("floor", float(multiple[1]))
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = math.nan
        if not (math.isfinite(number) and number >= 0):
            raise ValueError(
                f"it is {value!r}. Set it to a number of 0 or more, to '3 x floor' or to 'auto'"
            )
        return cls("number", number)

    def __str__(self) -> str:
        if self.kind == "number":
            return f"{self.value:g}"
        return "auto" if self.kind == "auto" else f"{self.value:g} x floor"

    def limit(self, floor: float = math.nan, critical_gap: float | None = None) -> float | None:
        """The number a gap is compared with; None while what it depends on is unknown.

        Parameters
        ----------
        floor : float, optional
            Gap that two samples of real rows would show.
        critical_gap : float, optional
            Of the recommendation; ``auto`` needs it.
        """
        if self.kind == "number":
            return self.value
        if self.kind == "floor":
            return self.value * floor if math.isfinite(floor) else None
        # If the loss does not depend on the rows, no gap is critical.
        return critical_gap if critical_gap is not None and math.isfinite(critical_gap) else None


@dataclass(frozen=True)
class Gate:
    """One check of a measured distance.

    Attributes
    ----------
    name : str
        Name of the check: one of `GATES`.
    threshold : Threshold
        The largest number that passes; for ``distinct_rows`` the smallest.
    warn : Threshold, optional
        Above it the check warns; nothing is stopped.
    compare : {"estimate", "upper", "lower"}
        What is compared: the estimate, or an end of its 95 % interval. ``upper`` stops a release
        until the gap is known to be small, ``lower`` until it is known to be large.
    severity : {"ERROR", "WARN"}
        Severity of a gap above `threshold`.
    """

    name: str
    threshold: Threshold
    warn: Threshold | None = None
    compare: Compare = "estimate"
    severity: Severity = "ERROR"

    def compared(self, gap: float, interval: tuple[float, float] | None) -> float | None:
        """What is compared with the threshold; None where there is no interval to take it from."""
        if self.compare == "estimate":
            return gap
        return None if interval is None else interval[self.compare == "upper"]
