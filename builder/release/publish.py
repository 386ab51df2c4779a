"""Publishing: check, show, upload what differs in one commit, tag, read back."""

import tempfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from cotbuild.builder.build.build import Build
from cotbuild.builder.hub.names import FILE_PREFIX
from cotbuild.builder.hub.target import ReleaseTarget, RemoteFile, RemoteState
from cotbuild.builder.release.check import (
    VerifyOptions,
    check,
    standing_manifest,
    too_old,
)
from cotbuild.builder.release.compose import (
    GENERATED,
    ReleaseSpec,
    ReleaseTree,
    compose,
)
from cotbuild.builder.release.plan import ReleasePlan, plan_release, refuse_foreign
from cotbuild.builder.storage.answer_store import AnswerStore
from cotbuild.builder.ui import Ui
from cotbuild.schemas.completion import FailureKind
from cotbuild.schemas.errors import ConfigError, PublishError
from cotbuild.schemas.manifest import Manifest


@dataclass(frozen=True)
class PublishOptions:
    """What else the publisher decides; see the flags of `cotbuild publish`."""

    private: bool = False
    dry_run: bool = False
    allow_partial: bool = False
    move_tag: bool = False
    message: str | None = None


class PublishResult(NamedTuple):
    """What publishing did."""

    manifest: Manifest
    plan: ReleasePlan
    commit: str | None
    """Where the release stands; None: a dry run."""
    sent: bool
    tagged: bool


def publish(
    build_dir: Path,
    target: ReleaseTarget,
    wish: ReleaseSpec,
    how: PublishOptions,
    checks: VerifyOptions,
    ui: Ui,
    show: Callable[[str], None],
) -> PublishResult:
    """Bring a build to a target. `show` is told the plan, before anything is sent.

    Raises DataError where the build is not whole or was edited, PublishError where it
    is incomplete, a tag is taken, or the target refuses. Whatever the moment it is
    stopped: the target holds the release before or this one, whole.
    """
    _refuse_own_folder(build_dir, wish.target)
    with (
        AnswerStore(build_dir).hold(),
        tempfile.TemporaryDirectory(prefix="cotbuild-") as made,
    ):
        build = Build.open(build_dir)
        wish = _refuse_incomplete(build, wish, allow=how.allow_partial)
        _refuse_old(build)
        ui.say(f"{build_dir}: checking before anything is sent")
        _, checked = check(build_dir, checks)
        for line in checked:
            ui.say(f"{build_dir}: {line}")
        tree = compose(build, wish, Path(made))
        return _Publishing(target, tree, wish, how, ui).run(show)


def _refuse_own_folder(build_dir: Path, target: str) -> None:
    if (
        target.startswith(FILE_PREFIX)
        and Path(target.removeprefix(FILE_PREFIX)).resolve() == build_dir.resolve()
    ):
        raise ConfigError(f"{target!r}: the build itself. Expected another folder.")


def _refuse_incomplete(build: Build, wish: ReleaseSpec, *, allow: bool) -> ReleaseSpec:
    """Return the wish, marked as partial where the build is.

    Raises PublishError where that must not be.
    """
    manifest = build.manifest
    left = sum(
        manifest.failures.get(kind, 0)
        for kind in FailureKind
        if kind is not FailureKind.REJECTED
    )
    if not left:
        return wish
    why = f"{left} of {manifest.num_planned} rationales failed and may pass when they are asked again"
    if not allow:
        raise PublishError(
            f"{build.folder}: {why}. Expected a complete build. Run the same `cotbuild generate` again, or publish it "
            "marked as partial with --allow-partial."
        )
    return wish._replace(partial=why)


def _refuse_old(build: Build) -> None:
    if why := too_old(build.manifest):
        raise PublishError(
            f"{build.folder}: {why}. Expected rows that can be checked by whoever gets them. Run `cotbuild generate` "
            "again: it asks nothing, and builds from the answers at hand."
        )


@dataclass(frozen=True)
class _Publishing:
    target: ReleaseTarget
    tree: ReleaseTree
    wish: ReleaseSpec
    how: PublishOptions
    ui: Ui

    def run(self, show: Callable[[str], None]) -> PublishResult:
        if not self.how.dry_run:
            self.target.finish_interrupted()
        state = self.target.read_state()
        plan = self._plan(state)
        self._show(plan, show)
        taken = self._taken(state, plan)
        if self.how.dry_run:
            return PublishResult(self.tree.manifest, plan, None, False, False)
        if taken is not None:
            self._read_back(taken, plan, [])
            return PublishResult(self.tree.manifest, plan, taken, False, False)
        if state.commit is None:
            state = self.target.create(private=self.how.private)
            plan = self._plan(state)
        commit = self._send(state, plan)
        self._read_back(commit, plan, plan.sent)
        return PublishResult(
            self.tree.manifest,
            plan,
            commit,
            not plan.is_empty,
            self._tag(state, commit),
        )

    def _plan(self, state: RemoteState) -> ReleasePlan:
        standing = standing_manifest(self.target, state)
        ours = (
            set()
            if standing is None
            else {*GENERATED, *(entry.path for entry in standing.files)}
        )
        plan = plan_release(self.tree.sizes(), self._same(state), state, ours)
        refuse_foreign(plan, ours, self.target.name)
        return plan

    def _same(self, state: RemoteState) -> set[str]:
        return {path for path in self.tree.files if self._is_there(path, state.files)}

    def _is_there(self, path: str, files: Mapping[str, RemoteFile]) -> bool:
        return path in files and files[path].matches(self.tree.files[path])

    def _show(self, plan: ReleasePlan, show: Callable[[str], None]) -> None:
        show(
            f"{self.target.name}  tag {self.wish.tag or 'none'}  licence {self.tree.licence.id}"
        )
        show(f"configs: {', '.join(self.tree.manifest.digests)}")
        for line in plan.lines():
            show(line)

    def _taken(self, state: RemoteState, plan: ReleasePlan) -> str | None:
        """The commit of the tag, where it is this very release; None: there is
        something to do.

        Raises PublishError where the tag names another release and is not to be moved.
        """
        tag = self.wish.tag
        if tag is None or tag not in state.tags:
            return None
        there = state.tags[tag]
        if there == state.commit and plan.is_empty:
            return there
        if self.how.move_tag:
            return None
        if there != state.commit and self._tagged_is_this(tag):
            return there
        raise PublishError(
            f"{self.target.name}: tag {tag!r} names another release, at {there[:12]}. Expected a new tag. Take the "
            "next version as --tag, or move it with --move-tag."
        )

    def _tagged_is_this(self, tag: str) -> bool:
        try:
            state = self.target.read_state(tag)
        except PublishError:  # a folder keeps no older state
            return False
        standing = standing_manifest(self.target, state)
        return standing == self.tree.manifest and len(self._same(state)) == len(
            self.tree.files
        )

    def _send(self, state: RemoteState, plan: ReleasePlan) -> str:
        if plan.is_empty and state.commit is not None:
            return state.commit
        message = (
            self.how.message
            or f"{self.wish.tag or 'Release'}: fingerprint {self.tree.manifest.fingerprint[:16]}"
        )
        add = {path: self.tree.files[path] for path in plan.sent}
        with self.ui.counting("bytes") as progress:
            return self.target.commit_files(
                state.commit, add, plan.deleted, message, progress
            )

    def _read_back(self, commit: str, plan: ReleasePlan, sent: Collection[str]) -> None:
        """Ask the target what stands there now, and fetch what was sent.

        Raises PublishError where a byte differs.
        """
        files = self.target.read_state(commit).files
        wrong = [path for path in self.tree.files if not self._is_there(path, files)]
        wrong += sorted(plan.deleted.keys() & files.keys()) if sent else []
        if wrong:
            raise PublishError(
                f"{self.target.name}: {wrong[0]!r} at {commit[:12]} is not what was published. Expected the same "
                "bytes. Run the same command again."
            )
        if not sent:
            return
        with (
            tempfile.TemporaryDirectory(prefix="cotbuild-") as name,
            self.ui.counting("bytes read back") as progress,
        ):
            self.target.fetch_files(sent, commit, Path(name), progress)
            for path in sent:
                if not files[path].matches(Path(name) / path):
                    raise PublishError(
                        f"{self.target.name}: {path!r} reads back with other bytes. Run again."
                    )

    def _tag(self, state: RemoteState, commit: str) -> bool:
        tag = self.wish.tag
        if tag is None or state.tags.get(tag) == commit:
            return False
        self.target.set_tag(tag, commit, move=self.how.move_tag)
        return True
