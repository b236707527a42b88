"""Every fenced block of the README and the docs is run, loaded or looked up."""

import contextlib
import io
import json
import os
import re
import sys
import types
from collections import Counter
from pathlib import Path
from typing import Any

import doc_commands as commands
import doc_settings as settings
import doc_world as world
import pytest
import yaml
from doc_blocks import PAGES, ROOT, Block, blocks_of, name_of

from synthmix_dagster.data import locations

#: Blocks that cannot be run here, and why; everything else is.
NOT_RUN = {
    "docs/how-to/generators.md": ["needs SDV, whose licence is its own"],
    "docs/how-to/spark.md": ["it needs a cluster", "it needs a cluster"],
    "docs/how-to/weights.md": ["needs xgboost, which is large", "needs torch, which is large"],
}

#: Pages with more than a few seconds of work.
LONG = [
    "docs/tutorial.md",
    "docs/cli.md",
    "docs/dagster.md",
    "docs/faq.md",
    "docs/index.md",
    "docs/mixing.md",
    "docs/security.md",
    "docs/worked-cases.md",
    "docs/how-to/generators.md",
    "docs/how-to/load.md",
    "docs/how-to/s3.md",
    "docs/how-to/text.md",
]

_NUMBER = re.compile(r"[-+\u2212]?\d[\d,]*\.?\d*(?:e[-+]?\d+)?")


class Played:
    """One page in a folder of its own."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, name: str) -> None:
        self._patch = patch
        self._module = types.ModuleType(re.sub(r"\W", "_", name))
        vars(self._module).update(world.build(folder))
        patch.setitem(sys.modules, self._module.__name__, self._module)
        patch.chdir(folder)
        patch.setenv("PWD", str(folder))
        patch.setattr(locations, "resolve", world.with_bucket(folder, locations.resolve))
        self.output = ""

    def play(self, block: Block) -> None:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            getattr(self, f"_{block.language}")(block)
        self.output += printed.getvalue()
        if os.environ.get("SHOW"):
            sys.stderr.write(f"--- {block.place}\n{printed.getvalue()}")

    def _setup(self, block: Block) -> None:
        self._execute(block)

    def _python(self, block: Block) -> None:
        if block.title is None:
            self._execute(block)
        else:
            compile(block.body, block.place, "exec")
            _write(block)

    def _yaml(self, block: Block) -> None:
        steps = yaml.safe_load(block.body)
        if isinstance(steps, list):
            for step in steps:
                assert step.keys() & {"run", "uses"}, step
                assert "run" not in step or self._run(step["run"])
        else:
            settings.check(block.body)
        _write(block)

    def _toml(self, block: Block) -> None:
        assert block.title is not None, "a file without a 'title'"
        _write(block)

    def _json(self, block: Block) -> None:
        for line in block.body.splitlines():
            json.loads(line)
        _write(block)

    def _console(self, block: Block) -> None:
        lines = commands.commands_of(block.body)
        assert lines, "no line begins with '$ '"
        succeeded = [self._run(line) for line in lines]
        assert all(succeeded) == (block.directive != "fails"), succeeded

    def _run(self, command: str) -> bool:
        return commands.run(command, self._patch.chdir, self._patch.setenv)

    def _text(self, block: Block) -> None:
        if block.directive == "printed":
            for line in filter(None, map(str.strip, block.body.splitlines())):
                assert _was_printed(line, self.output), f"{line!r} is not in:\n{self.output}"

    def _execute(self, block: Block) -> None:
        source = "\n" * block.line + block.body
        exec(compile(source, block.page, "exec"), vars(self._module))


def _write(block: Block) -> None:
    if block.title is not None:
        path = Path(block.title)
        assert not path.is_absolute(), block.title
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.body, encoding="utf-8")


def _was_printed(line: str, output: str) -> bool:
    """Whether some line of the output has these words, and about these numbers."""
    return any(_alike(line, other) for other in output.splitlines())


def _alike(shown: str, printed: str) -> bool:
    """Like each other but for the last digits; ``...`` stands for anything."""
    skeleton = re.escape(_NUMBER.sub("#", " ".join(shown.split()))).replace(r"\.\.\.", ".*")
    if not re.search(skeleton, _NUMBER.sub("#", " ".join(printed.split()))):
        return False
    if "..." in shown:
        return True
    numbers = [[_value(each) for each in _NUMBER.findall(line)] for line in (shown, printed)]
    wanted, found = numbers
    at = range(len(found) - len(wanted) + 1)
    return any(all(map(_near, wanted, found[start:])) for start in at)


def _value(text: str) -> float:
    return float(text.replace("\u2212", "-").replace(",", ""))


def _near(one: float, other: float) -> bool:
    return abs(one - other) <= 0.02 + 0.05 * abs(one)


@pytest.fixture
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.setenv("SLACK_TOKEN", "none")
    return lambda name: Played(tmp_path, monkeypatch, name)


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=[pytest.mark.slow] if name_of(page) in LONG else [])
        for page in PAGES
    ],
    ids=name_of,
)
def test_the_blocks_of_a_page_work(page: Path, played: Any) -> None:
    scene = played(f"page_{name_of(page)}")
    for block in blocks_of(page):
        if block.directive == "not run":
            continue
        try:
            scene.play(block)
        except BaseException as error:
            error.add_note(f"in the block at {block.place}") if sys.version_info >= (3, 11) else 0
            raise


def test_no_block_is_skipped_without_a_reason() -> None:
    skipped: dict[str, list[str]] = {}
    for page in PAGES:
        for block in blocks_of(page):
            if block.directive == "not run":
                skipped.setdefault(block.page, []).append(block.reason)
    assert skipped == NOT_RUN


def test_every_fence_is_one_of_the_blocks() -> None:
    known = {"python", "yaml", "console", "text", "toml", "json"}
    for page in PAGES:
        found = [block for block in blocks_of(page) if block.language != "setup"]
        fences = re.findall(r"^ *```", page.read_text(encoding="utf-8"), re.MULTILINE)
        assert len(fences) == 2 * len(found), name_of(page)
        assert {block.language for block in found} <= known, name_of(page)


def test_the_docs_are_rich_in_blocks_that_run() -> None:
    counted = Counter(
        block.language for page in PAGES for block in blocks_of(page) if not block.directive
    )
    assert counted["python"] >= 25
    assert counted["yaml"] >= 15
    assert counted["console"] >= 8


def test_the_number_of_pages_is_that_of_the_site() -> None:
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for page in PAGES[1:]:
        assert page.relative_to(ROOT / "docs").as_posix() in nav, name_of(page)


@pytest.mark.parametrize(
    ("language", "body"),
    [
        ("python", "measure_distance(real, nothing)"),
        ("yaml", "treshold: 0.3"),
        ("yaml", "threshold: high"),
        ("yaml", 'real: { asset: a, partition_mapping: "{{ dg.LastPartitionMapping() }}" }'),
        ("yaml", "ops: { churn__training_data: { config: { ration: 1.0 } } }"),
        ("console", "$ dg launch --jobb churn_job"),
        ("console", "$ dg lunch"),
        ("console", "$ synthmix measure real.parquet generated.parquet --target nothing"),
        ("console", "$ make nothing"),
        ("console", "$ rm -rf mixes"),
        ("console", "no command"),
        ("json", "{'single': 1}"),
    ],
)
def test_a_block_that_does_not_work_is_found(language: str, body: str, played: Any) -> None:
    with pytest.raises(Exception):  # noqa: B017  (each in its own way)
        played("broken").play(Block("page", 1, language, body))


@pytest.mark.parametrize(
    ("shown", "was"),
    [
        ("gap 0.311 is over", True),
        ("gap 0.309 is over", True),
        ("gap 0.411 is over", False),
        ("gap 0.311 is within", False),
        ("gap ... over", True),
    ],
)
def test_output_is_compared_but_for_last_digits(shown: str, was: bool) -> None:
    assert _was_printed(shown, "first line\nthe gap 0.311 is over its threshold 0.15") == was
