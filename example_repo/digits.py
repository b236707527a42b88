"""1,797 handwritten digits, and the scarce part of them that has labels.

The images come with scikit-learn. The task is to read a digit from 16 numbers: the principal
components of its image, which are what a team would have of any image, text or sound.
"""

import os
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

TARGET = "digit"
COMPONENTS = [f"component_{number:02}" for number in range(1, 17)]
COLUMNS = [*COMPONENTS, TARGET]
#: Digits with labels, and digits that the generator learns from. Nobody sees the rest before the
#: end.
LABELLED, FOR_GENERATOR = 500, 200
GENERATED = 8 * LABELLED


def home() -> Path:
    """Folder for everything the example writes."""
    default = Path(__file__).parents[1] / ".demo"
    return Path(os.environ.get("SYNTHMIX_EXAMPLE_HOME", default))


def split(seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Three disjoint parts: labelled, for the generator, held out.

    The components are those of the labelled images, so nothing is learnt from the others.
    """
    images = load_digits()
    order = np.random.default_rng(seed).permutation(len(images.data))
    components = PCA(len(COMPONENTS), svd_solver="full").fit(images.data[order[:LABELLED]])
    table = pd.DataFrame(components.transform(images.data).round(3), columns=COMPONENTS)
    table.insert(0, "image", np.arange(len(table)))
    table[TARGET] = images.target
    parts = np.split(order, np.cumsum([LABELLED, FOR_GENERATOR]))
    labelled, for_generator, held_out = (table.iloc[part].reset_index(drop=True) for part in parts)
    return labelled, for_generator, held_out
