"""Learn from a team's own history: what mixes did to the error, for better advice on later data.

A pair is a folder with real rows, the synthetic rows that were there for them, and test rows that
neither saw. The error on the test rows is measured at every ratio, beside what would have been
predicted, and both join the experience that the package comes with.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synthmix_dagster.data.dataset import open_dataset
from synthmix_dagster.encoding.nystroem import NystroemMap
from synthmix_dagster.encoding.options import MIN_ROWS, Columns, Task
from synthmix_dagster.encoding.target import TargetCode
from synthmix_dagster.errors import ConfigError, DataError, did_you_mean
from synthmix_dagster.ratio.evidence import Evidence, bandwidth_paths, trusted_paths
from synthmix_dagster.ratio.experience import (
    SHIPPED,
    Case,
    Experience,
    learn_experience,
    shipped_experience,
)
from synthmix_dagster.ratio.memorisation import memorisation_test
from synthmix_dagster.ratio.options import Learner
from synthmix_dagster.ratio.posterior import KNOTS, knot_counts
from synthmix_dagster.ratio.refits import boosting_refits
from synthmix_dagster.ratio.sample import EncodedSample
from synthmix_dagster.ratio.truth import true_errors, true_tree_errors
from synthmix_dagster.redaction import cause_of
from synthmix_dagster.seeds import rng_of
from synthmix_dagster.threads import one_thread

Floats = NDArray[np.float64]

#: What a pair says of itself.
DESCRIPTION = "pair.json"


@dataclass(frozen=True)
class Pair:
    """A real dataset, synthetic rows for it, and test rows, in a folder with a `DESCRIPTION`.

    Attributes
    ----------
    dataset : str
        Name of the real data; all pairs of a dataset together count as one.
    generator : str
    target : str
    task : {"regression", "classification"}
    real, synthetic, test : str
        Where the rows are, relative to the folder: anything that `open_dataset` reads.
    categorical, ignore, key : sequence of str
        As for `recommend_ratio`.
    """

    dataset: str
    generator: str
    target: str
    task: Task
    real: str = "real.parquet"
    synthetic: str = "synthetic.parquet"
    test: str = "test.parquet"
    categorical: Sequence[str] = field(default=())
    ignore: Sequence[str] = field(default=())
    key: Sequence[str] = field(default=())

    @classmethod
    def read(cls, folder: Path) -> "Pair":
        """Read the description of a pair.

        Raises
        ------
        DataError
            It is missing, is not JSON, or has a field that is unknown or lacks one that is needed.
        """
        example = '{"dataset": "orders", "generator": "ctgan", "target": "y", "task": "regression"}'
        try:
            values = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
            known = [each.name for each in fields(cls)]
            for name in values:
                if name not in known:
                    raise DataError(
                        f"its {DESCRIPTION} has the field '{name}'",
                        dataset=folder.name,
                        fix=did_you_mean(name, known),
                    )
            return cls(**values)
        except (OSError, ValueError, TypeError) as error:
            raise DataError(
                f"its {DESCRIPTION} cannot be read ({error})",
                dataset=folder.name,
                fix=f"Write one, such as {example}",
            ) from cause_of(error)

    def frame(self, folder: Path, side: str) -> pd.DataFrame:
        """The rows of ``real``, ``synthetic`` or ``test``."""
        where = str(getattr(self, side))
        place = where if "://" in where else str(folder / where)
        return open_dataset(place, side).frame()


def learn_from_pairs(
    pairs: Path | str,
    *,
    learner: Learner = "kernel",
    rows: Sequence[int] = (),
    alone: bool = False,
    seed: int = 0,
) -> Experience:
    """Learn from a folder of pairs whose test rows tell what each ratio would have done.

    Parameters
    ----------
    pairs : path
        Folder of pairs, each a folder with a ``pair.json`` (see `Pair`).
    learner : {"kernel", "trees"}
        Whose error is measured, and whose recommendations it is for.
    rows : sequence of int
        Numbers of real rows to learn from, where a pair has as many; each gives a case. By default
        all real rows of a pair, which give one.
    alone : bool
        Whether to leave out the experience that the package comes with. The pairs then have to be
        complete: sixteen synthetic rows for each real one.
    seed : int
        Draws rows and landmarks.

    Returns
    -------
    Experience
        For `recommend_ratio`; the setting ``experience`` takes a file that holds its `to_json`.

    Raises
    ------
    DataError
        There is no pair, one cannot be read, or its synthetic rows were made from its real ones.
    """
    folder = Path(pairs)
    found = sorted(each.parent for each in folder.glob(f"*/{DESCRIPTION}"))
    if not found:
        raise DataError(
            f"no folder in it has a {DESCRIPTION}",
            dataset=str(folder),
            fix="Make a folder for each pair of real and synthetic rows, with test rows and a "
            f"{DESCRIPTION}",
        )
    if any(count < MIN_ROWS for count in rows):
        raise ConfigError(f"it is {min(rows)}", option="rows", fix=f"Set {MIN_ROWS} or more")
    if learner not in SHIPPED:
        raise ConfigError(
            f"it is '{learner}', of which no experience is kept",
            option="learner",
            fix=f"Set one of {', '.join(SHIPPED)}",
        )
    with one_thread():
        cases = [case for each in found for case in _cases(each, learner, rows, seed)]
    return learn_experience(
        cases,
        base=None if alone else shipped_experience(learner),
        source=f"learn_from_pairs of {len(found)} pairs",
        learner=learner,
    )


def _cases(folder: Path, learner: Learner, rows: Sequence[int], seed: int) -> Iterator[Case]:
    """A case for each number of real rows that the pair has."""
    pair = Pair.read(folder)
    real, synthetic, test = (pair.frame(folder, side) for side in ("real", "synthetic", "test"))
    columns = Columns(
        categorical=tuple(pair.categorical), ignore=tuple(pair.ignore), key=tuple(pair.key)
    )
    highest = int(KNOTS[-1])
    for n in [each for each in rows if each <= len(real)] or [len(real)]:
        order = rng_of(seed, "pairs")
        frames: dict[str, Any] = {
            "real": real.iloc[order.permutation(len(real))[:n]].reset_index(drop=True),
            "synthetic": synthetic.iloc[order.permutation(len(synthetic))[: highest * n]],
        }
        frames["synthetic"] = frames["synthetic"].reset_index(drop=True)
        code = TargetCode.fit(frames["real"], pair.target, pair.task)
        sample = EncodedSample.encode(frames, code, columns)
        trace = memorisation_test(sample.joint("real"), sample.joint("synthetic"), seed=seed)
        if trace.memorised:
            raise DataError(
                f"{trace.reason} What such a generator promises on its own rows teaches nothing",
                dataset=folder.name,
                fix="Leave the pair out, or use real rows that the generator never saw",
            )
        ratios = np.array([0.0, *(knot for knot in KNOTS if round(knot * n) <= sample.m)])
        evidence, errors = _OF_LEARNER[learner](sample, test, ratios, seed)
        yield Case.measured(
            pair.dataset,
            pair.generator,
            sample.n,
            evidence,
            ratios=ratios.tolist(),
            errors=errors.tolist(),
        )


def _of_kernel(
    sample: EncodedSample, test: pd.DataFrame, ratios: Floats, seed: int
) -> tuple[Evidence, Floats]:
    """What the risk paths say, and the error on test rows."""
    kernel = NystroemMap.fit(
        sample.points["real"], sample.points["synthetic"], rng=rng_of(seed, "landmarks")
    )
    paths, _ = bandwidth_paths(sample, kernel, knot_counts(sample.n, sample.m))
    evidence = Evidence.of_paths(trusted_paths(paths), sample.n)
    return evidence, true_errors(sample, test, ratios, seed=seed)


def _of_trees(
    sample: EncodedSample, test: pd.DataFrame, ratios: Floats, seed: int
) -> tuple[Evidence, Floats]:
    """What folds of the real rows say of boosting, and its error on test rows."""
    path = boosting_refits(sample, seed=seed).path(knot_counts(sample.n, sample.m))
    evidence = Evidence.of_paths([path], sample.n)
    return evidence, true_tree_errors(sample, test, ratios, seed=seed)


#: Evidence and truth of a pair, by the learner.
_OF_LEARNER: dict[
    Learner, Callable[[EncodedSample, pd.DataFrame, Floats, int], tuple[Evidence, Floats]]
] = {"kernel": _of_kernel, "trees": _of_trees}
