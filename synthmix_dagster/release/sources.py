"""What the inputs of a mix are, as every row of a release says it."""

from typing import Literal, get_args

#: Name of the input that holds the real rows.
REAL = "real"

#: What rows are: the real ones, synthetic ones, or real rows of another domain.
Source = Literal["real", "synthetic", "other"]
SOURCES: tuple[str, ...] = get_args(Source)
