"""The evidence of a release: the results that led to it, as its manifest keeps them.

Written and read here alone, so that whoever shows a release knows the words of whoever made it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from synthmix_dagster.distance.report import DistanceReport
from synthmix_dagster.errors import ConfigError, GateError
from synthmix_dagster.gate import GATES, Verdict
from synthmix_dagster.ratio.recommendation import Recommendation

_DISTANCE, _RECOMMENDATION = "distribution_distance", "optimal_ratio"


@dataclass(frozen=True)
class Evidence:
    """The evidence of one release.

    Attributes
    ----------
    mix : str
        Name of the mix, empty where it has none.
    distance : DistanceReport, optional
        None where it was not measured, or cannot be read.
    recommendation : Recommendation, optional
        None where there was none, or it cannot be read.
    thresholds : mapping of str to float
        By gate.
    checks : mapping of str to Verdict
        What every gate said.
    unread : tuple of str
        What is there but cannot be read, as another version wrote it.
    """

    mix: str = ""
    distance: DistanceReport | None = None
    recommendation: Recommendation | None = None
    thresholds: Mapping[str, float] = field(default_factory=dict)
    checks: Mapping[str, Verdict] = field(default_factory=dict)
    unread: tuple[str, ...] = ()

    @classmethod
    def judged(
        cls,
        mix: str,
        distance: DistanceReport | None,
        recommendation: Recommendation | None,
        thresholds: Mapping[str, float],
    ) -> "Evidence":
        """Judge a distance by every gate that has a threshold.

        Raises
        ------
        ConfigError
            There is a threshold, but no distance to judge.
        GateError
            A gate fails: there must be no release.
        """
        if thresholds and distance is None:
            raise ConfigError(
                "there is no distance that it could be the threshold of",
                option="threshold",
                fix="Pass what 'measure_distance' found for these rows as 'distance'",
            )
        checks = {}
        for gate, most in thresholds.items():
            if distance is not None:
                checks[gate] = GATES[gate](distance, most)
        for gate, verdict in checks.items():
            if not verdict.passed:
                raise GateError(
                    f"release refused, the check '{gate}' failed. {verdict.sentence}",
                    mix=mix,
                    fix="No release was touched",
                )
        return cls(mix, distance, recommendation, thresholds, checks)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON-serialisable values, without what there is nothing of."""
        results = {_DISTANCE: self.distance, _RECOMMENDATION: self.recommendation}
        checks = {
            gate: {"passed": verdict.passed, "sentence": verdict.sentence}
            for gate, verdict in self.checks.items()
        }
        found = {"mix": self.mix, "thresholds": dict(self.thresholds), "checks": checks}
        return {
            **{key: value for key, value in found.items() if value},
            **{key: result.to_dict() for key, result in results.items() if result is not None},
        }

    @classmethod
    def of(cls, manifest: Mapping[str, Any]) -> "Evidence":
        """Read the evidence of a manifest, whatever of it there is."""
        found, unread = manifest["evidence"], list[str]()
        return cls(
            mix=str(found.get("mix", "")),
            distance=_read(DistanceReport, found, _DISTANCE, unread),
            recommendation=_read(Recommendation, found, _RECOMMENDATION, unread),
            thresholds=dict(found.get("thresholds", {})),
            checks={
                gate: Verdict(bool(check.get("passed")), str(check.get("sentence", "")))
                for gate, check in sorted(found.get("checks", {}).items())
            },
            unread=tuple(unread),
        )


def _read(kind: Any, found: Mapping[str, Any], name: str, unread: list[str]) -> Any:
    """A result of that kind; one that an older or newer version wrote may lack what it needs."""
    if name not in found:
        return None
    try:
        return kind.from_dict(found[name])
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        unread.append(name)
        return None
