"""No secret of an address is shown: not in messages, chained errors, events, metadata or files."""

import json
import traceback
from pathlib import Path
from typing import Any

import dagster as dg
import fsspec
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pytest
from click.testing import CliRunner
from dagster._utils.error import serializable_error_info_from_exc_info
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.registry import _registry
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scenario import good, rows, write_inputs

from synthmix_dagster import SynthMixComponent, build_drift_monitor, build_synthmix_defs, mix
from synthmix_dagster.cli.group import main
from synthmix_dagster.data.dataset import open_dataset
from synthmix_dagster.errors import ConfigError, DataError, SynthMixError
from synthmix_dagster.redaction import cause_of, without_secrets

SECRETS = ("hunter2-word", "hunter2/wo%72d", "sigOfMine", "keyOfMine")

#: Every way to plant one, in an address that leads nowhere.
PLANTED = (
    "vault://keyOfMine:hunter2-word@vault.test/rows.parquet",
    "abfs://box@127.0.0.1:9/rows.parquet?sig=sigOfMine&sv=1",
    "simplecache::http://keyOfMine:hunter2-word@127.0.0.1:9/rows.csv",
    "https://keyOfMine:hunter2-word@127.0.0.1:9/rows.csv?token=sigOfMine#hunter2-word",
    "zip://rows.csv::http://keyOfMine:hunter2-word@127.0.0.1:9/rows.zip?sig=sigOfMine",
    "hf://keyOfMine:hunter2-word@datasets/nobody/nothing/rows.parquet",
    "s3://keyOfMine:hunter2/wo%72d@bucket/rows.csv?region=",
    "nosuch://keyOfMine:hunter2-word@bucket/{partition_key}.csv",
    "leaky://keyOfMine:hunter2-word@bucket/rows.csv?sig=sigOfMine",
)


class ClientError(Exception):
    """As the clients of some stores have: neither an OSError nor a ValueError."""


class Leaky(MemoryFileSystem):
    """A store whose client says all it knows when something fails."""

    protocol = ("leaky",)
    fails_at = "info"

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__()

    @classmethod
    def _get_kwargs_from_urls(cls, url: str) -> dict[str, Any]:
        return {"address": url}

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        address = str(path)
        return "/" + address.partition("@")[2].partition("?")[0] if "@" in address else path

    def info(self, path: str, **kwargs: Any) -> Any:
        self._fail("info")
        return super().info(path, **kwargs)

    def _open(self, path: str, *args: Any, **kwargs: Any) -> Any:
        self._fail("open")
        return super()._open(path, *args, **kwargs)

    def _fail(self, where: str) -> None:
        if where == Leaky.fails_at:
            raise ClientError(
                f"login as keyOfMine with hunter2-word failed, sig=sigOfMine ({self})"
            )


@pytest.fixture(autouse=True)
def leaky(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(_registry, "leaky", Leaky)
    monkeypatch.setattr(Leaky, "fails_at", "info")
    Leaky.clear_instance_cache()


def everything_of(error: BaseException) -> str:
    """All that Python and Dagster show of an error, with the source lines of these tests."""
    info = (type(error), error, error.__traceback__)
    stored = serializable_error_info_from_exc_info(info)  # type: ignore[arg-type]
    shown = [str(error), repr(error), *traceback.format_exception(error), stored.to_string()]
    while error.__cause__ is not None:
        error = error.__cause__
        shown += [str(error), repr(error)]
    return "\n".join(shown)


def require_clean(text: str) -> None:
    assert not [secret for secret in SECRETS if secret in text]


# The function itself


@pytest.mark.parametrize("address", PLANTED)
def test_an_address_and_whatever_quotes_it_lose_their_secrets(address: str) -> None:
    require_clean(without_secrets(address))
    require_clean(without_secrets(f"cannot open ({address!r}), see <{address}>."))
    said = "sig=sigOfMine was refused for 'hunter2-word'"
    require_clean(without_secrets(said, PLANTED[3], address))
    assert without_secrets(without_secrets(address)) == without_secrets(address)


@pytest.mark.parametrize(
    "plain",
    [
        "data/a@b.csv",
        "s3://bucket/a@b.csv",
        "http://127.0.0.1:80/a@b",
        "s3://[::1]:9000/x",
        "hf://datasets/user/repo@main/x.csv",
        "C:/data/x@y.csv",
        "a ratio of 1:2 :: see 'b://'",
    ],
)
def test_what_holds_no_secret_stays(plain: str) -> None:
    assert without_secrets(plain) == plain


@given(
    user=st.text(st.characters(categories=["L", "N"]), min_size=8),
    password=st.text(
        st.characters(categories=["L", "N", "P"], exclude_characters="'\"<>`"), min_size=8
    ),
    path=st.text("abc/", max_size=9),
)
def test_any_password_is_removed(user: str, password: str, path: str) -> None:
    address = f"s3://{user}:{password}@bucket/{path}"
    assert without_secrets(address) == f"s3://bucket/{path}"
    told = without_secrets(f"refused {password!s} for {address}", address)
    assert password not in told


def test_a_cause_is_kept_unless_it_tells() -> None:
    clean, telling = ValueError("line 3"), ValueError("http://u:hunter2-word@h/")
    telling_below = ValueError("line 3")
    telling_below.__cause__ = telling
    assert cause_of(clean) is clean
    assert cause_of(telling) is None
    assert cause_of(telling_below) is None
    assert cause_of(ValueError("hunter2-word"), "http://u:hunter2-word@h/") is None


# The verbs and the settings


@pytest.mark.parametrize(
    "address",
    [
        # Its client tries for seconds.
        pytest.param(each, marks=pytest.mark.slow) if each.startswith("abfs") else each
        for each in PLANTED
    ],
)
def test_no_error_of_a_dataset_shows_a_secret(address: str) -> None:
    with pytest.raises(DataError) as caught:
        open_dataset(address, "real")
    require_clean(everything_of(caught.value))


@pytest.mark.parametrize("fails_at", ["info", "open"])
def test_what_a_client_says_is_quoted_without_secrets(
    fails_at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Leaky, "fails_at", fails_at)
    fsspec.filesystem("memory").pipe("/bucket/rows.csv", b"x\n1\n")
    address = PLANTED[-1]
    with pytest.raises(DataError, match=r"login as \*\*\* with \*\*\* failed") as caught:
        open_dataset(address, "real")
    require_clean(everything_of(caught.value))


def test_a_dataset_at_such_an_address_is_read_and_tells_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(Leaky, "fails_at", "")
    for name, start in (("rows", 0), ("more", 50)):
        sink = pa.BufferOutputStream()
        pyarrow.csv.write_csv(pa.table({"x": range(start, start + 40)}), sink)
        fsspec.filesystem("memory").pipe(f"/bucket/{name}.csv", sink.getvalue().to_pybytes())
    real, synthetic = PLANTED[-1], PLANTED[-1].replace("rows.csv", "more.csv")
    dataset = open_dataset(real, "real")
    require_clean(repr(dataset) + str(dataset.source))
    release = mix(real, synthetic, ratio=0.5, output=tmp_path)
    assert release.manifest["realised"]["rows"] == 60
    for file in tmp_path.rglob("*"):
        if file.is_file() and file.suffix != ".parquet":
            require_clean(file.read_text())
    fsspec.filesystem("memory").pipe("/bucket/rows.csv", b"x\n1\n2\n3,4\n")
    with pytest.raises(DataError) as caught:
        dataset.frame()
    require_clean(everything_of(caught.value))


@pytest.mark.parametrize(
    "change",
    [
        {"output_root": PLANTED[0]},
        {"output": PLANTED[3]},
        {"real": {"path": PLANTED[0], "asset": "a"}},
        {"real": {"path": PLANTED[0], "pth": PLANTED[1]}},
        {"task": PLANTED[1]},
        {"seed": PLANTED[1]},
        {"synthetic": PLANTED[2]},
        {"evaluation": {"path": PLANTED[4], "filters": ["x"]}},
    ],
)
def test_no_error_of_a_setting_shows_a_secret(change: dict[str, Any], tmp_path: Path) -> None:
    options = {**write_inputs(tmp_path), **change}
    with pytest.raises(ConfigError) as caught:
        build_synthmix_defs(**options)
    require_clean(everything_of(caught.value))
    with pytest.raises(ValidationError) as in_yaml:
        SynthMixComponent(**options)
    require_clean(everything_of(in_yaml.value))


@pytest.mark.parametrize(
    "address",
    # The client of that store tries again for seconds.
    [PLANTED[0], pytest.param(PLANTED[1], marks=pytest.mark.slow), PLANTED[-1]],
)
@pytest.mark.parametrize("verb", ["measure", "recommend", "mix"])
def test_the_command_line_shows_no_secret(verb: str, address: str, tmp_path: Path) -> None:
    rows(30, seed=0).to_parquet(tmp_path / "rows.parquet")
    labels = ["--target", "y", "--task", "regression"]
    more = {"measure": [], "recommend": labels, "mix": [*labels, "--output", str(tmp_path / "o")]}
    for sides in (
        [address, str(tmp_path / "rows.parquet")],
        [str(tmp_path / "rows.parquet"), address],
    ):
        result = CliRunner().invoke(main, [verb, *sides, *more[verb]])
        assert result.exit_code == 2
        require_clean(result.output)
        assert isinstance(result.exception, SystemExit)


# Dagster


def log_of(instance: dg.DagsterInstance, run_id: str) -> str:
    """All that Dagster stores of a run."""
    return " ".join(entry.to_json() for entry in instance.all_logs(run_id))


@pytest.mark.parametrize("side", ["real", "synthetic", "evaluation"])
@pytest.mark.parametrize("address", [PLANTED[0], PLANTED[3], PLANTED[-1]])
def test_dagster_stores_no_secret(
    side: str, address: str, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    options = write_inputs(tmp_path)
    options |= {side: {"path": address.replace("{partition_key}", "a")}}
    job = build_synthmix_defs(**options).resolve_job_def("demo_job")
    result = job.execute_in_process(instance=instance, raise_on_error=False)
    assert not result.success
    log = log_of(instance, result.run_id)
    assert "STEP_FAILURE" in log
    require_clean(log)
    for file in (tmp_path / "mixes").rglob("*.json"):
        require_clean(file.read_text())


def test_metadata_and_records_of_a_run_that_works_hold_no_secret(
    tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Leaky, "fails_at", "")
    options = write_inputs(tmp_path)
    for name, frame in (("real", rows(100, seed=0)), ("synthetic", good())):
        fsspec.filesystem("memory").pipe(f"/bucket/{name}.csv", frame.to_csv(index=False).encode())
        options[name] = {"path": PLANTED[-1].replace("rows.csv", f"{name}.csv")}
    job = build_synthmix_defs(**options).resolve_job_def("demo_job")
    result = job.execute_in_process(instance=instance)
    assert result.success
    log = log_of(instance, result.run_id)
    assert "leaky://bucket/real.csv" in log
    require_clean(log)
    files = [file for file in (tmp_path / "mixes").rglob("*") if file.is_file()]
    assert any(file.name == "manifest.json" for file in files)
    assert any(file.name == "real.json" for file in files)
    for file in files:
        require_clean(file.read_bytes().decode(errors="replace"))


def test_an_unexpected_error_is_stored_without_secrets(
    tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*args: Any, **options: Any) -> None:
        raise KeyError(PLANTED[0])

    monkeypatch.setattr("synthmix_dagster.orchestration.steps.measure_distance", fails)
    job = build_synthmix_defs(**write_inputs(tmp_path)).resolve_job_def("demo_job")
    result = job.execute_in_process(instance=instance, raise_on_error=False)
    log = log_of(instance, result.run_id)
    assert "KeyError" in log
    require_clean(log)


class Generator:
    """A resource that quotes the address it trains at when it fails."""

    def fit(self, frame: pd.DataFrame) -> None:
        raise RuntimeError(f"cannot reach {PLANTED[0]}")

    def sample(self, rows: int) -> pd.DataFrame:
        raise NotImplementedError


def test_a_generator_that_fails_tells_no_secret(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    options = write_inputs(tmp_path) | {"synthetic": {"generator": "made", "generator_rows": 50}}
    defs = dg.Definitions.merge(
        build_synthmix_defs(**options), dg.Definitions(resources={"made": Generator()})
    )
    result = defs.resolve_job_def("demo_job").execute_in_process(
        instance=instance, raise_on_error=False
    )
    log = log_of(instance, result.run_id)
    assert "cannot reach vault://vault.test/rows.parquet" in log
    require_clean(log)


def test_a_monitor_stores_no_secret(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    defs = build_drift_monitor(
        name="watched",
        real={"path": PLANTED[-1]},
        generator_version="1",
        output_root=str(tmp_path),
    )
    job = defs.resolve_implicit_global_asset_job_def()
    result = job.execute_in_process(instance=instance, raise_on_error=False)
    log = log_of(instance, result.run_id)
    assert "login as" in log
    require_clean(log)


def test_every_error_of_the_family_is_clean_by_itself() -> None:
    error = SynthMixError(f"no rows in {PLANTED[0]}", where=PLANTED[1], fix=f"See {PLANTED[2]}")
    require_clean(str(error) + repr(error) + json.dumps(vars(error)))
