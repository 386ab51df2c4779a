"""The test server itself: a test that leans on a wrong server proves nothing."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.builder.teachers.http.wire import parse_load
from tests.support import http_teacher
from tests.support.http_teacher import (
    Dials,
    Server,
    fault_of,
    key_of,
    latency_s,
    nonce_word,
    serve,
)
from tests.support.waiting import HANG_S, wait_until

KEYS = [key_of({"n": n}) for n in range(4000)]


def body(number: int) -> dict[str, Any]:
    return {
        "model": "fake",
        "messages": [{"role": "user", "content": f"Question: What is {number}?"}],
    }


def ask(server: Server, number: int) -> str:
    answer = server.get("/v1/chat/completions", body(number))
    return str(answer["choices"][0]["message"]["content"])


def test_counts_by_key_and_keeps_the_first_nonce() -> None:
    with serve(nonce=True) as server:
        texts = [ask(server, number) for number in (1, 2, 1, 3, 1)]
        assert len(set(texts)) == 5
        assert server.counts() == {
            key_of(body(1)): 3,
            key_of(body(2)): 1,
            key_of(body(3)): 1,
        }
        assert server.first_nonces() == {
            key_of(body(n)): texts[i].split()[0] for n, i in ((1, 0), (2, 1), (3, 3))
        }
        stats = server.stats()
        assert (stats["requests"], stats["keys"], stats["repeated"]) == (5, 3, 2)


def test_without_a_nonce_the_answer_depends_on_the_body_alone() -> None:
    with serve() as server, serve() as other:
        assert ask(server, 1) == ask(server, 1) == ask(other, 1)


@pytest.mark.parametrize("rationale", [True, False])
def test_answers_a_schema_with_json_and_the_nonce_in_its_rationale(
    rationale: bool,
) -> None:
    properties = {"rationale": {"type": "string"}} if rationale else {}
    form = {
        "properties": properties | {"answer": {"type": "string", "enum": ["A", "B"]}}
    }
    asked = body(1) | {
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": form},
        }
    }
    with serve(nonce=True) as server:
        text = server.get("/v1/chat/completions", asked)["choices"][0]["message"][
            "content"
        ]
        answer = json.loads(text)
        assert answer.pop("answer") in ("A", "B")
        assert [said.split()[0] for said in answer.values()] == list(
            server.first_nonces().values()
        ) * rationale


def test_says_that_it_is_a_fake() -> None:
    with serve() as server:
        assert (
            server.get("/v1/chat/completions", body(1))["system_fingerprint"] == "fake"
        )
        assert [m["owned_by"] for m in server.get("/v1/models")["data"]] == [
            "cotbuild-tests"
        ]
        assert server.get("/health") == {}


def test_slots_queue_what_is_too_much() -> None:
    with serve(latency_s=0.3, slots=2) as server, ThreadPoolExecutor(4) as threads:
        started_s = time.monotonic()
        list(threads.map(partial(ask, server), range(4)))
        assert time.monotonic() - started_s >= 0.6
        stats = server.stats()
        assert (stats["peak"], stats["busy_s"]) == (4, pytest.approx(1.2))


def test_says_its_load_as_vllm_does_and_refuses_what_is_too_much() -> None:
    with (
        serve(latency_s=0.5, slots=1, at_most=3, metrics=True) as server,
        ThreadPoolExecutor(4) as threads,
    ):
        for number in range(3):
            threads.submit(ask, server, number)
        while server.stats()["in_flight"] < 3:
            pass
        with pytest.raises(HTTPError, match="429"):
            ask(server, 4)
        with urlopen(f"{server.root}/metrics") as answer:
            load = parse_load(answer.read())
        assert load is not None
        assert (load.running, load.waiting) == (1, 2)
        threads.shutdown()
        with urlopen(f"{server.root}/metrics") as answer:
            later = parse_load(answer.read())
        assert later is not None
        assert (later.running, later.waiting) == (0, 0)
        assert later.generated_tokens == pytest.approx(30)


@pytest.mark.parametrize(
    ("dials", "answered"), [({"hang_after": 2}, 2), ({"mute": True}, 0)]
)
def test_falls_silent_as_dialled_and_can_still_be_looked_at(
    dials: dict[str, Any], answered: int
) -> None:
    with serve(**dials) as server, ThreadPoolExecutor(4) as threads:
        asking = [threads.submit(ask, server, number) for number in range(4)]
        wait_until(lambda: sum(one.done() for one in asking) == answered)
        assert len(wait(asking, timeout=0.5).done) == answered
        server.set(mute=False)
        assert server.get("/health") == {}
        os.kill(server.pid, signal.SIGKILL)


def test_ends_with_its_stdin_even_while_a_request_hangs() -> None:
    command = [sys.executable, str(http_teacher.__file__), 'faults={"hang": 1}']
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        port = int(process.stdout.readline())
        script = "import sys, urllib.request as u; u.urlopen(u.Request(sys.argv[1], sys.argv[2].encode()))"
        url = f"http://127.0.0.1:{port}/v1/chat/completions"
        with subprocess.Popen(
            [sys.executable, "-c", script, url, json.dumps(body(1))],
            stderr=subprocess.PIPE,
        ):
            while Server(port, process.pid).stats()["requests"] == 0:
                pass
            process.stdin.close()
            assert process.wait(timeout=HANG_S) == 0


def test_faults_take_their_shares_and_exclude_each_other() -> None:
    dials = Dials(faults={"reset": 0.1, "http_500": 0.2, "bad_json": 0.05})
    found = Counter(fault_of(dials, key, 1) for key in KEYS)
    for name, share in {
        "reset": 0.1,
        "http_500": 0.2,
        "bad_json": 0.05,
        None: 0.65,
    }.items():
        assert found[name] / len(KEYS) == pytest.approx(share, abs=0.03)


@pytest.mark.parametrize(("times", "shown"), [(1, [1]), (2, [1, 2]), (0, [1, 2, 3, 4])])
def test_a_fault_is_shown_as_often_as_dialled(times: int, shown: list[int]) -> None:
    dials = Dials(faults={"reset": 1}, times=times)
    assert [seen for seen in (1, 2, 3, 4) if fault_of(dials, KEYS[0], seen)] == shown


@pytest.mark.parametrize("sigma", [0.0, 0.5, 1.0])
def test_latencies_have_the_mean_of_the_dial(sigma: float) -> None:
    dials = Dials(latency_s=0.5, sigma=sigma)
    assert sum(latency_s(dials, key) for key in KEYS) / len(KEYS) == pytest.approx(
        0.5, rel=0.08
    )


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_no_two_nonces_are_the_same(one: int, other: int) -> None:
    assert (nonce_word(one) == nonce_word(other)) == (one == other)
    assert nonce_word(one).isalpha()


def test_can_be_run_as_a_command() -> None:
    said = subprocess.run(
        [sys.executable, Path(str(http_teacher.__file__)), "--help"],
        capture_output=True,
        text=True,
    )
    assert said.returncode == 0
    assert "NAME=JSON" in said.stdout
