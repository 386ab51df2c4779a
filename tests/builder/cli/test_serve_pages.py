"""The real `cotbuild serve` in a real browser: submit, watch, stop, read, download."""

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support import http_teacher
from tests.support.browser import Chromium
from tests.support.commands import PROGRAM
from tests.support.waiting import HANG_S, wait_until

FOR_A_JOB_MS = HANG_S * 1000
"""Jobs start a process each, which takes seconds on a busy machine."""


@contextmanager
def service(root: Path, *options: str) -> Iterator[str]:
    """Run `cotbuild serve`; the value is the address that it printed."""
    words = ["serve", "--root", str(root), "--bind", "127.0.0.1:0", "--no-browser"]
    process = subprocess.Popen(
        [*PROGRAM, *words, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.send_signal(signal.SIGTERM)
        assert process.wait(HANG_S) == 0
    finally:
        process.kill()
        process.communicate()


def submit(page: Page, **fields: str) -> None:
    """Fill the form of a new job in, plan it, and submit it."""
    page.get_by_role("link", name="New job").first.click()
    for name, value in fields.items():
        field = page.locator(f"#{name.replace('_', '-')}")
        if not field.is_visible():
            page.get_by_text("Budget, prices and priority").click()
        field.fill(value)
    page.get_by_role("button", name="Plan", exact=True).click()
    page.get_by_role("heading", name="This is the plan").wait_for(timeout=FOR_A_JOB_MS)
    page.get_by_role("button", name="Submit this job").click()
    page.wait_for_url("**/jobs/*")


def wait_for_state(page: Page, state: str) -> None:
    """Wait until the page of a job, which follows it, says where it is."""
    expect(page.locator("h1 .badge")).to_have_text(state, timeout=FOR_A_JOB_MS)


@pytest.mark.slow
def test_a_build_is_made_read_compared_and_downloaded(
    chromium: Chromium, tmp_path: Path
) -> None:
    with service(tmp_path) as link, chromium.visit(link) as visit:
        page = visit.page
        submit(
            page,
            target="mine",
            config_source_name="bundled",
            config_teacher_model="scripted",
        )
        wait_for_state(page, "succeeded")
        visit.screenshot("serve-succeeded")
        visit.check_accessible()
        page.goto(re.sub(r"/jobs/.*", "/new?kind=variants&target=mine", page.url))
        page.fill("#variants", "post_cot, label_only")
        page.get_by_role("button", name="Submit without a plan").click()
        wait_for_state(page, "succeeded")
        page.get_by_role("link", name="mine", exact=True).click()
        visit.screenshot("serve-build")
        page.get_by_role("link", name="Read the rationales").click()
        page.locator("a[data-item]").first.click()
        visit.screenshot("serve-question")
        page.go_back()
        page.go_back()
        page.get_by_role("link", name="Compare variants").click()
        visit.check_accessible()
        file = page.request.get(re.sub(r"(://[^/]+)/.*", r"\1", page.url) + MANIFEST)
        assert file.status == 200
        assert file.json()["num_planned"] == 72


MANIFEST = "/v1/builds/mine/files/manifest.json"


@pytest.mark.slow
def test_a_job_is_paused_by_its_budget_resumed_stopped_and_retried(
    chromium: Chromium, tmp_path: Path
) -> None:
    with (
        http_teacher.serve(latency_s=0.05, slots=2) as teacher,
        service(tmp_path, "--allow-endpoint", f"{teacher.root}/*") as link,
        chromium.visit(link) as visit,
    ):
        page = visit.page
        page.on("dialog", lambda dialog: dialog.accept())
        submit(
            page,
            target="slow",
            config_source_name="bundled",
            config_teacher_model="fake",
            config_teacher_endpoints=teacher.url,
            budget_max_requests="8",
        )
        wait_for_state(page, "paused")
        expect(page.get_by_text("The budget is spent")).to_be_visible()
        assert teacher.stats()["requests"] >= 8
        teacher.set(latency_s=20.0)
        page.fill("#max_requests", "1000")
        page.get_by_role("button", name="Resume").click()
        wait_until(lambda: teacher.stats()["in_flight"] > 0)
        page.get_by_role("button", name="Cancel").click()
        wait_for_state(page, "cancelling")
        page.get_by_role("button", name="Do not wait").click()
        wait_for_state(page, "cancelled")
        visit.screenshot("serve-cancelled")
        teacher.set(latency_s=0.0)
        page.get_by_role("button", name="Run again").click()
        wait_for_state(page, "succeeded")
        assert max(teacher.counts().values()) <= 2
