"""kill -9 while variants are made: what stands is whole, or says what to do; the same
command ends where it would.
"""

import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from tests.support.commands import cotbuild, published, start, write_questions


@pytest.mark.parametrize(
    "kills", [2, pytest.param(25, marks=[pytest.mark.slow, pytest.mark.timeout(900)])]
)
def test_a_set_is_there_whole_or_not_at_all(tmp_path: Path, kills: int) -> None:
    random.seed(kills)
    source = write_questions(
        tmp_path / "q.jsonl", (f"Which of these is number {i}?" for i in range(600))
    )
    build = tmp_path / "b"
    generate = ["generate", "--source", source, "--teacher", "scripted", "--out", build]
    cotbuild(*generate)
    without = published(build)
    cotbuild("variants", build)
    made = published(build)
    begun = time.monotonic()
    cotbuild("variants", build, "--seed", 1)
    whole_s = time.monotonic() - begun
    other = published(build)
    for number in range(kills):
        with start("variants", build, "--seed", number % 2) as process:
            # One kill in two near the end, where files are put in place.
            time.sleep(
                whole_s
                * (random.uniform(0.1, 1) if number % 2 else random.uniform(0.85, 1.05))
            )
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
        if not (
            build / "manifest.json"
        ).exists():  # between the old set and the new one
            assert "Run `cotbuild generate" in cotbuild("verify", build, code=1).stderr
            assert "no open requests" in cotbuild(*generate).stdout
        cotbuild("verify", build)
        assert {name: data for name, data in published(build).items() if not name.startswith(".staging/")} in (
            without, made, other,
        )  # fmt: skip
    cotbuild("variants", build)
    assert published(build) == made
    assert not (build / ".staging").exists()
    shutil.rmtree(build)
