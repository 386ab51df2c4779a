"""A real browser for the pages: Debian's Chromium, driven by Playwright.

One browser serves a file of tests, and each test has a context of its own: cookies,
storage and settings. (Playwright leaves an event loop in the thread that uses it, so a
browser for all tests of a process would break those that call `asyncio.run`.) Whatever goes wrong on a page fails its test: a message of the
console, an exception, a report of the Content-Security-Policy, a request to another
origin, a response that failed.
"""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from playwright.sync_api import Request as BrowserRequest
from playwright.sync_api import Response as BrowserResponse

CHROMIUM: Final = shutil.which("chromium")
SCREENSHOTS: Final = os.environ.get("COTBUILD_SCREENSHOTS")
"""Folder for pictures of the pages; without it none are taken."""
ACTION_S: Final = 60.0
"""Longer than a page takes on a busy machine, and shorter than a test may take."""
DESKTOP: Final = {"width": 1280, "height": 800}
PHONE: Final = {"width": 390, "height": 844}
_FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
_AXE_TAGS: Final = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice")


class Visit:
    """A page in a context of its own, with all that went wrong on it."""

    def __init__(self, context: BrowserContext, origins: tuple[str, ...]) -> None:
        self.context = context
        self.faults: list[str] = []
        self.expected: list[re.Pattern[str]] = []
        """Faults that a test provokes."""
        self._origins = origins
        context.on("page", self._watch)
        self.page = context.new_page()

    def _watch(self, page: Page) -> None:
        page.set_default_timeout(ACTION_S * 1000)
        page.on("console", self._note_message)
        page.on("pageerror", lambda error: self.faults.append(f"exception: {error}"))
        page.on("request", self._note_request)
        page.on("response", self._note_response)

    def _note_message(self, message: Any) -> None:
        if message.type in ("error", "warning", "assert"):
            self.faults.append(f"console {message.type}: {message.text}")

    def _note_request(self, request: BrowserRequest) -> None:
        parts = urlsplit(request.url)
        origin = f"{parts.scheme}://{parts.netloc}"
        if parts.scheme != "data" and origin not in self._origins:
            self.faults.append(f"request to another origin: {request.url}")

    def _note_response(self, response: BrowserResponse) -> None:
        if response.status >= 400:
            self.faults.append(f"{response.status} {response.url}")

    def expect(self, pattern: str) -> None:
        """Accept faults that contain a pattern: the test provokes them."""
        self.expected.append(re.compile(pattern))

    def open(self, url: str) -> Page:
        """Open an address and return the page."""
        self.page.goto(url)
        return self.page

    def check_accessible(self) -> None:
        """Fail where axe finds something serious or critical on the page as it is."""
        # Without preload, axe reads no style sheet by fetch, which our policy refuses for
        # files.
        options = {
            "runOnly": {"type": "tag", "values": list(_AXE_TAGS)},
            "preload": False,
        }
        results = Axe().run(self.page, options=options)
        grave = [
            f"{found['impact']}: {found['id']}: {found['help']}: "
            f"{[node['html'][:200] for node in found['nodes'][:3]]}"
            for found in results.response["violations"]
            if found["impact"] in ("serious", "critical")
        ]
        assert not grave, f"{self.page.url}: {grave}"

    def check_fits(self) -> None:
        """Fail where the page is wider than the window, which would have to scroll."""
        excess = self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert excess <= 0, f"{self.page.url}: {excess} px too wide"

    def screenshot(self, name: str) -> None:
        """Keep a picture of the whole page, where COTBUILD_SCREENSHOTS names a folder."""
        if SCREENSHOTS:
            folder = Path(SCREENSHOTS)
            folder.mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=folder / f"{name}.png", full_page=True)

    def press_until_focused(self, selector: str, key: str = "Tab") -> None:
        """Press a key until what `selector` finds has the focus; fail after 200."""
        for _ in range(200):
            if self.page.evaluate(f"document.activeElement.matches({selector!r})"):
                return
            self.page.keyboard.press(key)
        raise AssertionError(f"{selector} is not reached by {key}")

    def check(self) -> None:
        """Fail if anything went wrong that the test did not expect."""
        unexpected = [
            fault
            for fault in self.faults
            if not any(pattern.search(fault) for pattern in self.expected)
        ]
        assert not unexpected, "\n".join(unexpected)


class Chromium:
    """The browser of a file of tests: the fixture `chromium`."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser

    @contextmanager
    def visit(
        self,
        *urls: str,
        scripts: bool = True,
        dark: bool = False,
        phone: bool = False,
    ) -> Iterator[Visit]:
        """Open a context that may talk to the origins of `urls`, and check it at the end.

        The first address is opened; it may hold a one-time token.
        """
        options: dict[str, Any] = {
            "java_script_enabled": scripts,
            "color_scheme": "dark" if dark else "light",
            "viewport": PHONE if phone else DESKTOP,
            "has_touch": phone,
            "service_workers": "block",
            "locale": "en-GB",
            "timezone_id": "UTC",
        }
        origins = tuple(
            f"{parts.scheme}://{parts.netloc}" for parts in map(urlsplit, urls)
        )
        context = self._browser.new_context(**options)
        try:
            visited = Visit(context, origins)
            if urls:
                visited.open(urls[0])
            yield visited
            visited.check()
        finally:
            context.close()


@contextmanager
def launch_chromium() -> Iterator[Chromium]:
    """Start Chromium, and end it after the block."""
    assert CHROMIUM is not None
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=list(_FLAGS))
        try:
            yield Chromium(browser)
        finally:
            browser.close()
