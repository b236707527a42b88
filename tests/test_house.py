"""The house stays small enough to read: what a person can hold in the head at once."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "synthmix_dagster"
MODULES = sorted(PACKAGE.rglob("*.py"))
#: Lines of a function below its signature and docstring; lines of a module.
MAX_BODY, MAX_MODULE = 60, 425


def bodies(source: str) -> dict[str, int]:
    """Lines of every function's body by its name, without the docstring."""
    lines = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            if body:
                lines[node.name] = (body[-1].end_lineno or 0) - body[0].lineno + 1
    return lines


def test_a_body_is_counted_without_its_docstring() -> None:
    assert bodies('def f():\n    """One.\n\n    Two.\n    """\n    a = 1\n    return a\n') == {
        "f": 2
    }


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_modules_and_functions_are_short(module: Path) -> None:
    source = module.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= MAX_MODULE
    assert {name: n for name, n in bodies(source).items() if n > MAX_BODY} == {}
