"""What a mix records beside its releases: refusals, and alarms of drift.

One small file beside ``releases``, which only the history reads.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from typing import Literal

from synthmix_dagster.data.store import Store, json_bytes, update
from synthmix_dagster.distance.report import DistanceReport
from synthmix_dagster.gates.evidence import critical_gap_of
from synthmix_dagster.gates.threshold import Gate
from synthmix_dagster.ratio.answers import Answer
from synthmix_dagster.redaction import without_secrets

#: Hidden, as the log of publications is.
EVENTS = ".events.json"
#: Events that are kept; the oldest go first.
MAX_EVENTS = 1000


@dataclass(frozen=True)
class Event:
    """A refusal, or an alarm of drift.

    Attributes
    ----------
    kind : {"refused", "drift alarm"}
    reason : str
        What was found.
    mix : str
        Name of the mix; empty outside of Dagster.
    gap, threshold, ratio : float, optional
        Measured gap, maximum gap and ratio, as far as they were known.
    run : str
        Run of Dagster; empty outside of it.
    at : str
        When, in UTC.
    """

    kind: Literal["refused", "drift alarm"]
    reason: str
    mix: str = ""
    gap: float | None = None
    threshold: float | None = None
    ratio: float | None = None
    run: str = ""
    at: str = ""


def refusal(
    reports: Mapping[str, DistanceReport],
    gates: Sequence[Gate],
    *,
    answer: Answer | None = None,
    ratio: float | None = None,
    mix: str = "",
    run: str = "",
    reason: str = "",
) -> Event:
    """A refusal with what is known of the attempt.

    Parameters
    ----------
    reports : mapping of str to DistanceReport
        By generator; the largest gap is kept.
    gates : sequence of Gate
    answer : Recommendation or another answer, optional
    ratio : float, optional
        By default the recommended one.
    mix, run, reason : str
    """
    report = max(reports.values(), key=lambda each: each.gap, default=None)
    limits = [gate.threshold for gate in gates if gate.name == "wasserstein_gap"]
    critical = critical_gap_of(answer)
    return Event(
        "refused",
        reason,
        mix,
        gap=None if report is None else report.gap,
        threshold=limits[0].limit(report.floor, critical) if limits and report else None,
        ratio=answer.ratio if ratio is None and answer is not None else ratio,
        run=run,
    )


def refusal_of_worst(
    reports: Mapping[str, DistanceReport],
    gates: Mapping[str, Sequence[Gate]],
    *,
    answer: Answer | None = None,
    ratio: float | None = None,
    reason: str = "",
) -> Event:
    """A refusal, of several generators with the gap and the gates of the one with the largest gap.

    Parameters
    ----------
    reports : mapping of str to DistanceReport
        By generator.
    gates : mapping of str to sequence of Gate
        Of each of them.
    answer, ratio, reason : see `refusal`
    """
    worst = max(reports, key=lambda name: reports[name].gap, default="")
    found = {name: each for name, each in reports.items() if name == worst}
    return refusal(found, gates.get(worst, ()), answer=answer, ratio=ratio, reason=reason)


def read_events(output: Store) -> list[Event]:
    """The events of an output, oldest first; none where there is no file that can be read."""
    try:
        return _events(output.read(EVENTS))
    except OSError:
        return []


def append_event(output: Store, event: Event) -> None:
    """Add an event, without secrets.

    A run is refused once: what its later steps add goes to the entry that is there.
    """
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    event = replace(event, at=event.at or now, reason=without_secrets(event.reason))

    def appended(content: bytes | None) -> bytes | None:
        kept = _added(_events(content), event)
        return None if kept is None else json_bytes([asdict(each) for each in kept])

    update(output, EVENTS, appended)


def _added(events: list[Event], event: Event) -> list[Event] | None:
    """The events with one more; None where it says nothing new."""
    for place, one in enumerate(events):
        if event.run and (one.kind, one.mix, one.run) == (event.kind, event.mix, event.run):
            if event.reason in one.reason:
                return None
            events[place] = replace(one, reason=f"{one.reason} {event.reason}")
            return events
    return [*events, event][-MAX_EVENTS:]


def _events(content: bytes | None) -> list[Event]:
    from pydantic import TypeAdapter

    try:
        return TypeAdapter(list[Event]).validate_json(content or b"[]")
    except ValueError:
        return []
