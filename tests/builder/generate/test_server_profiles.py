"""What a build leaves out, renames and adds: settings, profiles, and what each server
takes.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from cotbuild.builder.generate.chains import (
    AnsweredStep,
    ChainRules,
    FinishedChain,
    next_step,
)
from cotbuild.builder.teachers.http.advice import advise_on_rejection
from cotbuild.builder.teachers.http.request_body import build_request_body
from cotbuild.prompts.defaults import (
    load_templates,
)
from cotbuild.schemas.body_edits import SENT_FIELDS
from cotbuild.schemas.completion import Completion, Request, Sampling
from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.rationale import Purpose
from cotbuild.schemas.server_profiles import PROFILE_NAMES, PROFILES
from tests.schemas.test_records import question
from tests.support.server_habits import REFUSALS

PINNED = {
    "vllm@1": "ca96686329ec1dad",
    "openai@1": "fd2a5d1718c0d08b",
    "openai-reasoning@1": "61e3adc2daf4ffd9",
    "litellm@1": "fd2a5d1718c0d08b",
    "llama.cpp@1": "bccd0f4d7b9ebdb4",
    "ollama@1": "fd2a5d1718c0d08b",
    "sglang@1": "54b6356b8ae699c7",
    "tgi@1": "f431e777feac5ee8",
}
"""Digests of what profiles change: one that was released is never edited."""


def config(**values: Any) -> BuildConfig:
    return BuildConfig.parse(values, "build.yaml", ConfigError)


def chain_requests(settings: BuildConfig) -> Iterator[Request]:
    """Yield both requests of a chain that ends with a constrained choice."""
    purposes = {Purpose.ELICIT: load_templates([], settings.system)}
    rules = ChainRules(settings, "endpoint:fake@r1", purposes)
    asked = question()
    answered: list[AnsweredStep] = []
    while not isinstance(step := next_step(rules, asked, 0, answered), FinishedChain):
        yield step.request
        completion = Completion(
            request_key=step.request.request_key, text="So.", finish_reason="stop"
        )
        answered = [*answered, AnsweredStep(step, completion)]


def bodies(**values: Any) -> list[dict[str, Any]]:
    """Return the bodies of both requests as JSON has them."""
    requests = chain_requests(config(decode="choice", **values))
    found = [build_request_body(request, "fake") for request in requests]
    return [
        {name: [] if value == () else value for name, value in body.items()}
        for body in found
    ]


# -- profiles --------------------------------------------------------------------------


@pytest.mark.parametrize("name", PROFILE_NAMES)
def test_a_server_accepts_every_request_of_its_profile(name: str) -> None:
    found = bodies(teacher={"profile": name})
    assert len(found) == 2
    assert [REFUSALS[name](body) for body in found] == [None, None]


@pytest.mark.parametrize("name", sorted(REFUSALS.keys() - {"vllm"}))
def test_without_a_profile_the_same_server_refuses(name: str) -> None:
    assert REFUSALS[name](bodies()[0]) is not None


def test_vllm_and_no_profile_are_sent_the_same_bytes_under_the_same_keys() -> None:
    plain = list(chain_requests(config(decode="choice")))
    assert plain == list(
        chain_requests(config(decode="choice", teacher={"profile": "vllm"}))
    )
    assert [request.edits for request in plain] == [None, None]


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.ref)
def test_profiles_cite_their_source_and_are_never_edited(profile: Any) -> None:
    assert profile.sources
    assert all(url.startswith("https://") for url in profile.sources)
    changes = {
        "omitted": list(profile.omitted),
        "omitted_when_off": list(profile.omitted_when_off),
        "off_values": dict(profile.off_values),
        "renamed": dict(profile.renamed),
        "seed_bits": profile.seed_bits,
    }
    assert digest("profile", changes)[:16] == PINNED[profile.ref]


def test_build_json_names_the_version_of_a_profile() -> None:
    settings = config(teacher={"profile": "openai"})
    assert settings.teacher.profile == "openai@1"
    assert config(**settings.model_dump(mode="json")) == settings


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        # A value that is not the default was set on purpose.
        ({"sampling": {"top_k": 20}}, {"top_k": 20}),
        # So was one that is renamed, to itself or another name.
        ({"teacher": {"rename": {"min_p": "min_p"}}}, {"min_p": 0.0}),
        ({"teacher": {"rename": {"min_p": "minp"}}}, {"minp": 0.0}),
        ({"teacher": {"rename": {"stop": "stop"}}}, {"stop": []}),
        # A field that the profile leaves out can be added with a value of one's own.
        ({"teacher": {"extra_body": {"top_k": None}}}, {"top_k": None}),
        ({"teacher": {"omit": ["seed"]}}, {"seed": "absent"}),
        ({"teacher": {"seed_bits": 53}}, {"top_k": "absent"}),
    ],
)
def test_explicit_settings_win_over_a_profile(
    values: dict[str, Any], expected: dict[str, Any]
) -> None:
    teacher = {"profile": "openai", **values.get("teacher", {})}
    body = bodies(**{**values, "teacher": teacher})[0]
    assert {name: body.get(name, "absent") for name in expected} == expected


def test_a_rename_to_itself_undoes_that_of_a_profile() -> None:
    teacher = {
        "profile": "openai-reasoning",
        "rename": {"max_tokens": "max_tokens"},
    }
    assert bodies(teacher=teacher)[0]["max_tokens"] == 256


@pytest.mark.parametrize("bits", [1, 8, 31])
def test_seeds_are_cut_to_their_low_bits_and_keyed_as_sent(bits: int) -> None:
    whole = next(chain_requests(config()))
    cut = next(chain_requests(config(teacher={"seed_bits": bits})))
    assert whole.seed is not None
    assert cut.seed == whole.seed & (2**bits - 1)
    assert cut.request_key != whole.request_key


# -- advice that works -----------------------------------------------------------------


def settings_in(advice: str) -> dict[str, Any]:
    """Return the `--set` options of an advice as values of a configuration."""
    values: dict[str, Any] = {}
    words = advice.split()
    for option, setting in pairwise(words):
        if option != "--set":
            continue
        path, _, value = setting.partition("=")
        *sections, last = path.split(".")
        section = values
        for name in sections:
            section = section.setdefault(name, {})
        section[last] = int(value) if value.isdigit() else value
    return values


def merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Return two nested dicts as one; the second one wins."""
    both = {**one}
    for name, value in other.items():
        is_section = isinstance(value, dict) and isinstance(one.get(name), dict)
        both[name] = merged(one[name], value) if is_section else value
    return both


@pytest.mark.parametrize("name", sorted(REFUSALS.keys() - {"vllm", "sglang"}))
def test_advice_leads_to_requests_that_are_accepted(name: str) -> None:
    """Following one advice after another ends at a server that accepts everything."""
    values: dict[str, Any] = {}
    for _ in range(10):
        refusals = [
            words for body in bodies(**values) if (words := REFUSALS[name](body))
        ]
        if not refusals:
            return
        advice = advise_on_rejection(f"HTTP 400: {refusals[0]}")
        assert advice is not None, refusals[0]
        changed = merged(values, settings_in(advice))
        assert changed != values, advice
        values = changed
    pytest.fail(f"still refused: {refusals}")


# -- settings --------------------------------------------------------------------------


@pytest.mark.parametrize("off", [False, "off", "OFF"])
@pytest.mark.parametrize("field", [*Sampling.model_fields, "seed"])
def test_every_field_can_be_off_and_its_number_stays_a_number(
    field: str, off: object
) -> None:
    is_sampling = field in Sampling.model_fields
    settings = config(**({"sampling": {field: off}} if is_sampling else {field: off}))
    assert settings.teacher.omit == (field,)
    assert settings.sampling == Sampling()
    request = next(chain_requests(settings))
    assert field not in build_request_body(request, "fake")
    plain = next(chain_requests(config()))
    assert request.sampling == plain.sampling
    assert request.seed == plain.seed
    assert request.request_key != plain.request_key


def test_settings_that_are_off_are_added_to_those_that_are_listed() -> None:
    settings = config(
        sampling={"top_k": False, "max_tokens": 9}, teacher={"omit": ["min_p"]}
    )
    assert settings.teacher.omit == ("min_p", "top_k")
    assert settings.sampling.max_tokens == 9


# -- system turns ----------------------------------------------------------------------


def test_an_empty_system_prompt_sends_no_system_turn() -> None:
    request = next(chain_requests(config(system="")))
    assert {message.role for message in request.messages} == {"user", "assistant"}
    assert request.request_key != next(chain_requests(config())).request_key


def test_all_sent_fields_are_known() -> None:
    body = build_request_body(next(chain_requests(config())), "fake")
    assert body.keys() - {"model", "messages"} == set(SENT_FIELDS) - {"response_format"}
