"""Options of the commands that say where rows are read."""

from pathlib import Path

import pytest
from cli_runs import run


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--master", "local"], "go with --engine spark"),
        (["--engine", "spark"], "needs one of --master and --remote"),
        (["--engine", "spark", "--master", "local", "--remote", "X"], "one of --master"),
        (["--engine", "spark", "--master", "nowhere"], "is not the address of a master"),
        (["--engine", "spark", "--remote", "NO_SUCH_VARIABLE"], "'NO_SUCH_VARIABLE' is not set"),
        (["--engine", "spark", "--master", "local", "--spark-option", "a"], "is NAME=VALUE"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options: list[str], words: str) -> None:
    done = run("measure", "real.parquet", "synthetic.parquet", *options)
    assert done.exit_code == 2
    assert words in " ".join(done.stderr.split())


def test_the_address_of_a_server_is_never_given_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may hold a token, and other people read the processes of a machine."""
    monkeypatch.setenv("CONNECT", "host/;token=planted-token")
    options = ["--engine", "spark", "--remote", "CONNECT", "--ratio", "1", "--output", tmp_path]
    done = run("mix", "real.parquet", "synthetic.parquet", *options)
    assert done.exit_code == 2
    assert "is not the address of a Spark Connect server" in " ".join(done.stderr.split())
    assert "planted" not in done.output
