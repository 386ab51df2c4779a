"""Request, Completion and Failure: one generation call and what came of it."""

from enum import StrEnum
from functools import cached_property
from typing import Literal

from pydantic import Field, JsonValue

from cotbuild.schemas.fingerprint import canonical_json, digest_text
from cotbuild.schemas.record import Record

REQUEST_VERSION = 1
MAX_SEED = 2**53 - 1
"""vLLM answers 400 at 2^63 and takes -1 as unseeded; 2^53 - 1 also survives every JSON
reader.
"""


class Message(Record):
    """One chat turn, exactly as sent."""

    role: Literal["system", "user", "assistant"] = Field(description="Who speaks.")
    content: str = Field(description="The turn's text.")

    @cached_property
    def canonical(self) -> str:
        """Its part of a request's canonical JSON, made once: most requests of a build
        share all turns but the last.
        """
        return canonical_json([self.role, self.content])


class Sampling(Record):
    """Every sampling field, each sent explicitly so that no default comes from a
    model's files unseen.
    """

    temperature: float = Field(default=0.7, ge=0, le=2, description="0 is greedy.")
    top_p: float = Field(default=1.0, gt=0, le=1, description="Nucleus; 1 is off.")
    top_k: int = Field(default=0, ge=0, description="Number of tokens kept; 0 is off.")
    min_p: float = Field(
        default=0.0, ge=0, le=1, description="Share of the top probability; 0 is off."
    )
    presence_penalty: float = Field(default=0.0, ge=-2, le=2, description="0 is off.")
    frequency_penalty: float = Field(default=0.0, ge=-2, le=2, description="0 is off.")
    repetition_penalty: float = Field(default=1.0, gt=0, le=2, description="1 is off.")
    max_tokens: int = Field(
        default=256, ge=1, description="Most tokens generated per request."
    )
    stop: tuple[str, ...] = Field(
        default=(), description="Strings that end generation."
    )

    @cached_property
    def canonical(self) -> str:
        """Its part of a request's canonical JSON, made once a build."""
        return canonical_json(self.model_dump())


class Request(Record):
    """One generation call.

    Its `request_key` covers all its fields, and finished work is found by it alone.
    """

    messages: tuple[Message, ...] = Field(
        min_length=1, description="The chat, exactly as sent."
    )
    teacher: str = Field(
        min_length=1, description="Identity of the teacher's weights or service."
    )
    sampling: Sampling = Field(description="Sampling fields, all of them.")
    seed: int | None = Field(
        ge=0, le=MAX_SEED, description="Per-request seed; None at temperature 0."
    )
    response_format: dict[str, JsonValue] | None = Field(
        default=None, description="Structured output; None: free text."
    )
    chat_template_kwargs: dict[str, JsonValue] | None = Field(
        default=None, description="For the chat template; None: none."
    )

    @cached_property
    def request_key(self) -> str:
        """sha256, 64 hex digits, of the canonical JSON of every field."""
        # Put together from parts that requests share: a tenth of the time of encoding
        # seven turns anew, and a million requests are keyed in every run. A test holds
        # it equal to the canonical JSON of the plain value.
        return digest_text(
            f"request/{REQUEST_VERSION}",
            f'{{"chat_template_kwargs":{canonical_json(self.chat_template_kwargs)}'
            f',"messages":[{",".join([message.canonical for message in self.messages])}]'
            f',"response_format":{canonical_json(self.response_format)}'
            f',"sampling":{self.sampling.canonical}'
            f',"seed":{canonical_json(self.seed)},"teacher":{canonical_json(self.teacher)}}}',
        )


class Completion(Record):
    """What the teacher answered, verbatim."""

    request_key: str = Field(description="Key of the request it answers.")
    text: str = Field(
        description="The generated text, untouched; empty where the server sent none."
    )
    reasoning: str | None = Field(
        default=None,
        description="What the server returned apart as reasoning; None: nothing.",
    )
    finish_reason: Literal["stop", "length"] | None = Field(
        description="stop: it ended by itself; length: it was cut; None: not known, as of an imported text."
    )
    prompt_tokens: int | None = Field(
        default=None,
        ge=0,
        description="Tokens read; None where the server did not say.",
    )
    completion_tokens: int | None = Field(
        default=None, ge=0, description="Tokens generated; None: not said."
    )


class FailureKind(StrEnum):
    """Why a request has no completion. Never a verdict on the teacher's answer."""

    REJECTED = (
        "rejected"  # HTTP 400: this request's own fault, final unless --retry-failed
    )
    UNAVAILABLE = "unavailable"  # 429, 5xx, resets, time-outs, after all retries; asked again by the next run
    BAD_BODY = (
        "bad_body"  # an answer that is not a completion, after all retries; asked again
    )


class Failure(Record):
    """An infrastructure failure: the request was made and brought no completion."""

    request_key: str = Field(description="Key of the request that failed.")
    kind: FailureKind = Field(description="Which kind of fault.")
    message: str = Field(
        description="The server's own words, or the client's error, on one line."
    )

    @property
    def final(self) -> bool:
        """Whether the next run leaves it alone."""
        return self.kind is FailureKind.REJECTED


Answer = Completion | Failure
"""What came of a request."""
