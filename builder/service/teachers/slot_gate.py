"""Makes requests wait for their slot, in the order that FairSlots decides."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from cotbuild.builder.service.teachers.fair_slots import FairSlots, Ticket


class SlotGate:
    """The slots of one server, for the tasks of one event loop.

    Args:
        slots: What decides; a gate that is not yet open grants nothing.
    """

    def __init__(self, slots: FairSlots) -> None:
        self.slots = slots
        self._is_open = False
        self._turns: dict[Ticket, asyncio.Future[None]] = {}
        self._idle = asyncio.Event()
        self._idle.set()

    @contextlib.asynccontextmanager
    async def slot(self, owner: str, job: str) -> AsyncIterator[None]:
        """Hold a slot within the block, after waiting for it."""
        ticket = self.slots.enqueue(owner, job)
        turn = asyncio.get_running_loop().create_future()
        self._turns[ticket] = turn
        self._grant()
        try:
            await turn
            yield
        finally:
            self._turns.pop(ticket, None)
            self.slots.release(ticket)
            self._grant()

    def open(self, capacity: int) -> None:
        """Grant up to `capacity` slots from now on."""
        self.slots.capacity = capacity
        self._is_open = True
        self._grant()

    async def close(self) -> None:
        """Grant no further slot; return once none is in use."""
        self._is_open = False
        await self._idle.wait()

    def _grant(self) -> None:
        while self._is_open and (ticket := self.slots.grant()) is not None:
            turn = self._turns.pop(ticket)
            # One that was cancelled gives its slot back when its task runs next.
            if not turn.done():
                turn.set_result(None)
        if self.slots.in_flight:
            self._idle.clear()
        else:
            self._idle.set()
