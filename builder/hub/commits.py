"""Resolve a branch or tag to its commit, and find files in the Hub's local cache."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from cotbuild.builder.hub.errors import connection_error
from cotbuild.schemas.errors import CotbuildError

RepoType = Literal["dataset", "model"]
_COMMON_FILE: dict[RepoType, str] = {"dataset": "README.md", "model": "config.json"}
"""A file that the cache holds of any repo used on this machine."""


def resolve_commit(
    repo_type: RepoType,
    repo_id: str,
    revision: str,
    *,
    no_repo: CotbuildError,
    no_revision: CotbuildError,
    no_answer: Callable[[str], CotbuildError],
) -> str:
    """Return the commit of a revision, from the Hub or, if unreachable, the cache.

    Raises `no_repo` or `no_revision` if the Hub has none, and what `no_answer` returns
    for the client's message if neither the Hub nor the cache answers.
    """
    # Half a second to import, and only needed for Hub ids.
    from huggingface_hub import HfApi, errors

    api = HfApi()
    try:
        info = api.repo_info(
            repo_id, repo_type=repo_type, revision=revision, timeout=30
        )
    except errors.RepositoryNotFoundError as error:
        raise no_repo from error
    except errors.RevisionNotFoundError as error:
        raise no_revision from error
    except (OSError, connection_error()) as error:
        cached = cached_file(repo_type, repo_id, revision, _COMMON_FILE[repo_type])
        if cached is None:
            raise no_answer(first_line(error)) from error
        return cached.parent.name
    if info.sha is None:
        raise no_answer("the Hub names no commit")
    return info.sha


def cached_file(
    repo_type: RepoType, repo_id: str, revision: str, name: str
) -> Path | None:
    """Return the path of a file in the Hub's local cache, None if it is not there.

    The name of its folder is the commit.
    """
    from huggingface_hub import try_to_load_from_cache

    path = try_to_load_from_cache(repo_id, name, revision=revision, repo_type=repo_type)
    return Path(path) if isinstance(path, str) else None


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or its class if it has none."""
    lines = str(error).splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
