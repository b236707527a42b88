"""A real browser for tests: Debian's Chromium without a screen."""

import base64
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from servers import unavailable

#: Where pictures of what was seen are kept, for people to look at.
ARTEFACTS = Path(__file__).parents[1] / "artefacts"
_NEEDED = ("chromium", "chromedriver")


def chromium() -> Iterator[Chrome]:
    """Start the browser; a machine without one skips, but CI must not."""
    missing = [name for name in _NEEDED if shutil.which(name) is None]
    if missing:
        unavailable(
            f"no {' and no '.join(missing)} is installed; with apt they are 'chromium' and "
            "'chromium-driver'"
        )
    options = ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for argument in (
        "--headless=new",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
        "--window-size=1000,900",
        # Containers run tests as root, where the sandbox cannot start.
        *(["--no-sandbox"] if os.geteuid() == 0 else []),
    ):
        options.add_argument(argument)
    driver = Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()


def prefer(driver: Chrome, scheme: str) -> None:
    """Make the page believe that its reader prefers light or dark."""
    feature = {"name": "prefers-color-scheme", "value": scheme}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})


def keep_picture(driver: Chrome, name: str) -> Path:
    """Keep a picture of the whole page."""
    size = driver.execute_cdp_cmd("Page.getLayoutMetrics", {})["cssContentSize"]
    taken = driver.execute_cdp_cmd(
        "Page.captureScreenshot",
        {"captureBeyondViewport": True, "clip": {**size, "scale": 1}},
    )
    return _keep(f"{name}.png", taken["data"])


def keep_view(driver: Chrome, name: str) -> Path:
    """Keep a picture of what is in sight."""
    return _keep(f"{name}.png", driver.get_screenshot_as_base64())


def keep_print(driver: Chrome, name: str) -> Path:
    """Keep the page as it is printed on A4."""
    printed = driver.execute_cdp_cmd(
        "Page.printToPDF", {"paperWidth": 8.27, "paperHeight": 11.69, "preferCSSPageSize": True}
    )
    return _keep(f"{name}.pdf", printed["data"])


def _keep(name: str, data: str) -> Path:
    ARTEFACTS.mkdir(exist_ok=True)
    path = ARTEFACTS / name
    path.write_bytes(base64.b64decode(data))
    return path
