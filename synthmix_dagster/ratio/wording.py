"""The sentences of a recommendation."""

from collections.abc import Sequence

from synthmix_dagster.ratio.bounds import Bound
from synthmix_dagster.ratio.decision import EQUIVALENT, MATERIAL
from synthmix_dagster.ratio.judged import Judged
from synthmix_dagster.ratio.options import FlatCurve
from synthmix_dagster.ratio.posterior_rule import PriorEffect
from synthmix_dagster.ratio.provenance import Provenance

#: Synthetic weight by which a bound has to miss the interval before a note says so.
_MATERIAL = 0.1


def reason_of(
    judged: Judged, chosen: int, provenance: Provenance, flat_curve: FlatCurve | None = None
) -> str:
    """The recommendation in a sentence or two, with the tolerance beside every number it made.

    Parameters
    ----------
    judged : Judged
    chosen : int
        The candidate that is recommended.
    provenance : Provenance
    flat_curve : {"none", "rows"}, optional
        What the user wants released where the curve is flat.
    """
    decision, ratio = judged.decision, float(judged.ratios[chosen])
    if len(decision.equivalent) == 1:
        return "Use no synthetic rows: none are allowed ('max_ratio')."
    if not provenance.trusted:
        start = (
            f"Add {ratio:.2f} synthetic rows for each real one, a ratio that is safe for trees"
            if ratio
            else "Use no synthetic rows"
        )
        return f"{start}: {provenance.sentence[0].lower()}{provenance.sentence[1:]}"
    span, effect = _span(judged), judged.effect
    if ratio == 0:
        if decision.shape == "flat" or decision.chosen != chosen:
            said = " and the one that is set" if flat_curve == "none" else ""
            return (
                f"Use no synthetic rows, the cheaper choice{said}: they make no measurable "
                f"difference ({span})."
            )
        return (
            "Use no synthetic rows: no amount is predicted to lower the error by "
            f"{MATERIAL:.1%} or more ({span})."
        )
    change = _change(judged, chosen)
    if effect is not None:
        change += (
            ", and the probability that it is lower at all is "
            f"{min(effect.probability_of_help, 0.999):.1%}"
        )
    if judged.measurable:
        return f"Add {ratio:.2f} synthetic rows for each real one: {change}; {span}."
    if flat_curve == "rows":
        return (
            f"Add {ratio:.2f} synthetic rows for each real one, as set for a flat curve: they make "
            f"no measurable difference ({span}); {change}."
        )
    return (
        f"Synthetic rows make no measurable difference: {span}, and none is the cheaper choice "
        f"('flat_curve: none'). If they cost nothing, add {ratio:.2f} for each real one "
        f"('flat_curve: rows'): {change}."
    )


def _span(judged: Judged) -> str:
    """What the interval holds, and how sure that is."""
    low, high = judged.interval
    if judged.effect is not None:
        return (
            f"intervals such as this one, {low:.2f} to {high:.2f}, held the best ratio in nine of "
            "ten cases on other datasets"
        )
    if low == high:
        return f"no other ratio is within {EQUIVALENT:g} standard errors of the best"
    broken = "" if judged.decision.unbroken else ", though not all between them"
    return (
        f"ratios {low:.2f}\N{EN DASH}{high:.2f} are within {EQUIVALENT:g} standard errors of the "
        f"best{broken}"
    )


def _change(judged: Judged, chosen: int) -> str:
    """What the rows are predicted to do to the error, or to the score."""
    none, risk = float(judged.risks[0]), float(judged.risks[chosen])
    score = judged.score
    if score is None:
        return f"the predicted error is {1 - risk / none:.1%} lower than with none"
    unit = f" {score.unit}" if score.unit else ""
    return (
        f"the predicted {score.name}{unit} is {score.shown(risk):.4g}, against "
        f"{score.shown(none):.4g} with none"
    )


def note_on_experience(effect: PriorEffect) -> str:
    """What other datasets did to the answer."""
    return (
        f"the prediction combines these rows with experience from {effect.pairs} pairs of "
        f"generators and other datasets ({effect.datasets} datasets, version {effect.version}, "
        f"table {effect.digest}); "
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


def headline_on_absent(absent: Sequence[str]) -> str:
    """What comes before any ratio where synthetic rows lack classes or levels; else nothing.

    Examples
    --------
    >>> headline_on_absent(["kind: 'b' (50.0% of the real rows) is absent"])
    "The synthetic rows lack what real rows have (kind: 'b' (50.0% of the real rows) is absent). "
    """
    return f"The synthetic rows lack what real rows have ({'; '.join(absent)}). " if absent else ""
