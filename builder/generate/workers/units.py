"""Cuts the open chains of a plan into units, and writes them on the board."""

import hashlib
import math
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import NamedTuple

from cotbuild.builder.generate.chains import Chain, ChainRules
from cotbuild.builder.generate.plan import RequestPlan
from cotbuild.builder.generate.sending_order import order_for_sending
from cotbuild.builder.generate.workers.board import Board
from cotbuild.builder.generate.workers.rules import (
    asking_code,
    dump_pool,
    dump_templates,
)
from cotbuild.schemas.attempts import AttemptsEntry
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.work import (
    MAX_UNIT,
    MIN_UNIT,
    UnitChain,
    UnitEntry,
    WorkPlan,
)

UNITS_PER_WORKER = 4
"""Units that each worker gets at least, so that the slowest does not hold up the rest."""
ASSUMED_WORKERS = 16
"""Workers that a plan is cut for where nobody knows how many will come."""
MIN_SMALL_UNIT = 16
"""Fewest chains of a unit in a plan that is too small for MIN_UNIT."""
UNIT_BYTES = 64 << 20
"""A unit whose text reaches this size takes no further chain."""
WRITES_AT_ONCE = 16
"""Units written at a time: a store answers a write in tens of milliseconds."""


class Unit(NamedTuple):
    """A unit before it is written."""

    name: str
    lines: list[bytes]


def choose_unit_size(num_chains: int, num_workers: int | None = None) -> int:
    """Return how many chains a unit of a plan has.

    Each of `num_workers` (None: not known) gets several units, of MIN_UNIT to MAX_UNIT
    chains. Only a plan with too few chains for that has smaller ones.
    """
    workers = ASSUMED_WORKERS if num_workers is None else max(num_workers, 1)
    size = math.ceil(num_chains / (UNITS_PER_WORKER * workers))
    if size < MIN_UNIT:
        return max(size, MIN_SMALL_UNIT)
    return min(size, MAX_UNIT)


def cut_units(chains: Iterator[Chain], unit_size: int) -> Iterator[Unit]:
    """Yield units of the open chains that follow each other in the plan.

    The chains of a unit are in the order in which a worker sends them. The same chains
    give the same bytes.
    """
    for number, members in enumerate(_group_chains(chains, unit_size)):
        keys = hashlib.sha256()
        lines = []
        for key in map(_open_key, order_for_sending(iter(members.chains))):
            keys.update(bytes.fromhex(key))
            lines.append(members.lines[key])
        yield Unit(_unit_name(number, keys.hexdigest()), lines)


class _Members(NamedTuple):
    """The chains of a unit in plan order, and their lines by request_key."""

    chains: list[Chain]
    lines: dict[str, bytes]


def _group_chains(chains: Iterator[Chain], unit_size: int) -> Iterator[_Members]:
    members, num_bytes = _Members([], {}), 0
    for chain in chains:
        if chain.open_step is None:
            continue
        line = to_unit_chain(chain).model_dump_json(exclude_defaults=True).encode()
        members.chains.append(chain)
        members.lines[_open_key(chain)] = line
        num_bytes += len(line)
        if len(members.chains) == unit_size or num_bytes >= UNIT_BYTES:
            yield members
            members, num_bytes = _Members([], {}), 0
    if members.chains:
        yield members


def _open_key(chain: Chain) -> str:
    assert chain.open_step is not None, "only open chains are in a unit"
    return chain.open_step.request.request_key


def _unit_name(number: int, keys_digest: str) -> str:
    return f"{number:06d}-{keys_digest[:16]}"


def to_unit_chain(chain: Chain) -> UnitChain:
    """Return a chain as a unit holds it."""
    answers = tuple(answered.answer for answered in chain.answered)
    return UnitChain(
        question=chain.question, sample_index=chain.sample_index, answers=answers
    )


def publish_plan(
    board: Board,
    rules: ChainRules,
    requests: RequestPlan,
    chains: Iterator[Chain],
    *,
    inputs: str,
    generation: str,
    num_workers: int | None = None,
    max_chains: int | None = None,
    attempts: AttemptsEntry | None = None,
) -> WorkPlan:
    """Cut open chains into units, write these, and make their plan the newest.

    Called again with the same arguments after a crash, it writes what is missing.

    Args:
        board: Where the plan goes.
        rules: The rules of the chains.
        requests: The plan of the chains, which has counted them.
        chains: The open chains in plan order, each request_key once (`open_chains`).
        inputs: Digest of the inputs of the build.
        generation: Folder of the journals that workers write.
        num_workers: How many workers are expected; None if nobody knows.
        max_chains: The plan has no more chains than that; None for all.
        attempts: What is evaluated, in mode reflect.
    """
    unit_size = choose_unit_size(requests.num_open, num_workers)
    code = asking_code()
    if max_chains is not None and max_chains >= requests.num_open:
        max_chains = None
    # All that tells this plan from others, whom it asks among it: a file of the same
    # name on the board is never replaced.
    parts = [
        *(inputs, code, generation, requests.open_digest, unit_size, max_chains),
        rules.config.model_dump(mode="json"),
        rules.teacher,
    ]
    name = _plan_name(board, digest("plan/3", parts)[:16])
    finder = _LongestFinder(requests)
    units = cut_units(finder.watch(islice(chains, max_chains)), unit_size)
    entries = tuple(_write_units(board, name, units))
    plan = WorkPlan(
        name=name,
        inputs=inputs,
        code=code,
        config=rules.config,
        teacher=rules.teacher,
        templates=dump_templates(rules),
        exemplars=dump_pool(rules.pool),
        generation=generation,
        num_open=requests.num_open,
        num_answered=requests.num_chains - requests.num_open_chains,
        longest=finder.longest,
        max_images=requests.max_images,
        units=entries,
        attempts=attempts,
    )
    board.publish(plan)
    return plan


def _plan_name(board: Board, plan_digest: str) -> str:
    """Return the name of the next plan, or of the newest if it is this one and open.

    One that was drained is not: whoever takes a unit of it gives it back.
    """
    newest = board.find_plan_name()
    number = 1 if newest is None else int(newest[5:9]) + 1
    if newest is not None and newest.endswith(plan_digest):
        is_open = not board.signals(newest)
        number -= is_open
    return f"plan-{number:04d}-{plan_digest}"


class _LongestFinder:
    """Notes the chain with the longest request while chains pass."""

    def __init__(self, requests: RequestPlan) -> None:
        longest = requests.longest
        self._key = None if longest is None else longest.request_key
        self.longest: UnitChain | None = None

    def watch(self, chains: Iterator[Chain]) -> Iterator[Chain]:
        """Yield the chains as they are."""
        for chain in chains:
            step = chain.open_step
            if step is not None and step.request.request_key == self._key:
                self.longest = to_unit_chain(chain)
            yield chain


def _write_units(board: Board, plan: str, units: Iterator[Unit]) -> Iterator[UnitEntry]:
    """Write units, several at a time, and yield the entry of each."""
    written: deque[Future[None]] = deque()
    with ThreadPoolExecutor(WRITES_AT_ONCE) as executor:
        for unit in units:
            write = executor.submit(board.write_unit, plan, unit.name, unit.lines)
            written.append(write)
            if len(written) > WRITES_AT_ONCE:
                written.popleft().result()
            yield UnitEntry(name=unit.name, num_chains=len(unit.lines))
        for write in written:
            write.result()
