"""The generator as prior mean: simulated risk against the closed form, and both minima.

    python -m benchmarks.figure1 [--json FILE] [--png FILE] [--quick]

The setting is that of Figure 1 of Shidani et al. (arXiv 2510.08095) as far as it is known to us:
a kernel whose eigenvalues decay as ``j^-r`` with r = 2, a truth of source smoothness s = 0.8, and
s' = 1.5 for the generator. The paper publishes no code, and its numbers are not reproduced here.
What is: the estimator of its Lemma 2.1 has a U-shaped risk, and our closed form has the minimum of
the simulated curve. Our reading of the setting, on [0, 1] with cosines e_j and 200 of them:

    eigenvalues j^-r,   f* = sum_j j^-(r s + 1)/2 e_j,   and for the generator g either
    smooth     g = sum_j j^-(r s' + 1)/2 e_j: it has the broad shape of f* and lacks its detail, or
    shifted    f* - g = 1/2 sum_j +-j^-(r s' + 1)/2 e_j: its error is smooth.

A row of the table is the mean over draws of X; for each, noise is drawn many times and every ridge
is solved by itself in the kernel matrix, without the eigenproblem of the closed form.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.simulation import repeated
from synthmix_dagster.ratio.prior import SpectralRisk

Floats = NDArray[np.float64]

DECAY, SMOOTHNESS, GENERATOR_SMOOTHNESS = 2.0, 0.8, 1.5
TERMS = 200
NOISE = 0.25
RATIOS = np.logspace(-5, 1.5, 53)
GENERATORS = ("smooth", "shifted")
#: Standard error of the simulated curve falls with both.
DESIGNS, DRAWS = 10, 200


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--png", type=Path)
    parser.add_argument("--quick", action="store_true", help="few rows and draws")
    options = parser.parse_args()
    sizes = [50, 100] if options.quick else [50, 200, 800]
    results = [
        judge(generator, n, 2 if options.quick else DESIGNS)
        for generator in GENERATORS
        for n in sizes
    ]
    table = pd.DataFrame(results).drop(columns="curves")
    print(table.to_string(index=False, float_format=lambda value: f"{value:.3g}"))
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(results, indent=1))
    if options.png:
        draw([row for row in results if row["n"] == sizes[1]], options.png)
    return 0


def judge(generator: str, n: int, designs: int) -> dict[str, Any]:
    """Curves of one generator at one number of real rows, and where they are lowest."""
    found = repeated(one_design, designs, generator=generator, n=n)
    curves = {name: np.mean([each[name] for each in found], axis=0) for name in found[0]["names"]}
    simulated, closed, fresh = (curves[name] for name in ("simulated", "closed_form", "fresh_rows"))
    plug_in = np.concatenate([each["plug_in"] for each in found])
    regrets = np.concatenate([each["regrets"] for each in found])
    return {
        "generator": generator,
        "n": n,
        "ratio_simulated": float(RATIOS[np.argmin(simulated)]),
        "ratio_closed_form": float(RATIOS[np.argmin(closed)]),
        "ratio_fresh_rows": float(RATIOS[np.argmin(fresh)]),
        "ratio_estimated": float(np.median(plug_in)),
        "risk_simulated": float(simulated.min()),
        "risk_closed_form": float(closed.min()),
        "risk_fresh_rows": float(fresh.min()),
        "risk_real_alone": float(np.mean([each["real_alone"] for each in found])),
        "risk_generator_alone": float(np.mean([each["generator_alone"] for each in found])),
        "largest_deviation": float(np.max(np.abs(simulated / closed - 1))),
        "estimated_costs": float(np.mean(regrets)),
        "curves": {"ratios": RATIOS.tolist(), **{k: v.tolist() for k, v in curves.items()}},
    }


def one_design(seed: int, *, generator: str, n: int) -> dict[str, Any]:
    """Simulated and closed-form risks for one draw of X."""
    rng = np.random.default_rng(seed)
    truth, learnt = coefficients(generator, rng)
    x, elsewhere = rng.random(n), rng.random(1000)
    cosines, cosines_elsewhere = basis(x), basis(elsewhere)
    features = cosines * np.arange(1, TERMS + 1) ** (-DECAY / 2)
    features_elsewhere = cosines_elsewhere * np.arange(1, TERMS + 1) ** (-DECAY / 2)
    kernel, kernel_elsewhere = features @ features.T, features_elsewhere @ features.T
    difference = (cosines @ (truth - learnt))[:, None]
    difference_elsewhere = (cosines_elsewhere @ (truth - learnt))[:, None]
    residuals = difference + rng.normal(0, np.sqrt(NOISE), (n, DRAWS))
    simulated, fresh = [], []
    for ratio in RATIOS:
        # Lemma 2.1: f - g = K(., X) (K + lambda_N I)^-1 (y - g(X)), lambda_N = N ratio.
        weights = np.linalg.solve(kernel + n * ratio * np.eye(n), residuals)
        simulated.append(np.mean((kernel @ weights - difference) ** 2))
        fresh.append(np.mean((kernel_elsewhere @ weights - difference_elsewhere) ** 2))
    exact = SpectralRisk.exact(features, difference, NOISE)
    best = exact.minimum()[1]
    # What a user has: one draw of the noise. Its level is taken as known here.
    chosen = np.array(
        [
            np.clip(
                SpectralRisk.estimated(features, residuals[:, [i]], NOISE).minimum()[0],
                RATIOS[0],
                RATIOS[-1],
            )
            for i in range(20)
        ]
    )
    return {
        "names": ("simulated", "closed_form", "fresh_rows"),
        "simulated": np.array(simulated),
        "fresh_rows": np.array(fresh),
        "closed_form": exact.at(RATIOS),
        "plug_in": chosen,
        "regrets": exact.at(chosen) / best - 1,
        "real_alone": exact.real_alone,
        "generator_alone": exact.generator_alone,
    }


def coefficients(generator: str, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Coefficients of f* and g in the cosines."""
    j = np.arange(1, TERMS + 1)
    truth = j ** (-(DECAY * SMOOTHNESS + 1) / 2)
    smooth = j ** (-(DECAY * GENERATOR_SMOOTHNESS + 1) / 2)
    if generator == "smooth":
        return truth, smooth
    return truth, truth - 0.5 * rng.choice([-1.0, 1.0], TERMS) * smooth


def basis(x: Floats) -> Floats:
    """Orthonormal cosines on [0, 1], of shape (len(x), TERMS)."""
    values: Floats = np.sqrt(2) * np.cos(np.pi * np.outer(x, np.arange(1, TERMS + 1)))
    return values


def draw(results: list[dict[str, Any]], path: Path) -> None:
    """One panel a generator: the U-curve, simulated and in closed form, and its limits."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from synthmix_dagster.display.style import CHOSEN, CURVE, PRIOR, QUIET

    figure = Figure(figsize=(9.2, 3.8), dpi=100, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    titles = {"smooth": "generator lacks detail", "shifted": "generator has a smooth error"}
    for axes, row in zip(figure.subplots(1, 2), results, strict=True):
        curves = row["curves"]
        axes.plot(RATIOS, curves["closed_form"], color=CURVE, lw=2, label="closed form")
        axes.plot(
            RATIOS, curves["simulated"], "o", color=CHOSEN, ms=3.5, label="simulated, same rows"
        )
        axes.plot(
            RATIOS, curves["fresh_rows"], color=QUIET, lw=1, ls="-.", label="simulated, fresh rows"
        )
        axes.axvline(row["ratio_closed_form"], color=CURVE, lw=1, ls=":", label="lowest")
        axes.axhline(
            row["risk_generator_alone"], color=PRIOR, lw=1, ls="--", label="generator alone"
        )
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_title(f"{titles[row['generator']]}, N = {row['n']}", fontsize=10)
        axes.set_xlabel(r"$\tilde\lambda / (1 - \tilde\lambda)$, trust in the generator")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="#dddddd", lw=0.6)
    figure.axes[0].set_ylabel("risk beyond the noise")
    figure.axes[0].legend(frameon=False, fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


if __name__ == "__main__":
    raise SystemExit(main())
