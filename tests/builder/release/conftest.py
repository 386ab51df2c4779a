"""Builds to publish, a small Hub of each test's own, and the command line that talks to
it.
"""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.commands import PROGRAM, invoke, write_questions
from tests.support.hub.running import SmallHub, running_hub
from tests.support.hub.server import USERS

REPO = "lab/x"
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build with chains of several steps and two variants.

    Not to be written to: see `build`.
    """
    folder = tmp_path_factory.mktemp("finished")
    write_questions(
        folder / "train.jsonl",
        (f"Which of these {number} things floats?" for number in range(30)),
    )
    write_questions(
        folder / "test.jsonl",
        (f"Which of those {number} sinks?" for number in range(5)),
    )
    out = folder / "build"
    invoke(
        *(
            "generate",
            "--source",
            folder,
            "--eval-splits",
            "test",
            "--teacher",
            "scripted",
            "--out",
            out,
        ),
        *(
            "--mode",
            "elicit-then-rationalize",
            "--decode",
            "choice",
            "--on-length",
            "longer",
        ),
        *(
            "--set",
            "teacher.scripted.length_frac=0.2",
            "--set",
            "teacher.scripted.rejected_frac=0.05",
            "--allow-unscored",
        ),
    )
    invoke("variants", out, "--only", "label_only,post_cot")
    return out


@pytest.fixture
def build(finished: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(finished, tmp_path / "build"))


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[SmallHub]:
    (tmp_path / "small").mkdir()
    with running_hub(tmp_path / "small") as hub:
        yield hub


@pytest.fixture
def at_hub(hub: SmallHub) -> Run:
    """The command line with that Hub; no token in anything it says."""

    def run(
        *words: object, code: int = 0, **env: str
    ) -> subprocess.CompletedProcess[str]:
        command = [*PROGRAM, *map(str, words)]
        done = subprocess.run(
            command, capture_output=True, text=True, env={**hub.env, **env}, timeout=240
        )
        assert done.returncode == code, (
            f"exit {done.returncode}, expected {code}\n{done.stdout}\n{done.stderr}"
        )
        assert "Traceback" not in done.stderr, done.stderr
        assert not [token for token in USERS if token in done.stdout + done.stderr], (
            "a token in what it says"
        )
        return done

    return run


def files_of(hub: SmallHub, revision: str = "main") -> dict[str, bytes]:
    """Every file of the repo at a revision."""
    return hub.store.read(f"datasets/{REPO}", revision)
