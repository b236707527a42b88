"""The evidence of a release: the results that led to it, as its manifest keeps them.

Written and read here alone, so that the report of a release and its writer agree on every name.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

from pydantic import TypeAdapter

from synthmix_dagster.distance.report import DistanceReport
from synthmix_dagster.errors import ConfigError
from synthmix_dagster.gates.threshold import GATES, Gate, Threshold
from synthmix_dagster.gates.verdicts import Verdict, judge
from synthmix_dagster.gates.waiver import Waiver, require_no_objection
from synthmix_dagster.ratio.answers import Answer, read_answer
from synthmix_dagster.ratio.recommendation import Recommendation

#: Names of the parts in a manifest.
_MIX, _THRESHOLDS, _CHECKS, _OVERRIDES = "mix", "thresholds", "checks", "overrides"
_DISTANCE, _RECOMMENDATION = "distribution_distance", "optimal_ratio"
_DISTANCES = "distribution_distances"
_UPSTREAM, _WAIVER, _CHAIN = "upstream_overrides", "waiver", "chain"

T = TypeVar("T")


@dataclass(frozen=True)
class Evidence:
    """The evidence of one release.

    Attributes
    ----------
    mix : str
        Name of the mix, empty where it has none.
    distance : DistanceReport, optional
        None if it was not measured or cannot be read.
    distances : mapping of str to DistanceReport
        Of each generator by its name, where there are several; `distance` is None then.
    recommendation : Recommendation or another answer, optional
        None if there was none or it cannot be read.
    thresholds : mapping of str to float
        By gate.
    checks : mapping of str to Verdict
        Verdict of every gate.
    overrides : mapping
        What was set for one run only, such as the reason to release although a gate failed.
    upstream_overrides : mapping of str to mapping
        What was set for one run only in the steps before, by the name of the result.
    waiver : Waiver, optional
        Why it was published although something forbade it.
    chain : mapping of str to str
        Digest of each stored result that the release rests on, by its name.
    unread : tuple of str
        Names of parts that cannot be read because another version wrote them.
    """

    mix: str = ""
    distance: DistanceReport | None = None
    recommendation: Answer | None = None
    thresholds: Mapping[str, float] = field(default_factory=dict)
    checks: Mapping[str, Verdict] = field(default_factory=dict)
    overrides: Mapping[str, Any] = field(default_factory=dict)
    upstream_overrides: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    waiver: Waiver | None = None
    chain: Mapping[str, str] = field(default_factory=dict)
    unread: tuple[str, ...] = ()
    distances: Mapping[str, DistanceReport] = field(default_factory=dict)

    @classmethod
    def judged(
        cls,
        mix: str,
        distance: DistanceReport | None,
        recommendation: Answer | None,
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
                "it needs a distance to judge",
                option="threshold",
                fix="Pass the report from measure_distance(...) for these rows as 'distance'",
            )
        critical = critical_gap_of(recommendation)
        checks = {gate.name: judge(gate, distance, critical) for gate in gates}
        require_no_objection(refusals(checks), None, mix=mix)
        limits = {name: v.limit for name, v in checks.items() if v.limit is not None}
        return cls(mix, distance, recommendation, limits, checks)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON-serialisable values, without what there is nothing of."""
        checks = {
            gate: {
                "passed": verdict.passed,
                "sentence": verdict.sentence,
                **({} if verdict.passed else {"severity": verdict.severity}),
            }
            for gate, verdict in self.checks.items()
        }
        values = {
            _MIX: self.mix,
            _THRESHOLDS: dict(self.thresholds),
            _CHECKS: checks,
            _OVERRIDES: dict(self.overrides),
            _UPSTREAM: {name: dict(each) for name, each in self.upstream_overrides.items()},
            _WAIVER: None if self.waiver is None else asdict(self.waiver),
            _CHAIN: dict(self.chain),
            _DISTANCE: None if self.distance is None else self.distance.to_dict(),
            _DISTANCES: {name: each.to_dict() for name, each in self.distances.items()},
            _RECOMMENDATION: None if self.recommendation is None else self.recommendation.to_dict(),
        }
        return {name: value for name, value in values.items() if value}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Evidence":
        """Read the evidence of a manifest, whatever of it there is.

        Parameters
        ----------
        values : mapping
            What `to_dict` returned, of this version or of another.
        """
        unread: list[str] = []
        checks = _read(TypeAdapter(dict[str, Verdict]).validate_python, values, _CHECKS, unread)
        return cls(
            mix=_read(TypeAdapter(str).validate_python, values, _MIX, unread) or "",
            distance=_read(DistanceReport.from_dict, values, _DISTANCE, unread),
            distances=_read(_distances, values, _DISTANCES, unread) or {},
            recommendation=_read(read_answer, values, _RECOMMENDATION, unread),
            thresholds=_read(
                TypeAdapter(dict[str, float]).validate_python, values, _THRESHOLDS, unread
            )
            or {},
            checks=dict(sorted(checks.items())) if checks else {},
            overrides=_read(TypeAdapter(dict[str, Any]).validate_python, values, _OVERRIDES, unread)
            or {},
            upstream_overrides=_read(
                TypeAdapter(dict[str, dict[str, Any]]).validate_python, values, _UPSTREAM, unread
            )
            or {},
            waiver=_read(TypeAdapter(Waiver).validate_python, values, _WAIVER, unread),
            chain=_read(TypeAdapter(dict[str, str]).validate_python, values, _CHAIN, unread) or {},
            unread=tuple(unread),
        )


def critical_gap_of(answer: Answer | None) -> float | None:
    """The gap from which the stability bound takes no rows; only one ratio comes with it."""
    return answer.critical_gap if isinstance(answer, Recommendation) else None


def of_generator(check: str, generator: str) -> str:
    """Name of a check on one of several generators; one of no name is the only one."""
    return f"{check} of {generator}" if generator else check


def _distances(values: Mapping[str, Any]) -> dict[str, DistanceReport]:
    return {name: DistanceReport.from_dict(each) for name, each in values.items()}


def refusals(checks: Mapping[str, Verdict]) -> list[str]:
    """Why checks that failed forbid a release, one sentence each."""
    return [
        f"the check '{name}' failed. {verdict.sentence}"
        for name, verdict in checks.items()
        if not verdict.passed
    ]


def gates_of(
    threshold: float | str | None,
    conditional_threshold: float | None = None,
    class_threshold: float | None = None,
    classifier_threshold: float | None = None,
    min_distinct_share: float | None = None,
) -> list[Gate]:
    """The gates that a user sets by thresholds.

    Parameters
    ----------
    threshold : float or str, optional
        See `Threshold.parse`.
    conditional_threshold, class_threshold, classifier_threshold, min_distinct_share : float, \
    optional
        See `mix`.

    Raises
    ------
    ConfigError
        One of them cannot be read.

    Examples
    --------
    >>> [gate.name for gate in gates_of("3 x floor")]
    ['wasserstein_gap']
    """
    values = {
        "threshold": threshold,
        "conditional_threshold": conditional_threshold,
        "class_threshold": class_threshold,
        "classifier_threshold": classifier_threshold,
        "min_distinct_share": min_distinct_share,
    }
    gates = []
    for name, option in GATES.items():
        value = values[option]
        if value is None:
            continue
        try:
            gates.append(Gate(name, Threshold.parse(value)))
        except ValueError as error:
            problem, _, fix = str(error).partition(". ")
            raise ConfigError(problem, option=option, fix=fix) from None
    return gates


def _read(
    read: Callable[[Any], T], values: Mapping[str, Any], name: str, unread: list[str]
) -> T | None:
    """One part of the evidence; one that another version wrote may lack what its reader needs."""
    if name not in values:
        return None
    try:
        return read(values[name])
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        unread.append(name)
        return None
