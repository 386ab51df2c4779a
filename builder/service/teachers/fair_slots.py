"""Shares the request slots of one server fairly: first among owners, then among jobs.

No IO and no clock; `slot_gate.py` makes requests wait for what is decided here.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(eq=False, slots=True)
class Ticket:
    """One request that waits for a slot, or has one."""

    owner: str
    job: str
    has_slot: bool = False


@dataclass(slots=True)
class _Lane:
    """The requests of one job."""

    owner: str
    queue: deque[Ticket] = field(default_factory=deque)
    in_flight: int = 0
    served: int = 0
    """Number of the last grant to this job, of all grants; 0 before the first."""


@dataclass(slots=True)
class _Share:
    """What one owner has of the server."""

    in_flight: int = 0
    served: int = 0
    """Number of the last grant to this owner, of all grants; 0 before the first."""


class FairSlots:
    """Decides which request gets the next free slot.

    A slot goes to the owner with the fewest requests in flight relative to its weight;
    among equals, to the one that was served least recently; likewise to one of the
    owner's jobs, and in order of arrival within a job. Thus

    - no slot stays free while a request waits (one owner alone has all of them),
    - owners who always have requests waiting hold slots in proportion to their weights,
      however many jobs or requests each of them has, and
    - an owner without a request in flight is served after at most one grant to each
      other owner.

    Args:
        capacity: The number of slots, at least 1.
        weights: Weight of an owner; 1 for those not named.
    """

    def __init__(
        self, capacity: int, weights: Mapping[str, float] | None = None
    ) -> None:
        if capacity < 1:
            raise ValueError(f"capacity is {capacity}, expected at least 1")
        self.capacity = capacity
        self._weights = dict(weights or {})
        self._lanes: dict[str, _Lane] = {}
        self._shares: dict[str, _Share] = {}
        self.num_grants = 0
        self.in_flight = 0
        self.queued = 0

    def enqueue(self, owner: str, job: str) -> Ticket:
        """Append a request of a job; `grant` decides when it has its slot.

        A job has one owner: ValueError for another.
        """
        lane = self._lanes.setdefault(job, _Lane(owner))
        if lane.owner != owner:
            raise ValueError(f"job {job!r} is of {lane.owner!r}, not of {owner!r}")
        self._shares.setdefault(owner, _Share())
        ticket = Ticket(owner, job)
        lane.queue.append(ticket)
        self.queued += 1
        return ticket

    def grant(self) -> Ticket | None:
        """Give the next free slot away; None if none is free or nothing waits."""
        if self.in_flight >= self.capacity or not self.queued:
            return None
        lane = self._choose_lane(self._choose_owner())
        ticket = lane.queue.popleft()
        ticket.has_slot = True
        share = self._shares[lane.owner]
        self.num_grants += 1
        lane.served = share.served = self.num_grants
        lane.in_flight += 1
        share.in_flight += 1
        self.in_flight += 1
        self.queued -= 1
        return ticket

    def release(self, ticket: Ticket) -> None:
        """Take back the slot of a request, or drop one that still waits."""
        lane = self._lanes[ticket.job]
        if ticket.has_slot:
            ticket.has_slot = False
            lane.in_flight -= 1
            self._shares[ticket.owner].in_flight -= 1
            self.in_flight -= 1
        else:
            lane.queue.remove(ticket)
            self.queued -= 1

    def forget(self, job: str) -> None:
        """Drop what is known of a job that has no request left."""
        lane = self._lanes.get(job)
        if lane is None or lane.queue or lane.in_flight:
            return
        del self._lanes[job]
        if all(other.owner != lane.owner for other in self._lanes.values()):
            del self._shares[lane.owner]

    def load_of(self, job: str) -> tuple[int, int]:
        """Return how many requests of a job are in flight, and how many wait."""
        lane = self._lanes.get(job)
        return (0, 0) if lane is None else (lane.in_flight, len(lane.queue))

    def _choose_owner(self) -> str:
        owners = {lane.owner for lane in self._lanes.values() if lane.queue}
        return min(owners, key=self._rank_of_owner)

    def _rank_of_owner(self, owner: str) -> tuple[float, int, str]:
        share = self._shares[owner]
        weight = self._weights.get(owner, 1.0)
        # The name decides between owners who were never served, so that the order does
        # not depend on the hash of a set.
        return share.in_flight / weight, share.served, owner

    def _choose_lane(self, owner: str) -> _Lane:
        lanes = (
            lane for lane in self._lanes.values() if lane.owner == owner and lane.queue
        )
        return min(lanes, key=lambda lane: (lane.in_flight, lane.served))
