"""The sentences of a recommendation."""

from collections.abc import Sequence

from synthmix_dagster.ratio.bounds import Bound
from synthmix_dagster.ratio.decision import Decision
from synthmix_dagster.ratio.posterior_rule import PriorEffect
from synthmix_dagster.ratio.provenance import Provenance

#: Synthetic weight by which a bound has to miss the interval before a note says so.
_MATERIAL = 0.1


def reason_of(
    decision: Decision,
    ratio: float,
    interval: tuple[float, float],
    change: float,
    provenance: Provenance,
    effect: PriorEffect | None = None,
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
    effect : PriorEffect, optional
        Where the experience of other datasets took part.
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
    if effect is not None:
        return _reason_of_posterior(ratio, interval, change, effect)
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


def _reason_of_posterior(
    ratio: float, interval: tuple[float, float], change: float, effect: PriorEffect
) -> str:
    low, high = interval
    span = (
        f"intervals such as this one, {low:.2f} to {high:.2f}, held the best ratio in nine of ten "
        "cases on other datasets"
    )
    if ratio == 0:
        return f"Use no synthetic rows: no amount is predicted to help ({span})."
    return (
        f"Add {ratio:.2f} synthetic rows for each real one: the predicted error is "
        f"{abs(change):.1%} lower than with none, and the probability that it is lower at all is "
        f"{min(effect.probability_of_help, 0.999):.1%}; {span}."
    )


def note_on_experience(effect: PriorEffect) -> str:
    """What other datasets did to the answer."""
    return (
        f"the prediction combines these rows with experience from {effect.pairs} pairs of "
        f"generators and other datasets ({effect.datasets} datasets, version {effect.version}); "
        f"these rows alone predict the lowest error at a ratio of {effect.path_ratio:.2f}. The "
        f"expected error at the recommended ratio is {effect.expected_regret:.1%} above that at "
        "the best ratio"
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
