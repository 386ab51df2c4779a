"""A real `cotbuild generate` as a job, stopped in every way and made to go on."""

import asyncio
from contextlib import closing
from pathlib import Path

import pytest

from cotbuild.builder.storage.answer_store import AnswerStore
from cotbuild.schemas.service.job import JobState, PauseReason, StopMode
from tests.support.commands import rows, write_questions
from tests.support.http_teacher import Server, serve
from tests.support.jobs import Bench
from tests.support.waiting import HANG_S, until

S = JobState
NUM_QUESTIONS = 120
WINDOW = 4


def request(source: Path, server: Server, max_requests: int) -> dict[str, object]:
    words = ["generate", "--source", str(source), "--out", "build"]
    words += ["--teacher", "fake", "--endpoint", server.url]
    words += ["--window", str(WINDOW), "--max-requests", str(max_requests)]
    return {"words": words}


@pytest.mark.slow
def test_it_is_stopped_in_every_way_and_asks_nothing_twice(tmp_path: Path) -> None:
    """A budget, a pause that drains, a cancel at once: only the last one may lose what
    was under way.
    """
    source = write_questions(
        tmp_path / "q.jsonl",
        (f"Which of these is number {i}?" for i in range(NUM_QUESTIONS)),
    )
    bench = Bench.on_sqlite(tmp_path / "root")
    build = bench.root / "build"

    async def check(server: Server) -> None:
        job_id = bench.submit(request=request(source, server, 10))
        async with bench.running():
            paused = await bench.until_state(job_id, S.PAUSED)
            assert paused.pause_reason is PauseReason.BUDGET
            assert paused.exit_code == 4
            assert server.stats()["requests"] == 10
            assert not (build / "manifest.json").exists()

            bench.store.resume(job_id, request(source, server, 1_000))
            await until(lambda: server.stats()["requests"] >= 30)
            bench.store.request_stop(job_id, "pause", StopMode.DRAIN)
            paused = await bench.until_state(job_id, S.PAUSED)
            assert paused.pause_reason is PauseReason.USER
            drained = server.stats()["requests"]
            assert drained < NUM_QUESTIONS
            assert len(set(server.first_nonces())) == drained

            bench.store.resume(job_id)
            await until(lambda: server.stats()["requests"] >= drained + 10)
            bench.store.request_stop(job_id, "cancel", StopMode.NOW)
            cancelled = await bench.until_state(job_id, S.CANCELLED)
            assert cancelled.exit_code == 130
            # What was answered until then is kept.
            assert AnswerStore(build).journals != []

            bench.store.retry(job_id)
            job = await bench.until_state(job_id, S.SUCCEEDED)
            assert job.attempt == 4
        asked = server.stats()["requests"]
        assert NUM_QUESTIONS <= asked <= NUM_QUESTIONS + WINDOW
        assert len(rows(build)) == NUM_QUESTIONS

    with closing(bench.store), serve(latency_s=0.1, nonce=True) as server:
        asyncio.run(asyncio.wait_for(check(server), HANG_S))
