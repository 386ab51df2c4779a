"""From questions to requests: pure. A question's work is a chain; the first step is all that one-step modes have."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from cotbuild.builder.keys import distinct, key_bytes
from cotbuild.prompts.render import render
from cotbuild.prompts.template import Template
from cotbuild.schemas.completion import MAX_SEED, Answer, Completion, Failure, Request, Sampling
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.question import Question, QuestionKind

Lookup = Callable[[str], Answer | None]
"""From a request_key to what is known of it; None: nothing."""


class Mode(Protocol):
    """A way of asking: which request comes next, given a chain's answers so far. Pure, and versioned in `ref`."""

    @property
    def ref(self) -> str:
        """name@version."""

    @property
    def samples(self) -> int:
        """Chains per question."""

    def template(self, question: Question) -> Template:
        """The template this question is put through."""

    def next_request(self, question: Question, sample_index: int, answers: Sequence[Completion]) -> Request | None:
        """The request that follows `answers`; None where the chain is finished."""


@dataclass(frozen=True)
class Elicit:
    """Ask for a rationale once, with the target hidden."""

    templates: Mapping[QuestionKind, Template]
    teacher: str
    sampling: Sampling
    samples: int = 1
    seed: int = 0
    ref: str = "elicit@1"

    def template(self, question: Question) -> Template:
        return self.templates[question.kind]

    def next_request(self, question: Question, sample_index: int, answers: Sequence[Completion]) -> Request | None:
        if answers:
            return None
        greedy = self.sampling.temperature == 0
        return Request(
            messages=render(self.template(question), question),
            teacher=self.teacher,
            sampling=self.sampling,
            seed=None if greedy else request_seed(self.seed, question.id, sample_index),
        )


def request_seed(build_seed: int, question_id: str, sample_index: int) -> int:
    """0 … 2^53 - 1, the same on any platform and whatever the order of the questions."""
    return int(digest("seed/1", [build_seed, question_id, sample_index])[:16], 16) & MAX_SEED


class Chain(NamedTuple):
    """One (question, sample_index): its answers so far, and the request that is still open."""

    question: Question
    sample_index: int
    answers: tuple[Answer, ...]
    request: Request | None


def walk(mode: Mode, question: Question, sample_index: int, lookup: Lookup) -> Chain:
    """Follow a chain through the answers that `lookup` has, by request_key. A failure ends it."""
    answers: list[Completion] = []
    while (request := mode.next_request(question, sample_index, answers)) is not None:
        answer = lookup(request.request_key)
        if answer is None:
            return Chain(question, sample_index, tuple(answers), request)
        if isinstance(answer, Failure):
            return Chain(question, sample_index, (*answers, answer), None)
        answers.append(answer)
    return Chain(question, sample_index, tuple(answers), None)


def walk_all(mode: Mode, questions: Iterable[Question], lookup: Lookup) -> Iterator[Chain]:
    """Every chain of a build, in plan order: questions as they come, samples within."""
    for question in questions:
        for sample_index in range(mode.samples):
            yield walk(mode, question, sample_index, lookup)


@dataclass
class Plan:
    """What a run would do, counted in one pass that keeps 16 bytes a request."""

    num_questions: int = 0
    num_chains: int = 0
    num_open: int = 0
    """Requests to make; two chains with one request_key count once."""
    num_open_chains: int = 0
    open_chars: int = 0
    """Characters in the messages of the open requests."""
    first: Request | None = None
    longest: Request | None = None
    longest_id: str = ""
    repeats: frozenset[bytes] = frozenset()
    """Keys (16 bytes) that more than one open chain has."""


def make_plan(chains: Iterable[Chain], samples: int) -> Plan:
    """Count a plan's chains and its open requests."""
    plan, keys, longest = Plan(), bytearray(), -1
    for chain in chains:
        plan.num_chains += 1
        if (request := chain.request) is None:
            continue
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


def open_requests(chains: Iterable[Chain], repeats: frozenset[bytes]) -> Iterator[Chain]:
    """The chains with an open request, each request_key once."""
    seen: set[bytes] = set()
    for chain in chains:
        if chain.request is None:
            continue
        key = key_bytes(chain.request.request_key)
        if key in repeats:
            if key in seen:
                continue
            seen.add(key)
        yield chain
