"""From questions to requests: pure.

A question's work is a chain of requests that its mode decides one by one.
"""

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from cotbuild.builder.storage.keys import distinct, key_bytes
from cotbuild.prompts.template import Template
from cotbuild.schemas.answers.grade import GradedCompletion
from cotbuild.schemas.completion import Answer, Completion, Failure, Request
from cotbuild.schemas.question import Question
from cotbuild.schemas.rationale import Purpose

Lookup = Callable[[str], Answer | None]
"""From a request_key to what is known of it; None: nothing."""


class Step(NamedTuple):
    """A request of a chain, what it is for, and the template it was put through."""

    purpose: Purpose
    template: Template
    request: Request


class Judge(Protocol):
    """Judges a finished chain where that is wanted; it costs more than planning does."""

    def __call__(self, *, flags: bool = True) -> GradedCompletion:
        """`flags` False: without those of the rationale's wording, which cost as much
        as all the rest.
        """


class Ending(NamedTuple):
    """What a finished chain came to."""

    step: Step
    """The one whose text holds the rationale."""
    judge: Judge


Script = Generator[Step, Completion, Ending]
"""A chain as a coroutine: it yields what to ask next, is sent the completion, and
returns what it came to.
"""


class Mode(Protocol):
    """A way of asking.

    Pure: the same answers lead to the same requests. Versioned in `ref`.
    """

    @property
    def ref(self) -> str:
        """name@version."""

    @property
    def samples(self) -> int:
        """Chains per question."""

    def script(self, question: Question, sample_index: int) -> Script:
        """The chain of one question and sample."""


class Chain(NamedTuple):
    """One (question, sample_index): what was answered so far, and what is to be asked
    next.
    """

    question: Question
    sample_index: int
    taken: tuple[tuple[Step, Answer], ...]
    open: Step | None
    """None: finished, or ended by the failure that stands last in `taken`."""
    ending: Ending | None
    script: Script


def begin(mode: Mode, question: Question, sample_index: int) -> Chain:
    """A chain before its first answer."""
    script = mode.script(question, sample_index)
    return Chain(question, sample_index, (), next(script), None, script)


def advance(chain: Chain, answer: Answer) -> Chain:
    """The chain with its open step answered.

    A failure ends it. Uses up `chain`: its script goes on.
    """
    assert chain.open is not None
    chain = chain._replace(taken=(*chain.taken, (chain.open, answer)), open=None)
    if isinstance(answer, Failure):
        return chain
    try:
        return chain._replace(open=chain.script.send(answer))
    except StopIteration as end:
        return chain._replace(ending=end.value)


def walk(mode: Mode, question: Question, sample_index: int, lookup: Lookup) -> Chain:
    """Follow a chain through the answers that `lookup` has, by request_key."""
    chain = begin(mode, question, sample_index)
    while (
        chain.open is not None
        and (answer := lookup(chain.open.request.request_key)) is not None
    ):
        chain = advance(chain, answer)
    return chain


def walk_all(
    mode: Mode, questions: Iterable[Question], lookup: Lookup
) -> Iterator[Chain]:
    """Every chain of a build, in plan order: questions as they come, samples within."""
    for question in questions:
        for sample_index in range(mode.samples):
            yield walk(mode, question, sample_index, lookup)


@dataclass
class RequestPlan:
    """What a run would do, counted in one pass that keeps 16 bytes a request."""

    num_questions: int = 0
    num_chains: int = 0
    num_open: int = 0
    """Requests to make, as far as can be told; two chains with one request_key count
    once.
    """
    num_open_chains: int = 0
    open_chars: int = 0
    """Characters in the messages of the open requests."""
    first: Request | None = None
    longest: Request | None = None
    longest_id: str = ""
    repeats: frozenset[bytes] = frozenset()
    """Keys (16 bytes) that more than one open chain has."""


def make_plan(chains: Iterable[Chain], samples: int) -> RequestPlan:
    """Count a plan's chains and its open requests."""
    plan, keys, longest = RequestPlan(), bytearray(), -1
    for chain in chains:
        plan.num_chains += 1
        if chain.open is None:
            continue
        request = chain.open.request
        keys += key_bytes(request.request_key)
        chars = sum(len(message.content) for message in request.messages)
        plan.open_chars += chars
        plan.first = plan.first or request
        if chars > longest:
            longest, plan.longest, plan.longest_id = chars, request, chain.question.id
    plan.num_questions = plan.num_chains // samples
    plan.num_open_chains = len(keys) // 16
    plan.num_open, plan.repeats = distinct(keys)
    return plan


def open_requests(
    chains: Iterable[Chain], repeats: frozenset[bytes]
) -> Iterator[Chain]:
    """The chains with an open request, each request_key once."""
    seen: set[bytes] = set()
    for chain in chains:
        if chain.open is None:
            continue
        key = key_bytes(chain.open.request.request_key)
        if key in repeats:
            if key in seen:
                continue
            seen.add(key)
        yield chain
