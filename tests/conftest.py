"""Skips: what tests do without the published data or a browser, and which skips CI
accepts.
"""

import os
import shutil
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.support.commands import DATA

if TYPE_CHECKING:
    from tests.support.browser import Chromium

# A machine under load is not a fault of the code under test.
settings.register_profile("cotbuild", deadline=None)
settings.load_profile("cotbuild")

LONGEST = (
    "generate/test_kill.py",
    "release/test_publish.py",
    "tests/test_linear_time.py",
    "release/test_hostile.py",
    "cli/test_variants_cli.py",
    "training/test_train.py",
    "cli/test_attribute_cli.py",
    "generate/test_edits.py",
    "release/test_pull.py",
    "http/test_pool.py",
    "cli/test_cli.py",
    "sources/test_hub.py",
    "generate/test_run.py",
    "generate/test_asking.py",
    "cli/test_study_cli.py",
)
"""Folder and name of the test files that take longest, the longest first."""

ALLOWED = Path(__file__).parent / "allowed_skips.txt"
_skipped: list[str] = []


def pytest_configure() -> None:
    """Let Ctrl-C through where the parent ignores it, as of `nohup pytest &`.

    Processes that tests start inherit this.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take longest first.

    `make test` gives each process a file at a time, in this order: with a long file
    last, one process works alone for up to a minute.
    """
    order = {name: number for number, name in enumerate(LONGEST)}
    items.sort(
        key=lambda item: order.get(
            f"{item.path.parent.name}/{item.path.name}", len(order)
        )
    )


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test marked `needs_data` where there is no data, before any of its
    fixtures reads it.

    All are skipped from this one line, so pytest's summary is one line with their
    number.
    """
    if item.get_closest_marker("needs_data") and not DATA.is_dir():
        pytest.skip(
            f"no published data in {DATA}. Set COTBUILD_TEST_DATA to the folder that holds it."
        )


@pytest.fixture(scope="module")
def chromium() -> Iterator["Chromium"]:
    """A real browser for the tests of a file, which are skipped where there is none."""
    if shutil.which("chromium") is None:
        pytest.skip("no chromium. Install it: apt-get install chromium.")
    # Imported here, since most tests have no page.
    from tests.support.browser import launch_chromium

    with launch_chromium() as browser:
        yield browser


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail"):
        _skipped.append(report.nodeid)


def _unexpected() -> list[str]:
    """Return the skipped tests that CI does not accept: there, only
    tests/allowed_skips.txt may name one.
    """
    if os.environ.get("CI") != "true":
        return []
    allowed = {
        line
        for line in ALLOWED.read_text().splitlines()
        if line and not line.startswith("#")
    }
    return [name for name in _skipped if name not in allowed]


def pytest_sessionfinish(session: pytest.Session) -> None:
    if _unexpected():
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for name in _unexpected():
        terminalreporter.write_line(
            f"skipped, and not in {ALLOWED.name}: {name}", red=True
        )
