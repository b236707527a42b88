"""From verdicts to what an asset check reports, for one partition or all those of a run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from synthmix_dagster.errors import SynthMixError
from synthmix_dagster.gates.verdicts import Verdict
from synthmix_dagster.orchestration.metadata_keys import PartitionsMetadata
from synthmix_dagster.orchestration.partitions import frames_of

#: What a reader of a check sees first, by whether it passed and its severity.
_WORDS = {
    (True, "ERROR"): "Passed",
    (True, "WARN"): "Passed",
    (False, "ERROR"): "Failed",
    (False, "WARN"): "Warning",
}


@dataclass(frozen=True)
class Judged:
    """A verdict and the numbers behind it."""

    verdict: Verdict
    metadata: Mapping[str, Any] = field(default_factory=dict)


def judge_partitions(
    names: Sequence[str],
    partitions: Sequence[str | None],
    frames: Mapping[str, Any],
    judge: Callable[[str | None, Mapping[str, Any]], Mapping[str, Judged]],
    *,
    judged_again: bool,
) -> Mapping[str, Judged]:
    """Judge each partition of a run, and report one verdict a check.

    Parameters
    ----------
    names : sequence of str
        Names of the checks.
    partitions : sequence of str
        One that is None where there are no partitions.
    frames : mapping of str to object
        What was loaded for all of them.
    judge : callable
        From a partition and what was loaded for it to the verdict of each check.
    judged_again : bool
        Whether a later step refuses the bad partitions one by one. Then some bad ones are a
        warning, because an error would block the good ones of the run as well.

    Raises
    ------
    SynthMixError
        There is one partition, and it cannot be judged.
    """
    if len(partitions) == 1:
        return judge(partitions[0], frames)
    judged: dict[str | None, Mapping[str, Judged]] = {}
    for partition in partitions:
        try:
            judged[partition] = judge(partition, frames_of(frames, partition, partitions))
        except SynthMixError as error:
            # One that cannot be judged says nothing about the others.
            judged[partition] = dict.fromkeys(names, Judged(Verdict(False, str(error))))
    return {
        name: _together({key: each[name] for key, each in judged.items()}, judged_again)
        for name in names
    }


def check_result(judged: Judged, **of_check: Any) -> dg.AssetCheckResult:
    """The result that Dagster records.

    Parameters
    ----------
    judged : Judged
    **of_check
        Name and asset, where one step reports several checks.
    """
    return dg.AssetCheckResult(
        passed=judged.verdict.passed,
        severity=dg.AssetCheckSeverity[judged.verdict.severity],
        description=f"{_WORDS[judged.verdict.passed, judged.verdict.severity]}. "
        f"{judged.verdict.sentence}",
        metadata=dict(judged.metadata),
        **of_check,
    )


def _together(judged: Mapping[str | None, Judged], judged_again: bool) -> Judged:
    verdicts = {partition: each.verdict for partition, each in judged.items()}
    failed = {partition: verdict for partition, verdict in verdicts.items() if not verdict.passed}
    errors = [verdict for verdict in failed.values() if verdict.severity == "ERROR"]
    sentence = f"All {len(judged)} partitions pass."
    if failed:
        named = " ".join(
            f"{partition}: {verdict.sentence}" for partition, verdict in failed.items()
        )
        sentence = f"{len(failed)} of {len(judged)} partitions fail. {named}"
    stopping = len(errors) == len(judged) if judged_again else bool(errors)
    rows = [
        dg.TableRecord(
            {"partition": str(partition), "passed": verdict.passed, "verdict": verdict.sentence}
        )
        for partition, verdict in verdicts.items()
    ]
    return Judged(
        Verdict(not failed, sentence, "ERROR" if stopping else "WARN"),
        dict(PartitionsMetadata(partitions=dg.MetadataValue.table(rows))),
    )
