"""Learn the prior of the posterior rule from folders of pairs with known test errors.

    python -m benchmarks.experience --pairs DIR --out FILE [--learner trees] [--cases FILE] [--add]

Every dataset counts once; generators fitted on the real rows themselves are left out, since what
they promise on these rows is not to be believed. The level of the interval is the lowest at which
it holds the best ratio in nine of ten cases, each judged by what the other datasets teach. With
``--add`` the cases join those of the package instead of replacing them.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from benchmarks.known_cases import Record, collect, dataset_of
from benchmarks.left_out import SIZES, calibrated_level, cases, judged_records, posteriors
from synthmix_dagster.ratio.experience import (
    Experience,
    learn_experience,
    shipped_experience,
)
from synthmix_dagster.ratio.options import Learner

#: Whose experience, and what the folders of pairs call it.
LEARNERS: dict[Learner, str] = {"kernel": "krr", "trees": "hgb"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--learner", choices=LEARNERS, default="kernel")
    parser.add_argument("--cases", type=Path, help="file to keep cases in; by default beside OUT")
    parser.add_argument("--only", default="", help="folders whose name contains this")
    parser.add_argument("--sizes", type=int, nargs="*", default=SIZES)
    parser.add_argument("--add", action="store_true", help="join the experience of the package")
    parser.add_argument("--source", default="", help="what the pairs are, in a sentence")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    cache = options.cases or options.out.with_suffix(".cases.json")
    records = collect(
        options.pairs, cache, only=options.only, sizes=options.sizes, jobs=options.jobs
    )
    if not records:
        parser.error(f"no pairs in {options.pairs}")
    base = shipped_experience(options.learner) if options.add else None
    learned = learn(records, options.learner, base=base, note=options.source)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(learned.to_json())
    print(
        f"{learned.cases} cases of {learned.pairs} pairs of {len(learned.datasets)} datasets, "
        f"interval of mass {learned.level:.3f}"
    )
    prior = learned.prior(100), learned.prior(1_600)
    for name in ("mean", "covariance", "error"):
        shown = [getattr(each, name) for each in prior]
        last = [each[-1] if each.ndim == 1 else np.sqrt(each[-1, -1]) for each in shown]
        print(f"{name} at the highest ratio, n = 100 and 1,600: {last[0]:.3f}, {last[1]:.3f}")
    return 0


def learn(
    records: list[Record], learner: Learner, *, base: Experience | None, note: str
) -> Experience:
    """The experience of all records, with the level of its interval."""
    level, of = 0.9, LEARNERS[learner]
    judged = judged_records(records, of)
    if base is None and len({dataset_of(record) for record in judged}) > 1:
        level = calibrated_level(judged, posteriors(records, judged, of), of)
    command = f"python -m benchmarks.experience --pairs DIR --learner {learner} --out FILE"
    return learn_experience(
        cases(records, of),
        base=base,
        source=f"{note + ': ' if note else ''}{command}",
        level=level,
        learner=learner,
    )


if __name__ == "__main__":
    sys.exit(main())
