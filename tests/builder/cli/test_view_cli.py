"""`cotbuild view`, as a person starts it."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from cotbuild.builder.cli.view import has_display, open_browser
from cotbuild.builder.web.server import bind
from tests.support.commands import PROGRAM, invoke
from tests.support.waiting import HANG_S

COMMAND = [*PROGRAM, "view"]


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("builds") / "small"
    options = ("--source", "bundled", "--teacher", "scripted", "--limit", "2")
    invoke("generate", *options, "--out", out)
    return out


@contextmanager
def viewing(*words: object) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the command; the value has its process and the address it printed."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("DISPLAY", "WAYLAND_DISPLAY")
    }
    process = subprocess.Popen(
        [*COMMAND, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline().rstrip("\n")
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_address_works_once_and_ctrl_c_ends_it(
    build: Path, number: signal.Signals
) -> None:
    with viewing(build, "--no-browser") as (process, link):
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=[\w-]{43}", link)
        with httpx.Client(follow_redirects=True, timeout=HANG_S) as browser:
            page = browser.get(link, headers={"accept": "text/html"})
        assert "small" in page.text
        assert httpx.get(link, timeout=HANG_S).status_code == 401
        process.send_signal(number)
        out, err = process.communicate(timeout=HANG_S)
    assert (process.returncode, out) == (0, "")
    assert err == "Open it in a browser; it works once. Ctrl-C ends.\n"


def test_the_port_that_was_asked_for_may_be_taken(build: Path) -> None:
    with bind("127.0.0.1", 0) as sock:
        port = sock.getsockname()[1]
        done = invoke("view", build, "--port", port, code=2)
    assert done.stderr.startswith(f"error: 127.0.0.1:{port}: cannot be listened at")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("{tmp}",), 1, "holds no build, training run, evaluation or study"),
        (("{tmp}/nowhere",), 1, "nowhere: holds no build"),
        (("{build}", "--rows", "3"), 2, "--rows is the size of an offline copy"),
        (("{build}", "--port", "70000"), 2, "70000 is no port"),
        (("{build}", "--static", "{build}"), 2, "holds files and is no copy of pages"),
    ],
)
def test_a_wrong_argument_is_one_line(
    build: Path, tmp_path: Path, words: tuple[str, ...], code: int, message: str
) -> None:
    named = [word.format(tmp=tmp_path, build=build) for word in words]
    done = invoke("view", *named, code=code)
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert message in line


def test_a_missing_package_is_one_line(build: Path, tmp_path: Path) -> None:
    (tmp_path / "fastapi.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'fastapi'\", name='fastapi')"
    )
    done = subprocess.run(
        [*COMMAND, str(build)],
        capture_output=True,
        text=True,
        timeout=HANG_S,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "error: the page needs the extra 'serve': fastapi is not installed. Run in a "
        "checkout of cotbuild: pip install '.[serve]'\n"
    )


def test_a_browser_that_cannot_be_opened_does_not_matter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BROWSER", "/no/such/browser %s")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    open_browser("http://127.0.0.1:1/")
    if sys.platform == "linux":
        assert not has_display()
        monkeypatch.setenv("DISPLAY", ":0")
        assert has_display()
