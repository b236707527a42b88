"""The sentences of a recommendation."""

from collections.abc import Sequence

from synthmix_dagster.ratio.bounds import Bound
from synthmix_dagster.ratio.decision import Decision
from synthmix_dagster.ratio.provenance import Provenance

#: Synthetic weight by which a bound has to miss the interval before a note says so.
_MATERIAL = 0.1


def reason_of(
    decision: Decision,
    ratio: float,
    interval: tuple[float, float],
    change: float,
    provenance: Provenance,
) -> str:
    """The recommendation in a sentence or two.

    Parameters
    ----------
    decision : Decision
    ratio : float
        What is recommended.
    interval : tuple of float
        Ratios that are equivalent to the best.
    change : float
        Predicted relative change of the risk by the recommended rows.
    provenance : Provenance
    """
    if len(decision.equivalent) == 1:
        return "Use no synthetic rows: none are allowed ('max_ratio')."
    if not provenance.trusted:
        start = (
            f"Add {ratio:.2f} synthetic rows for each real one, a ratio that is safe for trees"
            if ratio
            else "Use no synthetic rows"
        )
        return f"{start}: {provenance.sentence[0].lower()}{provenance.sentence[1:]}"
    low, high = interval
    span = (
        "no other ratio is equivalent to it"
        if low == high
        else f"ratios {low:.2f}\u2013{high:.2f} are statistically indistinguishable from the best"
        + ("" if decision.unbroken else ", though not all between them")
    )
    if ratio == 0:
        return f"Use no synthetic rows: no amount is predicted to help ({span})."
    direction = "lower" if change < 0 else "higher"
    doubt = ", which is within its standard error," if decision.equivalent[0] else ""
    return (
        f"Add {ratio:.2f} synthetic rows for each real one: the predicted error is "
        f"{abs(change):.1%} {direction}{doubt} than with none; {span}."
    )


def notes_on_bounds(
    bounds: Sequence[Bound], interval: tuple[float, float], highest: float
) -> list[str]:
    """Bounds that would choose a ratio outside the interval.

    Parameters
    ----------
    bounds : sequence of Bound
    interval : tuple of float
    highest : float
        Highest ratio considered.
    """
    low, high = interval
    notes = []
    for bound in bounds:
        wanted = min(bound.row_ratio, highest)
        nearest = min(max(wanted, low), high)
        apart = abs(wanted / (1 + wanted) - nearest / (1 + nearest))
        # The ratio of the spectral bound is not one of rows: its disagreement says little.
        if apart > _MATERIAL and bound.name != "spectral":
            notes.append(
                f"the {bound.name} bound, a prior, would choose {wanted:.2f}, outside the interval "
                f"{low:.2f} to {high:.2f} of the risk curve, which decides"
            )
    return notes
