"""Resolves a teacher's identity, the `teacher` field that enters every request key.

An identity is known without a running server where that is possible. What has to be
requested from the Hub or from an endpoint is cached in the store's teacher.json:
`teacher_identity` reads that file and never writes it; `save_identity` writes it once
the teacher has been opened and is about to receive its first request.
"""

import os
from collections.abc import Callable
from pathlib import Path

from pydantic import Field, JsonValue

from cotbuild.builder.build.recorded import recorded_teacher
from cotbuild.builder.event_loop import run_async
from cotbuild.builder.hub.commits import resolve_commit
from cotbuild.builder.storage.cache import cache_dir, cached_sha256
from cotbuild.builder.teachers.model_names import COMMIT, hub_commit, is_folder
from cotbuild.builder.teachers.vllm.embedded import embedded_digest
from cotbuild.schemas.errors import ConfigError, StoreError, TeacherError
from cotbuild.schemas.files import read_record, write_record
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.model_folder import model_folder_digest
from cotbuild.schemas.record import FORMAT_VERSION, Record
from cotbuild.schemas.teacher_config import TeacherConfig

TEACHER_JSON = "teacher.json"
UNSTATED, UNTOKENIZED = "unstated", "untokenized"


def teacher_identity(config: TeacherConfig, store_dir: Path) -> str:
    """Return the teacher's identity, which never contains a path or a URL.

    Hashes local weights on first use. Contacts the Hub or the endpoint unless
    `store_dir`, or the build that it belongs to, has the result already. A recorded
    teacher needs neither.

    Raises:
        ConfigError: The model does not exist.
        TeacherError: The Hub or the endpoint cannot be reached.
    """
    if config.endpoints:
        cache = load_identity_cache(store_dir)
        cached_digest = cache.endpoints.get(teacher_name(config))
        if cached_digest is None:
            recorded = recorded_teacher(store_dir.parent, config)
            if recorded is not None and recorded.startswith("endpoint:"):
                return recorded
        tokenizer_digest = cached_digest or run_async(_ask_first_endpoint(config))
        return endpoint_identity(config, tokenizer_digest)
    if config.recorded is not None:
        return config.recorded
    if config.model == "scripted":
        settings: dict[str, JsonValue] = config.scripted.model_dump(mode="json")
        return f"scripted:{digest('scripted', settings)}"
    recorded_digest = load_identity_cache(store_dir).folders.get(config.model)
    is_missing = not Path(config.model).expanduser().is_dir()
    if recorded_digest is not None and is_missing:
        # A pulled release brings its completions, which need no weights.
        return f"local:{recorded_digest}"
    return model_identity(
        config.model, lambda: _resolve_teacher_commit(config, store_dir)
    )


def model_identity(
    model: str, resolve: Callable[[], str], role: str = "teacher"
) -> str:
    """Return the identity of a model that is loaded on this machine.

    Args:
        model: `embedded`, a folder, or a Hub id.
        resolve: Returns the commit of a Hub id; called for nothing else.
        role: `teacher` or `student`, as errors and options name it.
    """
    if model == "embedded":
        return f"embedded:{embedded_digest()}"
    if is_folder(model, role):
        return f"local:{folder_digest(Path(model).expanduser(), cache_dir(), role)}"
    return f"hub:{model}@{resolve()}"


def refuse_recorded(config: TeacherConfig) -> None:
    """Raise ConfigError if the teacher is known by its recorded identity alone.

    Call it where requests are about to be sent.
    """
    if config.recorded is not None and not config.endpoints:
        raise ConfigError(
            f"teacher: requests are left to ask, and {config.model!r} came with a pulled "
            "release, which does not say how to reach it. Add --teacher MODEL to load one "
            "here, or --endpoint URL of a server that has it."
        )


# -- teacher.json --------------------------------------------------------------


class IdentityCache(Record):
    """The content of teacher.json."""

    format_version: int = Field(default=FORMAT_VERSION, description="Format version.")
    hub: dict[str, str] = Field(
        default={}, description="repo@revision as configured to the commit it meant."
    )
    endpoints: dict[str, str] = Field(
        default={},
        description="served name@stated revision to the digest of /tokenize, or untokenized.",
    )
    folders: dict[str, str] = Field(
        default={},
        description="Name of a model's folder that need not be here to the digest of its files.",
    )


def load_identity_cache(store_dir: Path) -> IdentityCache:
    """Read teacher.json; return an empty cache if there is none.

    Raises StoreError if the file cannot be read.
    """
    cache = read_record(
        store_dir / TEACHER_JSON,
        IdentityCache,
        remedy="Delete the file to resolve the teacher's identity again.",
        error=StoreError,
    )
    return cache or IdentityCache()


def save_identity_cache(store_dir: Path, cache: IdentityCache) -> None:
    """Write teacher.json atomically; raises StoreError."""
    write_record(store_dir / TEACHER_JSON, cache)


def save_identity(config: TeacherConfig, identity: str, store_dir: Path) -> None:
    """Cache in teacher.json what `teacher_identity` requested over the network, if any.

    An entry that exists is kept. Raises StoreError.
    """
    cache = load_identity_cache(store_dir)
    name = teacher_name(config)
    if identity.startswith("endpoint:"):
        endpoints = {name: tokenizer_digest_of(identity), **cache.endpoints}
        updated = cache.model_copy(update={"endpoints": endpoints})
    elif identity.startswith("hub:"):
        commits = {name: hub_commit(identity), **cache.hub}
        updated = cache.model_copy(update={"hub": commits})
    else:
        return
    if updated != cache:
        save_identity_cache(store_dir, updated)


# -- names and folders ---------------------------------------------------------


def teacher_name(config: TeacherConfig) -> str:
    """Return model and stated revision, without the URL: a service may move."""
    default_revision = UNSTATED if config.endpoints else "main"
    return f"{config.model}@{config.revision or default_revision}"


def folder_digest(folder: Path, cache: Path, role: str = "teacher") -> str:
    """Return the digest of a model's files by relative name and content.

    The folder's own location does not enter it. Raises ConfigError if the folder has no
    config.json.
    """
    if not (folder / "config.json").is_file():
        raise ConfigError(
            f"{role}: {str(folder)!r} has no config.json. Pass a folder in transformers' format."
        )
    return model_folder_digest(folder, lambda path: cached_sha256(path, cache))


# -- endpoints -----------------------------------------------------------------


def endpoint_identity(config: TeacherConfig, tokenizer_digest: str) -> str:
    """Return an endpoint's identity.

    `tokenizer_digest` is EndpointClient.tokenize_digest's result, or UNTOKENIZED.
    """
    return f"endpoint:{teacher_name(config)}#{tokenizer_digest}"


def tokenizer_digest_of(identity: str) -> str:
    """Return the tokenizer digest in an endpoint's identity, or UNTOKENIZED."""
    return identity.rpartition("#")[2]


def check_tokenizer(identity: str, observed: str | None, endpoint: str) -> None:
    """Raise TeacherError if a server tokenizes otherwise than `identity` records.

    `observed` is its tokenizer digest now; None if it has no /tokenize.
    """
    stored = tokenizer_digest_of(identity)
    current = observed or UNTOKENIZED
    # A server that has gained /tokenize since then may well be the same one.
    if stored not in (current, UNTOKENIZED):
        raise TeacherError(
            f"{endpoint}: its tokenizer is {current[:12]!r}, at first use it was {stored[:12]!r}. "
            "A build needs one model. If it is the same, its chat template may write today's date: "
            "serve it with a copy of the template that has the date of the first run. Otherwise "
            "state the new model's revision, or build into another folder."
        )


async def _ask_first_endpoint(config: TeacherConfig) -> str:
    """Return the tokenizer digest of the first endpoint that can be reached.

    Raises TeacherError if none can be.
    """
    # Imported here because aiohttp takes a quarter of a second.
    from cotbuild.builder.teachers.http.client import (
        CALL_TIMEOUT_S,
        EndpointClient,
        Unreachable,
    )

    api_key = os.environ.get("OPENAI_API_KEY")
    timeout_s = min(CALL_TIMEOUT_S, config.stall_s)
    faults = []
    for url in config.endpoints:
        client = EndpointClient(
            url, config.model, api_key=api_key, call_timeout_s=timeout_s
        )
        async with client:
            try:
                return await client.tokenize_digest() or UNTOKENIZED
            except Unreachable as fault:
                faults.append(fault)
    raise TeacherError(" ".join(map(str, faults)))


# -- the Hub -------------------------------------------------------------------


def _resolve_teacher_commit(config: TeacherConfig, store_dir: Path) -> str:
    revision = config.revision or "main"
    if COMMIT.fullmatch(revision):
        return revision
    cached_commit = load_identity_cache(store_dir).hub.get(teacher_name(config))
    if cached_commit is not None:
        return cached_commit
    recorded = recorded_teacher(store_dir.parent, config)
    if recorded is not None and recorded.startswith("hub:"):
        return hub_commit(recorded)
    return resolve_model_commit(config.model, revision)


def resolve_model_commit(repo: str, revision: str, role: str = "teacher") -> str:
    """Return the commit that `revision` names now.

    Asks the Hub, or its local cache if the Hub cannot be reached.

    Raises:
        ConfigError: The repository or the revision does not exist.
        TeacherError: The Hub cannot be reached and its cache has no copy.
    """
    return resolve_commit(
        "model",
        repo,
        revision,
        no_repo=ConfigError(
            f"{role}: no model {repo!r} on the Hub, or it is private. Correct --{role}, "
            "or set HF_TOKEN."
        ),
        no_revision=ConfigError(
            f"{role}: {repo!r} has no branch, tag or commit {revision!r}."
        ),
        no_answer=lambda why: TeacherError(
            f"{role}: the Hub cannot be reached for {repo!r}, and its cache has no copy: {why}. "
            "Check the network, or pass a local folder."
        ),
    )
