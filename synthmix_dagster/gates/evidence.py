"""The evidence of a release: the results that led to it, as its manifest keeps them.

Written and read here alone, so that whoever shows a release knows the words of whoever made it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from synthmix_dagster.distance.report import DistanceReport
from synthmix_dagster.errors import ConfigError, GateError
from synthmix_dagster.gates.threshold import Gate, Threshold
from synthmix_dagster.gates.verdicts import Verdict, judge
from synthmix_dagster.ratio.recommendation import Recommendation

#: Checks of a distance that a threshold turns into gates.
GATES = ("wasserstein_gap", "conditional_gap")
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
    overrides : mapping
        What was set for one run only, such as the reason to release although a gate failed.
    unread : tuple of str
        What is there but cannot be read, as another version wrote it.
    """

    mix: str = ""
    distance: DistanceReport | None = None
    recommendation: Recommendation | None = None
    thresholds: Mapping[str, float] = field(default_factory=dict)
    checks: Mapping[str, Verdict] = field(default_factory=dict)
    overrides: Mapping[str, Any] = field(default_factory=dict)
    unread: tuple[str, ...] = ()

    @classmethod
    def judged(
        cls,
        mix: str,
        distance: DistanceReport | None,
        recommendation: Recommendation | None,
        gates: Sequence[Gate],
    ) -> "Evidence":
        """Judge a distance by every gate.

        Raises
        ------
        ConfigError
            There is a threshold, but no distance to judge.
        GateError
            A gate fails: there must be no release.
        """
        if not gates:
            return cls(mix, distance, recommendation)
        if distance is None:
            raise ConfigError(
                "there is no distance that it could be the threshold of",
                option="threshold",
                fix="Pass what 'measure_distance' found for these rows as 'distance'",
            )
        critical = None if recommendation is None else recommendation.critical_gap
        checks = {gate.name: judge(gate, distance, critical) for gate in gates}
        for gate, verdict in checks.items():
            if not verdict.passed:
                raise GateError(
                    f"release refused, the check '{gate}' failed. {verdict.sentence}",
                    mix=mix,
                    fix="No release was touched",
                )
        limits = {name: v.limit for name, v in checks.items() if v.limit is not None}
        return cls(mix, distance, recommendation, limits, checks)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON-serialisable values, without what there is nothing of."""
        results = {_DISTANCE: self.distance, _RECOMMENDATION: self.recommendation}
        checks = {
            gate: {
                "passed": verdict.passed,
                "sentence": verdict.sentence,
                **({} if verdict.passed else {"severity": verdict.severity}),
            }
            for gate, verdict in self.checks.items()
        }
        found = {
            "mix": self.mix,
            "thresholds": dict(self.thresholds),
            "checks": checks,
            "overrides": dict(self.overrides),
        }
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
                gate: Verdict(
                    bool(check.get("passed")),
                    str(check.get("sentence", "")),
                    "WARN" if check.get("severity") == "WARN" else "ERROR",
                )
                for gate, check in sorted(found.get("checks", {}).items())
            },
            overrides=dict(found.get("overrides", {})),
            unread=tuple(unread),
        )


def gates_of(
    threshold: float | str | None, conditional_threshold: float | None = None
) -> list[Gate]:
    """The gates that a user asks for by thresholds.

    Parameters
    ----------
    threshold : float or str, optional
        See `Threshold.parse`.
    conditional_threshold : float, optional

    Raises
    ------
    ConfigError
        It cannot be read.

    Examples
    --------
    >>> [gate.name for gate in gates_of("3 x floor")]
    ['wasserstein_gap']
    """
    options = {"threshold": threshold, "conditional_threshold": conditional_threshold}
    gates = []
    for name, (option, said) in zip(GATES, options.items(), strict=True):
        if said is None:
            continue
        try:
            gates.append(Gate(name, Threshold.parse(said)))
        except ValueError as error:
            problem, _, fix = str(error).partition(". ")
            raise ConfigError(problem, option=option, fix=fix) from None
    return gates


def _read(kind: Any, found: Mapping[str, Any], name: str, unread: list[str]) -> Any:
    """A result of that kind; one that an older or newer version wrote may lack what it needs."""
    if name not in found:
        return None
    try:
        return kind.from_dict(found[name])
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        unread.append(name)
        return None
