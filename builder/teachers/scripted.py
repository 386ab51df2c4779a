"""A teacher that is no model: for dry runs and tests.

What it says depends on the request alone.
"""

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from pydantic import JsonValue

from cotbuild.schemas.completion import (
    Answer,
    Completion,
    Failure,
    FailureKind,
    Message,
    Request,
)
from cotbuild.schemas.config import ScriptedConfig

_OPTION = re.compile(
    r"^[ \t]*(?:\(([^()\s]{1,8})\)|([A-Z]|\d{1,2})[).:])[ \t]+\S", re.MULTILINE
)
_YES_NO_ASKED = re.compile(r"\byes[ -]or[ -]no\b", re.IGNORECASE)
_NUMBER_ASKED = re.compile(r"\bnumbers?\b", re.IGNORECASE)
_LABEL_FIRST = re.compile(
    r"(Answer: )?The answer is \(?(.+?)\)? because", re.IGNORECASE
)
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
    """A scripted text, and the rationale in it alone."""

    text: str
    rationale: str


def compose(
    messages: Sequence[Message],
    key: str,
    response_format: Mapping[str, Any] | None = None,
) -> ScriptedText:
    """A rationale and an answer in the form the chat asks for, chosen by `key` (64 hex
    digits).

    It sees what a teacher sees: options such as "(A) text" in the last turn, else
    whether yes or no, or a number, is asked for; an earlier assistant turn that says
    the answer first; and above all a `response_format` of type json_schema, whose
    properties `rationale` and `answer` are filled in the schema's order.
    """
    asked = messages[-1].content
    draw_answer = int(key[:8], 16)
    answer = _answer(messages, asked, draw_answer)
    words = _topic(asked)
    draw = int(key[8:16], 16)
    rationale = " ".join(
        bank[draw // 3**i % 3] for i, bank in enumerate((_OPENINGS, _MIDDLES, _ENDS))
    ).format(words[draw // 27 % len(words)], words[draw // 81 % len(words)])
    if response_format is not None and response_format.get("type") == "json_schema":
        properties = response_format["json_schema"]["schema"]["properties"]
        values = {
            "rationale": rationale,
            "answer": _fitting(properties["answer"], answer.strip("()"), draw_answer),
        }
        fields = {name: values[name] for name in properties}
        return ScriptedText(
            json.dumps(fields, ensure_ascii=False, separators=(",", ":")), rationale
        )
    if (
        len(messages) > 1
        and messages[-2].role == "assistant"
        and _LABEL_FIRST.match(messages[-2].content)
    ):
        label = answer.strip("()")
        return ScriptedText(
            f"Answer: The answer is {label} because {rationale[0].lower()}{rationale[1:]}",
            rationale,
        )
    return ScriptedText(f"{rationale}\nThe answer is {answer}.", rationale)


def _answer(messages: Sequence[Message], asked: str, draw: int) -> str:
    if labels := [bracketed or bare for bracketed, bare in _OPTION.findall(asked)]:
        return f"({labels[draw % len(labels)]})"
    told = messages[0].content if messages[0].role == "system" else asked
    if _YES_NO_ASKED.search(told):
        return ("yes", "no")[draw % 2]
    if _NUMBER_ASKED.search(told):
        return str(draw % 100)
    words = _topic(asked)
    return words[draw % len(words)].lower()


def _fitting(schema: Mapping[str, Any], answer: str, draw: int) -> JsonValue:
    """An answer that `schema` allows."""
    if allowed := schema.get("enum"):
        return allowed[draw % len(allowed)]  # type: ignore[no-any-return]
    return draw % 100 if schema["type"] == "number" else answer


def _topic(asked: str) -> list[str]:
    """Words of the first line, without its first, which the templates make "Question"."""
    return _WORD.findall(asked.partition("\n")[0])[1:] or ["this", "that"]


class ScriptedTeacher:
    """Answers at once or after `latency_s`; the shares of its config are those of all
    possible requests.
    """

    def __init__(self, config: ScriptedConfig, window: int) -> None:
        self._config = config
        self._window = window

    @property
    def window(self) -> int:
        """Requests in flight."""
        return self._window

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        pass

    async def check(self, sample: Request) -> str | None:  # noqa: ARG002
        """There is no server to look at."""
        return None

    async def ask(self, request: Request) -> Answer:
        """A completion or failure that is a function of the request and the dials."""
        await asyncio.sleep(
            self._config.latency_s
        )  # at 0 it still lets other tasks run
        return self._answer(request)

    def _answer(self, request: Request) -> Answer:
        key, dials = request.request_key, self._config
        draw = int(key[16:29], 16) / 16**13
        if draw < (bound := dials.rejected_frac):
            return Failure(
                request_key=key, kind=FailureKind.REJECTED, message="scripted: HTTP 400"
            )
        if draw < (bound := bound + dials.unavailable_frac):
            return Failure(
                request_key=key,
                kind=FailureKind.UNAVAILABLE,
                message="scripted: HTTP 503",
            )
        draft = compose(request.messages, key, request.response_format)
        if draw < (bound := bound + dials.length_frac):
            return _completion(request, draft.text[: len(draft.text) // 2], cut=True)
        if (
            draw < bound + dials.no_answer_frac
        ):  # whatever the response_format, as from a server that ignores it
            return _completion(request, f"{draft.rationale} But it is hard to say.")
        return _completion(request, draft.text)

    def provenance(self) -> dict[str, Any]:
        """That it is a fake."""
        return {"kind": "scripted", "fake": True}


def _completion(request: Request, text: str, cut: bool = False) -> Completion:
    return Completion(
        request_key=request.request_key,
        text=text,
        finish_reason="length" if cut else "stop",
        prompt_tokens=sum(m.content.count(" ") + 1 for m in request.messages),
        completion_tokens=text.count(" ") + 1,
    )
