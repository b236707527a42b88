"""Alarms of drift that were seen, kept beside the other records of a mix or a monitor.

Materialisations can be wiped and a history can be cut; a record that an alarm was seen is a file of
the project, which only whoever may write there can remove.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from synthmix_dagster.errors import ReleaseError
from synthmix_dagster.orchestration.config.drift import DriftConfig
from synthmix_dagster.orchestration.records import Records

if TYPE_CHECKING:
    from synthmix_dagster.drift.report import DriftReport
    from synthmix_dagster.drift.standing import StandingAlarm

#: Name of the record.
_RECORD = "drift_alarms"


@dataclass(frozen=True)
class KeptAlarms:
    """All alarms that were ever seen, of every version and baseline.

    Attributes
    ----------
    open_records : callable
        Opens the records over all partitions; within a step, which knows how to reach them.
    """

    open_records: Callable[[], Records]

    def standing(self, drift: DriftConfig) -> "list[StandingAlarm]":
        """Alarms of the version and baseline that are declared now, the first of each series.

        Raises
        ------
        ReleaseError
            The record cannot be read.
        """
        return [one for one in self._all() if one.declared == drift.declared(one.series)]

    def keep(self, report: "DriftReport") -> None:
        """Record the alarms of a report; an earlier one of the same series and version stays.

        Raises
        ------
        ReleaseError
            The record cannot be read or written.
        """
        kept = self._all()
        known = [(one.series, one.declared) for one in kept]
        raised = [one.alarm_to_keep for one in report.series if one.status == "alarm"]
        more = [
            alarm
            for alarm in raised
            if alarm is not None and (alarm.series, alarm.declared) not in known
        ]
        if more:
            self._write([*kept, *more])
            self._add_to_history(more)

    def _add_to_history(self, alarms: "Sequence[StandingAlarm]") -> None:
        from synthmix_dagster.release.events import Event
        from synthmix_dagster.release.recording import record

        records = self.open_records()
        for alarm in alarms:
            reason = f"{alarm.series} since {alarm.since}: {alarm.finding}"
            record(records.output, Event("drift alarm", reason, records.mix))

    def _all(self) -> "list[StandingAlarm]":
        from synthmix_dagster.drift.standing import StandingAlarm

        records = self.open_records()
        try:
            record = records.read(_RECORD)
            if record is None:
                return []
            return [StandingAlarm.from_dict(one) for one in record["alarms"]]
        except (ReleaseError, KeyError, TypeError, ValueError):
            raise ReleaseError(
                f"the record '{_RECORD}' of drift alarms that stand cannot be read",
                path=records.output.uri,
                fix="Restore it from a backup; remove it only if you know that no alarm stands",
            ) from None

    def _write(self, alarms: "Sequence[StandingAlarm]") -> None:
        self.open_records().write(_RECORD, {"alarms": [one.to_dict() for one in alarms]})
