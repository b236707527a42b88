"""YAML and command line say the same of an option, because both read the options of the verbs."""

from dataclasses import fields

import click
import pytest

from synthmix_dagster.cli import main
from synthmix_dagster.distance.options import DistanceOptions
from synthmix_dagster.encoding.option_docs import attribute_docs
from synthmix_dagster.encoding.options import Columns
from synthmix_dagster.orchestration.config.mix import MixConfig
from synthmix_dagster.ratio.options import RatioOptions
from synthmix_dagster.release.options import MixOptions

#: Not settings in YAML: a mix in Dagster refuses what is short, and tests the classifier where its
#: threshold is set.
_NO_YAML = {"shortage", "classifier"}
#: Not on the command line, for the same reason.
_NO_CLI = {"classifier"}
_DECLARED = [
    pytest.param(options, field.name, id=f"{options.__name__}.{field.name}")
    for options in (Columns, DistanceOptions, RatioOptions, MixOptions)
    for field in fields(options)
]


@pytest.mark.parametrize(("options", "name"), _DECLARED)
def test_yaml_has_the_default_and_the_description_of_the_option(options: type, name: str) -> None:
    if name in _NO_YAML:
        assert name not in MixConfig.model_fields
        return
    assert MixConfig.model_fields[name].default == getattr(options(), name)
    shown = MixConfig.model().model_fields[name]
    if name not in ("seed", "memory_mb"):  # several verbs have them, with words of their own
        assert shown.description == attribute_docs(options)[name]


@pytest.mark.parametrize(
    ("verb", "options"),
    [
        ("measure", (Columns, DistanceOptions)),
        ("recommend", (RatioOptions,)),
        ("mix", (RatioOptions, MixOptions)),
    ],
)
def test_the_command_line_has_the_defaults_of_the_options(
    verb: str, options: tuple[type, ...]
) -> None:
    assert isinstance(main, click.Group)
    shown = {param.name: param.default for param in main.commands[verb].params}
    for declaring in options:
        for field in fields(declaring):
            if field.name in _NO_CLI:
                assert field.name not in shown
                continue
            default = getattr(declaring(), field.name)
            if isinstance(default, str | int | float):
                assert shown[field.name] == default, field.name
            else:
                assert field.name in shown
