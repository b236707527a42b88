"""How a distance is measured: the options of `measure_distance`, each declared once."""

from dataclasses import dataclass
from typing import Literal

from synthmix_dagster.encoding.options import SampleOptions, require_choice, require_min
from synthmix_dagster.errors import ConfigError

Method = Literal["sliced", "exact", "sinkhorn", "gaussian"]
Order = Literal[1, 2]
Rows = Literal["sample", "all"]


@dataclass(frozen=True)
class DistanceOptions(SampleOptions):
    """How a distance is measured.

    Attributes
    ----------
    method : {"sliced", "exact", "sinkhorn", "gaussian"}
        Estimator of the distance. ``exact`` and ``sinkhorn`` draw a bounded number of rows;
        ``gaussian`` sees means and covariances only and is a diagnostic.
    p : {1, 2}
        Order of the distance.
    rows : {"sample", "all"}
        With ``all`` (``sliced`` only) the gap is that of every row, read in two passes; p-value,
        columns and target gaps are those of the sample.
    directions : int
        Directions to project on; rounded up to whole orthonormal blocks.
    permutations : int
        Relabellings behind the p-value, the smallest of which is ``1 / (permutations + 1)``. With 0
        there is neither p-value nor interval.
    memory_mb : int
        Memory budget in MB, inputs excluded.
    classifier : bool
        Whether to train a classifier that tells the sides apart, which takes some seconds.
    """

    method: Method = "sliced"
    p: Order = 2
    rows: Rows = "sample"
    directions: int = 100
    permutations: int = 199
    memory_mb: int = 1_000
    classifier: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        require_choice(self.method, Method, option="method")
        require_choice(self.rows, Rows, option="rows")
        if self.p not in (1, 2):
            raise ConfigError(f"it is {self.p}", option="p", fix="Set it to 1 or 2")
        if self.p == 1 and self.method == "gaussian":
            raise ConfigError(
                "the distance of two Gaussians is known for p = 2 only",
                option="p",
                fix="Set it to 2, or use another method",
            )
        if self.rows == "all" and self.method != "sliced":
            raise ConfigError(
                f"the method '{self.method}' cannot measure every row",
                option="rows",
                fix="Set it to 'sample', or the method to 'sliced'",
            )
        require_min(self.directions, 1, option="directions")
        require_min(self.permutations, 0, option="permutations")
        require_min(self.memory_mb, 1, option="memory_mb")
