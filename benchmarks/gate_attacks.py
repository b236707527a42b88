"""Ways round the gate, tried one by one: `python -m benchmarks.gate_attacks`.

Each attack releases what should not be released, or makes a release verify that should not. It is
stopped by name if an error of the package says why; anything else is not. Attacks that the docs
list under "What is left" are counted apart. The file also runs on earlier versions.
"""

import json
import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd

from synthmix_dagster import (
    build_synthmix_defs,
    measure_distance,
    mix,
    open_dataset,
    recommend_ratio,
    verify_release,
)
from synthmix_dagster.errors import SynthMixError

QUICK: dict[str, Any] = {"permutations": 9, "directions": 20}
#: Attacks by their names; the flag says that the docs list it as not stopped.
ATTACKS: dict[str, tuple[Callable[[Path], Any], bool]] = {}

Attack = Callable[[Path], Any]


class StoppedError(Exception):
    """Something other than an error of the package stopped an attack, and says why."""


def attack(name: str, *, left: bool = False) -> Callable[[Attack], Attack]:
    def add(function: Attack) -> Attack:
        ATTACKS[name] = function, left
        return function

    return add


def rows(n: int, seed: int, *, shift: float = 0.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=n), rng.normal(size=n)
    y = np.sin(2 * x) + 0.5 * z + rng.normal(0, 0.4, n)
    return pd.DataFrame({"x": x + shift, "z": z, "y": y})


# --- in Dagster ---


class Mixes:
    """A mix in a Dagster instance of its own."""

    def __init__(self, folder: Path, synthetic: pd.DataFrame, **options: Any) -> None:
        rows(100, 0).to_parquet(folder / "real.parquet")
        synthetic.to_parquet(folder / "synthetic.parquet")
        self.folder, self.instance = folder, dg.DagsterInstance.ephemeral()
        self.options = {
            "name": "demo",
            "real": {"path": str(folder / "real.parquet")},
            "synthetic": {"path": str(folder / "synthetic.parquet")},
            "target": "y",
            "task": "regression",
            "threshold": 0.5,
            "output_root": str(folder / "mixes"),
            **QUICK,
            **options,
        }

    def run(self, *roles: str, **ops: dict[str, Any]) -> dg.ExecuteInProcessResult:
        job = build_synthmix_defs(**self.options).resolve_job_def("demo_job")
        return job.execute_in_process(
            instance=self.instance,
            raise_on_error=False,
            asset_selection=[dg.AssetKey(["demo", role]) for role in roles] or None,
            run_config={"ops": {f"demo__{name}": {"config": said} for name, said in ops.items()}},
        )

    def must(self, *roles: str, **ops: dict[str, Any]) -> dg.ExecuteInProcessResult:
        """A run that is an attack: raises what stopped it."""
        result = self.run(*roles, **ops)
        if not result.success:
            failed = result.filter_events(lambda event: event.event_type_value == "STEP_FAILURE")
            said = failed[0].step_failure_data.user_failure_data if failed else None
            raise StoppedError(said.description if said else "a blocking check failed")
        return result

    def manifest(self) -> dict[str, Any]:
        return dict(verify_release(self.folder / "mixes" / "demo").manifest)


@attack("a higher threshold for one run")
def loosen(folder: Path) -> None:
    mixes = Mixes(folder, rows(400, 1, shift=3))
    mixes.run()
    mixes.run("optimal_ratio")
    mixes.must("training_data", training_data={"threshold": 9.0})


@attack("a measurement of ten rows")
def few_rows(folder: Path) -> None:
    Mixes(folder, rows(400, 1), threshold=50.0).must(
        distribution_distance={"sample_rows": 10, "seed": 1}
    )


@attack("a recommendation of twelve rows")
def few_rows_to_recommend(folder: Path) -> None:
    Mixes(folder, rows(400, 1), threshold=50.0).must(optimal_ratio={"sample_rows": 12})


@attack("a reason that leaves no trace, where the same rows were released before")
def no_trace(folder: Path) -> None:
    mixes = Mixes(folder, rows(400, 1, shift=3), threshold=50.0)
    mixes.must()
    mixes.options["threshold"] = 0.1
    mixes.must("training_data", training_data={"release_anyway": "ticket 418"})
    if "ticket 418" in json.dumps(mixes.manifest()):
        raise StoppedError("the reason is in the manifest")


@attack("another ratio that is told as the recommended one")
def other_ratio(folder: Path) -> None:
    result = Mixes(folder, rows(400, 1), threshold=50.0).must(training_data={"ratio": 0.25})
    for check in result.get_asset_check_evaluations():
        if "exactly as recommended" in str(check.description):
            return
    raise StoppedError("the check states both ratios")


@attack("other evaluation rows after the recommendation")
def other_judges(folder: Path) -> None:
    judges = folder / "evaluation.parquet"
    rows(60, 9).to_parquet(judges)
    mixes = Mixes(folder, rows(400, 1), threshold=50.0, evaluation={"path": str(judges)})
    mixes.must()
    rows(60, 10).to_parquet(judges)
    mixes.must("training_data")


@attack("a recommendation edited in its record")
def edited_record(folder: Path) -> None:
    mixes = Mixes(folder, rows(400, 1), threshold=50.0)
    mixes.must()
    (path,) = (folder / "mixes").rglob("optimal_ratio.json")
    record = json.loads(path.read_text())
    record["result"]["ratio"] = 3.0
    path.write_text(json.dumps(record))
    mixes.must("training_data")


@attack("a measurement after the recommendation")
def mixed_up_records(folder: Path) -> None:
    mixes = Mixes(folder, rows(400, 1), threshold=50.0)
    mixes.must()
    mixes.must("distribution_distance", distribution_distance={"seed": 5})
    mixes.must("training_data", training_data={"release_anyway": "ticket 418"})


@attack("a class left out, with every_level")
def class_left_out(folder: Path) -> None:
    def labelled(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(y=np.where(np.arange(len(frame)) % 10 == 0, "rare", "usual"))

    synthetic = labelled(rows(400, 1)).assign(y="usual")
    contract = {"columns": {}, "every_level": True}
    mixes = Mixes(folder, synthetic, threshold=50.0, task="classification", contract=contract)
    labelled(rows(300, 0)).to_parquet(folder / "real.parquet")
    mixes.must()


@attack("a mix below the directory of another")
def nested_mixes(folder: Path) -> None:
    mixes = Mixes(folder, rows(400, 1), threshold=50.0)
    mixes.must()
    mixes.options |= {"name": "latest", "key_prefix": ["demo"]}
    build_synthmix_defs(**mixes.options)


# --- in Python ---


@attack("a report of other rows")
def other_report(folder: Path) -> None:
    real, bad = rows(300, 0), rows(900, 1, shift=3)
    report = measure_distance(real, rows(900, 2), **QUICK)
    mix(real, bad, ratio=1, output=folder, distance=report, threshold=0.5)


@attack("a file replaced after it was opened, with its size and time")
def replaced(folder: Path) -> None:
    path = folder / "synthetic.parquet"
    rows(900, 2).to_parquet(path)
    before, opened = path.stat(), open_dataset(path, "synthetic")
    real = rows(300, 0)
    report = measure_distance(real, opened, **QUICK)
    rows(900, 1, shift=3).to_parquet(path)
    path.write_bytes(path.read_bytes()[: before.st_size].ljust(before.st_size, b"\0"))
    with suppress(Exception):
        rows(900, 3, shift=3).to_parquet(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    mix(real, opened, ratio=1, output=folder / "mix", distance=report, threshold=0.5)


def sample_positions(path: Path, count: int, seed: int) -> Any:
    """The public order of the rows of a file, wherever the version keeps it."""
    for module in ("synthmix_dagster.data.priority", "synthmix_dagster.tables.selection"):
        with suppress(ModuleNotFoundError):
            return import_module(module).sample_positions(open_dataset(path), count, seed)
    raise RuntimeError("unknown version")


def placed(path: Path, first: pd.DataFrame, rest: pd.DataFrame) -> Path:
    """A file in which some rows come first in the public order of seed 0."""
    frame = pd.concat([first, rest], ignore_index=True)
    frame.to_parquet(path)
    moved = np.empty(len(frame), dtype=int)
    moved[sample_positions(path, len(frame), 0)] = np.arange(len(frame))
    frame.iloc[moved].to_parquet(path)
    return path


def judged(real: Any, synthetic: Any, folder: Path, **gates: Any) -> None:
    """Measure a sample of 2,000 rows, and release a quarter of the real number."""
    report = measure_distance(real, synthetic, target="y", sample_rows=2_000, **QUICK)
    mix(real, synthetic, ratio=0.25, output=folder / "mix", distance=report, **gates)


@attack("garbage where the public order does not look")
def out_of_sight(folder: Path) -> None:
    path = placed(folder / "rows.parquet", rows(400, 3), rows(5_600, 2, shift=4))
    report = measure_distance(rows(2_000, 1), path, sample_rows=400, **QUICK)
    mix(rows(2_000, 1), path, ratio=2, output=folder / "mix", distance=report, threshold=0.5)


@attack("rows that differ from fold to fold")
def folds(folder: Path) -> None:
    from synthmix_dagster.distance.folds import draw_cuts

    path, side = folder / "rows.parquet", rows(10_000, 3)
    side.to_parquet(path)
    order, up = sample_positions(path, 10_000, 0), np.zeros(10_000)
    rng = np.random.default_rng(np.random.SeedSequence(0, spawn_key=(2,)))
    for _, cut in draw_cuts(10_000, 10_000, rng):
        up[order[cut.folds[0]]] += 1
        up[order[cut.folds[1]]] -= 1
    side.assign(x=side.x + np.sign(up)).to_parquet(path)
    report = measure_distance(rows(10_000, 1), path, **QUICK)
    mix(rows(10_000, 1), path, ratio=1, output=folder / "m", distance=report, threshold=0.15)


@attack("garbage where the selection takes it")
def selected_garbage(folder: Path) -> None:
    path = placed(folder / "rows.parquet", rows(500, 2, shift=4), rows(5_500, 4))
    judged(rows(2_000, 1), path, folder, threshold=2.0)


@attack("wrong labels where the selection takes them")
def selected_labels(folder: Path) -> None:
    wrong = rows(500, 2).assign(y=rows(500, 5).y)
    path = placed(folder / "rows.parquet", wrong, rows(5_500, 4))
    judged(rows(2_000, 1), path, folder, threshold=2.0)


@attack("an infinite value outside the sample")
def infinite(folder: Path) -> None:
    synthetic, real = rows(6_000, 4), rows(2_000, 1)
    for row in range(5):
        wild = synthetic.assign(x=synthetic.x.where(synthetic.index != row, np.inf))
        with suppress(SynthMixError):  # this one was drawn
            report = measure_distance(real, wild, sample_rows=400, **QUICK)
            break
    mix(real, wild, ratio=3, output=folder, distance=report, threshold=2.0)


@attack("columns that do not fit each other where the selection takes them", left=True)
def selected_inputs(folder: Path) -> None:
    def joined(n: int, seed: int) -> pd.DataFrame:
        frame = rows(n, seed)
        return frame.assign(w=frame.z + 0.1 * frame.x)

    first = joined(500, 2)
    wrong = first.assign(w=first.w.sample(frac=1, random_state=0).to_numpy(), y=rows(500, 5).y)
    right = joined(5_500, 4).assign(y=rows(5_500, 6).y)
    path = placed(folder / "rows.parquet", wrong, right)
    judged(joined(2_000, 1).assign(y=rows(2_000, 7).y), path, folder, threshold=2.0)


def classes(n: int, seed: int, flipped: float = 0.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    labels = rng.choice(3, n, p=[0.45, 0.5, 0.05])
    x = rng.normal(size=(n, 3))
    x[:, 0] += 3 * (labels == 2)
    x[:, 1] += 1.5 * (labels == 0)
    rare = np.flatnonzero(labels == 2)
    labels[rare[: round(flipped * len(rare))]] = 1
    return pd.DataFrame(x, columns=list("uvw")).assign(y=np.array(["a", "b", "rare"])[labels])


@attack("half of the labels of a rare class flipped")
def half_flipped(folder: Path) -> None:
    real, synthetic = classes(1_000, 1), classes(3_000, 2, flipped=0.5)
    report = measure_distance(real, synthetic, target="y", task="classification", **QUICK)
    gates = {"threshold": 0.3, "class_threshold": 0.2}
    mix(real, synthetic, ratio=1, output=folder, distance=report, **gates)


@attack("the parity of five bits broken")
def parity(folder: Path) -> None:
    def bits(n: int, seed: int, *, even: bool) -> pd.DataFrame:
        drawn = np.random.default_rng(seed).integers(0, 2, (n, 6))
        if even:
            drawn[:, 5] = drawn[:, :5].sum(axis=1) % 2
        return pd.DataFrame(drawn, columns=list("abcdef")).astype(float)

    real, synthetic = bits(1_000, 1, even=True), bits(3_000, 2, even=False)
    report = measure_distance(real, synthetic, classifier=True, **QUICK)
    gates = {"threshold": 0.3, "classifier_threshold": 0.6}
    mix(real, synthetic, ratio=1, output=folder, distance=report, **gates)


@attack("200 rows repeated fifteen times")
def repeated(folder: Path) -> None:
    real, synthetic = rows(1_000, 1), pd.concat([rows(200, 2)] * 15, ignore_index=True)
    report = measure_distance(real, synthetic, **QUICK)
    gates = {"threshold": 0.5, "min_distinct_share": 0.5}
    mix(real, synthetic, ratio=1, output=folder, distance=report, **gates)


@attack("a shift of nine deviations at an offset of 1e13")
def offset(folder: Path) -> None:
    real, synthetic = (rows(500, seed).assign(big=1e13 + rows(500, seed).x) for seed in (1, 2))
    synthetic["big"] += 9
    report = measure_distance(real, synthetic, **QUICK)
    mix(real, synthetic, ratio=1, output=folder, distance=report, threshold=0.5)


@attack("numbers of which nothing is left: 1e308 beside -1e308")
def no_scale(folder: Path) -> None:
    pair = [rows(60, s).assign(big=np.where(np.arange(60) % 2, 1e308, -1e308)) for s in (1, 2)]
    measure_distance(*pair, scaling="robust", **QUICK)


@attack("evaluation rows out of all proportion")
def far_judges(folder: Path) -> None:
    judges = rows(30, 3).assign(y=np.arange(30) * 1e200)
    recommend_ratio(
        rows(60, 1), rows(90, 2), target="y", task="regression", evaluation=judges, rule="best"
    )


@attack("an output inside that of another mix")
def nested_outputs(folder: Path) -> None:
    mix(rows(50, 1), rows(90, 2), ratio=1, output=folder / "demo")
    mix(rows(50, 1), rows(90, 2), ratio=1, output=folder / "demo" / "releases")


# --- on releases ---


def released(folder: Path, **options: Any) -> Path:
    return mix(rows(300, 1), rows(900, 2), ratio=1, output=folder, **options).path


@attack("a link called latest in a release")
def link(folder: Path) -> None:
    path = released(folder / "mix")
    (path / "latest").symlink_to(released(folder / "other"), target_is_directory=True)
    verify_release(path)


@attack("a linked folder in data/")
def linked_folder(folder: Path) -> None:
    path = released(folder / "mix")
    (path / "data" / "more").symlink_to(released(folder / "other") / "data")
    verify_release(path)


def rewritten(path: Path, **changes: Any) -> dict[str, Any]:
    manifest = json.loads((path / "manifest.json").read_text())
    manifest |= changes
    (path / "manifest.json").write_text(json.dumps(manifest))
    return manifest


@attack("evidence edited in a manifest")
def edited_evidence(folder: Path) -> None:
    path = released(folder)
    rewritten(path, evidence={"mix": "approved"})
    verify_release(path)


@attack("inputs edited in a manifest")
def edited_inputs(folder: Path) -> None:
    path = released(folder)
    inputs = json.loads((path / "manifest.json").read_text())["inputs"]
    inputs["synthetic"]["fingerprint"] = "0" * 64
    rewritten(path, inputs=inputs)
    verify_release(path)


@attack("a renamed release")
def renamed(folder: Path) -> None:
    path = released(folder)
    verify_release(path.rename(path.with_name("0" * 16)))


@attack("a release planted in the place of the next")
def planted(folder: Path) -> None:
    path = released(folder / "mix")
    made = mix(rows(300, 1), rows(900, 2), ratio=1, output=folder / "b", rows_per_shard=999).path
    shard = next((made / "data").iterdir())
    target = next((path / "data").iterdir())
    frame = pd.read_parquet(shard)
    frame["x"] += 5
    frame.to_parquet(target)
    (folder / "mix" / "latest").unlink()
    verify_release(released(folder / "mix"))
    if pd.read_parquet(next((path / "data").iterdir())).x.mean() < 4:
        raise StoppedError("the planted rows were replaced")


@attack("the clock set back, so that the predecessor goes")
def clock(folder: Path) -> None:
    first = released(folder)
    second = released(folder, seed=1)
    for each, time in ((second, 0), (first, 2_000_000_000)):
        os.utime(each / "manifest.json", (time, time))
    released(folder, seed=2, keep_releases=2)
    if second.exists():
        raise StoppedError("the true predecessor was kept")


@attack("a password in an address")
def password(folder: Path) -> None:
    try:
        mix("vault://user:s3cret@host/rows", rows(50, 1), ratio=1, output=folder)
    except Exception as error:
        told, seen = [], error
        while seen is not None:
            told.append(repr(seen))
            seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
        if "s3cret" not in " ".join(told):
            raise StoppedError("the password is removed") from None


@attack("a manifest with a digest that fits, verified with a key")
def forged_signed(folder: Path) -> None:
    from synthmix_dagster.release.release_id import digest_of_manifest
    from synthmix_dagster.release.signing import HmacKey

    key = HmacKey(b"a secret of the pipeline")
    path = released(folder, sign=key.sign)
    manifest = rewritten(path, evidence={"mix": "approved"})
    rewritten(path, digest=digest_of_manifest(manifest))
    verify_release(path, key.verify)


@attack("a manifest with a digest that fits, verified without a key", left=True)
def forged(folder: Path) -> None:
    from synthmix_dagster.release.release_id import digest_of_manifest

    path = released(folder)
    manifest = rewritten(path, evidence={"mix": "approved"})
    rewritten(path, digest=digest_of_manifest(manifest))
    verify_release(path)


def outcome(function: Attack) -> tuple[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        try:
            function(Path(folder))
        except (SynthMixError, StoppedError) as error:
            return "stopped by name", str(error)
        except (TypeError, ImportError) as error:
            return "no such gate", str(error)
        except Exception as error:
            return "raw error", f"{type(error).__name__}: {error}"
    return "succeeded", ""


def main(names: list[str]) -> None:
    counts: dict[str, int] = {}
    for name, (function, left) in ATTACKS.items():
        if names and not any(part in name for part in names):
            continue
        found, said = outcome(function)
        key = f"{found}, as documented" if left and found != "stopped by name" else found
        counts[key] = counts.get(key, 0) + 1
        print(f"{key:26} {name}  [{' '.join(said.split())[:90]}]", flush=True)
    print(f"{sum(counts.values())} attacks: {counts}")


if __name__ == "__main__":
    main(sys.argv[1:])
