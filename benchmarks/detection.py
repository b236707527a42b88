"""What notices which kind of bad generator, and how often.

    python -m benchmarks.detection [--draws 50] [--rows 300 1000 10000] [--json FILE]

Every draw has n real rows (two correlated numbers, one with two modes, three bits of which the
third is the parity of the others in 19 of 20 rows, a text, and a target of three classes, one of
7 %) and as many synthetic ones of one kind of generator. The share of draws in which each detector
notices something:

gap           p-value of the gap at most 0.01
conditional   interval of the conditional gap above zero
class         a class moved by more than 0.1 (`moved`), or the interval of its gap above zero
classifier    p-value of the classifier's test at most 0.01
memorised     the test for memorised rows, at its level of 0.01
distinct      distinct rows are less than half
levels        a level or class that chance does not hide is absent
coverage      all rows of the generator (5 n) against the n that were measured, at 1e-6
drift         30 usual batches of n rows and 60 of this generator: the monitor's alarm at 1 %, with
              `season: 0`, on n = 300 only

A file of results is completed by a later call with more draws.
"""

import argparse
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from benchmarks.simulation import repeated
from synthmix_dagster import measure_distance, open_dataset
from synthmix_dagster.data.profile import Profile
from synthmix_dagster.data.schema_contract import absent_levels
from synthmix_dagster.drift.martingale import log_martingale
from synthmix_dagster.drift.scores import reference_score
from synthmix_dagster.encoding.encoder import Encoder
from synthmix_dagster.encoding.options import Columns
from synthmix_dagster.gates.coverage import judge_released_rows
from synthmix_dagster.ratio.memorisation import memorisation_test

Rows = pd.DataFrame
#: Makes the second argument's number of synthetic rows, given the real ones.
Generator = Callable[[np.random.Generator, int, Rows], Rows]
NUMBERS = ["a", "b", "c"]
DRIFT_ROWS, USUAL, LATER = 300, 30, 60
DETECTORS = (
    "gap",
    "conditional",
    "class",
    "classifier",
    "memorised",
    "distinct",
    "levels",
    "coverage",
    "drift",
)


def world(rng: np.random.Generator, n: int) -> Rows:
    """Rows of the true distribution."""
    a = rng.normal(size=n)
    b = 0.7 * a + math.sqrt(1 - 0.49) * rng.normal(size=n)
    c = rng.normal(size=n) * 0.5 + 4 * (rng.random(n) < 0.15)
    first, second = rng.integers(0, 2, n), rng.integers(0, 2, n)
    parity = (first + second + (rng.random(n) < 0.05)) % 2
    score = 1.5 * a + np.where(first == 1, 1.0, -1.0) + rng.normal(0, 0.7, n)
    classes = np.where(score > 2.9, "rare", np.where(score > 0, "yes", "no"))
    return pd.DataFrame(
        {
            "a": a,
            "b": b,
            "c": c,
            "u": first.astype(float),
            "v": second.astype(float),
            "w": parity.astype(float),
            "place": rng.choice(["north", "south", "west", "east"], n, p=[0.4, 0.3, 0.2, 0.1]),
            "y": classes,
        }
    )


def _shuffled(rng: np.random.Generator, rows: Rows, names: list[str]) -> Rows:
    return rows.assign(**{name: rng.permutation(rows[name].to_numpy()) for name in names})


def _jitter(size: float) -> Generator:
    def make(rng: np.random.Generator, n: int, real: Rows) -> Rows:
        rows = real.iloc[rng.integers(0, len(real), n)].reset_index(drop=True)
        noise = rng.normal(0, 1, (n, 3)) * real[NUMBERS].std().to_numpy()
        moved = rows[NUMBERS].to_numpy() + size * noise
        return rows.assign(**dict(zip(NUMBERS, moved.T, strict=True)))

    return make


def _flipped(share: float) -> Generator:
    def make(rng: np.random.Generator, n: int, real: Rows) -> Rows:
        rows = world(rng, n)
        wrong = (rows.y == "rare") & (rng.random(n) < share)
        return rows.assign(y=rows.y.where(~wrong, "no"))

    return make


def _without(keep: Callable[[Rows], Any]) -> Generator:
    def make(rng: np.random.Generator, n: int, real: Rows) -> Rows:
        rows = world(rng, 2 * n + 50)
        return rows[keep(rows)].head(n).reset_index(drop=True)

    return make


def _some_bad(share: float, place: Callable[[Rows], Rows]) -> Generator:
    def make(rng: np.random.Generator, n: int, real: Rows) -> Rows:
        rows = world(rng, n)
        bad = rng.random(n) < share
        return pd.concat([rows[~bad], place(rows[bad])], ignore_index=True)

    return make


def _repeats(rng: np.random.Generator, n: int, real: Rows) -> Rows:
    return world(rng, n // 10).iloc[rng.integers(0, n // 10, n)].reset_index(drop=True)


def _leak(rng: np.random.Generator, n: int, real: Rows) -> Rows:
    copied = real.sample(n // 5, random_state=int(rng.integers(2**31)))
    return pd.concat([copied, world(rng, n - n // 5)], ignore_index=True)


GENERATORS: dict[str, Generator] = {
    "good": lambda rng, n, real: world(rng, n),
    "one pair decoupled (b from a)": lambda rng, n, _: _shuffled(rng, world(rng, n), ["b"]),
    "third order broken (parity of three bits)": lambda rng, n, _: world(rng, n).assign(
        w=rng.integers(0, 2, n).astype(float)
    ),
    "every column alone right, no joint": lambda rng, n, _: _shuffled(
        rng, world(rng, n), [*"abcuvw", "place", "y"]
    ),
    "inputs right, labels shuffled": lambda rng, n, _: _shuffled(rng, world(rng, n), ["y"]),
    "copies": _jitter(0.0),
    "copies, jitter of 0.01 sd": _jitter(0.01),
    "copies, jitter of 0.1 sd": _jitter(0.1),
    "copies, jitter of 0.5 sd": _jitter(0.5),
    "one row in five leaked from the real ones": _leak,
    "1 % outliers of 10 sd": _some_bad(0.01, lambda rows: rows.assign(a=rows.a + 10)),
    "half of the rare class flipped": _flipped(0.5),
    "a quarter of the rare class flipped": _flipped(0.25),
    "rare class missing": _without(lambda rows: rows.y != "rare"),
    "one of four places missing (10 %)": _without(lambda rows: rows.place != "east"),
    "a mode missing (15 %)": _without(lambda rows: rows.c < 2),
    "a tenth of the rows, each ten times": _repeats,
    "scale of a column 1.1 times": lambda rng, n, _: world(rng, n).assign(a=lambda r: 1.1 * r.a),
    "other unit, 1,000 times": lambda rng, n, _: world(rng, n).assign(a=lambda r: 1000 * r.a),
    "tiny file: 30 rows, 0.5 sd off": lambda rng, n, _: world(rng, 30).assign(
        a=lambda r: r.a + 0.5
    ),
    "garbage in one file of a thousand": _some_bad(0.001, lambda rows: rows.assign(a=8.0, b=-8.0)),
    "0.1 sd off": lambda rng, n, _: world(rng, n).assign(a=lambda r: r.a + 0.1),
    "drifting by 0.02 sd a day": lambda rng, n, _: world(rng, n).assign(a=lambda r: r.a + 0.02),
}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--draws", type=int, default=50)
    parser.add_argument("--rows", type=int, nargs="+", default=[300, 1_000, 10_000])
    parser.add_argument("--only", nargs="+", choices=list(GENERATORS), default=list(GENERATORS))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    known: dict[str, list[dict[str, Any]]] = {}
    if options.json and options.json.exists():
        known = json.loads(options.json.read_text(encoding="utf-8"))
    # Five draws of everything at a time, so that a run that is cut off has some of each.
    for upto in [*range(5, options.draws, 5), options.draws]:
        for n in options.rows:
            for name in options.only:
                seen = known.setdefault(f"{n} {name}", [])
                if len(seen) < upto:
                    first, count = len(seen), upto - len(seen)
                    seen += repeated(_draw, count, first=first, name=name, n=n)
                    if options.json:
                        options.json.write_text(json.dumps(known) + "\n", encoding="utf-8")
            print(table(known, n).to_string(), flush=True)
    return 0


def table(known: dict[str, list[dict[str, Any]]], n: int) -> pd.DataFrame:
    """Shares of draws in which each detector noticed each generator."""
    rows = {}
    for key, seen in known.items():
        size, _, name = key.partition(" ")
        if int(size) == n and seen:
            shares = pd.DataFrame(seen, columns=list(DETECTORS)).astype(float).mean()
            rows[name] = {"draws": len(seen), **shares}
    return pd.DataFrame(rows).T.round(2)


def _draw(seed: int, *, first: int, name: str, n: int) -> dict[str, Any]:
    """What notices one draw of a generator; None where a detector was not tried."""
    rng = np.random.default_rng([first + seed, n, list(GENERATORS).index(name)])
    real, make = world(rng, n), GENERATORS[name]
    made = make(rng, n, real)
    found: dict[str, Any] = _measured(real, made, first + seed)
    encoder = Encoder.fit(real, made, Columns(categorical=["y"]))
    sides = encoder.transform(real), encoder.transform(made)
    found["memorised"] = memorisation_test(*sides, seed=first + seed).memorised
    opened = open_dataset(real, "real"), open_dataset(made, "synthetic")
    found["levels"] = bool(absent_levels(*opened, (), ()))
    measured = Profile.of(pa.Table.from_pandas(made), list(made.columns), "y")
    # The same generator's rows as a whole, of which those were measured.
    whole = measured.count([pa.Table.from_pandas(make(rng, 5 * n, real))])
    found["coverage"] = not judge_released_rows(measured, whole).passed
    if n == DRIFT_ROWS and "tiny" not in name:
        found["drift"] = _drifted(rng, make, slow="drifting" in name)
    return found


def _measured(real: Rows, made: Rows, seed: int) -> dict[str, Any]:
    report = measure_distance(
        real,
        made,
        target="y",
        task="classification",
        permutations=199,
        directions=60,
        classifier=True,
        seed=seed,
    )
    assert report.p_value is not None
    assert report.classifier is not None
    worst = report.worst_class
    conditional = report.conditional_interval
    return {
        "gap": report.p_value <= 0.01,
        "conditional": conditional is not None and conditional[0] > 0,
        "class": worst is not None
        and (worst.interval[0] > 0 or any(each.moved() > 0.1 for each in report.classes)),
        "classifier": report.classifier.p_value <= 0.01,
        "distinct": report.distinct_share is not None and report.distinct_share < 0.5,
    }


def _drifted(rng: np.random.Generator, make: Generator, *, slow: bool) -> bool:
    """Whether the monitor of the generator alarms after the day on which it became bad."""
    reference, n = world(rng, 3 * DRIFT_ROWS), DRIFT_ROWS
    scores = []
    for day in range(USUAL + LATER):
        batch = world(rng, n) if day < USUAL else make(rng, n, reference)
        if slow and day >= USUAL:
            batch = world(rng, n).assign(a=lambda r, d=day - USUAL + 1: r.a + 0.02 * d)
        score = reference_score(
            reference,
            batch,
            block_rows=n // 32 * 2,
            directions=20,
            columns=Columns(categorical=["y"]),
        )
        scores.append(score.square)
    capital = log_martingale(np.array(scores), rng.random(len(scores)), warm_up=5)
    return bool(np.any(capital[USUAL:] >= math.log(100)))


if __name__ == "__main__":
    raise SystemExit(main())
