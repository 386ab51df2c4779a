"""Which commit a branch or tag of a repo on the Hub means now, and what of a repo this
machine's cache holds.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from cotbuild.schemas.errors import CotbuildError

RepoType = Literal["dataset", "model"]
ALWAYS_THERE = {"dataset": "README.md", "model": "config.json"}
"""A file that whoever used a repo here has in the cache, in a folder called by the
commit.
"""


def resolve_commit(
    repo_type: RepoType,
    repo_id: str,
    revision: str,
    *,
    no_repo: CotbuildError,
    no_revision: CotbuildError,
    no_answer: Callable[[str], CotbuildError],
) -> str:
    """The commit, from the Hub, or from the cache where the Hub is out of reach.

    Raises the one of the caller's errors that fits; `no_answer` is given the client's
    words.
    """
    # Half a second to import, and only Hub ids need it.
    from huggingface_hub import HfApi, errors

    try:
        commit = (
            HfApi()
            .repo_info(repo_id, repo_type=repo_type, revision=revision, timeout=30)
            .sha
        )
    except errors.RepositoryNotFoundError as error:
        raise no_repo from error
    except errors.RevisionNotFoundError as error:
        raise no_revision from error
    # HTTPError is its HTTP library's own, httpx or httpx2 by release.
    except (OSError, errors.HTTPError) as error:  # type: ignore[attr-defined]
        if cached := cached_file(repo_type, repo_id, revision, ALWAYS_THERE[repo_type]):
            return cached.parent.name
        raise no_answer(first_line(error)) from error
    if commit is None:
        raise no_answer("it names none")
    return commit


def cached_file(
    repo_type: RepoType, repo_id: str, revision: str, name: str
) -> Path | None:
    """A file in the Hub's cache on this machine; its folder is called by the commit."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(
        repo_id, name, revision=revision, repo_type=repo_type
    )
    return Path(found) if isinstance(found, str) else None


def first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
