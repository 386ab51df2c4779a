"""The order in which the open requests of a plan are sent. Pure.

Rows stay in the order of the plan, and an answer is found by the key of its request, so
the order decides nothing but how long the asking takes:

- The requests that are expected to generate most go first. Those sent last are then
  short, and a server is not left to a few long ones.
- Requests whose last turns begin alike follow each other, as those of all samples of a
  question and of all questions about one passage. A server that caches prefixes then
  computes what they share once.
- All others keep the order of the plan.

Requests are read a bounded number ahead, so that a plan of any length takes the same
memory.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple

from cotbuild.builder.generate.chains import Chain, Step
from cotbuild.builder.generate.follow import AnswerLookup
from cotbuild.schemas.completion import Completion

LOOK_AHEAD = 4_096
"""Most chains read ahead."""
LOOK_AHEAD_CHARS = 4 << 20
"""Most characters in the last turns of the chains read ahead; one chain may exceed it."""
READ_PER_SENT = 4
"""Chains read for each that is sent, as long as fewer than LOOK_AHEAD are: the first
requests go out at once, and the look-ahead grows beside them.
"""
PREFIX_CHARS = 256
"""Characters by which two last turns begin alike: about four of the blocks of 16 tokens
in which vLLM caches prefixes.
"""

ExpectedTokens = Callable[[Chain], int]
"""Returns how many tokens the open request of a chain is expected to generate."""


class _Group(NamedTuple):
    """What the requests that follow each other have in common."""

    magnitude: int
    """Binary digits of the tokens that they are expected to generate."""
    shared_turns: tuple[str, ...]
    beginning: str


def expect_tokens(chain: Chain) -> int:
    """Return the tokens that the open request of a chain may generate.

    That is its limit, or what the last request of the chain generated where that was the
    same task: a teacher that explained a question at length does so again.
    """
    step = _open_step(chain)
    limit = step.request.sampling.max_tokens
    for answered in reversed(chain.answered):
        answer = answered.answer
        is_same_task = answered.step.request.sampling == step.request.sampling
        if is_same_task and isinstance(answer, Completion) and answer.completion_tokens:
            return min(limit, answer.completion_tokens)
    return limit


def expect_as_before(earlier: AnswerLookup) -> ExpectedTokens:
    """Return what expects the tokens that an earlier answer to the same request had.

    `earlier` gives the answers that this run does not use. Without one it expects what
    `expect_tokens` does.
    """

    def expected(chain: Chain) -> int:
        answer = earlier(_open_step(chain).request.request_key)
        if isinstance(answer, Completion) and answer.completion_tokens:
            return answer.completion_tokens
        return expect_tokens(chain)

    return expected


def order_for_sending(
    chains: Iterator[Chain], expected: ExpectedTokens = expect_tokens
) -> Iterator[Chain]:
    """Yield the same chains, all of them open, in the order in which to send them.

    `expected` is called once for each chain.
    """
    ahead = _LookAhead(expected)
    while True:
        for chain in islice(chains, READ_PER_SENT):
            ahead.add(chain)
            if ahead.is_full:
                break
        if not ahead:
            return
        yield ahead.take()


class _LookAhead:
    """Chains that were read and not sent, in groups."""

    def __init__(self, expected: ExpectedTokens) -> None:
        self._expected = expected
        self._groups: dict[_Group, deque[Chain]] = {}
        self._waiting: list[tuple[int, int, _Group]] = []
        """A heap of the groups that were not begun: largest and oldest first."""
        self._num_groups = 0
        self._current: _Group | None = None
        self._num_chains = self._num_chars = 0

    def __bool__(self) -> bool:
        return self._num_chains > 0

    @property
    def is_full(self) -> bool:
        return self._num_chains > LOOK_AHEAD or self._num_chars > LOOK_AHEAD_CHARS

    def add(self, chain: Chain) -> None:
        group = self._find_group(chain)
        members = self._groups.get(group)
        if members is None:
            members = self._groups[group] = deque()
            self._num_groups += 1
            heapq.heappush(self._waiting, (-group.magnitude, self._num_groups, group))
        members.append(chain)
        self._num_chains += 1
        self._num_chars += len(_last_turn(chain))

    def take(self) -> Chain:
        """Remove and return the next chain: of the group that was begun, if any is left."""
        group = self._current
        if group is None:
            _, _, group = heapq.heappop(self._waiting)
        members = self._groups[group]
        chain = members.popleft()
        if not members:
            del self._groups[group]
        self._current = group if members else None
        self._num_chains -= 1
        self._num_chars -= len(_last_turn(chain))
        return chain

    def _find_group(self, chain: Chain) -> _Group:
        shared = _open_step(chain).request.messages[:-1]
        return _Group(
            self._expected(chain).bit_length(),
            # Most requests share these texts, whose hashes Python keeps.
            tuple(message.canonical for message in shared),
            _last_turn(chain)[:PREFIX_CHARS],
        )


def _open_step(chain: Chain) -> Step:
    if chain.open_step is None:
        raise ValueError(f"the chain of question {chain.question.id!r} is finished")
    return chain.open_step


def _last_turn(chain: Chain) -> str:
    return _open_step(chain).request.messages[-1].text
