"""Each profile asked through the real client, of a server with that server's habits."""

from pathlib import Path

import pytest
from pydantic import JsonValue

from cotbuild.builder.exit_codes import ExitCode
from cotbuild.builder.teachers.http.client import EndpointClient
from cotbuild.builder.teachers.http.wire import RetryableFailure
from cotbuild.builder.teachers.open import open_teacher, refuse_published_key
from cotbuild.schemas.completion import Answer, Completion, Failure, FailureKind
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.server_profiles import PROFILE_NAMES
from cotbuild.schemas.teacher_config import TeacherConfig
from tests.builder.generate.test_server_profiles import chain_requests, config
from tests.support.asking import use_client
from tests.support.commands import invoke, rows, write_questions
from tests.support.http_teacher import Server


def ask(server: Server, **settings: object) -> list[Answer | RetryableFailure]:
    """Return what both requests of a chain with a constrained choice bring."""
    requests = list(chain_requests(config(decode="choice", **settings)))

    async def attempt(client: EndpointClient) -> list[Answer | RetryableFailure]:
        return [await client.attempt(request) for request in requests]

    return use_client(server, attempt)


@pytest.mark.parametrize("name", PROFILE_NAMES)
def test_every_request_of_a_profile_is_accepted(server: Server, name: str) -> None:
    server.reset(habits=name)
    answers = ask(server, teacher={"profile": name})
    assert [type(answer) for answer in answers] == [Completion, Completion]


def test_a_field_that_is_refused_fails_for_good_with_the_servers_words(
    server: Server,
) -> None:
    server.reset(habits="openai")
    for answer in ask(server):
        assert isinstance(answer, Failure)
        assert answer.kind is FailureKind.REJECTED
        assert answer.message.startswith("HTTP 400: ")


def test_a_model_that_takes_no_system_turn_is_sent_none(server: Server) -> None:
    server.reset(takes_system=False)
    [refused, _] = ask(server)
    assert isinstance(refused, Failure)
    assert "System role not supported" in refused.message
    answers = ask(server, system="")
    assert [type(answer) for answer in answers] == [Completion, Completion]


def test_the_advice_of_a_failed_run_makes_the_next_one_whole(
    server: Server, tmp_path: Path
) -> None:
    server.reset(habits="openai-reasoning", takes_system=False)
    source = write_questions(tmp_path / "q.jsonl", ["Which floats?", "Which sinks?"])
    words = ["generate", "--source", source, "--teacher", "fake"]
    words += ["--endpoint", server.url, "--out", tmp_path / "build"]
    failed = invoke(*words, code=ExitCode.UNSCORED)
    assert "Add --no-system to send none." in failed.output
    failed = invoke(*words, "--no-system", code=ExitCode.UNSCORED)
    rename = "--set teacher.rename.max_tokens=max_completion_tokens"
    assert f"Add {rename} to change what is sent" in " ".join(failed.output.split())
    invoke(*words, "--no-system", "--profile", "openai-reasoning")
    assert {row["failure"] for row in rows(tmp_path / "build")} == {None}
    body_keys = server.counts()
    invoke(
        *words, "--no-system", "--profile", "openai-reasoning", "--fresh", "--dry-run"
    )
    assert server.counts() == body_keys


def test_a_server_that_cotbuild_starts_takes_no_other_profile(tmp_path: Path) -> None:
    teacher = TeacherConfig(profile="openai")
    with pytest.raises(ConfigError, match="cotbuild starts vLLM, which takes every"):
        open_teacher(teacher, "embedded:x", tmp_path, print)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("added", [{"note": ["a s3cr3t-k3y"]}, {"s3cr3t-k3y": 1}])
def test_the_api_key_is_no_field_of_a_body(
    added: dict[str, JsonValue], monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher = TeacherConfig(extra_body=added)
    refuse_published_key(teacher)
    monkeypatch.setenv("OPENAI_API_KEY", "s3cr3t-k3y")
    with pytest.raises(ConfigError, match="holds the value of OPENAI_API_KEY") as error:
        refuse_published_key(teacher)
    assert "s3cr3t" not in str(error.value)
