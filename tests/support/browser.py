"""Chromium by Playwright: the machine's own where there is one, Playwright's where it could be fetched."""

import contextlib
import shutil
import time

from playwright.sync_api import Page, sync_playwright
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from . import venvs

SCREENSHOTS = venvs.BUILD / "screenshots"
SIZE = {"width": 1280, "height": 800}


def executable() -> str | None:
    """Path of an installed Chromium; None: Playwright's own. A snap's wrapper cannot be driven without snapd."""
    for name in ("chromium", "google-chrome", "chromium-browser"):
        path = shutil.which(name)
        if path and "/snap/" not in path and "snap" not in open(path, "rb").read(2000).decode("latin-1"):
            return path
    return None


@contextlib.contextmanager
def chromium():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(),
                                             args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"])
        try:
            yield browser
        finally:
            browser.close()


def shoot(page: Page, name: str) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(SCREENSHOTS / f"{name}.png"))


def sign_in(page: Page, url: str, name: str, password: str, then: str = "") -> None:
    """`then`: the path to go on to, for who does not want to be led to their server."""
    page.goto(url + "/hub/login" + (f"?next={then}" if then else ""))
    page.fill('input[name="username"]', name)
    page.fill('input[name="password"]', password)
    page.click('form button[type="submit"], form input[type="submit"]')
    page.wait_for_url(lambda where: "/hub/login" not in where)


def wait_launcher(page: Page, timeout: float = 90) -> None:
    """JupyterLab's launcher with its cards on it: what a person can click."""
    page.wait_for_selector('.jp-LauncherCard[data-category="Notebook"]', timeout=timeout * 1000)


def run_cell(page: Page, code: str, timeout: float = 90) -> str:
    """Opens a new notebook from the launcher, types `code` into its first cell, runs it and returns the output."""
    page.click('.jp-LauncherCard[data-category="Notebook"]')
    notebook = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    editor = notebook.locator(".jp-CodeCell .cm-content").first
    editor.wait_for(timeout=timeout * 1000)
    output = notebook.locator(".jp-OutputArea-output pre").first
    end = time.monotonic() + timeout
    # The kernel may still be starting, and Lab may ask which one to take: as a person does, look and try again.
    while time.monotonic() < end:
        if (accept := page.locator(".jp-Dialog .jp-mod-accept")).count():
            accept.first.click()
        if not notebook.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').count():
            time.sleep(0.1)
            continue
        editor.click()
        if code not in editor.inner_text():
            page.keyboard.press("Control+A")
            page.keyboard.insert_text(code)
        page.keyboard.press("Shift+Enter")
        with contextlib.suppress(PlaywrightTimeout):
            output.wait_for(timeout=10_000)
        if output.count() and output.inner_text().strip():
            return output.inner_text().strip()
    raise AssertionError(f"the cell printed nothing within {timeout} s")
