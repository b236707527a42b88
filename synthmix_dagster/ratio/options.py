"""How a ratio is recommended: the options of `recommend_ratio`, each declared once."""

import math
from dataclasses import dataclass
from typing import Literal

from synthmix_dagster.encoding.options import SampleOptions, require_choice, require_min
from synthmix_dagster.errors import ConfigError

Learner = Literal["kernel", "linear", "trees"]
Rule = Literal["largest_equivalent", "best", "smallest_equivalent"]


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
    rule : {"largest_equivalent", "best", "smallest_equivalent"}
        Take the most synthetic rows within half a standard error of the lowest risk, the lowest
        risk itself, or the fewest rows that are statistically indistinguishable from it.
    generator_saw_real : bool, optional
        Whether the generator was fitted on the real rows. If so, and without evaluation rows, the
        predicted risk is worthless and a safe ratio is recommended. Unknown by default.
    """

    learner: Learner = "kernel"
    max_ratio: float | None = None
    rule: Rule = "largest_equivalent"
    generator_saw_real: bool | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require_choice(self.learner, Learner, option="learner")
        require_choice(self.rule, Rule, option="rule")
        if self.max_ratio is not None:
            require_min(self.max_ratio, 0, option="max_ratio")
            if math.isinf(self.max_ratio):
                raise ConfigError("it is inf", option="max_ratio", fix="Set it to a finite number")
