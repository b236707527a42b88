"""What contributors and forges expect is there, can be read, and agrees with itself."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tomli
import yaml
from doc_blocks import ROOT, name_of

GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
FORMS = sorted(
    set((GITHUB / "ISSUE_TEMPLATE").glob("*.yml")) - {GITHUB / "ISSUE_TEMPLATE/config.yml"}
)
PROJECT = tomli.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PYTHONS = [
    found[1]
    for classifier in PROJECT["classifiers"]
    if (found := re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", classifier))
]


def _yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def _steps(workflow: Path) -> list[dict[str, Any]]:
    return [step for job in _yaml(workflow)["jobs"].values() for step in job["steps"]]


def _make_targets() -> set[str]:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=name_of)
def test_a_workflow_is_bounded_and_pins_what_it_uses(workflow: Path) -> None:
    said = _yaml(workflow)
    assert said["permissions"] == {"contents": "read"}
    for name, job in said["jobs"].items():
        assert job["timeout-minutes"] <= 90, name
    for step in _steps(workflow):
        assert ("uses" in step) != ("run" in step), step
        if "uses" in step:
            assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", step["uses"]), step
        # A name of a branch or a tag must not become code of the shell.
        assert "${{" not in step.get("run", ""), step


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=name_of)
def test_what_a_workflow_calls_is_there(workflow: Path) -> None:
    for step in _steps(workflow):
        for line in step.get("run", "").splitlines():
            if target := re.match(r"make ([a-z-]+)", line):
                assert target[1] in _make_targets()
            for script in re.findall(r"(?:^|\s)((?:\.ci|tools)/[\w.]+)", line):
                assert (ROOT / script).is_file(), script


def test_every_python_is_tested_at_the_ends_of_its_versions_and_weekly() -> None:
    jobs = _yaml(GITHUB / "workflows" / "tests.yml")["jobs"]
    tested = jobs["tests"]["strategy"]["matrix"]["include"]
    assert sorted({row["python"] for row in tested}) == sorted(PYTHONS)
    assert {"lowest", "newest"} <= {row["versions"] for row in tested}
    oldest, *_, newest = sorted(PYTHONS, key=lambda version: int(version[2:]))
    assert {"python": oldest, "versions": "lowest"} in tested
    assert {"python": newest, "versions": "newest"} in tested
    assert jobs["weekly"]["strategy"]["matrix"] == {"python": PYTHONS, "versions": ["newest"]}
    # YAML 1.1 reads the key `on` as true.
    assert "schedule" in _yaml(GITHUB / "workflows" / "tests.yml")[True]


def test_a_tag_becomes_sdist_wheel_and_sbom() -> None:
    workflow = GITHUB / "workflows" / "release.yml"
    assert _yaml(workflow)[True] == {"push": {"tags": ["v*"]}}
    commands = "\n".join(step.get("run", "") for step in _steps(workflow))
    assert "-m build\n" in commands  # sdist and wheel
    assert "cyclonedx-py environment" in commands
    uploaded = [step["with"]["path"] for step in _steps(workflow) if "upload" in str(step)]
    assert uploaded == ["dist/", "synthmix-dagster.cdx.json"]


def test_the_changelog_begins_with_this_version() -> None:
    first = re.search(r"^## (\S+?),? ", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert first is not None
    assert first[1] == PROJECT["version"]


def test_the_lowest_versions_are_those_of_every_dependency() -> None:
    printed = subprocess.run(
        [sys.executable, "tools/lowest.py"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    needed = [bound.replace(">=", "==") for bound in PROJECT["dependencies"]]
    assert printed[: len(needed)] == needed
    # The rest is released together with Dagster, and asks for the same release.
    patch = next(line for line in needed if line.startswith("dagster==")).rpartition(".")[2]
    assert {line.rpartition(".")[2] for line in printed[len(needed) :]} == {patch}
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in printed)


def test_the_hooks_are_tools_of_the_environment() -> None:
    repos = _yaml(ROOT / ".pre-commit-config.yaml")["repos"]
    assert [repo["repo"] for repo in repos] == ["local"]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for hook in repos[0]["hooks"]:
        assert hook["language"] == "system"
        tool = Path(hook["entry"].split()[0])
        assert tool.parent.as_posix() == ".venv/bin"
        assert f"$(BIN)/{tool.name}" in makefile


@pytest.mark.parametrize("form", FORMS, ids=name_of)
def test_an_issue_form_asks_something_once(form: Path) -> None:
    said = _yaml(form)
    assert said["name"]
    assert said["description"]
    fields = [field for field in said["body"] if field["type"] != "markdown"]
    assert {field["type"] for field in fields} <= {"textarea", "input", "dropdown"}
    assert len({field["id"] for field in fields}) == len(fields) >= 3
    for field in fields:
        assert field["attributes"]["label"]
        assert field["type"] != "dropdown" or len(field["attributes"]["options"]) > 1
    assert any(field.get("validations", {}).get("required") for field in fields)


def test_the_citation_is_of_this_version_and_of_the_paper() -> None:
    citation = _yaml(ROOT / "CITATION.cff")
    assert citation["cff-version"] == "1.2.0"
    for key in ("message", "title", "authors"):
        assert citation[key], key
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]
    assert citation["repository-code"] == PROJECT["urls"]["Source"]
    (paper,) = citation["references"]
    assert paper.keys() >= {"type", "title", "authors"}
    assert "2510.08095" in paper["url"]
    assert all(author.keys() & {"family-names", "name"} for author in paper["authors"])


def test_the_repository_has_one_address() -> None:
    files = [
        *ROOT.glob("*.md"), ROOT / "CITATION.cff", ROOT / "pyproject.toml",
        *(ROOT / "docs").rglob("*.md"), *GITHUB.rglob("*.*"),
    ]  # fmt: skip
    own = re.compile(r"https://github\.com/([\w-]+)/synthmix-dagster")
    owners = {owner for path in files for owner in own.findall(path.read_text(encoding="utf-8"))}
    assert owners == {"synthmix"}
    assert all(own.match(url) for url in PROJECT["urls"].values())


@pytest.mark.parametrize(
    "page", ["CONTRIBUTING.md", "CODE_OF_CONDUCT.md", ".github/pull_request_template.md"]
)
def test_what_a_page_for_contributors_names_exists(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    targets = re.findall(r"(?:`|\$ )make ([a-z-]+)", text)
    assert set(targets) <= _make_targets()
    named = re.findall(
        r"`((?:[\w.-]+/)*[\w-]+\.(?:md|toml|py|txt|cff)|(?:docs|tests)/[\w/]+/)`", text
    )
    for path in named:
        assert path == "options.py" or (ROOT / path).exists(), path
    assert targets or named
