"""The notebook runs from top to bottom, shows pictures, and is kept without outputs."""

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[2] / "docs" / "walkthrough.ipynb"


def text_of(outputs: list[Any]) -> str:
    return "".join(str(output.get("text", output.get("data", ""))) for output in outputs)


@pytest.mark.slow
def test_the_walk_through_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.delenv("MPLBACKEND", raising=False)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": tmp_path}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    said = text_of(outputs)
    assert "Use no synthetic rows" in said
    assert "Add " in said
    assert "generator" in said
    pictures = [each for each in outputs if "image/png" in each.get("data", {})]
    assert len(pictures) == 3
    assert not [each for each in outputs if each.get("name") == "stderr"], said


def test_the_walk_through_is_kept_without_outputs() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for cell in notebook.cells:
        assert not cell.get("outputs"), cell["source"]
        assert cell.get("execution_count") is None
