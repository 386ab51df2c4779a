"""`cotbuild generate` over three endpoints that go wrong in three ways at once."""

import os
import signal
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.builder.generate.test_kill import nonces_in_build
from tests.support.commands import cotbuild, rows, start, write_questions
from tests.support.http_teacher import Server, serve
from tests.support.waiting import HANG_S, wait_until

NUM = 400
WINDOW = 16


def words(
    servers: list[Server], source: Path, out: Path, *more: object
) -> list[object]:
    endpoints = [word for server in servers for word in ("--endpoint", server.url)]
    settings = ["--set", "teacher.stall_s=2", "--window", WINDOW, *more]
    return [
        "generate",
        "--source",
        source,
        "--teacher",
        "fake",
        *endpoints,
        *settings,
        "--out",
        out,
    ]


def questions(folder: Path, num: int = NUM) -> Path:
    return write_questions(
        folder / "q.jsonl", (f"Which of these is number {i}?" for i in range(num))
    )


def test_one_fails_one_hangs_one_dies_and_every_question_is_answered_once(
    tmp_path: Path,
) -> None:
    """None twice in the store, none with another's answer, in bounded time."""
    source, out, log = questions(tmp_path), tmp_path / "build", tmp_path / "stderr"
    usual: dict[str, Any] = {"nonce": True, "latency_s": 0.1, "sigma": 0.5}
    with ExitStack() as stack:
        fails = stack.enter_context(
            serve(**usual, name="fails", faults={"http_500": 0.15, "bad_json": 0.15})
        )
        hangs = stack.enter_context(serve(**usual, name="hangs", hang_after=40))
        dies = stack.enter_context(serve(**usual, name="dies"))
        servers = [fails, hangs, dies]
        with start(*words(servers, source, out), log=log) as process:
            wait_until(lambda: dies.stats()["requests"] >= 100, log.read_text)
            died = dies.stats()
            in_log = dies.get("/log")
            os.kill(dies.pid, signal.SIGKILL)
            # A wait for the hung one would have no end.
            assert process.wait(timeout=HANG_S) == 0, log.read_text()
        wrote = [*in_log, *fails.get("/log"), *hangs.get("/log")]
        shares = [
            fails.stats()["requests"],
            hangs.stats()["requests"],
            died["requests"],
        ]
        built = nonces_in_build(out)
    print(f"requests at each {shares}, repeated {sum(shares) - NUM}")

    found = rows(out)
    assert len(found) == NUM
    assert {row["verdict"] for row in found} <= {"correct", "incorrect"}
    assert len({row["request_key"] for row in found}) == NUM
    assert len(built) == NUM
    assert (
        len(set(built.values())) == NUM
    )  # each text once: no nonce was taken for two questions
    # Of each question a server's own text, but for what the dead one wrote between our
    # look at its log and its death.
    texts = {(entry[0], entry[1]) for entry in wrote}
    unseen = [key for key, nonce in built.items() if (key, nonce) not in texts]
    assert len(unseen) <= 2 * WINDOW
    completed = Counter(entry[0] for entry in wrote)
    assert all(completed[key] <= 1 for key in built)
    # 30 % fail once, what was in flight at the hung and the dead ones is asked again,
    # and a few more find it dead.
    assert sum(shares) - NUM <= 0.3 * shares[0] + 6 * WINDOW
    said = log.read_text()
    assert said.count(": taken out: ") == 2
    assert f"{hangs.url}: taken out: " in said
    assert f"{dies.url}: taken out: " in said


def test_a_single_endpoint_that_never_answers_ends_with_a_line(tmp_path: Path) -> None:
    source, out = questions(tmp_path, 30), tmp_path / "build"
    with serve(nonce=True, hang_after=12) as server:
        done = cotbuild(
            *words([server], source, out, "--set", "teacher.stall_s=0.5"), code=1
        )
        assert "error: teacher: no endpoint has answered for " in done.stderr
        assert (
            "every answer received is kept. To resume: cotbuild generate" in done.stderr
        )
        server.set(hang_after=None)
        before = server.stats()["requests"]
        cotbuild(*words([server], source, out))
        assert server.stats()["requests"] - before == 30 - 12
    assert len(rows(out)) == 30


def test_a_server_that_accepts_and_never_speaks_ends_with_a_line(
    tmp_path: Path,
) -> None:
    with serve(mute=True) as server:
        settings = ["--set", "teacher.stall_s=0.5"]
        done = cotbuild(
            *words([server], questions(tmp_path, 3), tmp_path / "build", *settings),
            code=1,
        )
    assert "Start the server, or correct --endpoint." in done.stderr
