"""How often are generators found that saw the real rows, and how often others suspected.

    python -m benchmarks.memorisation --pairs DIR [--only adult] [--draws 3] [--json FILE]

pairs       those named ``_fitreal`` are to be found. Honest are all others, and the real rows of
            one block of a ``_fitreal`` pair beside the synthetic rows made from another block.
made here   on the real rows of every dataset: SMOTE, smoothed bootstraps, one row in ten copied;
            honest where they are made from as many other real rows

Every case is judged without and with evaluation rows, real rows that the generator did not see.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from benchmarks.pairs import kind
from synthmix_dagster.encoding.encoder import Encoder
from synthmix_dagster.encoding.options import Columns
from synthmix_dagster.ratio.memorisation import LEVEL, memorisation_test

Floats = NDArray[np.float64]

SIZES = (100, 400)
#: Synthetic rows for each real one.
PER_REAL = 16
MOST_EVALUATION = 1_000


@dataclass(frozen=True)
class Case:
    """Real rows, synthetic rows, and rows that the generator cannot have seen."""

    pair: str
    generator: str
    saw_real: bool
    real: pd.DataFrame
    synthetic: pd.DataFrame
    evaluation: pd.DataFrame
    categorical: list[str]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--only", default="", help="folders whose name contains this")
    parser.add_argument("--draws", type=int, default=3, help="samples of every pair and size")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    folders = sorted(f for f in options.pairs.iterdir() if f.is_dir() and options.only in f.name)
    rows = []
    for folder in folders:
        rows += [judge(case, "pairs") for case in cases(folder, options.draws)]
    # One folder a dataset, as all have its real rows.
    for folder in {f.name.split("__")[0]: f for f in folders if kind(f.name) == "honest"}.values():
        rows += [judge(case, "made here") for case in made_here(folder, options.draws)]
    table = pd.DataFrame(rows)
    pd.set_option("display.width", 120, "display.max_columns", 9)
    for source, part in table.groupby("source", sort=False):
        print(f"\n{source}: share flagged at {LEVEL}\n{summary(part)}")
    missed = table[table["saw real"] & ~table["found"]].groupby(["source", "pair"]).size()
    print(f"\nsaw the real rows, not found\n{missed.to_string() if len(missed) else 'none'}")
    alarms = table[~table["saw real"] & table["found"]].groupby(["source", "pair"]).size()
    print(f"\nhonest, flagged\n{alarms.to_string() if len(alarms) else 'none'}")
    print(f"\n{len(table)} cases, {table['seconds'].mean():.2f} s each")
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(rows, indent=1))
    return 0


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """One row for each generator, those that saw the real rows first, and one for all."""
    columns = {
        "cases": ("found", "size"),
        "flagged": ("found", "mean"),
        "p <= 0.05": ("p_value", lambda p: float(np.mean(p <= 0.05))),
        "with evaluation": ("found with evaluation", "mean"),
        "nearness": ("nearness", "median"),
        "disagreement": ("disagreement", "median"),
    }
    each = table.groupby(["saw real", "generator"]).agg(**columns)
    every = table.assign(generator="all").groupby(["saw real", "generator"]).agg(**columns)
    return (
        pd.concat((each, every)).sort_index(level=0, ascending=False, sort_remaining=False).round(3)
    )


def judge(case: Case, source: str) -> dict[str, Any]:
    """Test one case."""
    encoder = Encoder.fit(case.real, case.synthetic, Columns(categorical=case.categorical))
    real, synthetic, evaluation = (
        encoder.transform(frame) for frame in (case.real, case.synthetic, case.evaluation)
    )
    started = time.perf_counter()
    found = memorisation_test(real, synthetic, seed=0)
    seconds = time.perf_counter() - started
    beside = memorisation_test(real, synthetic, seed=0, held_out=evaluation)
    return {
        "source": source,
        "pair": case.pair,
        "generator": case.generator,
        "saw real": case.saw_real,
        "n": len(real),
        "found": found.memorised,
        "p_value": found.p_value,
        "found with evaluation": beside.memorised,
        "p_value with evaluation": beside.p_value,
        "exact_copies": found.exact_copies,
        "expected_copies": found.expected_copies,
        "nearness": found.nearness,
        "disagreement": found.disagreement,
        "reason": found.reason,
        "seconds": seconds,
    }


def cases(folder: Path, draws: int) -> Iterator[Case]:
    """Samples of a pair."""
    meta = json.loads((folder / "meta.json").read_text())
    train = pd.read_parquet(folder / "real_train.parquet")
    pool = pd.read_parquet(folder / "synthetic.parquet")
    generator = folder.name.split("__")[1].removesuffix("_fitreal")
    if meta["blocks"]:
        reals = [slice(*block["real_rows"]) for block in meta["blocks"]]
        for i, real in enumerate(reals):
            for j, block in enumerate(meta["blocks"]):
                other = [train.iloc[reals[k]] for k in range(len(reals)) if k not in (i, j)]
                yield Case(
                    folder.name,
                    generator,
                    i == j,
                    train.iloc[real],
                    pool.iloc[slice(*block["syn_rows"])],
                    pd.concat(other),
                    _categorical(meta),
                )
        return
    for n in SIZES:
        for seed in range(draws):
            rng = np.random.default_rng(seed)
            # The rows of the oracle's runs, where the seeds are the same.
            order = rng.permutation(len(train))
            synthetic = pool.iloc[rng.permutation(len(pool))[: PER_REAL * n]]
            if len(train) < 3 * n // 2:
                continue
            yield Case(
                folder.name,
                generator,
                False,
                train.iloc[order[:n]],
                synthetic,
                train.iloc[order[n : n + MOST_EVALUATION]],
                _categorical(meta),
            )


def made_here(folder: Path, draws: int) -> Iterator[Case]:
    """Generators fitted on the real rows of a dataset, or on as many others."""
    meta = json.loads((folder / "meta.json").read_text())
    frames = [pd.read_parquet(folder / f"{name}.parquet") for name in ("real_train", "real_test")]
    categorical = _categorical(meta)
    pool = _complete(pd.concat(frames, ignore_index=True), categorical)
    dataset = folder.name.split("__")[0]
    for n in SIZES:
        for seed in range(draws):
            rng = np.random.default_rng(seed)
            order = rng.permutation(len(pool))
            if len(pool) < 3 * n:
                continue
            real, other, unrelated, rest = (
                pool.iloc[rows].reset_index(drop=True)
                for rows in np.split(order[: 3 * n + MOST_EVALUATION], [n, 2 * n, 5 * n // 2])
            )
            for name, generate in GENERATORS.items():
                for seen in (real, other):
                    synthetic = generate(seen, categorical, PER_REAL * n, rng)
                    if name == "one in ten copied":
                        # The others are of a generator that saw neither.
                        rows = 9 * len(synthetic) // 10
                        honest = smoothed(unrelated, categorical, rows, rng, 0.25)
                        copied = synthetic.iloc[: len(synthetic) // 10]
                        synthetic = pd.concat((copied, honest), ignore_index=True)
                    yield Case(dataset, name, seen is real, real, synthetic, rest, categorical)


def smote(
    real: pd.DataFrame, categorical: list[str], m: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Rows between a real row and one of its five nearest; categories of the real row."""
    points = Encoder.fit(real, real, Columns(categorical=categorical)).transform(real)
    near = NearestNeighbors(n_neighbors=6).fit(points).kneighbors(points, return_distance=False)
    first = rng.integers(len(real), size=m)
    second = near[first, rng.integers(1, 6, size=m)]
    share = rng.random(m)
    made = real.iloc[first].reset_index(drop=True)
    for column in real.columns.difference(categorical):
        values = real[column].to_numpy()
        between = values[first] + share * (values[second] - values[first])
        made[column] = _as_whole(between, values)
    return made


def smoothed(
    real: pd.DataFrame, categorical: list[str], m: int, rng: np.random.Generator, width: float
) -> pd.DataFrame:
    """Real rows with normal noise of so many standard deviations."""
    made = real.iloc[rng.integers(len(real), size=m)].reset_index(drop=True)
    for column in real.columns.difference(categorical):
        values = real[column].to_numpy()
        noise = width * values.std() * rng.standard_normal(m)
        made[column] = _as_whole(made[column].to_numpy() + noise, values)
    return made


Generator = Callable[[pd.DataFrame, list[str], int, np.random.Generator], pd.DataFrame]

GENERATORS: dict[str, Generator] = {
    "SMOTE": smote,
    "smoothed, 0.1": partial(smoothed, width=0.1),
    "smoothed, 0.25": partial(smoothed, width=0.25),
    "smoothed, 0.5": partial(smoothed, width=0.5),
    "one in ten copied": partial(smoothed, width=0.0),
}


def _categorical(meta: dict[str, Any]) -> list[str]:
    target = [meta["target"]] if meta["task"] == "classification" else []
    return [*meta["categorical"], *target]


def _complete(frame: pd.DataFrame, categorical: list[str]) -> pd.DataFrame:
    """Without missing values, which none of the generators here can draw."""
    frame = frame.copy()
    for column in frame.columns:
        if column in categorical:
            frame[column] = frame[column].astype(str)
        else:
            values = frame[column].astype(float)
            frame[column] = values.fillna(values.median())
    return frame


def _as_whole(made: Floats, values: Floats) -> Floats:
    """Round where the real values are whole numbers."""
    return np.round(made) if np.all(values == np.round(values)) else made


if __name__ == "__main__":
    raise SystemExit(main())
