"""Tests of the published data and of pages are skipped without the data or a browser, in
one line that says how to run them; CI fails.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def run_without_data(folder: Path, *, ci: str) -> subprocess.CompletedProcess[str]:
    """Run a test file that needs data in a process for which there is none."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "tests/schemas/answers/test_extract_labelled.py",
    ]
    environment = {
        **os.environ,
        "COTBUILD_TEST_DATA": str(folder / "nowhere"),
        "CI": ci,
    }
    return subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=120
    )


def test_a_skip_is_one_line_that_says_what_to_set(tmp_path: Path) -> None:
    done = run_without_data(tmp_path, ci="")
    assert done.returncode == 0, done.stdout + done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("SKIPPED")]
    assert line.startswith("SKIPPED [3] ")
    assert (
        f"no published data in {tmp_path / 'nowhere'}. Set COTBUILD_TEST_DATA" in line
    )


def test_in_ci_a_skip_is_a_failure(tmp_path: Path) -> None:
    done = run_without_data(tmp_path, ci="true")
    assert done.returncode == 1, done.stdout + done.stderr
    assert (
        done.stdout.count(
            "skipped, and not in allowed_skips.txt: tests/schemas/answers/test_extract_labelled.py::"
        )
        == 3
    )


@pytest.mark.slow
def test_without_a_browser_each_of_its_tests_is_one_line(tmp_path: Path) -> None:
    file = "tests/builder/pages/test_job_pages.py"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-m",
        "slow",
        file,
    ]
    environment = {**os.environ, "PATH": str(tmp_path), "CI": ""}
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("SKIPPED")]
    assert lines
    for line in lines:
        assert line.endswith("no chromium. Install it: apt-get install chromium.")
