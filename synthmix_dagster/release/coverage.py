"""The check of all rows to be released: streamed over them before anything is written."""

from synthmix_dagster.distance.report import DistanceReport
from synthmix_dagster.gates.coverage import judge_released_rows
from synthmix_dagster.gates.verdicts import Verdict
from synthmix_dagster.release.mixing import MixPlan


def judge_selected(plan: MixPlan, report: DistanceReport, name: str = "synthetic") -> Verdict:
    """Compare every selected row of a generator with those of it that were measured.

    Parameters
    ----------
    plan : MixPlan
    report : DistanceReport
        Of these very datasets.
    name : str
        The generator.
    """
    measured = report.profile
    if measured is None:
        return Verdict(
            False,
            "The rows to be released cannot be compared with the measured ones: the distance was "
            "measured by another version. Measure it again.",
        )
    if not any(part.name == name and part.rows for part in plan.parts):
        return Verdict(True, "No synthetic row is to be released.")
    released = measured.count(plan.selected(name, list(measured.columns)))
    return judge_released_rows(measured, released)
