"""The generator of the example: SMOTE of imbalanced-learn, asked for new rows of every class.

A new row lies between a row and one of its five nearest neighbours of the same class. It stands in
for the reader's own generator (SDV, a GAN, a language model): the mix only ever sees its rows.
"""

import numpy as np
import pandas as pd


class SmoteGenerator:
    """SMOTE with the customary ``fit`` and ``sample``."""

    def __init__(self, target: str, seed: int = 0) -> None:
        self.target = target
        self.seed = seed

    def fit(self, frame: pd.DataFrame) -> "SmoteGenerator":
        """Keep the rows to interpolate between."""
        self._rows = frame.reset_index(drop=True)
        return self

    def sample(self, rows: int) -> pd.DataFrame:
        """Draw new rows, as many of every class."""
        from imblearn.over_sampling import SMOTE

        labels = self._rows[self.target]
        each = -(-rows // labels.nunique())
        wanted = {label: count + each for label, count in labels.value_counts().items()}
        smote = SMOTE(sampling_strategy=wanted, random_state=self.seed)
        inputs, classes = smote.fit_resample(self._rows.drop(columns=self.target), labels)
        # Those to interpolate between come first, the new ones behind them class by class.
        made = inputs.assign(**{self.target: classes}).iloc[len(self._rows) :]
        order = np.random.default_rng(self.seed).permutation(len(made))[:rows]
        return made.iloc[order][list(self._rows.columns)].reset_index(drop=True)
