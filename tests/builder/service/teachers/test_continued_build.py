"""A build that was begun by the command line goes on through the service's teacher."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

from cotbuild.builder.events import TeeUi
from cotbuild.builder.generate.run import generate
from cotbuild.builder.storage.answer_store import AnswerStore
from cotbuild.builder.storage.journal import read_header
from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.errors import ConfigError, TeacherError
from cotbuild.schemas.service.teacher import SOCKET_VARIABLE
from tests.support.shared_teachers import SharedStage, job

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
NUM_QUESTIONS = 7
NUM_FIRST = 3


def build_config(stage: SharedStage) -> BuildConfig:
    questions = stage.folder / "questions.jsonl"
    rows = [
        {"id": f"q{n}", "question": f"What is {n} + {n}?", "answer": str(2 * n)}
        for n in range(NUM_QUESTIONS)
    ]
    questions.write_text("".join(json.dumps(row) + "\n" for row in rows))
    teacher = stage.config(max_num_seqs=1, max_restarts=0)
    return BuildConfig.parse(
        {"source": {"name": str(questions)}, "teacher": teacher.model_dump()},
        "test",
        ConfigError,
    )


def test_nothing_is_asked_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = SharedStage(tmp_path, monkeypatch)
    config, out = build_config(stage), tmp_path / job(1).target
    stage.script(f"die:{NUM_FIRST}")
    with pytest.raises(TeacherError, match="after 0 restarts"):
        generate(config, out, TeeUi(()))
    stage.script("ok")

    async def go_on() -> int:
        async with stage.pool() as pool:
            socket = await stage.grant(pool, job(1), config.teacher)
            monkeypatch.setenv(SOCKET_VARIABLE, str(socket))
            result = await asyncio.to_thread(generate, config, out, TeeUi(()))
            again = await asyncio.to_thread(generate, config, out, TeeUi(()))
            assert again.asked == 0
            return result.asked

    assert asyncio.run(go_on()) == NUM_QUESTIONS - NUM_FIRST
    managed, shared = (
        read_header(journal)["teacher"] for journal in AnswerStore(out).journals
    )
    assert shared == managed | {"shared": True}
