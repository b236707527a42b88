"""What is asked of the ratio, and which settings go with it."""

from collections.abc import Mapping
from typing import Any, Literal

from synthmix_dagster.errors import ConfigError
from synthmix_dagster.orchestration.config.mix_datasets import MixDatasets
from synthmix_dagster.ratio.options import OF_ONE_RATIO, RatioOptions

#: What may be asked of the ratio.
Question = Literal["ratio", "generators", "classes", "no target"]


def require_answerable(config: Any, question: Question) -> None:
    """Refuse settings that do not go with what is asked.

    Parameters
    ----------
    config : MixConfig
    question : str

    Raises
    ------
    ConfigError
        It names the setting.
    """
    if (config.target is None) != (config.task is None):
        option = "task" if config.task is None else "target"
        raise ConfigError(
            "'target' and 'task' go together",
            option=option,
            fix="Set both; where there is no label column, set 'target: null' and leave 'task' out",
        )
    if question == "ratio":
        return
    for name in OF_ONE_RATIO:
        if getattr(config, name) != getattr(RatioOptions, name):
            raise ConfigError(
                f"it belongs to one ratio, and this mix asks for {_ASKED[question]}",
                option=name,
                fix="Leave it out: the risk is that of kernel ridge regression",
            )
    if config.target is None:
        _require_no_labels(config)
    if config.per_class and question != "classes":
        raise ConfigError(
            f"this mix asks for {_ASKED[question]}", option="per_class", fix="Leave it out"
        )
    if question == "classes" and config.task != "classification":
        raise ConfigError(
            "the task is regression", option="per_class", fix="Leave it out: there are no classes"
        )
    if question == "classes" and (config.mode == "weights" or config.stratify is not None):
        option = "mode" if config.mode == "weights" else "stratify"
        raise ConfigError(
            "every class has a number of rows of its own", option=option, fix="Leave it out"
        )
    _require_known_limits(config, question)


def _require_no_labels(config: MixDatasets) -> None:
    """Refuse what needs labels where there are none."""
    needing = ("conditional_threshold", "class_threshold", "per_class")
    judges = ("evaluation", "evaluation_column", "evaluation_share", "other")
    for name in (*needing, *judges):
        if getattr(config, name):
            raise ConfigError(
                "there is no target", option=name, fix="Set 'target' and 'task', or leave it out"
            )
    if isinstance(config.synthetic, Mapping):
        raise ConfigError(
            "there is no target, and several generators are compared by what they teach about it",
            option="target",
            fix="Set 'target' and 'task', or make one mix for each generator",
        )


def _require_known_limits(config: MixDatasets, question: Question) -> None:
    """Refuse a threshold that is the critical gap of one ratio."""
    for name, view in config.views.items():
        if any(gate.threshold.kind == "auto" for gate in view.gates):
            raise ConfigError(
                f"'auto' is the critical gap of one ratio, and this mix asks for "
                f"{_ASKED[question]}",
                option=f"synthetic.{name}.threshold" if name in view.generators else "threshold",
                fix="Set it to a number, or to '3 x floor'",
            )


_ASKED: Mapping[Question, str] = {
    "ratio": "one ratio",
    "generators": "the rows of several generators",
    "classes": "a ratio for every class",
    "no target": "a ratio without a target",
}
