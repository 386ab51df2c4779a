"""A dataset repo on the Hub as a target of releases, through the Hub's own client."""

import logging
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, TypeVar

from cotbuild.builder.hub.errors import (
    MAX_WAIT_S,
    STALE,
    cause,
    foreign_errors,
    publish_error,
    status_of,
    wait_s,
)
from cotbuild.builder.hub.names import repo_name, tag_name
from cotbuild.builder.hub.target import Progress, RemoteFile, RemoteState
from cotbuild.schemas.errors import PublishError

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd

T = TypeVar("T")
ATTEMPTS = 3
"""Of one question.

Uploads and lists the client also asks again by itself, five times in 23 s.
"""
GROUP = 8
"""Files uploaded between two reports of progress; the client sends five at a time."""


class HubRepo:
    """A dataset repo. The token is HF_TOKEN or the stored login, which the client finds
    by itself, unless given here.

    `say` is told in a line how long the Hub asks to wait.
    """

    def __init__(
        self,
        name: str,
        *,
        endpoint: str | None = None,
        token: str | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Raises ConfigError where `name` is not ORG/NAME."""
        # Half a second, and only releases on the Hub need it.
        from huggingface_hub import HfApi

        self.name = repo_name(name)
        self._api = HfApi(endpoint=endpoint, token=token)
        self._repo: dict[str, Any] = {"repo_id": self.name, "repo_type": "dataset"}
        self._say = say

    # -- Target

    def recover(self) -> None:
        """Do nothing: the Hub makes a commit at once or not at all."""

    def state(self, revision: str | None = None) -> RemoteState:
        from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

        try:
            heads, tags = self._refs()
        except PublishError as error:
            fault = error.__cause__ and cause(error.__cause__)
            missing = isinstance(fault, RepositoryNotFoundError) and not isinstance(
                fault, GatedRepoError
            )
            if revision is not None or not missing:
                raise
            return RemoteState(None, {}, {})
        commit = heads.get("main") if revision is None else self._commit_of(revision)
        return RemoteState(commit, self._files(commit) if commit else {}, tags)

    def create(self, *, private: bool) -> RemoteState:
        self._ask(
            lambda: self._api.create_repo(**self._repo, private=private, exist_ok=True)
        )
        return self.state()

    def commit(
        self,
        parent: str | None,
        add: Mapping[str, Path],
        delete: Iterable[str],
        message: str,
        progress: Progress,
    ) -> str:
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        if lost := [path for path, local in add.items() if not local.is_file()]:
            raise PublishError(
                f"{self.name}: {lost[0]!r} is not in the build. Expected a file. Build again."
            )
        # Before gigabytes are sent. The commit itself names its parent and is refused
        # where it is not the newest then.
        if (newest := self._refs()[0].get("main")) != parent:
            raise self._stale(parent, newest)
        adds = [CommitOperationAdd(path, local) for path, local in sorted(add.items())]
        gone = sorted(set(delete))
        with _quiet():
            self._upload(adds, progress)
            deletes = [CommitOperationDelete(path, is_folder=False) for path in gone]
            put = partial(
                self._api.create_commit,
                **self._repo,
                commit_message=message,
                parent_commit=parent,
            )
            try:
                return self._ask(lambda: put(operations=[*adds, *deletes]).oid)
            except PublishError as error:
                return self._own_commit(error, add, gone)

    def tag(self, name: str, commit: str, *, move: bool) -> None:
        there = self._commit_of(tag_name(name)) if name in self._refs()[1] else None
        if there == commit:
            return
        if there is not None and not move:
            raise PublishError(
                f"{self.name}: tag {name!r} is at commit {there[:12]} already. Expected a new tag for {commit[:12]}. "
                "Take the next version as --tag, or move it with --move-tag."
            )
        if there is not None:
            self._ask(lambda: self._api.delete_tag(**self._repo, tag=name))
        # With exist_ok, since the answer to a first attempt may have been lost.
        self._ask(
            lambda: self._api.create_tag(
                **self._repo, tag=name, revision=commit, exist_ok=True
            ),
            commit,
        )
        if (there := self._commit_of(name)) != commit:
            raise PublishError(
                f"{self.name}: somebody put tag {name!r} at {there[:12]} meanwhile. Expected {commit[:12]}. Run again."
            )

    def fetch(
        self, paths: Iterable[str], commit: str, folder: Path, progress: Progress
    ) -> None:
        files = self._files(commit)
        wanted = {path: self._file(files, path, commit) for path in sorted(set(paths))}
        done, total = 0, sum(file.num_bytes for file in wanted.values())
        with _quiet():
            for path, file in wanted.items():
                if not file.is_at(folder / path):
                    self._fetch_one(path, file, commit, folder)
                done += file.num_bytes
                # Not within a file: of its bars the client tells bytes over HTTP and
                # over Xet in two ways of its own.
                progress(done, total)
        _tidy(folder / ".cache")

    # -- what they are made of

    def _refs(self) -> tuple[dict[str, str], dict[str, str]]:
        """Branches and tags, each to what it names."""
        refs = self._ask(lambda: self._api.list_repo_refs(**self._repo))
        return {ref.name: ref.target_commit for ref in refs.branches}, {
            ref.name: ref.target_commit for ref in refs.tags
        }

    def _commit_of(self, revision: str) -> str:
        info = self._ask(
            lambda: self._api.repo_info(**self._repo, revision=revision, timeout=30),
            revision,
        )
        if info.sha is None:
            raise PublishError(
                f"{self.name}: the Hub names no commit for {revision!r}. Expected one. Run again later."
            )
        return info.sha

    def _files(self, commit: str) -> dict[str, RemoteFile]:
        from huggingface_hub.hf_api import RepoFile

        entries = self._ask(
            lambda: list(
                self._api.list_repo_tree(**self._repo, revision=commit, recursive=True)
            ),
            commit,
        )
        files = [entry for entry in entries if isinstance(entry, RepoFile)]
        return {
            file.path: RemoteFile(file.size, file.lfs.sha256, None)
            if file.lfs
            else RemoteFile(file.size, None, file.blob_id)
            for file in files
        }

    def _upload(self, adds: "list[CommitOperationAdd]", progress: Progress) -> None:
        """Send what is large, ahead of the commit: the Hub is asked which of it it has,
        so nothing is sent twice.
        """
        done, total = 0, sum(add.upload_info.size for add in adds)
        progress(0, total)
        rest = iter(adds)
        while group := list(islice(rest, GROUP)):
            self._ask(
                partial(
                    self._api.preupload_lfs_files,
                    **self._repo,
                    additions=group,
                    free_memory=False,
                )
            )
            done += sum(add.upload_info.size for add in group)
            progress(done, total)

    def _own_commit(
        self, error: PublishError, add: Mapping[str, Path], gone: list[str]
    ) -> str:
        """The newest commit where it is ours and only the answer was lost; else raise
        `error`.
        """
        fault = error.__cause__ and cause(error.__cause__)
        if fault is None or status_of(fault) not in STALE:
            raise error
        commit, files, _ = self.state()
        same = all(
            path in files and files[path].is_at(local) for path, local in add.items()
        )
        if commit is None or not same or not files.keys().isdisjoint(gone):
            raise error
        return commit

    def _stale(self, parent: str | None, newest: str | None) -> PublishError:
        return PublishError(
            f"{self.name}: somebody pushed to it meanwhile: the newest commit is {(newest or 'none')[:12]}. Expected "
            f"{(parent or 'none')[:12]}. Run again, on top of the new one."
        )

    def _file(
        self, files: Mapping[str, RemoteFile], path: str, commit: str
    ) -> RemoteFile:
        # A name comes from a manifest that anybody may have written.
        if (
            path in files
            and ".." not in PurePosixPath(path).parts
            and not path.startswith("/")
        ):
            return files[path]
        raise PublishError(
            f"{self.name}: {path!r} is not in commit {commit[:12]}. Expected one of its files."
        )

    def _fetch_one(
        self, path: str, file: RemoteFile, commit: str, folder: Path
    ) -> None:
        local = folder / path
        # Of a file that is there the client believes its own notes, and the date.
        local.unlink(missing_ok=True)
        self._ask(
            lambda: self._api.hf_hub_download(
                **self._repo, filename=path, revision=commit, local_dir=folder
            ),
            commit,
        )
        if not file.is_at(local):
            local.unlink(missing_ok=True)
            raise PublishError(
                f"{self.name}: {path!r} came over with other bytes than the Hub lists. Expected its digest. Run again."
            )

    def _ask(self, call: Callable[[], T], revision: str | None = None) -> T:
        """The answer, asked for again where that may help.

        Raises PublishError in one line.
        """
        foreign = foreign_errors()
        for attempt in range(ATTEMPTS):
            try:
                return call()
            except PublishError:
                raise
            except foreign as error:
                fault = cause(error)
                wait = wait_s(fault, attempt)
                if wait is None or wait > MAX_WAIT_S or attempt == ATTEMPTS - 1:
                    raise publish_error(fault, self.name, revision) from error
                self._say(
                    f"{self.name}: the Hub is busy or out of reach; asking again in {wait:.0f} s."
                )
                time.sleep(wait)
        raise AssertionError


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the client from drawing bars, since we have our own, and from logging
    addresses that are signed.
    """
    from huggingface_hub.utils.tqdm import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    def unsigned(record: logging.LogRecord) -> bool:
        record.msg, record.args = re.sub(r"\?\S*", "", record.getMessage()), ()
        return True

    log, shown = (
        logging.getLogger("huggingface_hub.utils._http"),
        not are_progress_bars_disabled(),
    )
    log.addFilter(unsigned)
    if shown:
        disable_progress_bars()
    try:
        yield
    finally:
        log.removeFilter(unsigned)
        if shown:
            enable_progress_bars()


def _tidy(cache: Path) -> None:
    """Remove what the client keeps in a folder: halves of files, with which it goes on
    after a kill, and notes.
    """
    shutil.rmtree(cache / "huggingface", ignore_errors=True)
    if cache.is_dir() and not any(cache.iterdir()):
        cache.rmdir()
