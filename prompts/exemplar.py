"""Worked examples inside a prompt. Pure."""

import json
import re

from pydantic import Field

from cotbuild.schemas.question import Choice, QuestionKind
from cotbuild.schemas.record import Record, short_repr

_JSON_NUMBER = re.compile(r"-?\d+(\.\d+)?")


class Exemplar(Record):
    """A worked example inside a prompt."""

    question: str = Field(min_length=1, description="Its question.")
    inputs: dict[str, str] = Field(
        default={},
        exclude_if=lambda inputs: not inputs,
        description="Its text inputs by name; empty for none.",
    )
    choices: tuple[str, ...] = Field(
        default=(), description="Its options; lettered A, B, … when shown."
    )
    answer: str = Field(
        min_length=1, description="Its answer: a letter, yes or no, a number, or text."
    )
    rationale: str = Field(min_length=1, description="Its reasoning.")

    @property
    def lettered_choices(self) -> tuple[Choice, ...]:
        """Its options, labelled A, B, …."""
        return tuple(
            Choice(label=chr(ord("A") + i), text=text)
            for i, text in enumerate(self.choices)
        )

    @property
    def choice_texts(self) -> dict[str, str]:
        """The text of each option, by its letter."""
        return {choice.label: choice.text for choice in self.lettered_choices}

    def json_reply(self, kind: QuestionKind, *, answer_first: bool) -> str:
        """Return the reply as JSON, as servers write it under a response format."""
        answer: object = self.answer
        if kind is QuestionKind.NUMBER and _JSON_NUMBER.fullmatch(self.answer):
            answer = json.loads(self.answer)
        reply = {"rationale": self.rationale, "answer": answer}
        if answer_first:
            reply = {"answer": answer, "rationale": self.rationale}
        return json.dumps(reply, ensure_ascii=False, separators=(",", ":"))

    def check_kind(self, kind: QuestionKind) -> None:
        """Raise ValueError unless it is for questions of a kind."""
        if kind is not QuestionKind.CHOICE:
            if self.choices:
                raise ValueError(
                    f"exemplar {short_repr(self.question)} has choices "
                    f"in a template of kind {kind.value}"
                )
        elif self.answer not in self.choice_texts:
            raise ValueError(
                f"exemplar {short_repr(self.question)} has answer "
                f"{short_repr(self.answer)}, "
                "which is not one of its letters"
            )
