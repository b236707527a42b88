"""The command ``synthmix``: the verbs of this package in a terminal and in CI, without Dagster.

Nothing but click is imported before a verb runs, so that ``--help`` is there at once.
"""

from synthmix_dagster.cli import learning, measuring, releasing, setting_up
from synthmix_dagster.cli.group import main

__all__ = ["learning", "main", "measuring", "releasing", "setting_up"]
