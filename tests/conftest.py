"""In CI a skipped test is a failure unless tests/allowed_skips.txt names it."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# A machine under load is not a fault of the code under test.
settings.register_profile("cotbuild", deadline=None)
settings.load_profile("cotbuild")

ALLOWED = Path(__file__).parent / "allowed_skips.txt"
_skipped: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail"):
        _skipped.append(report.nodeid)


def _unexpected() -> list[str]:
    if os.environ.get("CI") != "true":
        return []
    allowed = {line for line in ALLOWED.read_text().splitlines() if line and not line.startswith("#")}
    return [name for name in _skipped if name not in allowed]


def pytest_sessionfinish(session: pytest.Session) -> None:
    if _unexpected():
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for name in _unexpected():
        terminalreporter.write_line(f"skipped, and not in {ALLOWED.name}: {name}", red=True)
