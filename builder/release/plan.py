"""What publishing would change at a target. Pure."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from cotbuild.builder.build.directory import CARD
from cotbuild.builder.hub.target import RemoteState
from cotbuild.schemas.errors import PublishError

SHOWN = 12
"""Paths listed of each kind; of more only their number."""


@dataclass(frozen=True)
class ReleasePlan:
    """Paths to bytes, by what becomes of them."""

    new: dict[str, int]
    changed: dict[str, int]
    unchanged: dict[str, int]
    deleted: dict[str, int]

    @property
    def is_empty(self) -> bool:
        """Whether the target holds all of it already, and nothing of an older release."""
        return not (self.new or self.changed or self.deleted)

    @property
    def sent(self) -> list[str]:
        """Paths that go up."""
        return sorted([*self.new, *self.changed])

    def lines(self) -> Iterator[str]:
        """The plan for people."""
        for kind in ("new", "changed", "unchanged", "deleted"):
            files: dict[str, int] = getattr(self, kind)
            yield f"{kind:<9} {len(files)} files, {sum(files.values()):,} bytes"
            if kind != "unchanged":
                yield from (
                    f"  {path}  {size:,}" for path, size in list(files.items())[:SHOWN]
                )
                if len(files) > SHOWN:
                    yield f"  … and {len(files) - SHOWN} more"


def plan_release(
    sizes: Mapping[str, int],
    same: Collection[str],
    state: RemoteState,
    ours: Collection[str],
) -> ReleasePlan:
    """`sizes`: the release's files; `same`: those that stand at the target with the
    same bytes; `ours`: what a release that stands there put there. All else at the
    target is somebody's own and stays.
    """
    return ReleasePlan(
        new={path: size for path, size in sizes.items() if path not in state.files},
        changed={
            path: size
            for path, size in sizes.items()
            if path in state.files and path not in same
        },
        unchanged={path: size for path, size in sizes.items() if path in same},
        deleted={
            path: state.files[path].num_bytes
            for path in sorted({*ours} & state.files.keys() - sizes.keys())
        },
    )


def refuse_foreign(plan: ReleasePlan, ours: Collection[str], where: str) -> None:
    """Raise PublishError where a file of somebody's own would be overwritten, but for a
    card.
    """
    if taken := sorted(plan.changed.keys() - {*ours, CARD}):
        raise PublishError(
            f"{where}: {taken[0]!r} stands there and is not of a release of cotbuild. Expected room for ours. Move it "
            "away, or publish under another name."
        )
