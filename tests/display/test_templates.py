"""Templates: all of them compile, all values are escaped, and none is missing unnoticed."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from jinja2 import UndefinedError
from markupsafe import Markup

import synthmix_dagster
from synthmix_dagster.display.templates import environment, markdown, part, render

EVIL = "<script>alert('x')</script>\x00\ud800"
FAILED = "release/report/templates/failed.html.jinja"
DRAWN = {"view": Markup(""), "description": "", "body": Markup("")}
PACKAGE = Path(synthmix_dagster.__file__).parent


def names() -> Iterator[str]:
    for path in sorted(PACKAGE.rglob("*.jinja")):
        yield path.relative_to(PACKAGE).as_posix()


@pytest.mark.parametrize("name", list(names()))
def test_every_template_compiles_and_says_what_it_writes(name: str) -> None:
    assert environment().get_template(name).name == name
    assert name.split(".", 1)[1] in ("html.jinja", "md.jinja", "css.jinja")


#: SVG of at most 1,000 characters, in which every character counts, is put together by hand.
BY_HAND = {"orchestration/sparklines.py"}
TAG = re.compile(r"</?(p|b|h\d|div|span|table|t[rdh]|ul|li|section|html|body|svg)\b[^>]*>")


def test_no_page_is_put_together_from_strings() -> None:
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        documentation = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
        found += [
            path.relative_to(PACKAGE).as_posix()
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in documentation
            and TAG.search(node.value)
        ]
    assert set(found) <= BY_HAND


def test_a_value_that_is_missing_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="problem"):
        render(FAILED)
    with pytest.raises(UndefinedError, match="title"):
        environment().from_string("{{ title }}").render()


def test_html_is_escaped_and_holds_printable_characters_only() -> None:
    page = render("display/templates/picture.html.jinja", name='"', title=EVIL, **DRAWN)
    assert "<script" not in page
    assert 'id="&#34;-title"' in page
    assert "alert(&#39;x&#39;)" in page
    assert "\x00" not in page
    page.encode("utf-8")


def test_only_markup_is_inserted_as_it_is() -> None:
    template = environment().from_string("{{ value }}")
    assert template.render(value="<b>") == "&lt;b&gt;"
    assert template.render(value=Markup("<b>")) == "<b>"
    assert isinstance(part(FAILED, problem=""), Markup)


def test_markdown_keeps_a_value_in_its_cell() -> None:
    assert markdown("a|b\nc <i>&") == "a\\|b c &lt;i&gt;&amp;"


def test_columns_of_numbers_are_set_flush_right_and_others_are_not() -> None:
    rows = [{"a": 1, "b": True, "c": 0.5, "d": "x"}, {"a": None, "b": None, "c": 2.0, "d": 1}]
    table = environment().from_string(
        '{% import "display/templates/macros.html.jinja" as page %}'
        '{{ page.table("t", rows, [("A", "a"), ("B", "b"), ("C", "c"), ("D", "d")]) }}'
    )
    page = table.render(rows=rows)
    assert '<th scope="col" class="number">A</th>' in page
    assert '<th scope="col">B</th>' in page
    assert '<td data-title="C" class="number">0.5</td>' in page
    assert '<th scope="col">D</th>' in page
    assert '<td data-title="B">yes</td>' in page
    assert table.render(rows=[]).strip() == ""
