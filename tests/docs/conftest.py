"""Modules that the tests of the docs share."""

import sys
from pathlib import Path

# `from doc_blocks import ...`, wherever the tests are started.
sys.path.insert(0, str(Path(__file__).parent))
