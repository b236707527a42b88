"""The demo, and what people see of it: a real browser on a real webserver over its instance."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import chromium, keep_view, prefer
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait
from servers import ask, free_port, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.server, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
#: Seconds that a page has to show what it is about.
PATIENCE = 60

# Those that are wholly there: dialogs fade in.
_PICTURES = """
const opacity = e =>
    e === null ? 1 : Math.min(getComputedStyle(e).opacity, opacity(e.parentElement));
return [...document.images].filter(i => i.src.startsWith('data:image/') && opacity(i) > 0.99)
    .map(i => ({width: i.naturalWidth, height: i.naturalHeight}));
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The instance that the demo leaves behind."""
    folder = tmp_path_factory.mktemp("demo")
    run = subprocess.run(
        [sys.executable, "-m", "example_repo.demo"],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1", "SYNTHMIX_EXAMPLE_HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    (folder / "printed.txt").write_text(run.stdout)
    return folder


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[str]:
    port = free_port()
    process = subprocess.Popen(
        [
            str(Path(sys.executable).parent / "dagster-webserver"),
            *("--workspace", "workspace.yaml", "--host", "127.0.0.1", "--port", str(port)),
        ],
        cwd=ROOT,
        env={
            **os.environ,
            "DAGSTER_HOME": str(home / "dagster_home"),
            "SYNTHMIX_EXAMPLE_HOME": str(home),
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        url = wait_for(f"http://127.0.0.1:{port}", process)
        # Without it a first visit opens a dialog over everything.
        ask(url, "mutation { setNuxSeen }")
        yield url
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.fixture(scope="module")
def browser(server: str) -> Iterator[Chrome]:
    for driver in chromium():
        driver.set_window_size(1500, 1300)
        yield driver


def shown(browser: Chrome, what: Any) -> Any:
    return WebDriverWait(browser, PATIENCE).until(lambda driver: what(driver))


def pictures(browser: Chrome) -> list[dict[str, int]]:
    """Pictures of the page that have a size of their own, that is: were drawn."""
    found: list[dict[str, int]] = browser.execute_script(_PICTURES)
    return [size for size in found if size["width"] > 0 and size["height"] > 0]


def open_full(browser: Chrome, key: str, width: int) -> dict[str, int]:
    """Open the picture behind a key of the metadata."""
    row = browser.find_element(By.XPATH, f"//*[text()='{key}']/ancestor::tr[1]")
    browser.execute_script("arguments[0].scrollIntoView({block: 'start'})", row)
    row.find_element(By.XPATH, ".//*[contains(text(), 'Show Markdown')]").click()
    large = shown(browser, lambda driver: [s for s in pictures(driver) if s["width"] >= width])
    return dict(large[0])


def text_of(browser: Chrome) -> str:
    return str(browser.find_element(By.TAG_NAME, "body").text)


@pytest.mark.parametrize(
    ("role", "words", "full"),
    [
        ("distribution_distance", "synthmix/gap", "synthmix/parts_of_gap"),
        ("optimal_ratio", "synthmix/ratio", "synthmix/risk_curve"),
        ("training_data", "synthmix/release_id", "synthmix/composition"),
    ],
)
def test_every_asset_shows_a_picture_and_the_full_one_behind_it(
    role: str, words: str, full: str, browser: Chrome, server: str
) -> None:
    browser.get(f"{server}/assets/digits/{role}")
    assert shown(browser, pictures)[0]["width"] >= 300
    assert words in text_of(browser)
    # The answer in words stands above the raw figures.
    text = text_of(browser)
    assert text.index("synthmix/summary") < text.index(words)
    keep_view(browser, f"ui-{role}")
    assert open_full(browser, full, 600)["height"] >= 150
    keep_view(browser, f"ui-{role}-full")


def test_the_failed_gate_says_why_and_what_to_do(browser: Chrome, server: str) -> None:
    browser.get(
        f"{server}/assets/digits_candidate/distribution_distance"
        "?view=checks&checkDetail=conditional_gap"
    )
    shown(browser, lambda driver: "is over its threshold 0.2" in text_of(driver))
    words = text_of(browser)
    assert "Failed" in words
    assert "This is a blocking asset check" in words
    assert "Fix how the generator assigns labels" in words
    keep_view(browser, "ui-failed-gate")


def test_dark_readers_see_it_as_well(browser: Chrome, server: str) -> None:
    prefer(browser, "dark")
    browser.get(f"{server}/assets/digits/distribution_distance")
    # Dagster follows the reader where the setting is 'system'.
    browser.execute_script("localStorage.setItem('theme', JSON.stringify('Dark'))")
    browser.refresh()
    assert shown(browser, pictures)
    keep_view(browser, "ui-dark")
    browser.execute_script("localStorage.removeItem('theme')")
    prefer(browser, "light")


def test_the_whole_mix_is_one_line_of_assets(browser: Chrome, server: str) -> None:
    browser.get(f"{server}/locations/example_repo/asset-groups/digits")
    shown(browser, lambda driver: "training_data" in text_of(driver))
    shown(browser, lambda driver: "Loading" not in text_of(driver))
    assert "Passed" in text_of(browser) or "Materialized" in text_of(browser)
    keep_view(browser, "ui-lineage")


def test_checks_are_seen_in_the_step_of_their_asset(browser: Chrome, server: str) -> None:
    asked = ask(server, "{ runsOrError { ... on Runs { results { runId status } } } }")
    run = next(
        each["runId"] for each in asked["runsOrError"]["results"] if each["status"] == "SUCCESS"
    )
    browser.get(f"{server}/runs/{run}")
    shown(browser, lambda driver: "ASSET_CHECK" in text_of(driver).upper().replace(" ", "_"))
    keep_view(browser, "ui-run")


def test_the_report_opens_from_disk(browser: Chrome, home: Path) -> None:
    report = home / "mixes" / "digits" / "latest" / "report.html"
    browser.get(report.as_uri())
    assert browser.find_elements(By.TAG_NAME, "h1")
    words = text_of(browser)
    assert "500" in words
    assert "413" in words
    drawn = browser.execute_script(
        "return [...document.querySelectorAll('svg, img')]"
        ".map(e => e.getBoundingClientRect().width)"
    )
    assert max(drawn) >= 300
    keep_view(browser, "ui-report")
    # Both mixes publish to one folder.
    browser.get((home / "mixes" / "digits" / "index.html").as_uri())
    words = text_of(browser)
    assert "refused" in words
    assert "is over its threshold 0.2" in words
    keep_view(browser, "ui-history")


def test_the_demo_releases_one_generator_and_refuses_the_other(home: Path) -> None:
    printed = (home / "printed.txt").read_text()
    assert "stopped  digits_candidate/distribution_distance" in printed
    assert "stopped  digits_candidate/training_data" in printed
    for word in ("gap", "floor", "threshold", "refused", "requested", "realised", "untouched"):
        assert word in printed
    assert (home / "risk_curve.png").stat().st_size > 10_000
    (released,) = re.findall(r"Release (\w+) was verified again: untouched", printed)
    assert (home / "mixes" / "digits" / "latest").resolve().name == released


def test_the_readme_shows_what_the_demo_prints(home: Path) -> None:
    printed = [line.replace("│", " ").split() for line in (home / "printed.txt").open()]
    tables = (ROOT / "README.md").read_text().split("```text\n")[1].split("```")[0]
    rows = [line.split() for line in tables.splitlines() if re.search(r"\d\.\d", line)]
    assert len(rows) == 6
    assert [row for row in rows if row not in printed] == []


def test_the_demo_says_how_its_second_mix_was_judged(home: Path) -> None:
    assert "Every check passed." in (home / "printed.txt").read_text()
