"""Whether the generator saw the rows that judge, and what that allows to conclude.

If it did, every risk measured on them is too good without limit: synthetic rows carry the row that
is left out. No arithmetic on the same rows cures that (leaving out the nearest synthetic rows with
each real one was tried, and does not), so the rule changes instead of the estimate. Such a
generator adds no information about the real distribution, only an inductive bias.
"""

from dataclasses import dataclass

from synthmix_dagster.ratio.memorisation import Memorisation

#: Highest ratio when the generator saw the rows that judge. A smooth fit gains nothing that can be
#: trusted; trees that need twenty rows a leaf gain from few synthetic rows even of such a
#: generator, and lose little. docs/benchmarks.md has the figures.
SAFE_RATIO = {"kernel": 0.0, "linear": 0.0, "trees": 0.25}


@dataclass(frozen=True)
class Provenance:
    """What is known of the generator and the rows that judge it.

    Attributes
    ----------
    judged : {"evaluation", "cross-fitted", "unseen", "seen", "found", "unknown"}
        Rows that the generator never saw; folds that it was fitted without; the real rows, which
        it is declared not to have seen, or declared to have seen; the real rows, which the test
        says it saw; the real rows, of which nothing is known.
    trusted : bool
        Whether the predicted risk may decide. If not, `SAFE_RATIO` does.
    sentence : str
        What applied, and what to do about it.
    memorisation : Memorisation, optional
        The test for traces of the real rows, where it was made.
    """

    judged: str
    trusted: bool
    sentence: str
    memorisation: Memorisation | None = None


def provenance_of(
    *,
    evaluation_rows: int | None,
    cross_fitted: bool,
    saw_real: bool | None,
    memorisation: Memorisation,
) -> Provenance:
    """Decide which of the cases applies; rows that cannot have been seen come first.

    Parameters
    ----------
    evaluation_rows : int, optional
        Evaluation rows, if there are any.
    cross_fitted : bool
        Whether each fold of the real rows was judged with a generator fitted without it.
    saw_real : bool, optional
        What the user declares; None where they do not know.
    memorisation : Memorisation
    """
    keep = (
        "Keep some real rows from the generator and pass them as 'evaluation' to have the risk "
        "decide"
    )
    if evaluation_rows is not None:
        judged, trusted = "evaluation", True
        sentence = f"Judged by {evaluation_rows} evaluation rows."
    elif cross_fitted:
        judged, trusted = "cross-fitted", True
        sentence = "Judged by real rows, each by a generator that was fitted without it."
    elif saw_real:
        judged, trusted = "seen", False
        sentence = (
            "The generator was fitted on the real rows ('generator_saw_real'), so the risk that "
            f"they predict is optimistic without limit and does not decide. {keep}."
        )
    elif memorisation.memorised:
        judged, trusted = "found", False
        contradicts = "" if saw_real is None else " 'generator_saw_real: false' says otherwise."
        sentence = (
            f"{memorisation.reason}{contradicts} The risk that these predict is optimistic without "
            f"limit and does not decide. {keep}."
        )
    elif saw_real is None:
        judged, trusted = "unknown", True
        sentence = (
            "The predicted risk is optimistic if the generator was fitted on these real rows. "
            "Nothing shows that it was and nothing rules it out: set 'generator_saw_real', or keep "
            "some rows from the generator and pass them as 'evaluation'."
        )
    else:
        judged, trusted = "unseen", True
        sentence = (
            "Judged by the real rows, each left out of its fit; the generator is declared not to "
            "have seen them."
        )
    return Provenance(judged, trusted, sentence, memorisation)
