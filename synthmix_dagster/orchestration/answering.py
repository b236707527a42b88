"""Which verb answers the question of a mix, and what of its answer a release takes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from synthmix_dagster.errors import ConfigError, GateError
from synthmix_dagster.gates.evidence import of_generator
from synthmix_dagster.gates.verdicts import Verdict
from synthmix_dagster.orchestration.config.mix import MixConfig
from synthmix_dagster.orchestration.config.mix_datasets import REFUSING
from synthmix_dagster.orchestration.inputs import Opened
from synthmix_dagster.orchestration.release_gates import gate_verdicts
from synthmix_dagster.orchestration.stored_results import Stored
from synthmix_dagster.ratio.answers import Answer, ratios_of
from synthmix_dagster.ratio.sources import SourceMixture
from synthmix_dagster.verbs.core import recommend_ratio
from synthmix_dagster.verbs.variants import (
    recommend_generators,
    recommend_per_class,
    recommend_without_target,
)


def answered(
    config: MixConfig, opened: Mapping[str, Opened], measured: Mapping[str, Stored]
) -> Answer:
    """Ask the verb that answers the question of a mix.

    Parameters
    ----------
    config : MixConfig
    opened : mapping of str to Opened
        The datasets for each generator, by its name; one of no name is the only one.
    measured : mapping of str to Stored
        Their stored distances.
    """
    options = config.recommend_options()
    first = next(iter(opened.values()))
    if config.question == "generators":
        return _of_generators(config, opened, measured, options)
    if config.question == "no target":
        return recommend_without_target(*first.sides, **options)
    options["evaluation"] = first.evaluation
    if config.question == "classes":
        return recommend_per_class(*first.sides, **options)
    options["distance"] = measured[""].distance
    return recommend_ratio(*first.sides, **options)


def _of_generators(
    config: MixConfig,
    opened: Mapping[str, Opened],
    measured: Mapping[str, Stored],
    options: dict[str, Any],
) -> SourceMixture:
    """The mixture of all generators but those that may be left out and whose gates fail."""
    refused = {}
    for name in options.pop("if_refused"):
        view = config.views[name]
        if view.may_be_left_out:
            verdicts = gate_verdicts(view, opened[name], measured[name].distance, None, {})
            if said := _refusals(view, verdicts):
                refused[name] = said[0]
    saw = options.pop("generator_saw_real")
    taken = {name: each.sides[1] for name, each in opened.items() if name not in refused}
    if not taken:
        raise GateError(
            f"release refused, the gates of all generators failed. {' '.join(refused.values())}",
            mix=config.name,
            fix="Fix one of the generators. Existing releases are unchanged",
        )
    first = next(iter(opened.values()))
    found = recommend_generators(
        first.sides[0],
        {name: replace(dataset, name=name) for name, dataset in taken.items()},
        evaluation=first.evaluation,
        generator_saw_real={name: saw[name] for name in taken},
        **options,
    )
    return found.without(refused)


def requested_ratio(
    config: MixConfig, answer: Answer, overrides: Mapping[str, Any]
) -> float | dict[str, float]:
    """The ratio, or one for each generator or class, that a release is to have.

    Raises
    ------
    ConfigError
        The run sets one number where there are several.
    """
    advised = ratios_of(answer)
    if "ratio" not in overrides:
        return advised
    if isinstance(advised, dict):
        raise ConfigError(
            "it is one number, and this mix has a ratio for each of " + ", ".join(sorted(advised)),
            option="run config: ratio",
            fix="Leave it out",
        )
    return float(overrides["ratio"])


@dataclass(frozen=True)
class LeftOut:
    """What follows from the gates of generators that may be left out.

    Attributes
    ----------
    verdicts : mapping of str to Verdict
        All verdicts; those that left a generator out only warn.
    objections : tuple of str
        Generators that were to be left out, and give rows nevertheless.
    """

    verdicts: Mapping[str, Verdict]
    objections: tuple[str, ...]

    @classmethod
    def of(
        cls,
        config: MixConfig,
        verdicts: Mapping[str, Verdict],
        requested: float | Mapping[str, float],
    ) -> "LeftOut":
        """Look at what each generator is to give.

        Parameters
        ----------
        config : MixConfig
        verdicts : mapping of str to Verdict
            By check and generator.
        requested : float or mapping of str to float
            Rows of each generator per real row.
        """
        objections: list[str] = []
        shown = dict(verdicts)
        for name, view in config.views.items():
            if not view.may_be_left_out or not isinstance(requested, Mapping):
                continue
            own = {check: of_generator(check, name) for check in REFUSING}
            judged = {check: verdicts[full] for check, full in own.items() if full in verdicts}
            if requested[name] > 0:
                objections += [
                    f"{said} '{name}' has to be left out, and {requested[name]:.4g} rows of it "
                    "for each real row are recommended. Materialise 'optimal_ratio' again."
                    for said in _refusals(view, judged)[:1]
                ]
                continue
            for check, verdict in judged.items():
                if not verdict.passed:
                    said = f"{verdict.sentence} '{name}' is left out."
                    shown[own[check]] = replace(verdict, sentence=said, severity="WARN")
        return cls(shown, tuple(objections))


def _refusals(view: MixConfig, verdicts: Mapping[str, Verdict]) -> list[str]:
    """The checks that refuse a generator, one sentence each."""
    return [
        f"The check '{name}' failed. {verdict.sentence}"
        for name, verdict in verdicts.items()
        if not verdict.passed and verdict.severity == "ERROR" and view.refuses(name)
    ]
