"""How long a generator that was replaced by another of its dataset goes unnoticed."""

import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.drift_scores import BLOCKS, LINE, REFERENCE, by_batch, by_block, squares
from synthmix_dagster.distance.wasserstein import orthonormal_directions
from synthmix_dagster.encoding.encoder import Encoder

Floats = NDArray[np.float64]
Row = dict[str, Any]


def swaps(folder: Path, repetitions: int) -> list[Row]:
    """Every generator of a dataset replaced by the next two of it, in the order of their names."""
    pools: dict[str, list[Path]] = {}
    for pair in sorted(folder.iterdir()):
        if pair.is_dir() and not pair.name.endswith("_fitreal") and "__dial" not in pair.name:
            pools.setdefault(pair.name.split("__")[0], []).append(pair)
    jobs = [pair for pairs in pools.values() if len(pairs) > 1 for pair in pairs]
    found = [
        row
        for pair in jobs
        for row in _swap(
            pair, [p for p in pools[pair.name.split("__")[0]] if p != pair], repetitions
        )
    ]
    frame = pd.DataFrame(found)
    rows = []
    for (unit, history), part in frame.groupby(["unit", "history"]):
        by_swap = part.groupby("swap")["waited"].median()
        rows.append(
            {
                "unit": unit,
                "history": int(history),
                "swaps": len(by_swap),
                "median": float(part["waited"].median()),
                "slowest tenth of swaps": float(by_swap.quantile(0.9, interpolation="higher")),
                "not within 30": float(np.mean(~np.isfinite(part["waited"]))),
                "alarmed before the swap": float(part["before"].mean()),
            }
        )
    return [
        {k: None if isinstance(v, float) and not np.isfinite(v) else v for k, v in row.items()}
        for row in rows
    ]


def _next_two(pair: Path, pairs: list[Path]) -> list[Path]:
    at = pairs.index(pair)
    around = [*pairs[at + 1 :], *pairs[:at]]
    return around[:2]


def _swap(before: Path, others: list[Path], repetitions: int) -> list[Row]:
    meta = json.loads((before / "meta.json").read_text())
    categorical = [*meta["categorical"]]
    if meta["task"] == "classification":
        categorical.append(meta["target"])
    frames = {pair.name: pd.read_parquet(pair / "synthetic.parquet") for pair in (before, *others)}
    home = frames[before.name]
    encoder = Encoder.fit(home, pd.concat(list(frames.values())), categorical=categorical)
    points = {name: encoder.transform(frame, np.float32) for name, frame in frames.items()}
    rows = []
    for repetition in range(repetitions):
        rng = np.random.default_rng([repetition, len(home)])
        directions = orthonormal_directions(encoder.dimension, 1, rng)

        # Pools are populations here: batches are drawn from them anew.
        def draw(name: str, count: int, rng: np.random.Generator = rng) -> Floats:
            pool = points[name]
            taken = [
                rng.choice(len(pool), min(640, len(pool)), replace=False) for _ in range(count)
            ]
            return np.stack([pool[one] for one in taken])

        reference = draw(before.name, REFERENCE).reshape(-1, encoder.dimension)
        history = draw(before.name, 30)
        for other in others:
            after = draw(other.name, 30)
            size = min(history.shape[1], after.shape[1])
            batches = np.concatenate((history[:, :size], after[:, :size]))
            whole = squares(batches, reference, directions, 1)[:, 0]
            of_blocks = squares(batches, reference, directions, BLOCKS)
            for unit, length in product(("batch", "block"), (5, 10, 30)):
                at = 30 - length
                won = (
                    by_batch(whole[at:], rng)
                    if unit == "batch"
                    else by_block(of_blocks[at:], whole[at:], rng)
                )
                over = won >= LINE
                first = int(over[length:].argmax()) + 1 if over[length:].any() else np.inf
                rows.append(
                    {
                        "swap": f"{before.name} to {other.name}",
                        "unit": unit,
                        "history": length,
                        "waited": float(first),
                        "before": bool(over[:length].any()),
                    }
                )
    return rows
