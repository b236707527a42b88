"""How a ratio is recommended: the options of `recommend_ratio`, each declared once."""

from dataclasses import dataclass
from typing import Literal

from synthmix_dagster.encoding.options import SampleOptions, require_choice, require_min

Learner = Literal["kernel", "linear", "trees"]
#: Rules that choose on the risk path of the rows at hand alone; the first two are the same.
PathRule = Literal["path", "largest_equivalent", "best", "smallest_equivalent"]
Rule = Literal["posterior", "path", "largest_equivalent", "best", "smallest_equivalent"]


@dataclass(frozen=True)
class RatioOptions(SampleOptions):
    """How a ratio is recommended.

    Attributes
    ----------
    learner : {"kernel", "linear", "trees"}
        Learner whose risk is predicted: kernel ridge regression, linear ridge regression, or a
        small gradient boosting, fitted to a few mixes that the risk path proposes.
    max_ratio : float, optional
        Highest ratio to consider; by default as many rows as there are.
    rule : {"posterior", "path", "largest_equivalent", "best", "smallest_equivalent"}
        ``posterior`` takes the lowest risk that these rows and the experience of other datasets
        together predict; it applies to the kernel learner, others use ``path``. The rest look at
        these rows alone: ``path`` takes the most synthetic rows within half a standard error of
        the lowest risk (``largest_equivalent`` is its earlier name), ``best`` the lowest risk
        itself, ``smallest_equivalent`` the fewest rows that are statistically indistinguishable
        from it.
    generator_saw_real : bool, optional
        Whether the generator was fitted on the real rows. If so, and without evaluation rows, the
        predicted risk is worthless and a safe ratio is recommended. Unknown by default.
    """

    learner: Learner = "kernel"
    max_ratio: float | None = None
    rule: Rule = "posterior"
    generator_saw_real: bool | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require_choice(self.learner, Learner, option="learner")
        require_choice(self.rule, Rule, option="rule")
        if self.max_ratio is not None:
            require_min(self.max_ratio, 0, option="max_ratio")

    @property
    def path_rule(self) -> PathRule:
        """The rule for these rows alone: ``posterior`` becomes ``path``."""
        return "path" if self.rule == "posterior" else self.rule
