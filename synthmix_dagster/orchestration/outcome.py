"""What a step receives and what it returns.

A module of its own, because definitions need these words and must not import what does the work.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: Raise it when the same inputs and settings would give another result.
CODE_VERSION = "6"


@dataclass(frozen=True)
class Inputs:
    """What a step receives beside the settings.

    Attributes
    ----------
    frames : mapping of str to object
        Datasets that are assets, as their I/O managers loaded them.
    overrides : mapping of str to object
        Options set for this run only.
    resources : mapping of str to object
        Generators, by their keys.
    """

    frames: Mapping[str, Any]
    overrides: Mapping[str, Any]
    resources: Mapping[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What a step returns.

    Attributes
    ----------
    metadata : mapping of str to object
    data_version : str, optional
        Identifies the content that was materialised.
    value : object, optional
        What the asset's I/O manager stores.
    warning : str, optional
        To be logged.
    """

    metadata: Mapping[str, Any]
    data_version: str | None = None
    value: Any = None
    warning: str | None = None
