"""The site is built strictly, names everything public, and fetches nothing."""

import re
from pathlib import Path

import pytest
from doc_blocks import ROOT, name_of
from mkdocs.commands.build import build
from mkdocs.config import load_config

import synthmix_dagster
from synthmix_dagster import errors
from synthmix_dagster.orchestration.config import (
    contract,
    dataset,
    drift,
    gates,
    generators,
    measuring,
    mix,
    mix_datasets,
    monitor,
    orchestration,
    pair,
    publish,
    questions,
)
from synthmix_dagster.orchestration.config.base import Settings

_FETCHED = re.compile(
    r'<(?:script|img|iframe|source)[^>]+src="(?:https?:)?//'
    r'|<link[^>]+rel="(?:stylesheet|preconnect|icon|preload)"[^>]+href="(?:https?:)?//'
    r"|url\((?:https?:)?//|@import"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.setenv("NO_MKDOCS_2_WARNING", "1")
        # Strict: a broken link or anchor, or a docstring that cannot be read, is an error.
        build(load_config(str(ROOT / "mkdocs.yml"), site_dir=str(folder), strict=True))
    return folder


@pytest.mark.slow
def test_the_site_is_whole_and_fetches_nothing(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 25
    for page in [*pages, *site.rglob("*.css")]:
        found = _FETCHED.search(page.read_text(encoding="utf-8"))
        assert found is None, (page.relative_to(site), found)


@pytest.mark.slow
def test_every_public_name_setting_and_error_is_in_the_reference(site: Path) -> None:
    reference = "".join(page.read_text() for page in (site / "reference").glob("*.html"))
    for name in synthmix_dagster.__all__:
        assert re.search(rf'id="synthmix_dagster(\.\w+)*\.{name}"', reference), name
    modules = (
        contract,
        dataset,
        drift,
        gates,
        generators,
        measuring,
        mix,
        mix_datasets,
        monitor,
        orchestration,
        pair,
        publish,
        questions,
    )
    settings = {
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Settings) and value is not Settings
    }
    family = {value for value in vars(errors).values() if isinstance(value, type)}
    for each in {*settings, *family} - {Path}:
        if each.__module__.startswith("synthmix_dagster"):
            assert f'id="{each.__module__}.{each.__qualname__}"' in reference, each


def test_no_page_names_a_path_of_the_machine_that_built_it() -> None:
    for page in [ROOT / "mkdocs.yml", *(ROOT / "docs").rglob("*.md")]:
        text = page.read_text(encoding="utf-8")
        assert str(ROOT) not in text, name_of(page)
        assert str(Path.home()) + "/" not in text, name_of(page)
