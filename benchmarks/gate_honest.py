"""Honest runs through the gate: `python -m benchmarks.gate_honest FOLDER [RUNS [FIRST]]`.

FOLDER holds pairs of real and synthetic rows (see `pairs`). Each run draws rows of a pair, measures
a sample of them, and releases a part of the synthetic rows with a threshold just above the gap,
from frames or from files. Nothing may be refused, and fingerprints may differ neither between
orders of rows, kinds of frames and copies of files, nor between processes; in every fifth run
reports and release ids are compared as well.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from synthmix_dagster import measure_distance, mix, open_dataset, verify_release
from synthmix_dagster.errors import SynthMixError

REAL, SYNTHETIC, SAMPLE = 300, 1_500, 200
#: Every so many runs fingerprints are computed by a process of their own as well, and every so many
#: all is done twice.
FRESH, TWICE = 25, 5
PROGRAM = """
import sys
import pandas as pd
from synthmix_dagster import open_dataset
path = sys.argv[1]
print(open_dataset(path).fingerprint, open_dataset(pd.read_parquet(path)).fingerprint)
"""


def drawn(folder: Path, number: int) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Rows of a pair, and the options of measuring them."""
    rng = np.random.default_rng(number)
    meta = json.loads((folder / "meta.json").read_text())
    sides = []
    for name, rows in (("real_train", REAL), ("synthetic", SYNTHETIC)):
        frame = pd.read_parquet(folder / f"{name}.parquet")
        sides.append(frame.iloc[rng.permutation(len(frame))[:rows]].reset_index(drop=True))
    options = {
        "target": meta["target"],
        "categorical": [name for name in meta["categorical"] if name in sides[0].columns],
        "sample_rows": SAMPLE,
        "directions": 10,
        "permutations": 0,
        "seed": number,
    }
    return sides[0], sides[1], options


def differences(side: pd.DataFrame, folder: Path, *, fresh: bool) -> list[str]:
    """Fingerprints that should be equal and are not."""
    path = folder / "here" / "rows.parquet"
    path.parent.mkdir()
    side.to_parquet(path)
    copy = shutil.copytree(path.parent, folder / "there")
    frame, file = open_dataset(side).fingerprint, open_dataset(path).fingerprint
    shuffled = side.sample(frac=1, random_state=1, ignore_index=True)
    wanted = {
        "order of rows": (frame, open_dataset(shuffled).fingerprint),
        "Arrow": (frame, open_dataset(pa.Table.from_pandas(side)).fingerprint),
        "file and frame read from it": (frame, open_dataset(pd.read_parquet(path)).fingerprint),
        "copy": (file, open_dataset(copy / "rows.parquet").fingerprint),
        "folder": (file, open_dataset(copy).fingerprint),
    }
    if fresh:
        told = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(path)], capture_output=True, text=True, check=True
        )
        wanted["process"] = (f"{file} {frame}", told.stdout.strip())
    return [name for name, (one, other) in wanted.items() if one != other]


def run(pair: Path, number: int, folder: Path) -> list[str]:
    """What went wrong in one honest run."""
    real, synthetic, options = drawn(pair, number)
    problems = differences(synthetic, folder, fresh=number % FRESH == 0)
    sources: tuple[Any, Any] = real, synthetic
    if number % 2:
        real.to_parquet(folder / "real.parquet")
        sources = folder / "real.parquet", folder / "here" / "rows.parquet"
    again = (
        synthetic.sample(frac=1, random_state=2, ignore_index=True)
        if number % 2 == 0
        else folder / "there" / "rows.parquet"
    )
    try:
        report = measure_distance(*sources, **options)
        ids = set()
        for name, rows in [("one", sources[1]), ("two", again)][: 1 if number % TWICE else 2]:
            repeated = report if name == "one" else measure_distance(sources[0], rows, **options)
            if repeated != report:
                problems.append("another report of the same rows")
            release = mix(
                sources[0],
                rows,
                # Small pairs have fewer rows than were asked for.
                ratio=min(1.5, 0.8 * len(synthetic) / len(real)),
                seed=number,
                output=folder / name,
                distance=repeated,
                threshold=max(report.gap, 0) + 1e-6,
            )
            ids.add(verify_release(release.path).release_id)
        if len(ids) > 1:
            problems.append("another release id of the same rows")
    except SynthMixError as error:
        problems.append(f"refused: {error}")
    return problems


def main(folder: Path, runs: int, first: int) -> None:
    pairs = sorted(path.parent for path in folder.glob("*/meta.json"))
    failed = 0
    for number in range(first, first + runs):
        pair = pairs[number % len(pairs)]
        with tempfile.TemporaryDirectory() as place:
            problems = run(pair, number, Path(place))
        failed += bool(problems)
        for problem in problems:
            print(f"{pair.name}, run {number}: {problem}", flush=True)
    print(f"{runs} runs over {len(pairs)} pairs, {failed} with a refusal or a difference")


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[2:]]
    main(Path(sys.argv[1]), *(given + [500, 0][len(given) :]))
