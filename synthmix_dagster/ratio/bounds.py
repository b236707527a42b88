"""Closed-form bounds on the excess risk of a mix: the prior that is reported beside the risk path.

Bounds explain and warn; they do not decide. Their constants are not identified by theory but
estimated from one kernel ridge fit on the real rows, and are printed with the result.

Both are derived for this project. Their ingredients: uniform stability of kernel ridge regression
(Bousquet and Elisseeff 2002) and Kantorovich-Rubinstein duality. That synthetic data acts as a
regulariser with an optimal share is the setting of Shidani et al., arXiv 2510.08095; neither
formula below is claimed to be theirs.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Bound:
    """One bound and the mixing it would choose.

    Attributes
    ----------
    name : str
    weight : float
        Synthetic weight alpha that minimises the bound.
    ratio : float
        ``alpha / (1 - alpha)``; the bound weights all available rows.
    interior : bool
        Whether the optimum lies strictly between no synthetic row and plain pooling of all rows.
    critical_gap : float
        Gap from which the bound chooses no synthetic rows at all (infinite where none does).
    constants : mapping of str to float
        Everything the bound was computed from.
    """

    name: str
    weight: float
    ratio: float
    interior: bool
    critical_gap: float
    constants: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON-serialisable values; an infinite critical gap becomes None."""
        values = asdict(self)
        values["critical_gap"] = self.critical_gap if np.isfinite(self.critical_gap) else None
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Bound":
        """Rebuild a bound from `to_dict`."""
        critical = values["critical_gap"]
        return cls(**{**values, "critical_gap": float("inf") if critical is None else critical})


def stability_bound(n: int, m: int, *, gap: float, lipschitz: float, capacity: float) -> Bound:
    """Stability plus Wasserstein bound, minimised in closed form.

    ``excess(a) <= 2 a xi W + C [(1-a)^2/n + a^2/m]`` is smallest at
    ``a = max(0, (C/n - xi W) / (C (1/n + 1/m)))``.

    Parameters
    ----------
    n, m : int
        Real and synthetic rows available.
    gap : float
        Wasserstein distance W of the encoded rows, target included; a negative, debiased gap
        counts as 0. W2 is used, which is at least W1.
    lipschitz : float
        Lipschitz constant xi of the loss on the encoded space.
    capacity : float
        Stability constant C.

    Returns
    -------
    Bound

    Examples
    --------
    Without a gap the bound pools everything:

    >>> round(stability_bound(100, 400, gap=0.0, lipschitz=1.0, capacity=50.0).ratio, 6)
    4.0

    From ``n xi W >= C`` on it takes nothing:

    >>> stability_bound(100, 400, gap=0.5, lipschitz=1.0, capacity=50.0).ratio
    0.0
    """
    distance = max(gap, 0.0)
    slope = capacity / n - lipschitz * distance
    pooled = m / (n + m)
    weight = pooled if distance == 0 else max(0.0, slope / (capacity * (1 / n + 1 / m)))
    return Bound(
        name="stability",
        weight=weight,
        ratio=m / n if weight == pooled else weight / (1 - weight),
        interior=bool(0 < weight < pooled * (1 - 1e-12)),
        critical_gap=capacity / (n * lipschitz) if lipschitz > 0 else float("inf"),
        constants={
            "gap": distance,
            "lipschitz": lipschitz,
            "capacity": capacity,
            "n_real": float(n),
            "n_synthetic": float(m),
        },
    )


def estimated_constants(losses: Floats, gradients: Floats, ridge: float) -> tuple[float, float]:
    """Estimate xi and C from the kernel ridge fit on the real rows.

    The squared loss ``(y - f(x))^2`` has the gradient ``2 e (1, -grad f(x))`` in (y, x), so
    ``xi = 2 rms(e) sqrt(1 + mean |grad f|^2)``; its size bounds M^2 by the second moment of the
    errors, and a Gaussian kernel has kappa = 1, so ``C = 2 mean(e^2) / ridge``.

    Parameters
    ----------
    losses : ndarray of shape (n,)
        Squared errors e^2 of rows that their fit did not contain.
    gradients : ndarray of shape (n, d * q)
        Gradients of the fit, those of several target columns side by side.
    ridge : float
        Ridge of the fit.

    Returns
    -------
    lipschitz, capacity : float
    """
    square = float(np.mean(losses))
    slope = float(np.mean(np.sum(gradients**2, axis=1)))
    return 2.0 * float(np.sqrt(square * (1.0 + slope))), 2.0 * square / ridge
