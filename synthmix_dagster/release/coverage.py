"""The check of all rows to be released: streamed over them before anything is written."""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial, reduce

import numpy as np
import pyarrow as pa

from synthmix_dagster.data.profile import Counted, Profile
from synthmix_dagster.distance.report import DistanceReport
from synthmix_dagster.gates.coverage import judge_released_rows
from synthmix_dagster.gates.verdicts import Verdict
from synthmix_dagster.release.mixing import Marked, MixPlan
from synthmix_dagster.release.selection import Strata

#: Rows and counts of a profile, as plain values.
Counts = tuple[int, Mapping[str, Counted]]


def judge_selected(plan: MixPlan, report: DistanceReport, name: str = "synthetic") -> Verdict:
    """Compare every selected row of a generator with those of it that were measured.

    Where every stratum has a ratio of its own, the released rows differ from the measured ones on
    purpose. Then all rows of the generator are compared with the measured ones, and the released
    rows of each stratum with all that the generator has of it.

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
    if plan.request.generators[name].strata is not None:
        return _judge_strata(plan, measured, name)
    counted = plan.over(name, list(measured.columns), partial(_released, measured))
    released = reduce(Profile.plus, map(measured.with_counts, counted))
    return judge_released_rows(measured, released)


def _judge_strata(plan: MixPlan, measured: Profile, name: str) -> Verdict:
    """The first comparison that fails, or else what all of them say together."""
    there, taken = _by_stratum(plan, measured, name)
    whole = reduce(Profile.plus, there.values())
    verdicts = [judge_released_rows(measured, whole)]
    for stratum, released in taken.items():
        if released.rows:
            those = f"that there are of '{stratum}'"
            verdicts.append(judge_released_rows(there[stratum], released, those))
    failed = next((verdict for verdict in verdicts if not verdict.passed), None)
    if failed is not None:
        return failed
    rows = sum(released.rows for released in taken.values())
    return Verdict(
        True,
        f"All {whole.rows:,} synthetic rows look like the {measured.rows:,} that were measured, "
        f"and the {rows:,} to be released like all that there are of their stratum, in each of "
        f"{len(taken)} strata.",
    )


def _by_stratum(
    plan: MixPlan, measured: Profile, name: str
) -> tuple[dict[str, Profile], dict[str, Profile]]:
    """All rows and the released ones in the cells of the measured rows, by stratum."""
    there: dict[str, Profile] = {}
    taken: dict[str, Profile] = {}
    kernel = partial(_counted, measured, plan.layout.stratify)
    for part in plan.over(name, list(measured.columns), kernel):
        for stratum, counted in part.items():
            for known, counts in zip((there, taken), counted, strict=True):
                found = measured.with_counts(counts)
                known[stratum] = known[stratum].plus(found) if stratum in known else found
    return there, taken


def _released(measured: Profile, rows: Iterable[Marked]) -> Counts:
    """Rows to be released in the cells of the measured ones."""
    released = (
        table if chosen is None else table.filter(pa.array(chosen)) for table, chosen in rows
    )
    return measured.count(released).counts


def _counted(
    measured: Profile, stratify: str | None, rows: Iterable[Marked]
) -> dict[str, tuple[Counts, Counts]]:
    """All rows and those to be released in the cells of the measured ones, by stratum."""
    there: dict[str, Profile] = {}
    taken: dict[str, Profile] = {}
    for stratum, table, chosen in _split(rows, Strata(stratify, [])):
        every, released = measured.count([table]), measured.count([table.filter(chosen)])
        there[stratum] = there[stratum].plus(every) if stratum in there else every
        taken[stratum] = taken[stratum].plus(released) if stratum in taken else released
    return {stratum: (there[stratum].counts, taken[stratum].counts) for stratum in there}


def _split(rows: Iterable[Marked], strata: Strata) -> Iterator[tuple[str, pa.Table, pa.Array]]:
    """Rows of one stratum at a time, and which of them are released."""
    for table, chosen in rows:
        codes = strata.codes(table, table.num_rows)
        marks = np.ones(table.num_rows, dtype=bool) if chosen is None else chosen
        for code in np.unique(codes).tolist():
            here = codes == code
            yield strata.names[code], table.filter(pa.array(here)), pa.array(marks[here])
