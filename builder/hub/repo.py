"""A dataset repo on the Hub as a target of releases, through the Hub's own client."""

import logging
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from cotbuild.builder.hub.errors import (
    CONFLICT_STATUS,
    MAX_WAIT_S,
    HubCall,
    client_errors,
    http_status,
    publish_error,
    retry_delay_s,
    unwrap_error,
)
from cotbuild.builder.hub.names import parse_repo_name, parse_tag
from cotbuild.builder.hub.target import Progress, RemoteFile, RemoteState
from cotbuild.schemas.errors import PublishError
from cotbuild.schemas.names import is_plain_path

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd

T = TypeVar("T")
MAX_ATTEMPTS = 3
"""Per call. Uploads and lists are also retried by the client: five times in 23 s."""
UPLOAD_BATCH = 8
"""Files uploaded between two reports of progress; the client sends five at a time."""


class HubRepo:
    """A dataset repo; see ReleaseTarget for its methods.

    The token is HF_TOKEN or the stored login, which the client finds by itself, unless
    it is passed. `say` receives a line whenever a call is retried. `or_folder`: the name
    may have been meant as a folder, which is not there, so errors speak of both.
    """

    def __init__(
        self,
        name: str,
        *,
        endpoint: str | None = None,
        token: str | None = None,
        say: Callable[[str], None] = lambda _: None,
        or_folder: bool = False,
    ) -> None:
        """Raise ConfigError if `name` is not OWNER/NAME."""
        # Half a second to import, and only needed for releases on the Hub.
        from huggingface_hub import HfApi

        self.name = parse_repo_name(name)
        self._api = HfApi(endpoint=endpoint, token=token)
        self._repo: dict[str, Any] = {"repo_id": self.name, "repo_type": "dataset"}
        self._say = say
        self._or_folder = or_folder
        self._is_uploading = False

    # -- reading

    def finish_interrupted(self) -> None:
        """Do nothing: commits on the Hub are atomic."""

    def read_state(self, revision: str | None = None) -> RemoteState:
        try:
            branches, tags = self._list_refs()
        except PublishError as error:
            # A repo that is still to be created; none if a folder was meant.
            is_new = revision is None and not self._or_folder
            if is_new and _is_missing_repo(error):
                return RemoteState(None, {}, {})
            raise
        self._or_folder = False  # the Hub has a repo of that name
        if revision is None:
            commit = branches.get("main")
        else:
            commit = self._resolve(revision)
        files = {} if commit is None else self._list_files(commit)
        return RemoteState(commit, files, tags)

    def fetch_files(
        self, paths: Iterable[str], commit: str, folder: Path, progress: Progress
    ) -> None:
        listed = self._list_files(commit)
        files = {path: self._find(listed, path, commit) for path in sorted(set(paths))}
        total = sum(file.num_bytes for file in files.values())
        done = 0
        with _quiet_client():
            for path, file in files.items():
                if not file.matches(folder / path):
                    self._fetch_file(path, file, commit, folder)
                done += file.num_bytes
                # Once a file: within one, the client counts bytes over HTTP and over
                # Xet in two different ways.
                progress(done, total)
        _remove_client_cache(folder / ".cache")

    # -- writing

    def create(self, *, private: bool) -> RemoteState:
        self._call(
            lambda: self._api.create_repo(**self._repo, private=private, exist_ok=True)
        )
        return self.read_state()

    def commit_files(
        self,
        parent: str | None,
        add: Mapping[str, Path],
        delete: Iterable[str],
        message: str,
        progress: Progress,
    ) -> str:
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        self._refuse_missing_files(add)
        # Before gigabytes are sent. The commit itself also names its parent, and is
        # rejected if that is not the newest by then.
        self._refuse_stale_parent(parent)
        deleted = sorted(set(delete))
        adds = [CommitOperationAdd(path, local) for path, local in sorted(add.items())]
        deletes = [CommitOperationDelete(path, is_folder=False) for path in deleted]
        create_commit = partial(
            self._api.create_commit,
            **self._repo,
            operations=[*adds, *deletes],
            commit_message=message,
            parent_commit=parent,
        )
        with _quiet_client():
            self._upload(adds, progress)
            try:
                return self._call(lambda: create_commit().oid)
            except PublishError as error:
                commit = self._find_own_commit(error, add, deleted)
                if commit is None:
                    raise
                return commit

    def set_tag(self, name: str, commit: str, *, move: bool) -> None:
        _, tags = self._list_refs()
        current = self._resolve(parse_tag(name)) if name in tags else None
        if current == commit:
            return
        if current is not None and not move:
            raise PublishError(
                f"{self.name}: tag {name!r} is already at commit {current[:12]}. "
                "Choose another --tag, or move it with --move-tag."
            )
        if current is not None:
            self._call(lambda: self._api.delete_tag(**self._repo, tag=name))
        # With exist_ok, since the response to an earlier attempt may have been lost.
        create_tag = partial(
            self._api.create_tag, **self._repo, tag=name, revision=commit, exist_ok=True
        )
        self._call(create_tag, commit)
        current = self._resolve(name)
        if current != commit:
            raise PublishError(
                f"{self.name}: someone set tag {name!r} to {current[:12]} meanwhile, not "
                f"to {commit[:12]}. Run again."
            )

    # -- steps of a commit

    def _refuse_missing_files(self, add: Mapping[str, Path]) -> None:
        for path, local in add.items():
            if not local.is_file():
                raise PublishError(
                    f"{self.name}: {path!r} is missing from the build. Build again."
                )

    def _refuse_stale_parent(self, parent: str | None) -> None:
        branches, _ = self._list_refs()
        newest = branches.get("main")
        if newest != parent:
            raise PublishError(
                f"{self.name}: someone pushed to it meanwhile: the newest commit is "
                f"{(newest or 'none')[:12]}, no longer {(parent or 'none')[:12]}. "
                "Run again to publish on top of it."
            )

    def _upload(self, adds: "list[CommitOperationAdd]", progress: Progress) -> None:
        """Upload large files ahead of the commit, except those the Hub already has."""
        self._is_uploading = True
        total = sum(add.upload_info.size for add in adds)
        done = 0
        progress(done, total)
        remaining = iter(adds)
        while batch := list(islice(remaining, UPLOAD_BATCH)):
            upload_batch = partial(
                self._api.preupload_lfs_files,
                **self._repo,
                additions=batch,
                free_memory=False,
            )
            self._call(upload_batch)
            done += sum(add.upload_info.size for add in batch)
            progress(done, total)

    def _find_own_commit(
        self, error: PublishError, add: Mapping[str, Path], deleted: Iterable[str]
    ) -> str | None:
        """Return the newest commit if it is this one and only the response was lost."""
        if http_status(_client_error(error)) not in CONFLICT_STATUS:
            return None
        commit, files, _ = self.read_state()
        for path, local in add.items():
            if path not in files or not files[path].matches(local):
                return None
        return commit if files.keys().isdisjoint(deleted) else None

    # -- calls of the client

    def _list_refs(self) -> tuple[dict[str, str], dict[str, str]]:
        """Return the branches and the tags, each mapped to its commit."""
        refs = self._call(lambda: self._api.list_repo_refs(**self._repo))
        branches = {ref.name: ref.target_commit for ref in refs.branches}
        tags = {ref.name: ref.target_commit for ref in refs.tags}
        return branches, tags

    def _resolve(self, revision: str) -> str:
        """Return the commit of a branch, tag or commit."""
        repo_info = partial(
            self._api.repo_info, **self._repo, revision=revision, timeout=30
        )
        info = self._call(repo_info, revision)
        if info.sha is None:
            raise PublishError(
                f"{self.name}: the Hub names no commit for {revision!r}. Run again later."
            )
        return info.sha

    def _list_files(self, commit: str) -> dict[str, RemoteFile]:
        from huggingface_hub.hf_api import RepoFile

        list_tree = partial(
            self._api.list_repo_tree, **self._repo, revision=commit, recursive=True
        )
        files = {}
        for entry in self._call(lambda: list(list_tree()), commit):
            if isinstance(entry, RepoFile):
                sha256 = entry.lfs.sha256 if entry.lfs else None
                git_blob = None if entry.lfs else entry.blob_id
                files[entry.path] = RemoteFile(entry.size, sha256, git_blob)
        return files

    def _find(
        self, files: Mapping[str, RemoteFile], path: str, commit: str
    ) -> RemoteFile:
        # A manifest written by anybody may name any path, and so may a repo.
        if path not in files or not is_plain_path(path):
            raise PublishError(
                f"{self.name}: no file {path!r} in commit {commit[:12]}. The release is "
                "incomplete; publish it again, or use another revision."
            )
        return files[path]

    def _fetch_file(
        self, path: str, file: RemoteFile, commit: str, folder: Path
    ) -> None:
        local = folder / path
        # If the file exists, the client trusts its own notes and the date.
        local.unlink(missing_ok=True)
        download = partial(
            self._api.hf_hub_download,
            **self._repo,
            filename=path,
            revision=commit,
            local_dir=folder,
        )
        self._call(download, commit)
        if not file.matches(local):
            local.unlink(missing_ok=True)
            raise PublishError(
                f"{self.name}: {path!r} was downloaded with another digest than the Hub "
                "lists. Run again."
            )

    def _call(self, call: Callable[[], T], revision: str | None = None) -> T:
        """Return the result of a call, retried where that may help.

        `revision` is the one the call is about. Raises PublishError.
        """
        attempt = 0
        while True:
            try:
                return call()
            except PublishError:  # a RuntimeError, too
                raise
            except client_errors() as error:
                fault = unwrap_error(error)
                delay_s = retry_delay_s(fault, attempt)
                is_last = attempt + 1 == MAX_ATTEMPTS
                if delay_s is None or delay_s > MAX_WAIT_S or is_last:
                    raise publish_error(fault, self._describe(revision)) from error
            self._say(
                f"{self.name}: the Hub is busy or unreachable; retrying in {delay_s:.0f} s."
            )
            time.sleep(delay_s)
            attempt += 1

    def _describe(self, revision: str | None) -> HubCall:
        return HubCall(self.name, revision, self._or_folder, self._is_uploading)


def _client_error(error: PublishError) -> BaseException:
    """Return the client's error that a PublishError was raised from, or itself."""
    return error if error.__cause__ is None else unwrap_error(error.__cause__)


def _is_missing_repo(error: PublishError) -> bool:
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    fault = _client_error(error)
    is_gated = isinstance(fault, GatedRepoError)
    return isinstance(fault, RepositoryNotFoundError) and not is_gated


@contextmanager
def _quiet_client() -> Iterator[None]:
    """Keep the client from drawing progress bars and from logging signed addresses."""
    from huggingface_hub.utils.tqdm import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    log = logging.getLogger("huggingface_hub.utils._http")
    had_bars = not are_progress_bars_disabled()
    log.addFilter(_cut_query_strings)
    if had_bars:
        disable_progress_bars()
    try:
        yield
    finally:
        log.removeFilter(_cut_query_strings)
        if had_bars:
            enable_progress_bars()


def _cut_query_strings(record: logging.LogRecord) -> bool:
    """Remove the query strings of addresses, which hold signatures, from a record."""
    record.msg = re.sub(r"\?\S*", "", record.getMessage())
    record.args = ()
    return True


def _remove_client_cache(cache: Path) -> None:
    """Remove the notes and partial files from which the client resumes downloads."""
    shutil.rmtree(cache / "huggingface", ignore_errors=True)
    if cache.is_dir() and not any(cache.iterdir()):
        cache.rmdir()
