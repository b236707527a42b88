"""What this package brings along and is built from: licences, actions, bytes of the wheel."""

import ast
import hashlib
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
LICENCES = runpy.run_path(str(ROOT / "tools" / "licences.py"))
EXTRAS = ("adbc", "delta", "duckdb", "iceberg", "stores")


def test_everything_that_is_installed_along_may_be_used_by_anybody() -> None:
    needed = LICENCES["needed"]("synthmix-dagster", EXTRAS)
    assert {"dagster", "numpy", "obstore", "deltalake"} <= needed
    others = {name: LICENCES["licence_of"](name) for name in needed}
    assert not {n: said for n, said in others.items() if not LICENCES["is_permissive"](said)}


@pytest.mark.parametrize(
    ("licence", "allows"),
    [
        ("MIT", True),
        ("BSD-3-Clause AND Zlib", True),
        ("MIT AND GPL-3.0", False),
        ("GNU General Public License v3 (GPLv3)", False),
        ("Permission by e-mail", False),
        ("", False),
    ],
)
def test_a_licence_that_binds_is_noticed(licence: str, allows: bool) -> None:
    assert LICENCES["is_permissive"](licence) == allows


def test_actions_are_pinned_by_digest_and_may_only_read() -> None:
    flows = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
    assert len(flows) >= 3
    for flow in flows:
        text = flow.read_text(encoding="utf-8")
        used = re.findall(r"uses: (\S+)", text)
        assert used
        assert all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", each) for each in used), (flow, used)
        assert yaml.safe_load(text)["permissions"] == {"contents": "read"}


FORBIDDEN = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}


def test_nothing_of_a_stranger_is_run() -> None:
    files = sorted((ROOT / "synthmix_dagster").rglob("*.py"))
    assert len(files) > 200
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = {each.name for each in node.names} | {getattr(node, "module", "") or ""}
                assert not FORBIDDEN & {name.split(".")[0] for name in names}, file
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                unsafe = {"eval", "exec", "yaml.load", "yaml.unsafe_load", "os.system"}
                assert called not in unsafe, (file, called)
                said = {word.arg: ast.unparse(word.value) for word in node.keywords}
                assert said.get("allow_pickle", "False") == "False", file


@pytest.mark.slow
def test_two_builds_give_the_same_bytes(tmp_path: Path) -> None:
    built = []
    for at, umask in enumerate((0o022, 0o077)):
        folder = tmp_path / str(at)
        subprocess.run(
            [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)],
            check=True,
            capture_output=True,
            env={**os.environ, "PYTHONHASHSEED": str(at), "TZ": ("UTC", "Asia/Tokyo")[at]},
            umask=umask,
        )
        built.append(
            {
                path.name: hashlib.sha256(path.read_bytes()).hexdigest()
                for path in sorted(folder.iterdir())
            }
        )
    assert len(built[0]) == 2
    assert built[0] == built[1]
