"""What one process knows of the units of a plan, from lists of the board's files."""

import math

from cotbuild.builder.generate.workers.board import (
    Board,
    LeaseFile,
    UnitState,
    group_of,
    lease_path,
)
from cotbuild.schemas.work import Lease, WorkPlan

VIEW_S = 10.0
"""Seconds for which a list of a group's files is believed."""


class PlanView:
    """The units of a plan, group by group. A group that is done is not listed again.

    Args:
        board: The board.
        plan: The plan.
        lease_s: Seconds that a lease lasts without a renewal.
    """

    def __init__(self, board: Board, plan: WorkPlan, lease_s: float) -> None:
        self.board = board
        self.plan = plan
        self.units: dict[str, list[str]] = {}
        """The units of each group, in plan order."""
        for entry in plan.units:
            self.units.setdefault(group_of(entry.name), []).append(entry.name)
        self._lease_s = lease_s
        self._open_groups = dict.fromkeys(self.units)  # an ordered set
        self._open_units = dict(self.units)
        self._states: dict[str, dict[str, UnitState]] = {}
        self._listed_at: dict[str, float] = {}
        # Of each group, by the paths of the leases that its last list showed: when a
        # path was first seen, and the lease, which never changes.
        self._seen_at: dict[str, dict[str, float]] = {}
        self._leases: dict[str, dict[str, Lease | None]] = {}

    @property
    def open_groups(self) -> list[str]:
        """The groups with a unit that is not known to be done, in plan order."""
        return list(self._open_groups)

    @property
    def is_finished(self) -> bool:
        """Whether every unit is known to be done."""
        return not self._open_groups

    def is_done(self, group: str) -> bool:
        """Whether every unit of a group is known to be done."""
        return group not in self._open_groups

    def refresh(self, group: str, max_age_s: float = 0.0) -> bool:
        """List the files of a group, unless that was done `max_age_s` ago or later.

        Returns whether it did.
        """
        now = self.board.clock()
        if now - self._listed_at.get(group, -math.inf) < max_age_s:
            return False
        states = self.board.list_states(self.plan.name, group)
        self._states[group], self._listed_at[group] = states, now
        self._keep_shown(group, states, now)
        self._open_units[group] = [
            unit
            for unit in self.units[group]
            if unit not in states or not states[unit].is_done
        ]
        if not self._open_units[group]:
            self._forget(group)
        return True

    def refresh_all(self, max_age_s: float = 0.0) -> None:
        """Do so with every open group."""
        for group in self.open_groups:
            self.refresh(group, max_age_s)

    def open_units(self, group: str) -> list[str]:
        """Return the units of a group that its last list showed open, in plan order."""
        return self._open_units.get(group, [])

    def state(self, unit: str) -> UnitState:
        """Return what is known of a unit."""
        group = group_of(unit)
        if group in self._states:
            return self._states[group].get(unit, UnitState())
        return UnitState(is_done=group not in self._open_groups)

    def note_done(self, unit: str) -> None:
        """Note that a unit is done."""
        self._known_state(unit).is_done = True

    def note_state(self, unit: str, state: UnitState) -> None:
        """Note what a list of one unit showed."""
        self._states.setdefault(group_of(unit), {})[unit] = state

    def note_taken(self, unit: str, number: int, *, is_second: bool) -> None:
        """Note that a lease with this number exists, before the next list shows it."""
        now = self.board.clock()
        state = self._known_state(unit)
        path = lease_path(self.plan.name, unit, number, is_second=is_second)
        file = LeaseFile(path, number, now, is_released=False)
        if is_second:
            state.second = file
        else:
            state.first = file

    def is_live(self, file: LeaseFile | None) -> bool:
        """Whether a lease keeps others off: not given back, and not expired.

        It is read only where it was not renewed for as long as it lasts, by the clock
        of the store or by what was seen of it here: their clocks may differ.
        """
        if file is None or file.is_released:
            return False
        now = self.board.clock()
        seen_at = self._seen_at.get(_group_of_path(file.path), {}).get(file.path, now)
        if now - file.modified_s < self._lease_s and now - seen_at < self._lease_s:
            return True
        lease = self.read_lease(file)
        return lease is not None and lease.expires_at > now

    def read_lease(self, file: LeaseFile) -> Lease | None:
        """Return a lease; None where it is gone."""
        leases = self._leases.setdefault(_group_of_path(file.path), {})
        if file.path not in leases:
            leases[file.path] = self.board.read_lease(file)
        return leases[file.path]

    def _keep_shown(self, group: str, states: dict[str, UnitState], now: float) -> None:
        """Drop what is known of leases that a list of their group shows no longer.

        Each renewal is a new file: a long run would otherwise keep every one of them.
        """
        files = [file for state in states.values() for file in state.newest]
        seen_at, leases = self._seen_at.get(group, {}), self._leases.get(group, {})
        self._seen_at[group] = {
            file.path: seen_at.get(file.path, now) for file in files
        }
        self._leases[group] = {
            file.path: leases[file.path] for file in files if file.path in leases
        }

    def _known_state(self, unit: str) -> UnitState:
        states = self._states.setdefault(group_of(unit), {})
        return states.setdefault(unit, UnitState())

    def _forget(self, group: str) -> None:
        """Drop what is known of a group that is done."""
        self._open_groups.pop(group, None)
        for known in (self._open_units, self._states, self._seen_at, self._leases):
            known.pop(group, None)


def _group_of_path(path: str) -> str:
    """Return the group that a lease's path names."""
    return path.split("/")[2]
