"""The target as numbers."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synthmix_dagster.encoding.columns import as_numbers, is_constant, level_names, require_levels
from synthmix_dagster.encoding.options import FARTHEST, Task, require_choice
from synthmix_dagster.errors import ConfigError, DataError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class TargetCode:
    """How the target becomes numbers: standardised, or one column a class.

    Attributes
    ----------
    column : str
    task : {"regression", "classification"}
    center, scale : float
        Real mean and standard deviation (regression).
    classes : tuple of str
        Classes seen in the real rows (classification).
    """

    column: str
    task: Task
    center: float = 0.0
    scale: float = 1.0
    classes: tuple[str, ...] = ()

    @classmethod
    def fit(cls, real: pd.DataFrame, column: str, task: Task) -> "TargetCode":
        """Learn the code from the real rows.

        Raises
        ------
        DataError
            The target is missing, incomplete, not a number where one is needed, or constant.
        """
        require_choice(task, Task, option="task")
        values = target_values(real, column, "real")
        if task == "classification":
            require_levels(values, "real", "Name another target")
            classes = tuple(sorted(level_names(values).unique()))
            if len(classes) < 2:
                raise DataError(
                    f"the target has one class only, {classes[0]!r}",
                    dataset="real",
                    column=column,
                    fix="Provide real rows of at least two classes",
                )
            return cls(column, task, classes=classes)
        numbers = _target_numbers(values, "real", column)
        if is_constant(numbers):
            raise DataError(
                f"the target is constant ({numbers[0]:g})",
                dataset="real",
                column=column,
                fix="Check the file, or name another target",
            )
        return cls(column, task, center=float(np.mean(numbers)), scale=float(np.std(numbers)))

    def encode(self, frame: pd.DataFrame, dataset: str) -> Floats:
        """Return targets of shape (n, 1), or (n, n_classes) with ones at the row's class."""
        values = target_values(frame, self.column, dataset)
        if self.task == "regression":
            numbers = _target_numbers(values, dataset, self.column)
            with np.errstate(over="ignore"):
                scaled: Floats = (numbers - self.center) / self.scale
            farthest = float(np.max(np.abs(scaled)))
            # Squares of such errors are infinite, or drown all others.
            if not farthest <= FARTHEST:
                raise DataError(
                    f"it holds a target {farthest:.3g} real standard deviations out",
                    dataset=dataset,
                    column=self.column,
                    fix="Replace what stands for a missing value by one, or drop those rows",
                )
            return scaled[:, None]
        require_levels(values, dataset, "Name another target")
        names = level_names(values)
        unknown = sorted(set(names) - set(self.classes))
        if unknown:
            raise DataError(
                f"it has the class {unknown[0]!r}, which no real row has",
                dataset=dataset,
                column=self.column,
                fix=f"Keep only rows of the real classes ({', '.join(self.classes)})",
            )
        position = {name: i for i, name in enumerate(self.classes)}
        return np.eye(len(self.classes))[[position[name] for name in names]]


def target_values(frame: pd.DataFrame, column: str, dataset: str) -> pd.Series:
    """The target column, present and complete."""
    if column not in frame.columns:
        raise DataError(
            f"it has no target column '{column}' ({', '.join(map(str, frame.columns))})",
            dataset=dataset,
            fix="Name a column of both datasets as 'target'",
        )
    values = frame[column]
    require_labels(int(values.isna().sum()), len(values), column, dataset)
    return values


def require_labels(missing: int, rows: int, column: str, dataset: str) -> None:
    """Refuse rows without a label."""
    if missing:
        raise DataError(
            f"the target is missing in {missing} of {rows} rows",
            dataset=dataset,
            column=column,
            fix="Drop those rows before mixing: a row without a label cannot be learnt from",
        )


def _target_numbers(values: pd.Series, dataset: str, column: str) -> Floats:
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    if not is_numeric_dtype(values.dtype) or is_bool_dtype(values.dtype):
        raise ConfigError(
            f"the target '{column}' of dataset '{dataset}' is {values.dtype}, not a number",
            option="task",
            fix="Set task to classification, or convert the column",
        )
    numbers = as_numbers(values)
    if not np.isfinite(numbers).all():
        raise DataError(
            "the target holds infinite values",
            dataset=dataset,
            column=column,
            fix="Drop those rows",
        )
    return numbers
