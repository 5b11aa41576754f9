"""A browser for tests of pages: Chromium, driven by Playwright; a test that needs it is skipped where it is missing."""

import shutil
import time
from contextlib import contextmanager

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
# graphics by software, which a machine without a graphics card has; and no look-ups of the browser's own
_FLAGS = (
    *("--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic"),
)


class Opened:
    """A page that is open, with all that it asked of the network and all that it said."""

    def __init__(self, page, path):
        self.page, self.requests, self.said = page, [], []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.goto(path.as_uri())

    def value(self, script):
        """What an expression is in the page."""
        return self.page.evaluate(script)

    def until(self, script):
        """Wait for an expression to be true: a machine may be ten times slower."""
        end = time.monotonic() + 120  # Playwright's own wait needs eval(), which the page forbids
        while not self.value(script):
            assert time.monotonic() < end, f"{script} never came true; {self.said}"
            self.page.wait_for_timeout(20)

    @property
    def elsewhere(self):
        """What was asked for beside the page itself and what it holds."""
        return [url for url in self.requests[1:] if not url.startswith(("data:", "blob:"))]


@contextmanager
def chromium():
    """The browser."""
    api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(_FLAGS))
        yield browser
        browser.close()
