"""Advice on rejected requests: the words of many servers, and the option each needs."""

import pytest

from cotbuild.builder.teachers.http.advice import advise_on_rejection

REFUSED_FIELDS = [
    ("Unrecognized request argument supplied: top_k", ["sampling.top_k=off"]),
    (
        "HTTP 400: Unrecognized request arguments supplied: min_p, repetition_penalty, top_k",
        [
            "sampling.min_p=off",
            "sampling.repetition_penalty=off",
            "sampling.top_k=off",
        ],
    ),
    (
        "Unsupported parameter: 'max_tokens' is not supported with this model. "
        "Use 'max_completion_tokens' instead.",
        ["teacher.rename.max_tokens=max_completion_tokens"],
    ),
    (
        "Unsupported value: 'temperature' does not support 0.7 with this model. "
        "Only the default (1) value is supported.",
        ["sampling.temperature=off"],
    ),
    (
        "Unrecognized request argument supplied: max_completion_tokens",
        ["teacher.rename.max_tokens=max_tokens"],
    ),
    ("Unknown parameter: 'repeat_penalty'.", ["sampling.repetition_penalty=off"]),
    ("property 'min_p' is unsupported", ["sampling.min_p=off"]),
    ("[] is too short - 'stop'", ["sampling.stop=off"]),
    ("`top_p` must be > 0.0 and < 1.0", ["sampling.top_p=off"]),
    ("body -> top_k: Extra inputs are not permitted", ["sampling.top_k=off"]),
    (
        "Failed to deserialize the JSON body: unknown field `repetition_penalty`, "
        "expected one of `temperature`, `seed`, `stop`",
        ["sampling.repetition_penalty=off"],
    ),
    (
        "litellm.UnsupportedParamsError: anthropic does not support parameters: ['seed']",
        ["seed=off"],
    ),
    ("seed must be less than or equal to 2147483647", ["teacher.seed_bits=31"]),
    (
        "Additional properties are not allowed ('presence_penalty' was unexpected)",
        ["sampling.presence_penalty=off"],
    ),
    (
        "response_format: 'json_schema' is not supported",
        ["teacher.omit=[response_format]"],
    ),
]
REFUSED_SYSTEM = [
    "System role not supported",
    "Unsupported value: 'messages[0].role' does not support 'system' with this model.",
    "Only user and assistant roles are supported!",
    "Conversation roles must alternate user/assistant/user/assistant/...",
    "Developer instruction is not enabled for models/gemma-3-27b-it",
    "role 'system' is not supported on this model",
    "unknown variant `system`, expected `user` or `assistant`",
    "messages.0.role: Input should be 'user' or 'assistant'",
    "system messages are not allowed for this model",
    "Only user, assistant and tool roles are supported, got system.",
    "'system' is not one of ['user', 'assistant'] - 'messages.0.role'",
    "unsupported role: system",
]
TOO_LONG = [
    "This model's maximum context length is 4096 tokens. However, you requested 5000 "
    "tokens (4744 in the messages, 256 in the completion).",
    "'max_tokens' or 'max_completion_tokens' is too large: 300. This model's maximum "
    "context length is 256 tokens and your request has 20 input tokens.",
    "max_tokens is too large: 100000. This model supports at most 16384 tokens.",
    "Invalid max_tokens value, the valid range of max_tokens is [1, 8192]",
    "the request exceeds the available context size. try increasing the context size",
]


@pytest.mark.parametrize(("message", "settings"), REFUSED_FIELDS)
def test_a_refused_field_is_answered_with_the_option_that_changes_it(
    message: str, settings: list[str]
) -> None:
    advice = advise_on_rejection(message)
    assert advice is not None
    options = " ".join(f"--set {setting}" for setting in settings)
    assert advice.startswith(f"Add {options} to change")
    assert "--profile" in advice


@pytest.mark.parametrize("message", REFUSED_SYSTEM)
def test_a_refused_system_turn_is_answered_with_no_system(message: str) -> None:
    assert "--no-system" in (advise_on_rejection(message) or "")


@pytest.mark.parametrize("message", TOO_LONG)
def test_a_request_that_is_too_long_is_answered_with_max_tokens(message: str) -> None:
    assert "--max-tokens" in (advise_on_rejection(message) or "")


@pytest.mark.parametrize(
    "message",
    [
        "",
        "Bad request",
        "The service does not stop for lunch",
        "Your content was blocked by our safety system.",
        "invalid JSON in the request body",
        "model 'x' is not supported",
        "This model is unsupported on this system",
        "After the optional system message, conversation roles must alternate "
        "user/assistant/user/assistant/...",
        "Unrecognized request argument supplied: reasoning_effort",
    ],
)
def test_other_words_get_no_advice(message: str) -> None:
    assert advise_on_rejection(message) is None


@pytest.mark.parametrize(
    "message",
    [
        "Unrecognized request argument supplied: continue_final_message",
        "body -> add_generation_prompt: Extra inputs are not permitted",
    ],
)
def test_a_server_that_continues_no_reply_needs_another_template(message: str) -> None:
    assert "a --template without reply_start" in (advise_on_rejection(message) or "")
