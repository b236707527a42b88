"""The architecture page is true of the tree: rooms, layers, modules and names."""

import re
from pathlib import Path

import tomli
from doc_blocks import ROOT

PACKAGE = ROOT / "synthmix_dagster"
PAGE = ROOT / "docs" / "architecture.md"
CONTRIBUTING = ROOT / "CONTRIBUTING.md"

#: A path in code font, and the names in code font that may stand in brackets behind it.
_NAMED = re.compile(r"`(?P<path>[\w./]+)`(?:\s+\((?P<names>(?:`\w+`(?:,\s+)?)+)\))?")
_DRAWN = re.compile(r"^  ((?:\w+(?:/|\.py) )+)", re.MULTILINE)


def _drawing() -> list[list[str]]:
    """Rooms of each line of the drawing, from the top."""
    block = re.search(r"```text\nsynthmix_dagster/\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert block is not None
    return [line.split() for line in _DRAWN.findall(block[1])]


def _place_of(path: str) -> Path | None:
    """The file or folder that a page means: below the package, or below the root."""
    places = [PACKAGE / path, ROOT / path]
    return next((place for place in places if place.exists()), None)


def test_every_room_is_drawn_and_every_drawn_room_exists() -> None:
    drawn = {name for line in _drawing() for name in line}
    there = {f"{path.parent.name}/" for path in PACKAGE.glob("*/__init__.py")}
    there |= {path.name for path in PACKAGE.glob("*.py")}
    assert drawn == there


def test_the_drawing_has_the_layers_that_import_linter_holds() -> None:
    contracts = tomli.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = [set(re.findall(r"\w+", layer)) for layer in contracts["contracts"][0]["layers"]]
    drawn = [{re.sub(r"/|\.py", "", name) for name in line} for line in _drawing()]
    assert drawn[1:] == layers


def test_every_room_has_its_sentence() -> None:
    text = PAGE.read_text()
    for room in PACKAGE.glob("*/__init__.py"):
        assert re.search(rf"^\| `{room.parent.name}/` \| \w.*\. \|$", text, re.MULTILINE), room


def test_every_module_and_name_exists() -> None:
    counted = 0
    for page in (PAGE, CONTRIBUTING):
        for found in _NAMED.finditer(page.read_text(encoding="utf-8")):
            path = found["path"]
            if not path.endswith((".py", "/")) or path == "options.py" or path == "display.py":
                continue
            place = _place_of(path)
            assert place is not None, f"{page.name}: '{path}' does not exist"
            names = re.findall(r"\w+", found["names"] or "")
            source = "" if place.is_dir() else place.read_text(encoding="utf-8")
            for name in names:
                defined = rf"^(?: *(?:class|def) {name}\b|{name}\b.*=)"
                assert re.search(defined, source, re.MULTILINE), f"{page.name}: {path}: {name}"
            counted += 1
    assert counted > 60


def test_every_decision_is_listed() -> None:
    decisions = sorted((ROOT / "docs" / "decisions").glob("0*.md"))
    assert len(decisions) >= 5
    listed = (ROOT / "docs" / "decisions" / "index.md").read_text(encoding="utf-8")
    for number, page in enumerate(decisions, 1):
        text = page.read_text(encoding="utf-8")
        title = text.splitlines()[0].removeprefix(f"# {number:04}: ")
        assert f"[{number:04}]({page.name}) | {title} |" in listed
        headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
        assert headings == ["Context", "Decision", "Consequences", "Alternatives"], page.name


def test_figures_of_decisions_are_among_what_was_measured() -> None:
    measured = set(_figures((ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")))
    for page in (ROOT / "docs" / "decisions").glob("0*.md"):
        figures = set(_figures(page.read_text(encoding="utf-8")))
        assert figures <= measured, (page.name, figures - measured)


def _figures(text: str) -> list[str]:
    """Numbers with a decimal point, which are measurements; half of the error is in words."""
    return re.findall(r"(?<![\w.-])\d+\.\d+(?![\w.])", text)
