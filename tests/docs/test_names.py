"""Snippets can be pasted: what a page takes for granted is said there."""

import ast
import builtins
import re

import pytest
from doc_blocks import PAGES, blocks_of, name_of

#: A line that names what snippets need, such as: Snippets need `real` and `synthetic`, two frames.
_NEEDS = re.compile(r"^ *Snippets need .*?(?=\n\n)", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([A-Za-z_]\w*)`")


def free_names(sources: list[str]) -> set[str]:
    """Names that blocks use before any of them defines them; functions look later."""
    known, free = {*dir(builtins), "__file__"}, set()
    late: list[ast.AST] = []
    for source in sources:
        tree = ast.parse(source)
        for statement in tree.body:
            if isinstance(statement, ast.FunctionDef | ast.ClassDef):
                late.append(statement)
                for outside in (*statement.decorator_list, *_annotations(statement)):
                    own = {name for node in ast.walk(outside) for name in _bound(node)}
                    free |= _loaded(outside) - known - own
            else:
                inner = {name for node in ast.walk(statement) for name in _bound(node)}
                free |= _loaded(statement) - known - inner
            known |= set(_bound(statement))
            known |= {name for node in ast.walk(statement) for name in _bound(node)}
    for statement in late:
        inner = {name for node in ast.walk(statement) for name in _bound(node)}
        free |= _loaded(statement) - known - inner
    return free


def _annotations(node: ast.AST) -> list[ast.expr]:
    if not isinstance(node, ast.FunctionDef):
        return []
    found = [argument.annotation for argument in (*node.args.args, *node.args.kwonlyargs)]
    return [each for each in (*found, node.returns) if each is not None]


def _loaded(tree: ast.AST) -> set[str]:
    return {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }


def _bound(node: ast.AST) -> list[str]:
    match node:
        case ast.Name(id=name, ctx=ast.Store()):
            return [name]
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.Import() | ast.ImportFrom():
            return [(alias.asname or alias.name).split(".")[0] for alias in node.names]
        case ast.arg(arg=name):
            return [name]
    return []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_what_snippets_take_for_granted_is_named(page) -> None:
    blocks = [block for block in blocks_of(page) if block.language == "python"]
    needs = _NEEDS.search(page.read_text(encoding="utf-8"))
    named = set(_CODE.findall(needs[0])) if needs else set()
    alone = [block.body for block in blocks if block.title]
    missing = free_names([block.body for block in blocks if not block.title]) - named
    for source in alone:
        missing |= free_names([source]) - named
    assert not missing, f"add a line 'Snippets need …' to {name_of(page)}: {missing}"


def test_a_name_that_comes_from_nowhere_is_found() -> None:
    assert free_names(["import a\nb = a + c", "def f(x):\n    return x + b + d"]) == {"c", "d"}
    assert free_names(["@deco\ndef f(): ...", "class deco: ..."]) == {"deco"}
    assert free_names(["[x for x in range(3)]", "lambda y: y"]) == set()
