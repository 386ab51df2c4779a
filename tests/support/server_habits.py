"""What servers of each profile refuse, in their own words: a table of what they read.

Written from the servers' documentation and source, and independent of the profiles:
a fake server refuses what its kind refuses, and also what its kind would ignore, so
that nothing is sent in vain.
"""

from collections.abc import Callable, Mapping
from typing import Any

Body = Mapping[str, Any]
COMMON = ("model", "messages", "seed", "response_format")
OPENAI_FIELDS = frozenset(
    {
        *COMMON,
        "temperature",
        "top_p",
        "presence_penalty",
        "frequency_penalty",
        "max_tokens",
        "max_completion_tokens",
        "stop",
        "reasoning_effort",
    }
)
VLLM_FIELDS = frozenset(
    {
        "temperature",
        "top_p",
        "top_k",
        "min_p",
        "presence_penalty",
        "frequency_penalty",
        "repetition_penalty",
        "max_tokens",
        "stop",
    }
)


def refuse_unknown(body: Body, known: frozenset[str]) -> str | None:
    """Return OpenAI's words about fields that it has not."""
    if unknown := sorted(body.keys() - known):
        number = "argument" if len(unknown) == 1 else "arguments"
        return f"Unrecognized request {number} supplied: {', '.join(unknown)}"
    return None


def vllm(body: Body) -> str | None:
    """Every field has to be there: what is left out, a model's own files decide."""
    missing = sorted(VLLM_FIELDS - body.keys())
    return f"missing: {', '.join(missing)}" if missing else None


def openai(body: Body) -> str | None:
    if body.get("stop") == []:
        return "[] is too short - 'stop'"
    return refuse_unknown(body, OPENAI_FIELDS)


def openai_reasoning(body: Body) -> str | None:
    if "max_tokens" in body:
        return (
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
            "'max_completion_tokens' instead."
        )
    if body.get("temperature", 1) != 1:
        return (
            f"Unsupported value: 'temperature' does not support {body['temperature']} "
            "with this model. Only the default (1) value is supported."
        )
    for name in ("top_p", "presence_penalty", "frequency_penalty", "stop"):
        if name in body:
            return f"Unsupported parameter: '{name}' is not supported with this model."
    return refuse_unknown(body, OPENAI_FIELDS)


def litellm(body: Body) -> str | None:
    if body.get("seed", 0) >= 2**31:
        return "VertexAIException - seed must be less than or equal to 2147483647"
    refusal = openai(body)
    return refusal and f"litellm.BadRequestError: OpenAIException - {refusal}"


def llama_cpp(body: Body) -> str | None:
    if body.get("seed", 0) >= 2**32 - 1:
        return "seed is out of range"
    if "repetition_penalty" in body:
        return "unknown field 'repetition_penalty', did you mean 'repeat_penalty'?"
    return None


def ollama(body: Body) -> str | None:
    if body.get("stop") == []:
        return "stop must not be empty: it replaces the model's own"
    known = OPENAI_FIELDS - {"max_completion_tokens"}
    ignored = sorted(body.keys() - known)
    return f"unknown parameter: {', '.join(ignored)}" if ignored else None


def sglang(body: Body) -> str | None:
    if body.get("top_k", -1) == 0:
        return "top_k must be -1 (disable) or at least 1, got 0."
    missing = sorted(VLLM_FIELDS - body.keys())
    return f"missing: {', '.join(missing)}" if missing else None


def tgi(body: Body) -> str | None:
    if not 0 < body.get("top_p", 0.5) < 1:
        return "Input validation error: `top_p` must be > 0.0 and < 1.0"
    if body.get("top_k", 1) < 1:
        return "Input validation error: `top_k` must be strictly positive"
    if body.get("presence_penalty") == 0:
        return "`presence_penalty` 0 should be left out: it becomes a repetition of 2"
    ignored = sorted(body.keys() & {"min_p", "repetition_penalty"})
    return f"unknown field `{ignored[0]}`" if ignored else None


REFUSALS: dict[str, Callable[[Body], str | None]] = {
    "vllm": vllm,
    "openai": openai,
    "openai-reasoning": openai_reasoning,
    "litellm": litellm,
    "llama.cpp": llama_cpp,
    "ollama": ollama,
    "sglang": sglang,
    "tgi": tgi,
}
"""Profile to a function that returns the server's words, None where it accepts."""


def refuse_system(body: Body) -> str | None:
    """Return the words of a chat template that takes no system turn."""
    has_system = any(turn["role"] == "system" for turn in body["messages"])
    return "System role not supported" if has_system else None
