"""The amounts of an answer as rows of a table: for metadata and for the report of a release."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from synthmix_dagster.ratio.answers import Answer, provenances_of
from synthmix_dagster.ratio.sources import SourceMixture
from synthmix_dagster.ratio.strata import ClassRatios


@dataclass(frozen=True)
class Amounts:
    """The amounts of an answer, and the predicted risks behind them.

    Attributes
    ----------
    title : str
        What there is a row for.
    rows : list of dict
        One for each generator or class.
    risks : mapping of str to float
        Predicted risk of the recommended rows, of the alternative, and of real rows alone; empty
        where there is no target.
    judged : tuple of str
        Who judged, in sentences.
    """

    title: str
    rows: list[dict[str, Any]]
    risks: Mapping[str, float]
    judged: tuple[str, ...]

    @classmethod
    def of(cls, answer: Answer) -> "Amounts":
        """The amounts of any answer but a single ratio, which has a curve."""
        judged = tuple(
            f"{name}: {of.sentence}" if name else of.sentence
            for name, of in provenances_of(answer).items()
        )
        if isinstance(answer, SourceMixture):
            alone = {share.name: share.ratio for share in answer.alone}
            mixed = {share.name: share.ratio for share in answer.mixture}
            return cls(
                "generator",
                [
                    {
                        "name": share.name,
                        "rows": share.rows,
                        "ratio": share.ratio,
                        "share": share.weight,
                        "ratio_in_mixture": mixed.get(share.name, 0.0),
                        "ratio_alone": alone.get(share.name, 0.0),
                    }
                    for share in answer.recommended
                ],
                {
                    "mixture": answer.risk_mixed,
                    "alone": answer.risk_alone,
                    "none": answer.risk_none,
                },
                judged,
            )
        if isinstance(answer, ClassRatios):
            return cls(
                "class",
                [
                    {
                        "name": of.name,
                        "rows": of.recommended,
                        "ratio": answer.ratios[of.name],
                        "real_rows": of.n_real,
                        "synthetic_rows": of.n_synthetic,
                        "in_proportion": of.rows_in_proportion,
                    }
                    for of in answer.classes
                ],
                {
                    "by_class": answer.risk_by_class,
                    "in_proportion": answer.risk_in_proportion,
                    "none": answer.risk_none,
                },
                judged,
            )
        return cls("", [], {}, judged)
