"""Publish a build: verify, show the plan, upload in one commit, tag, read back."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from cotbuild.builder.build.build import StoredBuild, refuse_no_build
from cotbuild.builder.build.install import lock_build
from cotbuild.builder.cloud.urls import find_store_url
from cotbuild.builder.hub.names import FILE_PREFIX
from cotbuild.builder.hub.target import ReleaseTarget, RemoteFile, RemoteState
from cotbuild.builder.release.check import (
    VerifyOptions,
    unverifiable_reason,
    verify_folder,
)
from cotbuild.builder.release.compose import (
    GENERATED,
    ReleaseSpec,
    ReleaseTree,
    compose_release,
    example_paths,
    partial_reason,
)
from cotbuild.builder.release.fetch import find_manifest
from cotbuild.builder.release.plan import ReleasePlan, plan_release, refuse_foreign
from cotbuild.builder.storage.temporary import temporary_folder
from cotbuild.builder.ui import Ui
from cotbuild.schemas.errors import ConfigError, PublishError
from cotbuild.schemas.event import Phase
from cotbuild.schemas.manifest import Manifest


@dataclass(frozen=True)
class PublishOptions:
    """How to publish a release; see the flags of `cotbuild publish`."""

    private: bool = False
    """Create a new repo as a private one."""
    dry_run: bool = False
    allow_partial: bool = False
    move_tag: bool = False
    message: str | None = None
    verify: VerifyOptions = field(default_factory=VerifyOptions)


class PublishResult(NamedTuple):
    """What publishing did."""

    manifest: Manifest
    plan: ReleasePlan
    commit: str | None
    """The commit that holds the release; None after a dry run."""
    sent: bool
    """Whether there was anything to commit."""
    tagged: bool
    """Whether the tag was set or moved."""


def publish(
    build_dir: Path,
    target: ReleaseTarget,
    spec: ReleaseSpec,
    options: PublishOptions,
    ui: Ui,
    show: Callable[[str], None],
) -> PublishResult:
    """Publish the build in a directory; `show` receives the plan before anything is sent.

    If interrupted at any point, the target holds either the previous release or this
    one, complete. Raises ConfigError if the target is the build, lies inside it or
    contains it, or is a store that is to be private, DataError if the build is damaged
    or was edited, PublishError if it is incomplete, a tag is taken, or the target
    refuses.
    """
    if options.private:
        _refuse_private_store(target)
    refuse_no_build(build_dir)
    _refuse_overlapping_folder(build_dir, target)
    with (
        lock_build(build_dir),
        temporary_folder() as folder,
    ):
        build = StoredBuild.open(build_dir)
        partial = partial_reason(build.manifest)
        if partial is not None and not options.allow_partial:
            raise PublishError(
                f"{build_dir}: {partial}. Run the same `cotbuild generate` again to retry "
                "them, or publish it marked as partial with --allow-partial."
            )
        _refuse_unverifiable(build)
        if num_failed := build.num_failed:
            ui.say(
                f"{build_dir}: {num_failed} of {build.manifest.num_planned} rationales "
                "are unscored, because requests failed"
            )
        ui.phase(Phase.PLANNING)
        ui.say(f"{build_dir}: verifying before anything is sent")
        _, lines = verify_folder(build_dir, options.verify)
        for line in lines:
            ui.say(f"{build_dir}: {line}")
        tree = compose_release(build, spec, target.name, folder, partial=partial)
        return _Publisher(target, tree, spec.tag, options, ui).publish(show)


def _refuse_overlapping_folder(build_dir: Path, target: ReleaseTarget) -> None:
    if not target.name.startswith(FILE_PREFIX):
        return
    folder = Path(target.name.removeprefix(FILE_PREFIX)).resolve()
    build = build_dir.resolve()
    if folder == build:
        relation = "is"
    elif folder.is_relative_to(build):
        relation = "lies inside"
    elif build.is_relative_to(folder):
        relation = "contains"
    else:
        return
    raise ConfigError(
        f"{target.name!r} {relation} the build {str(build_dir)!r}, whose files the "
        "release could replace. Name a folder beside it."
    )


def _refuse_private_store(target: ReleaseTarget) -> None:
    if find_store_url(target.name) is not None:
        raise ConfigError(
            f"{target.name}: --private is for new repositories on the Hub. Leave it out: "
            "who may read a bucket is set in its own settings."
        )


def _refuse_unverifiable(build: StoredBuild) -> None:
    reason = unverifiable_reason(build.manifest)
    if reason is not None:
        raise PublishError(
            f"{build.folder}: its rows cannot be verified: {reason}. Run `cotbuild "
            "generate` again: it builds from the stored answers and sends no request."
        )


@dataclass(frozen=True)
class _Publisher:
    """Brings the files of a release to its target."""

    target: ReleaseTarget
    tree: ReleaseTree
    tag: str | None
    options: PublishOptions
    ui: Ui

    def publish(self, show: Callable[[str], None]) -> PublishResult:
        manifest = self.tree.manifest
        if not self.options.dry_run:
            self.target.finish_interrupted()
        state = self.target.read_state()
        plan = self._make_plan(state)
        self._show_plan(plan, show)
        published = self._find_published(state, plan)
        if self.options.dry_run:
            return PublishResult(manifest, plan, None, sent=False, tagged=False)
        if published is not None:
            self._check_listed(published, deleted=[])
            return PublishResult(manifest, plan, published, sent=False, tagged=False)
        if state.commit is None:
            state = self.target.create(private=self.options.private)
            plan = self._make_plan(state)
        commit = self._commit(state, plan)
        files = self._check_listed(commit, plan.deleted)
        if plan.uploads:
            self._check_downloads(commit, files, plan.uploads)
        tagged = self._set_tag(state, commit)
        return PublishResult(manifest, plan, commit, not plan.is_empty, tagged)

    def _make_plan(self, state: RemoteState) -> ReleasePlan:
        current = find_manifest(self.target, state)
        ours: set[str] = set()
        if current is not None:
            ours = {
                *GENERATED,
                *(entry.path for entry in current.files),
                *example_paths(current),
            }
        same = self._same_files(state.files)
        plan = plan_release(self.tree.file_sizes(), same, state, ours)
        refuse_foreign(plan, ours, self.target.name)
        return plan

    def _show_plan(self, plan: ReleasePlan, show: Callable[[str], None]) -> None:
        tag = self.tag or "none"
        show(f"{self.target.name}  tag {tag}  licence {self.tree.licence.id}")
        show(f"configs: {', '.join(self.tree.manifest.digests)}")
        for line in plan.lines():
            show(line)

    def _find_published(self, state: RemoteState, plan: ReleasePlan) -> str | None:
        """Return the commit of the tag if it holds this very release, else None.

        Raises PublishError if the tag names another release and must not be moved.
        """
        if self.tag is None or self.tag not in state.tags:
            return None
        tagged = state.tags[self.tag]
        is_newest = tagged == state.commit
        if is_newest and plan.is_empty:
            return tagged
        if self.options.move_tag:
            return None
        if not is_newest and self._is_tagged(self.tag):
            return tagged
        raise PublishError(
            f"{self.target.name}: tag {self.tag!r} names another release, at commit "
            f"{tagged[:12]}. Choose another --tag, or move it with --move-tag."
        )

    def _is_tagged(self, tag: str) -> bool:
        """Whether a tag of an older commit names this very release."""
        try:
            state = self.target.read_state(tag)
        except PublishError:  # a folder keeps no older state
            return False
        is_same_manifest = find_manifest(self.target, state) == self.tree.manifest
        return is_same_manifest and self._same_files(state.files) == {*self.tree.files}

    def _commit(self, state: RemoteState, plan: ReleasePlan) -> str:
        if plan.is_empty and state.commit is not None:
            return state.commit
        message = self.options.message
        if not message:
            fingerprint = self.tree.manifest.fingerprint[:16]
            message = f"{self.tag or 'Release'}: fingerprint {fingerprint}"
        add = {path: self.tree.files[path] for path in plan.uploads}
        self.ui.phase(Phase.UPLOADING)
        with self.ui.counting("bytes") as progress:
            return self.target.commit_files(
                state.commit, add, plan.deleted, message, progress
            )

    def _set_tag(self, state: RemoteState, commit: str) -> bool:
        """Tag the commit; return whether that changed anything."""
        if self.tag is None or state.tags.get(self.tag) == commit:
            return False
        self.target.set_tag(self.tag, commit, move=self.options.move_tag)
        return True

    # -- comparing

    def _same_files(self, files: Mapping[str, RemoteFile]) -> set[str]:
        """Return the paths that the target lists with the bytes of the release."""
        same = set()
        for path, local in self.tree.files.items():
            if path in files and files[path].matches(local):
                same.add(path)
        return same

    def _check_listed(
        self, commit: str, deleted: Collection[str]
    ) -> Mapping[str, RemoteFile]:
        """Return the files of a commit.

        Raises PublishError if a file of the release differs, or a deleted one is there.
        """
        files = self.target.read_state(commit).files
        wrong = sorted(self.tree.files.keys() - self._same_files(files))
        wrong += sorted(files.keys() & {*deleted})
        if wrong:
            raise PublishError(
                f"{self.target.name}: {wrong[0]!r} at commit {commit[:12]} is not what was "
                "published. Run the same command again."
            )
        return files

    def _check_downloads(
        self, commit: str, files: Mapping[str, RemoteFile], paths: Collection[str]
    ) -> None:
        """Download some files of a commit; raise PublishError if any byte differs."""
        self.ui.phase(Phase.DOWNLOADING)
        with (
            temporary_folder() as folder,
            self.ui.counting("bytes read back") as progress,
        ):
            self.target.fetch_files(paths, commit, folder, progress)
            for path in paths:
                if not files[path].matches(folder / path):
                    raise PublishError(
                        f"{self.target.name}: {path!r} was read back with other bytes. "
                        "Run the same command again."
                    )
