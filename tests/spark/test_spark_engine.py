"""Every verb of the Spark engine beside the Arrow engine, on a cluster of two workers."""

import json
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.orc
import pyarrow.parquet as pq
import pytest

from synthmix_dagster.data.content_mark import content_mark
from synthmix_dagster.data.dataset import open_dataset
from synthmix_dagster.data.identity import identify, row_ids
from synthmix_dagster.data.schema_contract import contract_of, violations
from synthmix_dagster.errors import ClusterError, DataError
from synthmix_dagster.release.arrow_engine import ArrowEngine
from synthmix_dagster.release.mixing import mix_datasets, plan_mix
from synthmix_dagster.release.options import MixOptions
from synthmix_dagster.release.verification import verify_release
from synthmix_dagster.verbs.core import measure_distance

pytestmark = pytest.mark.cluster

TEXTS = ["straße", "日本", "e\u0301", "\u00e9", "🙂", "", " a", "a"]
EDGES = [-(2**63), -(2**62), -1, 0, 1, 2**53 + 1, 2**60 - 1, 2**60, 2**62, 2**63 - 1]


def rows(n, seed):
    """Rows of many types, with missing values, texts of every kind and keys at the edges."""
    rng = np.random.default_rng(seed)
    numbers = rng.permutation(np.r_[EDGES, rng.choice(2**62, n - len(EDGES)) - 2**61])
    label = rng.choice([*TEXTS[:4], None], n)
    return pa.table(
        {
            "id": pa.array(numbers, pa.int64()),
            "part": pa.array([TEXTS[i % 8] for i in range(n)]),
            "place": pa.array(np.arange(n) // 8, pa.int32()),
            "x": pa.array(rng.normal(size=n), mask=rng.random(n) < 0.1),
            "label": pa.array(label),
            "kind": pa.array(rng.choice(["low", "high"], n)).dictionary_encode(),
            "price": pa.array([Decimal(int(v)) / 100 for v in rng.integers(0, 9999, n)]),
            "at": pa.array(rng.integers(0, 2**40, n), pa.timestamp("us", "Europe/Berlin")),
            "small": pa.array(rng.integers(0, 200, n), pa.uint8()),
            "flag": pa.array(rng.choice([True, False, None], n)),
        }
    )


def written(folder, table, files=3, group=97):
    folder.mkdir()
    for number, part in enumerate(np.array_split(np.arange(table.num_rows), files)):
        pq.write_table(
            table.take(pa.array(part)), folder / f"{number}.parquet", row_group_size=group
        )
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Real rows, those of two generators, and the same real rows in other files."""
    folder = tmp_path_factory.mktemp("rows")
    real, one, two = rows(900, 1), rows(1500, 2), rows(700, 3)
    return {
        "real": written(folder / "real", real),
        "one": written(folder / "one", one, files=4),
        "two": written(folder / "two", two, files=1),
        "one again": written(folder / "again", one.take(pa.array(np.arange(1500)[::-1])), files=2),
    }


@pytest.fixture(scope="module")
def opened(session, folders):
    """The same datasets on both engines."""
    from synthmix_dagster.spark.engine import SparkEngine
    from synthmix_dagster.spark.opening import open_spark_dataset

    names = {"real": "real", "one": "one", "two": "two", "one again": "one"}
    here = {key: open_dataset(folders[key], name) for key, name in names.items()}
    there = {
        key: open_spark_dataset(folders[key], name, session=session) for key, name in names.items()
    }
    return here, there, SparkEngine(session)


def test_files_are_the_same_datasets_on_both_engines(opened):
    here, there, _ = opened
    for key in here:
        assert there[key].fingerprint == here[key].fingerprint
        assert there[key].files == here[key].files
        assert there[key].schema == here[key].schema
        assert there[key].rows == here[key].rows


KEYS = {"places": [], "numbers": ["id"], "several": ["part", "place"]}


@pytest.mark.parametrize("key", list(KEYS))
def test_identities_samples_and_selections_are_the_same(opened, key):
    here, there, engine = opened
    key = KEYS[key]
    assert engine.identify(there["one"], key) == identify(here["one"], key)
    ids = np.concatenate(engine.over(there["one"], lambda rows: _ids(rows), key, []))
    assert np.array_equal(ids, row_ids(here["one"], key))
    wanted = ArrowEngine().sample(here["one"], 200, "7|salt", key)
    assert engine.sample(there["one"], 200, "7|salt", key).equals(wanted)
    for stratify in (None, "label"):
        expected = ArrowEngine().select(here["one"], 411, 5, key, stratify)
        assert engine.select(there["one"], 411, 5, key, stratify) == expected
    if key:
        assert content_mark(there["one"]) == content_mark(here["one"])
        # However the rows lie in files and tasks.
        again = engine.select(there["one again"], 411, 5, key, "label")
        assert (again.cuts, dict(again.quotas)) == (expected.cuts, dict(expected.quotas))


def _ids(rows):
    import numpy as np

    return np.concatenate([np.empty(0, np.int64), *(each.ids for each in rows)])


def test_contracts_strata_and_types_are_the_same(opened):
    here, there, engine = opened
    assert engine.strata(there["real"], "label") == ArrowEngine().strata(here["real"], "label")
    contract = contract_of(here["real"])
    assert contract_of(there["real"]) == contract
    assert violations(there["one"], contract) == violations(here["one"], contract)
    whole = replace(there["real"], source=there["real"].source.select(["x"]))
    with pytest.raises(DataError, match="lack this column"):
        engine.fit(whole, there["real"])


MIXES = {
    "two generators, by places": {
        "sides": ("one", "two"),
        "ratio": {"one": 0.8, "two": 0.3},
        "options": {"rows_per_shard": 500, "stratify": "label", "seed": 3},
    },
    "weights, by a number": {
        "sides": ("one",),
        "ratio": 0.7,
        "options": {"mode": "weights", "rows_per_shard": 10**6},
        "key": ["id"],
    },
    "a ratio for every class, by several columns": {
        "sides": ("one",),
        "ratio": {"straße": 1.0, "日本": 0.5, "<missing>": 0.25},
        "options": {"stratify": "label", "rows_per_shard": 300, "provenance": False},
        "key": ["part", "place"],
    },
}


@pytest.mark.parametrize("case", list(MIXES))
def test_releases_have_the_same_id_and_the_same_bytes(opened, tmp_path, case):
    here, there, engine = opened
    case = MIXES[case]
    made = []
    for datasets, chosen, output in ((here, None, "here"), (there, engine, "there")):
        sides = {name: datasets[name] for name in case["sides"]}
        synthetic = sides if len(sides) > 1 else next(iter(sides.values()))
        made.append(
            mix_datasets(
                datasets["real"],
                synthetic,
                ratio=case["ratio"],
                output=tmp_path / output,
                options=MixOptions(**case["options"]),
                key=case.get("key", ()),
                engine=chosen,
            )
        )
    assert made[0].manifest == made[1].manifest
    assert len(made[1].details.shards) > 0
    verify_release(tmp_path / "there")
    # Attempts have left nothing.
    hidden = [path.name for path in (tmp_path / "there" / "releases").glob(".*")]
    assert hidden == []
    again = mix_datasets(
        there["real"],
        {name: there[name] for name in case["sides"]}
        if len(case["sides"]) > 1
        else there[case["sides"][0]],
        ratio=case["ratio"],
        output=tmp_path / "there",
        options=MixOptions(**case["options"]),
        key=case.get("key", ()),
        engine=engine,
    )
    assert again == made[1]


FORMATS = {
    "csv": lambda table, path: pa.csv.write_csv(table, path),
    "orc": lambda table, path: pa.orc.write_table(table, path),
    "json": lambda table, path: path.write_text(
        "\n".join(json.dumps(row) for row in table.to_pylist())
    ),
}


@pytest.mark.parametrize("kind", list(FORMATS))
def test_other_formats_with_a_view_are_the_same(session, tmp_path, kind):
    from synthmix_dagster.spark.engine import SparkEngine
    from synthmix_dagster.spark.opening import open_spark_dataset

    table = rows(300, 4).select(["id", "x", "label", "place"])
    (tmp_path / "rows").mkdir()
    for number in range(2):
        part = table.slice(number * 150, 150)
        FORMATS[kind](part, tmp_path / "rows" / f"{number}.{kind}")
    options = {"filters": [("place", ">", 7)], "columns": ["x", "id"], "rename": {"x": "y"}}
    here = open_dataset(tmp_path / "rows", "real", **options)
    there = open_spark_dataset(tmp_path / "rows", "real", session=session, **options)
    assert (there.fingerprint, there.files, there.schema) == (
        here.fingerprint,
        here.files,
        here.schema,
    )
    engine = SparkEngine(session)
    assert engine.sample(there, 100, 1).equals(ArrowEngine().sample(here, 100, 1))


def test_a_delta_table_at_a_version_is_the_same(session, tmp_path):
    deltalake = pytest.importorskip("deltalake")
    from synthmix_dagster.spark.engine import SparkEngine
    from synthmix_dagster.spark.opening import open_spark_dataset

    table = rows(200, 5).select(["id", "x", "label"])
    deltalake.write_deltalake(str(tmp_path / "t"), table.slice(0, 120))
    deltalake.write_deltalake(str(tmp_path / "t"), table.slice(120), mode="append")
    for version, count in ((0, 120), (None, 200)):
        here = open_dataset(tmp_path / "t", "real", version=version)
        there = open_spark_dataset(tmp_path / "t", "real", session=session, version=version)
        assert there.rows == count
        assert (there.fingerprint, there.options) == (here.fingerprint, here.options)
        sampled = SparkEngine(session).sample(there, 50, 1)
        assert sampled.equals(ArrowEngine().sample(here, 50, 1))


@pytest.fixture(scope="module")
def frames(session):
    """Rows of a DataFrame, a third of which occur more than once."""
    plain = [name for name in rows(10, 0).column_names if name not in ("kind", "small", "at")]
    table = rows(600, 6).select(plain)
    table = pa.concat_tables([table, table.slice(0, 150), table.slice(0, 50)])
    at = pa.array(np.arange(800) * 10**9, pa.timestamp("us", "UTC"))
    table = table.append_column("at", at.take(pa.array(np.r_[:600, :150, :50])))
    shuffled = table.take(pa.array(np.random.default_rng(0).permutation(800)))
    return table, session.createDataFrame(shuffled).repartition(5)


def test_rows_of_a_dataframe_are_known_by_their_content(session, frames, tmp_path):
    from synthmix_dagster.spark.engine import SparkEngine
    from synthmix_dagster.spark.opening import open_spark_dataset

    table, frame = frames
    engine = SparkEngine(session)
    here = open_dataset(table, "real")
    there = open_spark_dataset(frame, "real", session=session)
    assert there.rows == 800
    assert there.schema.names == here.schema.names
    assert engine.identify(there) == identify(here) == {"by": "content"}
    ids = np.concatenate(engine.over(there, _ids, (), []))
    assert sorted(ids.tolist()) == sorted(row_ids(here).tolist())
    assert len(set(ids.tolist())) == 800
    again = open_spark_dataset(frame.repartition(2), "real", session=session)
    assert again.fingerprint == there.fingerprint
    made = open_dataset(rows(500, 8).select(table.column_names[:-1]), "synthetic")
    made = made.table.append_column("at", table["at"].slice(0, 500))
    releases = [
        mix_datasets(
            real,
            synthetic,
            ratio=0.4,
            output=tmp_path / name,
            options=MixOptions(stratify="label", rows_per_shard=350),
            engine=chosen,
        )
        for real, synthetic, name, chosen in (
            (here, open_dataset(made, "synthetic"), "here", None),
            (
                there,
                open_spark_dataset(session.createDataFrame(made), "synthetic", session=session),
                "there",
                engine,
            ),
        )
    ]
    assert releases[0].details.realised == releases[1].details.realised
    assert releases[0].to_arrow().equals(releases[1].to_arrow())


def test_a_view_of_a_dataframe_reads_a_key_that_it_does_not_hand_on(session, frames):
    from synthmix_dagster.spark.engine import SparkEngine
    from synthmix_dagster.spark.opening import open_spark_dataset

    table, frame = frames
    table, frame = table.slice(0, 600), frame.dropDuplicates(["id"])
    options = {"filters": [("place", "<", 60)], "rename": {"x": "y"}, "columns": ["id", "x"]}
    here = open_dataset(table, "real", **options)
    there = open_spark_dataset(frame, "real", session=session, **options)
    engine = SparkEngine(session)
    assert there.rows == here.rows
    assert engine.identify(there, ["id"]) == identify(here, ["id"])
    wanted = ArrowEngine().sample(here, 99, 3, ["id"])
    assert engine.sample(there, 99, 3, ["id"]).equals(wanted)


@pytest.mark.parametrize(
    ("ids", "words"),
    [([1, 2, None], "missing values"), ([1, 7, 7], "key value '7' occurs more than once")],
)
def test_a_key_that_is_none_is_refused(session, tmp_path, ids, words):
    from synthmix_dagster.spark.engine import SparkEngine
    from synthmix_dagster.spark.opening import open_spark_dataset

    table = pa.table({"id": pa.array(ids, pa.int64())})
    pq.write_table(table, tmp_path / "rows.parquet")
    engine = SparkEngine(session)
    for source in (tmp_path / "rows.parquet", session.createDataFrame(table)):
        dataset = open_spark_dataset(source, "real", session=session)
        with pytest.raises(DataError, match=words):
            engine.identify(dataset, ["id"])
    with pytest.raises(DataError, match="on a cluster"):
        dataset.frame()
    with pytest.raises(DataError, match="not on the cluster"):
        engine.identify(open_dataset(table, "real"), ["id"])


def test_rows_that_differ_from_pass_to_pass_are_refused(session, tmp_path):
    from synthmix_dagster.spark.engine import SparkEngine
    from synthmix_dagster.spark.opening import open_spark_dataset

    def drawn(batches):
        import os

        import numpy as np
        import pyarrow as pa

        for batch in batches:
            numbers = np.frombuffer(os.urandom(8 * batch.num_rows), np.int64)
            yield pa.record_batch([pa.array(numbers)], names=["id"])

    engine = SparkEngine(session)
    moving = session.range(4000).mapInArrow(drawn, "id bigint")
    there = open_spark_dataset(moving, "synthetic", session=session)
    real = open_spark_dataset(session.range(500), "real", session=session)
    with pytest.raises((ClusterError, DataError), match=r"same (rows )?each time"):
        mix_datasets(real, there, ratio=1.0, output=tmp_path, engine=engine)
    assert not list((tmp_path / "releases").glob("*"))


def failing(engine, times):
    """The engine, whose tasks write a part of a shard and fail, the first times."""
    from synthmix_dagster.data.local_store import LocalSink, LocalStore
    from synthmix_dagster.spark.engine import SparkEngine

    class Sink(LocalSink):
        def write(self, data):
            from pyspark import TaskContext

            if self._bytes and TaskContext.get().attemptNumber() < times:
                raise OSError("the disk is gone")
            return super().write(data)

        def discard(self):
            """A killed process removes nothing."""

    class Attempts(LocalStore):
        def create(self, name):
            path = self.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            return Sink(path, name)

    class Engine(SparkEngine):
        def shuffle(self, parts, draft, layout):
            original = draft.attempts

            @contextmanager
            def attempts():
                with original() as folder:
                    yield Attempts(folder.path)

            object.__setattr__(draft, "attempts", attempts)
            return super().shuffle(parts, draft, layout)

    return Engine(engine.session)


@pytest.mark.parametrize("times", [1, 99])
def test_a_lost_task_gives_the_whole_release_or_none(opened, tmp_path, times):
    here, there, engine = opened
    options = MixOptions(rows_per_shard=800)
    mixed = {"ratio": 0.5, "options": options}
    if times == 99:
        with pytest.raises(ClusterError, match="the disk is gone"):
            mix_datasets(
                there["real"],
                there["one"],
                output=tmp_path,
                engine=failing(engine, times),
                **mixed,
            )
        assert not list((tmp_path / "releases").glob("*"))
        assert not (tmp_path / "latest").exists()
        return
    wanted = mix_datasets(here["real"], here["one"], output=tmp_path / "here", **mixed)
    found = mix_datasets(
        there["real"],
        there["one"],
        output=tmp_path / "there",
        engine=failing(engine, times),
        **mixed,
    )
    assert found.manifest == wanted.manifest
    verify_release(tmp_path / "there")


def test_a_plan_reads_no_rows_on_the_driver(opened, monkeypatch):
    """Whatever a mix asks of a dataset before it is written is answered by executors."""
    here, there, engine = opened
    plan = plan_mix(there["real"], there["one"], ratio=0.5, engine=engine)
    for part in plan.parts:
        with pytest.raises(DataError, match="on a cluster"):
            part.dataset.tables()
    wanted = plan_mix(here["real"], here["one"], ratio=0.5)
    assert plan.layout == wanted.layout
    assert plan.inputs == wanted.inputs


@pytest.mark.parametrize("p", [1, 2])
def test_the_gap_of_every_row_is_that_of_one_machine(opened, p):
    here, there, _ = opened
    options = {"rows": "all", "p": p, "sample_rows": 300, "permutations": 19, "ignore": ["id"]}
    found = measure_distance(there["real"], there["one"], **options)
    wanted = measure_distance(here["real"], here["one"], **options)
    assert found.gap == pytest.approx(wanted.gap, abs=1e-6)
    assert found.floor == pytest.approx(wanted.floor, abs=1e-6)
    assert (found.inputs, found.notes) == (wanted.inputs, wanted.notes)
