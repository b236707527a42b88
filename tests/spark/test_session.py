"""How a session is opened, and what is said where it cannot be."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from servers import free_port
from spark_cluster import OPTIONS, Cluster, require_spark

from synthmix_dagster.errors import ClusterError, ConfigError
from synthmix_dagster.spark.session import SparkAccess, open_session
from synthmix_dagster.spark.workers import Worker, problems_of


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "none of them is set"),
        ({"master": "local", "remote": "sc://host"}, "master and remote are set"),
        ({"master": "http://host"}, "'http://host' is not the address of a master"),
        ({"remote": "host:15002"}, "its value is not the address of a Spark Connect server"),
        ({"master": "local", "timeout_seconds": 0}, "it is 0"),
    ],
)
def test_settings_that_reach_nothing_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        SparkAccess(**settings)


@pytest.mark.parametrize("master", ["local", "local[4]", "spark://a:7077", "yarn", "k8s://x"])
def test_masters_of_every_kind_are_taken(master: str) -> None:
    assert SparkAccess(master=master).place == master
    assert SparkAccess(master="spark://a:7077,b:7077").master == "spark://a:7077,b:7077"


def test_no_text_shows_a_secret() -> None:
    access = SparkAccess(
        remote="sc://host:15002/;token=planted-token;user_id=me",
        options={"spark.hadoop.fs.s3a.secret.key": "planted-secret", "spark.app.name": "mine"},
    )
    assert access.place == "sc://host:15002/"
    assert "planted" not in repr(access)
    said = access.without_secrets("failed: planted-secret, planted-token at mine")
    assert said == "failed: ***, *** at mine"


def test_executors_are_told_what_they_lack() -> None:
    minor = ".".join(map(str, sys.version_info[:2]))
    good = Worker("a", f"{minor}.1", "python", {"numpy": "2.4.0", "pyarrow": "26.0.1"})
    assert problems_of(good) == []
    old = Worker("b", "3.6.9", "python", {"numpy": "", "pyarrow": "1.0.0"})
    assert problems_of(old) == ["Python 3.6", "no numpy", "pyarrow 1.0.0"]


@pytest.mark.cluster
def test_a_master_or_a_server_that_nobody_answers_at_is_named() -> None:
    require_spark()
    with pytest.raises(ClusterError, match="the master cannot be reached") as refused:
        open_session(SparkAccess(master=f"spark://127.0.0.1:{free_port()}"))
    assert refused.value.transient
    remote = f"sc://127.0.0.1:{free_port()}/;token=planted"
    with pytest.raises(ClusterError, match="no Spark Connect server answered") as refused:
        open_session(SparkAccess(remote=remote, timeout_seconds=2))
    assert "planted" not in str(refused.value)


@pytest.mark.cluster
def test_a_driver_without_java_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    require_spark()
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(ConfigError, match="there is no Java"):
        open_session(SparkAccess(master="local"))


#: Opens sessions one after the other, each in the place of the one before, and says how it went.
_OPEN = """
import json, sys
from synthmix_dagster.errors import SynthMixError
from synthmix_dagster.spark.session import SparkAccess
from synthmix_dagster.spark.workers import ready_session, workers_of

for given in json.loads(sys.argv[1]):
    access = SparkAccess(**given)
    try:
        session = ready_session(access)
        found = [vars(each) for each in workers_of(session, access, ["numpy", "no-such-package"])]
        second = ready_session(SparkAccess(**given)) is session
        print(json.dumps({"workers": found, "again": second}), flush=True)
        try:
            ready_session(SparkAccess(master="local[1]"))
        except SynthMixError as error:
            print(json.dumps({"other": str(error)}), flush=True)
    except SynthMixError as error:
        print(json.dumps({"error": str(error)}), flush=True)
    from pyspark.sql import SparkSession

    active = SparkSession.getActiveSession()
    if active is not None:
        active.stop()
"""


@pytest.mark.cluster
def test_a_cluster_is_looked_at_before_it_is_given_work(cluster: Cluster) -> None:
    bare = {**OPTIONS, "spark.pyspark.python": "/usr/bin/env"}
    huge = {**OPTIONS, "spark.executor.memory": "64g"}
    given = [
        {"master": cluster.master, "options": dict(OPTIONS)},
        {"master": cluster.master, "options": bare},
        {"master": cluster.master, "options": huge, "timeout_seconds": 5},
    ]
    env = {name: value for name, value in os.environ.items() if name != "PYSPARK_PYTHON"}
    done = subprocess.run(
        [sys.executable, "-c", _OPEN, json.dumps(given)],
        capture_output=True,
        text=True,
        env=env,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    lines = done.stdout.splitlines()
    said = [json.loads(line) for line in lines if line.startswith("{")]
    workers = said[0]["workers"]
    assert {each["executable"] for each in workers} == {sys.executable}
    assert all(each["versions"]["numpy"] for each in workers)
    assert all(each["versions"]["no-such-package"] == "" for each in workers)
    assert said[0]["again"]
    assert f"a session on '{cluster.master}' is open" in said[1]["other"]
    assert "Python cannot be run on the executors" in said[2]["error"]
    assert "spark.pyspark.python" in said[2]["error"]
    assert "no executor answered within 5 s" in said[3]["error"]
