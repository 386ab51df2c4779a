"""Decides which teacher runs next, where not all that are wanted can run at once.

No IO and no clock.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

OVERTAKE_S = 900.0
"""A running teacher accepts further jobs for as long while another one is waited for."""


class Decision(Enum):
    """What happens to a job."""

    JOIN = "join"
    """Its teacher runs and accepts it."""
    START = "start"
    """Its teacher can be started."""
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A job without a teacher yet."""

    key: str
    """Of the teacher that it needs."""
    since_s: float


def decide(
    job: Wanted,
    running: Mapping[str, int],
    waiting: Sequence[Wanted],
    limit: int,
    now_s: float,
) -> Decision:
    """Decide on one job.

    Args:
        job: The job.
        running: Teachers that run, start or stop, and how many jobs have each.
        waiting: All jobs without a teacher, this one or not.
        limit: The most teachers that run at once.
        now_s: On the clock of `Wanted.since_s`.
    """
    others_s = [other.since_s for other in waiting if other.key not in running]
    if job.key in running:
        is_overtaking = others_s and now_s - min(others_s) > OVERTAKE_S
        return Decision.WAIT if is_overtaking else Decision.JOIN
    has_room = len(running) < limit
    is_first = all(
        job.since_s <= other.since_s or other.key == job.key
        for other in waiting
        if other.key not in running
    )
    return Decision.START if has_room and is_first else Decision.WAIT


def choose_to_stop(
    running: Mapping[str, int],
    stopping: Collection[str],
    waiting: Sequence[Wanted],
    limit: int,
) -> list[str]:
    """Return the idle teachers to stop because others are waited for.

    Without that an idle one stays up until its time is over.
    """
    wanted = {job.key for job in waiting if job.key not in running}
    num_missing = len(wanted) - (limit - len(running)) - len(stopping)
    needed = {job.key for job in waiting}
    idle = [
        key
        for key, num_jobs in running.items()
        if num_jobs == 0 and key not in stopping and key not in needed
    ]
    return idle[: max(num_missing, 0)]
