"""The rows that a ratio is computed from, encoded: inputs as points, the target as numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synthmix_dagster.encoding.columns import require_rows
from synthmix_dagster.encoding.encoder import Encoder
from synthmix_dagster.encoding.options import Columns
from synthmix_dagster.encoding.target import TargetCode
from synthmix_dagster.errors import ConfigError, DataError
from synthmix_dagster.ratio.neighbours import equal_rows

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class EncodedSample:
    """Real, synthetic and, where there are any, evaluation rows.

    Attributes
    ----------
    frames : mapping of str to DataFrame
        Rows of ``real``, ``synthetic`` and possibly ``evaluation``.
    points : mapping of str to ndarray of shape (n_rows, d)
        Their encoded inputs.
    targets : mapping of str to ndarray of shape (n_rows, q)
        Their encoded targets.
    encoder : Encoder
    code : TargetCode
    balanced : bool
        Whether every class of a dataset counts the same in it.
    """

    frames: Mapping[str, pd.DataFrame]
    points: Mapping[str, Floats]
    targets: Mapping[str, Floats]
    encoder: Encoder
    code: TargetCode
    balanced: bool = False

    @classmethod
    def encode(
        cls,
        frames: Mapping[str, pd.DataFrame],
        code: TargetCode,
        columns: Columns = Columns(),
        *,
        balanced: bool = False,
    ) -> "EncodedSample":
        """Learn scales and levels from the real rows and apply them to all.

        Parameters
        ----------
        frames : mapping of str to DataFrame
            Rows of ``real``, ``synthetic`` and possibly ``evaluation``.
        code : TargetCode
            How the target becomes numbers; it is not an input.
        columns : Columns
            Which columns are inputs, as what, and on what scale.
        balanced : bool
            Whether every class of a dataset counts the same in it.

        Raises
        ------
        DataError, ConfigError
            A side has fewer than ten rows, lacks a column or cannot be encoded, or evaluation rows
            are among the real ones.
        """
        for dataset, frame in frames.items():
            require_rows(len(frame), dataset)
        if balanced and code.task != "classification":
            raise ConfigError(
                f"the target '{code.column}' is a number",
                option="class_weight",
                fix="Leave it out: only classes can be balanced",
            )
        targets = {dataset: code.encode(frame, dataset) for dataset, frame in frames.items()}
        inputs = replace(columns, ignore=(*columns.ignore, code.column))
        encoder = Encoder.fit(frames["real"], frames["synthetic"], inputs)
        if "evaluation" in frames:
            encoder.require(frames["evaluation"], "evaluation")
        points = {dataset: encoder.transform(frame) for dataset, frame in frames.items()}
        for dataset, rows in points.items():
            encoder.require_near(rows, dataset)
        sample = cls(frames, points, targets, encoder, code, balanced)
        if "evaluation" in frames:
            sample._require_separate_evaluation()
        return sample

    @property
    def n(self) -> int:
        """Real rows."""
        return len(self.points["real"])

    @property
    def m(self) -> int:
        """Synthetic rows."""
        return len(self.points["synthetic"])

    @property
    def judges(self) -> str:
        """Dataset whose rows judge: ``evaluation`` where there are such rows, else ``real``."""
        return "evaluation" if "evaluation" in self.points else "real"

    def side(self, dataset: str, features: Floats) -> tuple[Floats, Floats]:
        """Features and target of a dataset as ridge regression takes them.

        A row of weight w counts as such where both are multiplied by the root of w.
        """
        return self.weighted(features, self.targets[dataset])

    def weighted(self, features: Floats, target: Floats) -> tuple[Floats, Floats]:
        """Features and encoded target of any rows, as in `side`."""
        if not self.balanced:
            return features, target
        roots = np.sqrt(balanced_weights(target))[:, None]
        return roots * features, roots * target

    def joint(self, dataset: str) -> Floats:
        """Inputs and target in one space: another class, like another level, is one unit away."""
        return self.in_one_space(self.points[dataset], self.targets[dataset])

    def in_one_space(self, points: Floats, target: Floats) -> Floats:
        """Encoded inputs and target of any rows, as in `joint`."""
        scale = np.sqrt(0.5) if self.code.task == "classification" else 1.0
        return np.concatenate((points, scale * target), axis=1)

    def _require_separate_evaluation(self) -> None:
        """Refuse evaluation rows that equal real ones more often than those equal each other."""
        rows = np.concatenate((self.joint("real"), self.joint("evaluation")))
        groups = equal_rows(rows)
        real, evaluation = groups[: self.n], groups[self.n :]
        shared = int(np.isin(evaluation, real).sum())
        repeated = float(np.mean(np.bincount(real)[real] > 1))
        chance = len(evaluation) * repeated
        if shared > chance + 3 * np.sqrt(chance * (1 - repeated) + 1):
            raise DataError(
                f"{shared} of its {len(evaluation)} rows are also in the real dataset, of which "
                f"chance explains {chance:.0f}",
                dataset="evaluation",
                fix="Take them out of one of the two: rows that are learnt from cannot judge",
            )


def balanced_weights(target: Floats) -> Floats:
    """Weight of each row, 1 on average, with which every class that occurs counts the same.

    Examples
    --------
    >>> balanced_weights(np.eye(2)[[0, 0, 0, 1]]).round(2).tolist()
    [0.67, 0.67, 0.67, 2.0]
    """
    sizes = target.sum(axis=0)
    each = len(target) / (np.count_nonzero(sizes) * np.maximum(sizes, 1))
    weights: Floats = target @ each
    return weights
