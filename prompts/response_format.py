"""Structured output: JSON schemas for replies, and turns that ask for such a reply.

Pure.
"""

from pydantic import JsonValue

from cotbuild.schemas.completion import Message
from cotbuild.schemas.question import Question, QuestionKind

CHOOSE_TOKENS = 64
"""Maximum new tokens of a constrained choice where `choice_tokens` is not set.

Enough for `{"answer": "…"}` of any label or number, and for a short text.
"""

_CHOOSE = {
    QuestionKind.CHOICE: "Which option is the answer? Reply with its letter",
    QuestionKind.YES_NO: "Is the answer yes or no? Reply with one of them",
    QuestionKind.NUMBER: "What is the answer? Reply with the number alone",
    QuestionKind.TEXT: "What is the answer? Reply with a few words at most",
    QuestionKind.PROSE: "What is the answer? Reply with the answer alone",
}


def answer_format(
    question: Question, *, answer_first: bool = False
) -> dict[str, JsonValue]:
    """Return the `response_format` for a rationale and an answer the question allows.

    The answer comes last unless `answer_first`: servers write fields in order.
    """
    rationale: tuple[str, JsonValue] = ("rationale", {"type": "string"})
    answer: tuple[str, JsonValue] = ("answer", _answer_schema(question))
    fields = [answer, rationale] if answer_first else [rationale, answer]
    return _format(dict(fields))


def choice_format(question: Question) -> dict[str, JsonValue]:
    """Return the `response_format` for the answer alone."""
    return _format({"answer": _answer_schema(question)})


def choice_turns(question: Question, text: str) -> tuple[Message, ...]:
    """Return the turns that follow a free text: the text, and a request for its answer."""
    ask = f'{_CHOOSE[question.kind]}, in JSON, as {{"answer": "…"}}.'
    # Some servers refuse an empty assistant turn.
    return (
        Message(role="assistant", content=text or "…"),
        Message(role="user", content=ask),
    )


def _answer_schema(question: Question) -> JsonValue:
    if question.kind is QuestionKind.CHOICE:
        return {"type": "string", "enum": [choice.label for choice in question.choices]}
    if question.kind is QuestionKind.YES_NO:
        return {"type": "string", "enum": ["yes", "no"]}
    if question.kind is QuestionKind.NUMBER:
        return {"type": "number"}
    return {"type": "string", "minLength": 1}


def _format(properties: dict[str, JsonValue]) -> dict[str, JsonValue]:
    # The form of OpenAI's API, which vLLM, SGLang and llama.cpp accept too, unlike vLLM's
    # own structured_outputs.
    schema: JsonValue = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    return {
        "type": "json_schema",
        "json_schema": {"name": "answer", "strict": True, "schema": schema},
    }
