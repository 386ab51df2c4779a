"""A teacher without a model, for dry runs and tests.

Its answers are functions of the request alone.
"""

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from pydantic import JsonValue

from cotbuild.builder.teachers.base import Servers
from cotbuild.schemas.completion import (
    Answer,
    Completion,
    Failure,
    FailureKind,
    Message,
    Request,
)
from cotbuild.schemas.teacher_config import ScriptedConfig

_OPTION = re.compile(
    r"^[ \t]*(?:\(([^()\s]{1,8})\)|([A-Z]|\d{1,2})[).:])[ \t]+\S", re.MULTILINE
)
_ASKS_YES_NO = re.compile(r"\byes[ -]or[ -]no\b", re.IGNORECASE)
_ASKS_NUMBER = re.compile(r"\bnumbers?\b", re.IGNORECASE)
_LABEL_FIRST = re.compile(
    r"(Answer: )?The answer is \(?(.+?)\)? because", re.IGNORECASE
)
_ANSWER_HEAD = re.compile(r'begin a new\s+line with "(\w+):"')
"""Where an answer in prose is to begin."""
_WORD = re.compile(r"[^\W\d_]{4,}")
_OPENINGS = (
    "First look at what is asked about {0} and {1}.",
    "The question turns on {0}, and on what {1} means here.",
    "What matters is how {0} goes together with {1}.",
)
_MIDDLES = (
    "In ordinary life one comes with the other, so most other readings fall away.",
    "If it were otherwise, the rest of the question would make little sense.",
    "Everyday experience says so, and nothing in the question speaks against it.",
)
_ENDS = (
    "That leaves one reading that fits every word.",
    "So only one thing remains that agrees with all of this.",
    "Taken together this settles it.",
)


@dataclass(frozen=True, slots=True)
class ScriptedText:
    """A scripted completion and the rationale within it."""

    text: str
    rationale: str


def compose_text(
    messages: Sequence[Message],
    key: str,
    response_format: Mapping[str, Any] | None = None,
) -> ScriptedText:
    """Compose a rationale and an answer in the form that the chat requires.

    The form depends on what a model would see: options such as "(A) text" in the last
    turn, or whether it asks for yes or no, or for a number; an earlier assistant turn
    that gives the answer first; and above all the response format.

    Args:
        messages: The chat.
        key: 64 hex digits, which select the sentences and the answer.
        response_format: If of type json_schema, its properties `rationale` and
            `answer` are filled in the schema's order.
    """
    asks_verdict = _asks_verdict(messages)
    # The question, an attempt, and what asks to evaluate it.
    prompt = messages[-3 if asks_verdict else -1].text
    answer_draw = int(key[:8], 16)
    answer = _choose_answer(messages, prompt, answer_draw)
    rationale = _compose_rationale(_topic_words(prompt), int(key[8:16], 16))
    label = answer.strip("()")
    if response_format is not None and response_format.get("type") == "json_schema":
        schema = response_format["json_schema"]["schema"]
        return _compose_json(schema["properties"], rationale, label, answer_draw)
    if _puts_label_first(messages):
        clause = rationale[0].lower() + rationale[1:]
        return ScriptedText(
            f"Answer: The answer is {label} because {clause}", rationale
        )
    if head := _ANSWER_HEAD.search("\n".join(message.text for message in messages)):
        text = f"{rationale}\n{head[1]}: {' '.join(_topic_words(prompt))}."
        return ScriptedText(text, rationale)
    if asks_verdict:
        verdict = ("Accept", "Refine")[answer_draw // 8 % 2]
        text = f"{rationale}\nVerdict: {verdict}\nThe answer is {answer}."
        return ScriptedText(text, rationale)
    return ScriptedText(f"{rationale}\nThe answer is {answer}.", rationale)


def _asks_verdict(messages: Sequence[Message]) -> bool:
    """Return whether the last turn asks to evaluate the turn before it."""
    return len(messages) >= 3 and "Verdict: Accept" in messages[-1].text


def _compose_rationale(words: Sequence[str], draw: int) -> str:
    sentences = [
        bank[draw // 3**i % 3] for i, bank in enumerate((_OPENINGS, _MIDDLES, _ENDS))
    ]
    first_word = words[draw // 27 % len(words)]
    second_word = words[draw // 81 % len(words)]
    return " ".join(sentences).format(first_word, second_word)


def _compose_json(
    properties: Mapping[str, Any], rationale: str, label: str, draw: int
) -> ScriptedText:
    values = {
        "rationale": rationale,
        "answer": _fit_to_schema(properties["answer"], label, draw),
    }
    fields = {name: values[name] for name in properties}
    text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
    return ScriptedText(text, rationale)


def _puts_label_first(messages: Sequence[Message]) -> bool:
    """Return whether an example turn before the last gives its answer first."""
    if len(messages) < 2 or messages[-2].role != "assistant":
        return False
    return _LABEL_FIRST.match(messages[-2].text) is not None


def _choose_answer(messages: Sequence[Message], prompt: str, draw: int) -> str:
    labels = [bracketed or bare for bracketed, bare in _OPTION.findall(prompt)]
    if labels:
        return f"({labels[draw % len(labels)]})"
    instruction = messages[0].text if messages[0].role == "system" else prompt
    if _ASKS_YES_NO.search(instruction):
        return ("yes", "no")[draw % 2]
    if _ASKS_NUMBER.search(instruction):
        return str(draw % 100)
    words = _topic_words(prompt)
    return words[draw % len(words)].lower()


def _fit_to_schema(schema: Mapping[str, Any], answer: str, draw: int) -> JsonValue:
    """Return an answer that `schema` allows."""
    allowed: list[JsonValue] | None = schema.get("enum")
    if allowed:
        return allowed[draw % len(allowed)]
    return draw % 100 if schema["type"] == "number" else answer


def _topic_words(prompt: str) -> list[str]:
    """Return the long words of the first line except the first.

    In the shipped templates that one is "Question".
    """
    first_line = prompt.partition("\n")[0]
    return _WORD.findall(first_line)[1:] or ["this", "that"]


class ScriptedTeacher:
    """A teacher that answers at once, or after the `latency_s` of its config.

    The fractions in its config are those of all possible requests.
    """

    def __init__(self, config: ScriptedConfig, window: int) -> None:
        self._config = config
        self._window = window

    @property
    def window(self) -> int:
        """The number of requests in flight."""
        return self._window

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        pass

    async def check(self, sample: Request) -> str | None:  # noqa: ARG002
        """Do nothing, since there is no server."""
        return None

    async def ask(self, request: Request) -> Answer:
        """Return a completion or failure that depends on request and config alone."""
        # Even at 0 this lets other tasks run.
        await asyncio.sleep(self._config.latency_s)
        return self._compose_answer(request)

    def _compose_answer(self, request: Request) -> Answer:
        key, config = request.request_key, self._config
        draw = int(key[16:29], 16) / 16**13
        bound = config.rejected_frac
        if draw < bound:
            return Failure(
                request_key=key, kind=FailureKind.REJECTED, message="scripted: HTTP 400"
            )
        bound += config.unavailable_frac
        if draw < bound:
            return Failure(
                request_key=key,
                kind=FailureKind.UNAVAILABLE,
                message="scripted: HTTP 503",
            )
        draft = compose_text(request.messages, key, request.response_format)
        bound += config.length_frac
        if draw < bound:
            return _build_completion(
                request, draft.text[: len(draft.text) // 2], cut=True
            )
        bound += config.no_answer_frac
        if draw < bound:
            # Like a server that ignores the response format.
            return _build_completion(
                request, f"{draft.rationale} But it is hard to say."
            )
        return _build_completion(request, draft.text)

    def provenance(self) -> dict[str, Any]:
        """Return kind, and that the teacher is a fake."""
        return {"kind": "scripted", "fake": True}

    def servers(self) -> Servers | None:
        """Return None: there is no server."""
        return None


def _build_completion(request: Request, text: str, cut: bool = False) -> Completion:
    return Completion(
        request_key=request.request_key,
        text=text,
        finish_reason="length" if cut else "stop",
        prompt_tokens=sum(m.text.count(" ") + 1 for m in request.messages),
        completion_tokens=text.count(" ") + 1,
    )
