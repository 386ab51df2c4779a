"""The table of a measurement, and what to do with it, as lines. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from cotbuild.builder.bench.levels import Level, find_knee, still_rises
from cotbuild.builder.visible import shell_join

HEADER = (
    f"{'in flight':>9}  {'requests':>8}  {'tokens/s':>9}  {'requests/s':>10}  "
    f"{'p50 s':>7}  {'p99 s':>7}  {'failed':>6}  {'retried':>7}"
)


@dataclass(frozen=True, slots=True)
class Target:
    """What was measured."""

    words: tuple[str, ...]
    """The options that name the teacher, such as --teacher and --endpoint."""
    num_servers: int
    max_num_seqs: int | None = None
    """Sequences that a server decodes together, where cotbuild starts it."""


class Shortfall(NamedTuple):
    """A limit that is lower than a measurement needs."""

    option: str
    limit: int
    needed: int


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A level that was not started, as a limit would have cut it short."""

    concurrency: int
    shortfalls: tuple[Shortfall, ...]

    @property
    def reason(self) -> str:
        """The limits, as the user passed them."""
        return " and ".join(f"{one.option} {one.limit}" for one in self.shortfalls)


def format_left_out(left_out: LeftOut) -> str:
    """Return a line about a level that was not measured, with the limits it needs."""
    words = [
        word
        for shortfall in left_out.shortfalls
        for word in (shortfall.option, str(shortfall.needed))
    ]
    return (
        f"left out: {left_out.concurrency:,} in flight; to measure it: "
        f"{shell_join(words)}"
    )


def format_level(level: Level) -> str:
    """Return a line of the table."""
    return (
        f"{level.concurrency:>9,}  {level.num_requests:>8,}  "
        f"{_number(level.tokens_per_s):>9}  {level.requests_per_s:>10,.2f}  "
        f"{_seconds(level.p50_s):>7}  {_seconds(level.p99_s):>7}  "
        f"{level.num_failed:>6,}  {level.num_retried:>7,}"
    )


def advice_lines(
    levels: Sequence[Level], target: Target, left_out: LeftOut | None = None
) -> list[str]:
    """Return what the levels suggest, and why; the last line is to be copied."""
    knee = find_knee(levels)
    if knee is None:
        return ["no level had enough answers to suggest anything"]
    lines = [_describe_knee(levels, knee)]
    if still_rises(levels):
        lines.append(_describe_rise(levels[-1], target, left_out))
    else:
        lines += _describe_waiting(levels, knee)
    per_server = math.ceil(knee.concurrency / target.num_servers)
    return [*lines, f"use: {_command(per_server, target)}"]


def _describe_knee(levels: Sequence[Level], knee: Level) -> str:
    best = max((level for level in levels if level.is_usable), key=lambda one: one.rate)
    name = "requests/s" if best.tokens_per_s is None else "tokens/s"
    if best is knee:
        return f"best: {_number(best.rate)} {name} with {knee.concurrency:,} in flight"
    share = knee.rate / best.rate
    return (
        f"best: {_number(best.rate)} {name} with {best.concurrency:,} in flight; "
        f"{knee.concurrency:,} reach {share:.0%} of that"
    )


def _describe_rise(last: Level, target: Target, left_out: LeftOut | None) -> str:
    rise = f"the rate still rose at {last.concurrency:,}, the most that was tried"
    if left_out is not None:
        return rise
    words = ["--max-concurrency", str(2 * last.concurrency)]
    if target.max_num_seqs is not None:
        per_server = math.ceil(2 * last.concurrency / target.num_servers)
        words += ["--set", f"teacher.server.max_num_seqs={per_server}"]
    return f"{rise}; to measure on: {shell_join(words)}"


def _describe_waiting(levels: Sequence[Level], knee: Level) -> list[str]:
    """Say what more requests in flight cost, where that was measured."""
    last = levels[-1]
    if last.concurrency <= knee.concurrency or knee.p50_s is None or last.p50_s is None:
        return []
    return [
        f"more only wait longer: p50 {_seconds(knee.p50_s)} s with {knee.concurrency:,} "
        f"in flight, {_seconds(last.p50_s)} s with {last.concurrency:,}"
    ]


def _command(per_server: int, target: Target) -> str:
    words = ["cotbuild", "generate", *target.words]
    if target.max_num_seqs is None:
        words += ["--window", str(per_server)]
    elif per_server != target.max_num_seqs:
        words += ["--set", f"teacher.server.max_num_seqs={per_server}"]
    return shell_join(words)


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _seconds(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
