"""What publishing would change at a target. Pure."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from cotbuild.builder.build.directory import CARD
from cotbuild.builder.hub.target import RemoteState
from cotbuild.schemas.errors import PublishError

MAX_LISTED = 12
"""Paths listed of each kind; of the rest only the number is shown."""


@dataclass(frozen=True)
class ReleasePlan:
    """The files of a release by what happens to them, each with its size in bytes."""

    new: dict[str, int]
    changed: dict[str, int]
    unchanged: dict[str, int]
    deleted: dict[str, int]

    @property
    def is_empty(self) -> bool:
        """Whether the target already holds this release and no older file of ours."""
        return not (self.new or self.changed or self.deleted)

    @property
    def uploads(self) -> list[str]:
        """The paths to upload, sorted."""
        return sorted([*self.new, *self.changed])

    def lines(self) -> Iterator[str]:
        """Yield the plan as lines for users."""
        yield from _list_files("new", self.new, MAX_LISTED)
        yield from _list_files("changed", self.changed, MAX_LISTED)
        yield from _list_files("unchanged", self.unchanged, 0)
        yield from _list_files("deleted", self.deleted, MAX_LISTED)


def _list_files(kind: str, sizes: Mapping[str, int], max_listed: int) -> Iterator[str]:
    """Yield a summary of files and, unless `max_listed` is 0, the first of them."""
    yield f"{kind:<9} {len(sizes)} files, {sum(sizes.values()):,} bytes"
    if max_listed == 0:
        return
    for path, size in list(sizes.items())[:max_listed]:
        yield f"  {path}  {size:,}"
    if len(sizes) > max_listed:
        yield f"  … and {len(sizes) - max_listed} more"


def plan_release(
    sizes: Mapping[str, int],
    same: Collection[str],
    state: RemoteState,
    ours: Collection[str],
) -> ReleasePlan:
    """Compare a release with what its target holds.

    `sizes` are the files of the release in bytes, `same` those that the target has with
    the same bytes, `ours` the files of the release that is there now. Other files at
    the target are a user's own and stay.
    """
    plan = ReleasePlan(new={}, changed={}, unchanged={}, deleted={})
    for path, size in sizes.items():
        if path in same:
            plan.unchanged[path] = size
        elif path in state.files:
            plan.changed[path] = size
        else:
            plan.new[path] = size
    for path in sorted(state.files.keys() & {*ours} - sizes.keys()):
        plan.deleted[path] = state.files[path].num_bytes
    return plan


def refuse_foreign(plan: ReleasePlan, ours: Collection[str], target: str) -> None:
    """Raise PublishError if a file that is not `ours` would be overwritten.

    A card may be: the Hub and users create one with a new repo.
    """
    foreign = sorted(plan.changed.keys() - {*ours, CARD})
    if foreign:
        raise PublishError(
            f"{target}: {foreign[0]!r} exists and is not part of a release by cotbuild. "
            "Move it away, or publish under another name."
        )
