"""The report in a real browser: accessible, legible in both themes, printable, and alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from browser import chromium, keep_picture, keep_print, prefer
from released import EVIL, publish
from selenium.webdriver import Chrome
from selenium.webdriver.support.wait import WebDriverWait

from synthmix_dagster.data.opening import open_store
from synthmix_dagster.release.events import Event
from synthmix_dagster.release.recording import record

pytestmark = [pytest.mark.browser, pytest.mark.slow]

_RUN_AXE = """
const done = arguments[arguments.length - 1];
axe.run(document).then(found => done(found), failed => done({failed: String(failed)}));
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("mixes")
    publish(output, ratio=0.5)
    release = publish(output, rename={"x": EVIL}, stratify="kind", max_rows=150, ratio=2.0)
    return release.path / "report.html"


@pytest.fixture(scope="module")
def browser(report: Path) -> Iterator[Chrome]:
    for driver in chromium():
        driver.execute_cdp_cmd("Network.enable", {})
        driver.get(report.as_uri())
        yield driver


def unfold(browser: Chrome, unfolded: bool) -> None:
    browser.execute_script(
        "document.querySelectorAll('details').forEach(each => { each.open = arguments[0]; })",
        unfolded,
    )


@contextmanager
def resized(browser: Chrome, width: int) -> Iterator[None]:
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    yield
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def run_axe(browser: Chrome) -> Any:
    browser.execute_script(files("axe_core_python").joinpath("axe.min.js").read_text("utf-8"))
    found = browser.execute_async_script(_RUN_AXE)
    assert "failed" not in found
    return found


@pytest.mark.parametrize("unfolded", [False, True], ids=["folded", "unfolded"])
@pytest.mark.parametrize("width", [1400, 400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser: Chrome, scheme: str, width: int, unfolded: bool) -> None:
    prefer(browser, scheme)
    unfold(browser, unfolded)
    with resized(browser, width):
        keep_picture(browser, f"report-{scheme}-{width}{'-unfolded' if unfolded else ''}")
        found = run_axe(browser)
    # A run that looked at nothing would find nothing.
    assert {"color-contrast", "svg-img-alt", "html-has-lang"} <= {
        rule["id"] for rule in found["passes"]
    }
    said = [(rule["id"], rule["impact"], rule["nodes"][0]["html"]) for rule in found["violations"]]
    assert said == []


def test_axe_would_find_a_mistake(browser: Chrome) -> None:
    browser.execute_script(
        "const p = document.createElement('p'); p.id = 'pale'; p.textContent = 'pale';"
        "p.style.color = '#ddd'; p.style.background = '#fff'; document.body.append(p);"
    )
    found = run_axe(browser)
    browser.execute_script("document.getElementById('pale').remove()")
    assert "color-contrast" in {rule["id"] for rule in found["violations"]}


def test_every_picture_is_there_and_nothing_is_fetched(browser: Chrome) -> None:
    unfold(browser, True)
    sizes = browser.execute_script(
        "return [...document.querySelectorAll('figure svg')].map(svg => {"
        "const box = svg.getBoundingClientRect(); return [box.width, box.height]; })"
    )
    assert len(sizes) == 4
    assert all(width > 400 and height > 80 for width, height in sizes)
    assert browser.execute_script("return performance.getEntriesByType('resource').length") == 0
    assert browser.get_log("browser") == []


def test_the_name_that_would_be_a_program_is_read(browser: Chrome) -> None:
    assert browser.execute_script("return document.scripts.length") == 0
    shown = browser.execute_script("return document.body.innerText")
    assert EVIL in shown


@pytest.mark.parametrize("unfolded", [False, True], ids=["folded", "unfolded"])
@pytest.mark.parametrize("width", [1400, 800, 400])
def test_nothing_sticks_out_to_the_side(browser: Chrome, width: int, unfolded: bool) -> None:
    prefer(browser, "light")
    unfold(browser, unfolded)
    with resized(browser, width):
        wide = browser.execute_script("return document.documentElement.scrollWidth")
        # A table that has to be scrolled sideways is cut for whoever does not try.
        cut = browser.execute_script(
            "return [...document.querySelectorAll('.wide')]"
            ".filter(each => each.scrollWidth > each.clientWidth + 1)"
            ".map(each => each.getAttribute('aria-label'))"
        )
    assert wide <= width
    assert cut == []


def test_the_decision_is_on_the_first_screen(browser: Chrome) -> None:
    unfold(browser, False)
    with resized(browser, 1400):
        ends = browser.execute_script(
            "return ['.decision', '#why', '#doubts', '#comparison'].map(each =>"
            " document.querySelector(each).parentElement.getBoundingClientRect().bottom)"
        )
        pictures = browser.execute_script(
            "return document.querySelector('.halves svg').getBoundingClientRect().bottom"
        )
    with resized(browser, 400):
        height = browser.execute_script("return document.documentElement.scrollHeight")
    assert max(*ends[1:], pictures) <= 900
    assert height < 3500


def test_letters_of_pictures_can_be_read_on_a_phone(browser: Chrome) -> None:
    unfold(browser, True)
    with resized(browser, 400):
        heights = browser.execute_script(
            "return [...document.querySelectorAll('figure svg text')]"
            ".map(each => { const {a, b, c, d} = each.getScreenCTM();"
            " return Math.sqrt(a * d - b * c) * parseFloat(getComputedStyle(each).fontSize); })"
        )
    assert len(heights) > 60
    assert min(heights) >= 9


def test_a_link_to_folded_details_opens_them(browser: Chrome) -> None:
    unfold(browser, False)
    browser.find_element(
        "css selector", "#doubts ~ ol a, section[aria-labelledby=doubts] a"
    ).click()
    opened = browser.execute_script("return document.querySelectorAll('details[open]').length")
    unfold(browser, False)
    assert opened == 1


def test_details_are_printed_though_they_are_folded(browser: Chrome) -> None:
    unfold(browser, False)
    shown = (
        "const section = document.querySelector('#released');"
        "return section.checkVisibility({contentVisibilityAuto: true})"
        " && section.getBoundingClientRect().height"
    )
    assert not browser.execute_script(shown)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    # What was skipped is laid out with the next frame.
    printed = WebDriverWait(browser, 20).until(lambda driver: driver.execute_script(shown))
    keep_picture(browser, "report-on-paper")
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert printed > 300


def test_it_is_printed_on_a_handful_of_pages_and_never_in_the_dark(browser: Chrome) -> None:
    prefer(browser, "dark")
    printed = keep_print(browser, "report-print").read_bytes()
    assert printed.startswith(b"%PDF")
    feature = {"name": "prefers-color-scheme", "value": "dark"}
    asked = {"media": "print", "features": [feature]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", asked)
    ground = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert ground == "rgb(255, 255, 255)"


@pytest.mark.parametrize(
    ("ci", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)]
)
def test_without_a_browser_ci_fails_where_others_skip(
    monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="'chromium-driver'"):
        next(chromium())


@pytest.mark.parametrize("width", [1400, 400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_history_is_accessible_and_fits(
    browser: Chrome, report: Path, scheme: str, width: int
) -> None:
    output = report.parents[2]
    record(open_store(output), Event("refused", f"{EVIL} {40 * 'too far '}", gap=2.0, run="1"))
    browser.get((output / "index.html").as_uri())
    prefer(browser, scheme)
    with resized(browser, width):
        keep_picture(browser, f"history-{scheme}-{width}")
        found = run_axe(browser)
        wide = browser.execute_script("return document.documentElement.scrollWidth")
    browser.find_element("link text", report.parent.name).click()
    assert browser.current_url == report.as_uri()
    assert "color-contrast" in {rule["id"] for rule in found["passes"]}
    assert [(rule["id"], rule["nodes"][0]["html"]) for rule in found["violations"]] == []
    assert wide <= width
