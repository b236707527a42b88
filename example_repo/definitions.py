"""Everything this project defines, loaded from `defs`."""

from pathlib import Path

import dagster as dg


@dg.definitions
def defs() -> dg.Definitions:
    """Load the definitions of every file and folder in `defs`."""
    return dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
