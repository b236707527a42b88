"""Messages, docstrings and pages are written in plain international English.

A short list of dialect words, looked up in every sentence that a user may read: the README and the
pages, the templates, and the string literals of the package (docstrings, parts of f-strings).
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "synthmix_dagster"

#: docs/glossary.md says what is written instead. "There is no" and "is no longer" are ordinary.
DIALECT = re.compile(
    r"\bmend(?:s|ed|ing)?\b"
    r"|(?<!\bthere )\b(?:is|are) no (?!longer\b)"
    r"|\bwhat follows it\b"
    r"|\bbe told from\b",
    re.IGNORECASE,
)
#: The page that lists the words to avoid has to name them.
LISTS_THEM = "docs/glossary.md"
#: Pages, templates and schemas of the package. Other suffixes are pictures and byte code.
TEXTS = (".jinja", ".json", ".css", ".md")


def dialect_in(text: str) -> list[str]:
    """Every dialect word of a text, with its neighbours; line breaks do not hide one."""
    plain = " ".join(text.split())
    return [plain[max(0, m.start() - 30) : m.end() + 30] for m in DIALECT.finditer(plain)]


def literals_of(source: str) -> Iterator[tuple[int, str]]:
    """Line and text of every string literal; an f-string is one text, with {} for its values."""
    tree = ast.parse(source)
    joined = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    parts = {id(part) for node in joined for part in node.values}
    for node in joined:
        pieces = [part.value if isinstance(part, ast.Constant) else "{}" for part in node.values]
        yield node.lineno, "".join(map(str, pieces))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
            yield node.lineno, node.value


def test_pages_are_in_plain_english() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    assert len(pages) > 25
    found = {
        page.relative_to(ROOT).as_posix(): dialect_in(page.read_text(encoding="utf-8"))
        for page in pages
    }
    assert found.pop(LISTS_THEM), "the list of words to avoid is gone"
    assert {page: words for page, words in found.items() if words} == {}


def test_templates_and_schemas_are_in_plain_english() -> None:
    texts = [path for path in PACKAGE.rglob("*") if path.suffix in TEXTS]
    assert len(texts) > 10
    found = {str(path): dialect_in(path.read_text(encoding="utf-8")) for path in texts}
    assert {path: words for path, words in found.items() if words} == {}


def test_messages_and_docstrings_are_in_plain_english() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {words}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for line, text in literals_of(path.read_text(encoding="utf-8"))
        for words in dialect_in(text)
    ]
    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        '"""Mend it."""',
        "raise ValueError(f\"'{path}' is no folder\")",
        "def f():\n    '''Columns that are\n    no numbers.'''",
        "print('cannot ' 'be told from' ' the best')",
        "x = f'{name} and what '\\\n    f'follows it'",
    ],
)
def test_dialect_is_found_wherever_it_hides(source: str) -> None:
    assert [words for _, text in literals_of(source) for words in dialect_in(text)]


@pytest.mark.parametrize(
    "text", ["There is no target.", "there are no rows", "is no longer there", "is not a folder"]
)
def test_ordinary_english_is_left_alone(text: str) -> None:
    assert dialect_in(text) == []
