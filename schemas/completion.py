"""Request, Completion and Failure: one generation call and its outcome."""

from collections.abc import Mapping
from enum import StrEnum
from functools import cached_property
from typing import Literal

from pydantic import Field, JsonValue, field_validator
from pydantic_core import to_json

from cotbuild.schemas.fingerprint import canonical_json, digest_text
from cotbuild.schemas.question import ImageRef
from cotbuild.schemas.record import MAX_INT, Record

REQUEST_VERSION = 1
MAX_SEED = 2**53 - 1
"""vLLM rejects 2^63 and treats -1 as unseeded; any JSON reader keeps 2^53 - 1 exact."""
MAX_TOKEN_COUNT = MAX_INT
"""Highest number of tokens that a completion can hold: a row's columns are int64."""


class TextPart(Record):
    """A text inside a chat turn that also has pictures."""

    text: str = Field(min_length=1, description="The text.")


class ImagePart(Record):
    """A picture inside a chat turn; only what is sent to a server holds its bytes."""

    image: ImageRef = Field(description="The picture.")


Content = str | tuple[TextPart | ImagePart, ...]
"""What a chat turn says: a text, or texts and pictures in order."""


class Message(Record):
    """One chat turn, exactly as sent."""

    role: Literal["system", "user", "assistant"] = Field(
        description="Role of the speaker."
    )
    content: Content = Field(
        description="Text of the turn, or its texts and pictures in order."
    )

    @property
    def text(self) -> str:
        """What the turn says, without pictures."""
        if isinstance(self.content, str):
            return self.content
        texts = [part.text for part in self.content if isinstance(part, TextPart)]
        return "\n".join(texts)

    @property
    def images(self) -> tuple[ImageRef, ...]:
        """The pictures of the turn, in order."""
        if isinstance(self.content, str):
            return ()
        return tuple(part.image for part in self.content if isinstance(part, ImagePart))

    @cached_property
    def canonical(self) -> str:
        """The message's part of a request's canonical JSON.

        A picture is in it by its digest. It is cached, since most requests of a build
        share all turns but the last.
        """
        if isinstance(self.content, str):
            return canonical_json([self.role, self.content])
        parts = [
            {"text": part.text}
            if isinstance(part, TextPart)
            else {"image": part.image.sha256}
            for part in self.content
        ]
        return canonical_json([self.role, parts])

    @cached_property
    def as_json(self) -> bytes:
        """The message as JSON in UTF-8, cached as `canonical` is."""
        return to_json(self)


class Sampling(Record):
    """Sampling parameters.

    Each is sent explicitly, so that no default comes unnoticed from a model's files.
    """

    temperature: float = Field(
        default=0.7, ge=0, le=2, description="Temperature; 0 is greedy."
    )
    top_p: float = Field(
        default=1.0, gt=0, le=1, description="Nucleus sampling; 1 is off."
    )
    top_k: int = Field(
        default=0, ge=0, description="Number of most likely tokens kept; 0 is off."
    )
    min_p: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Minimum probability relative to the most likely token; 0 is off.",
    )
    presence_penalty: float = Field(default=0.0, ge=-2, le=2, description="0 is off.")
    frequency_penalty: float = Field(default=0.0, ge=-2, le=2, description="0 is off.")
    repetition_penalty: float = Field(default=1.0, gt=0, le=2, description="1 is off.")
    max_tokens: int = Field(
        default=256, ge=1, description="Maximum new tokens per request."
    )
    stop: tuple[str, ...] = Field(
        default=(), description="Strings that end generation."
    )

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_words(cls, value: object) -> object:
        """Refuse what YAML reads from `on` and `null`; the first would count as 1."""
        if value is None or isinstance(value, bool):
            raise ValueError(
                f"{value} is not a value; write one, or off to leave the field out"
            )
        return value

    @cached_property
    def as_dict(self) -> Mapping[str, object]:
        """The parameters by name, cached once per build."""
        return self.model_dump()

    @cached_property
    def canonical(self) -> str:
        """The parameters' part of a request's canonical JSON, cached once per build."""
        return canonical_json(self.as_dict)


class BodyEdits(Record):
    """What the JSON body of a request leaves out, renames or adds for its server.

    The request keeps every value: an edit only changes what the server receives.
    """

    omitted: tuple[str, ...] = Field(
        default=(), description="Fields that are not sent, sorted."
    )
    renamed: dict[str, str] = Field(
        default={}, description="Field to the name under which it is sent."
    )
    added: dict[str, JsonValue] = Field(
        default={}, description="Further fields that are sent, and their values."
    )

    @cached_property
    def canonical(self) -> str:
        """The edits' part of a request's canonical JSON, cached once per build."""
        return canonical_json(self.model_dump())

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left out, renamed or added."""
        return not (self.omitted or self.renamed or self.added)


class Request(Record):
    """One generation call.

    `request_key` covers every field. A stored answer is found by that key alone.
    """

    messages: tuple[Message, ...] = Field(
        min_length=1, description="Chat messages, exactly as sent."
    )
    teacher: str = Field(
        min_length=1, description="Identity of the teacher's weights or service."
    )
    sampling: Sampling = Field(description="Sampling parameters.")
    seed: int | None = Field(
        ge=0, le=MAX_SEED, description="Seed of the request; None at temperature 0."
    )
    response_format: dict[str, JsonValue] | None = Field(
        default=None, description="Structured output format; None for free text."
    )
    chat_template_kwargs: dict[str, JsonValue] | None = Field(
        default=None, description="Arguments of the chat template; None for none."
    )
    edits: BodyEdits | None = Field(
        default=None,
        exclude_if=lambda edits: edits is None,
        description="What the body leaves out, renames or adds; None for nothing.",
    )
    continue_final_message: bool = Field(
        default=False,
        exclude_if=lambda continues: not continues,
        description="Whether the last message is the beginning of the reply, which the "
        "teacher continues.",
    )

    @field_validator("edits")
    @classmethod
    def _drop_empty_edits(cls, edits: BodyEdits | None) -> BodyEdits | None:
        return None if edits is None or edits.is_empty else edits

    @property
    def num_images(self) -> int:
        """The number of pictures in its messages."""
        return sum(len(message.images) for message in self.messages)

    @property
    def max_tokens_sent(self) -> int | None:
        """The token limit that the server receives; None if it receives none."""
        is_omitted = self.edits is not None and "max_tokens" in self.edits.omitted
        return None if is_omitted else self.sampling.max_tokens

    @cached_property
    def request_key(self) -> str:
        """SHA-256, 64 hex digits, of the canonical JSON of all fields.

        `edits` is absent from it where it is None, `continue_final_message` where it is
        False.
        """
        # Joined from cached parts that requests share: a tenth of the time of encoding
        # seven turns again, and every run keys up to a million requests. A test checks
        # that it equals the canonical JSON of the plain value.
        edits = "" if self.edits is None else f',"edits":{self.edits.canonical}'
        continues = (
            ',"continue_final_message":true' if self.continue_final_message else ""
        )
        return digest_text(
            f"request/{REQUEST_VERSION}",
            f'{{"chat_template_kwargs":{canonical_json(self.chat_template_kwargs)}'
            f"{continues}{edits}"
            f',"messages":[{",".join([message.canonical for message in self.messages])}]'
            f',"response_format":{canonical_json(self.response_format)}'
            f',"sampling":{self.sampling.canonical}'
            f',"seed":{canonical_json(self.seed)},"teacher":{canonical_json(self.teacher)}}}',
        )


class Completion(Record):
    """The teacher's answer to a request, verbatim."""

    request_key: str = Field(description="Key of the request that it answers.")
    text: str = Field(
        description="Generated text, unchanged; empty if the server sent none."
    )
    reasoning: str | None = Field(
        default=None,
        description="Reasoning that the server returned separately; None if there is none.",
    )
    finish_reason: Literal["stop", "length"] | None = Field(
        description="stop: the model ended it; length: it reached max_tokens; None if not "
        "known, as for an imported text."
    )
    prompt_tokens: int | None = Field(
        default=None,
        ge=0,
        le=MAX_TOKEN_COUNT,
        description="Tokens of the prompt; None if the server did not report them.",
    )
    completion_tokens: int | None = Field(
        default=None,
        ge=0,
        le=MAX_TOKEN_COUNT,
        description="Tokens generated; None if the server did not report them.",
    )
    notes: tuple[str, ...] = Field(
        default=(),
        exclude_if=lambda notes: not notes,
        description="What was unusual about the server's reply, a short fixed phrase "
        "each; empty for an ordinary one.",
    )


class FailureKind(StrEnum):
    """Why a request has no completion. It never counts against the teacher's answer."""

    REJECTED = "rejected"  # HTTP 400: fault of the request, final unless --retry-failed
    # 429, 5xx, resets and timeouts after all retries; the next run retries
    UNAVAILABLE = "unavailable"
    # not a completion, after all retries; the next run retries
    BAD_BODY = "bad_body"


class Failure(Record):
    """An infrastructure failure: a request that has no completion."""

    request_key: str = Field(description="Key of the request that failed.")
    kind: FailureKind = Field(description="Kind of failure.")
    message: str = Field(
        description="Error message of the server or the client, on one line."
    )

    @property
    def final(self) -> bool:
        """Whether the next run does not retry the request."""
        return self.kind is FailureKind.REJECTED


Answer = Completion | Failure
"""The outcome of a request."""
