"""Who the teacher is, known without a server: the `teacher` that enters every
request_key.

teacher.json in the store keeps what had to be asked for. It is read by
`teacher_identity`, which writes nothing, and written by `remember` once a teacher has
been opened and is about to be asked for the first time.
"""

import os
from collections.abc import Callable
from pathlib import Path

from pydantic import JsonValue

from cotbuild.builder.event_loop import run_async
from cotbuild.builder.hub.commits import resolve_commit
from cotbuild.builder.storage.cache import cache_dir, cached_sha256
from cotbuild.builder.teachers.known import load_known, save_known
from cotbuild.builder.teachers.model_names import COMMIT, hub_commit, is_folder
from cotbuild.builder.teachers.vllm.embedded import embedded_digest
from cotbuild.schemas.config import TeacherConfig
from cotbuild.schemas.errors import ConfigError, TeacherError
from cotbuild.schemas.fingerprint import digest

UNSTATED, UNTOKENIZED = "unstated", "untokenized"
MODEL_SUFFIXES = frozenset(
    {
        ".safetensors",
        ".bin",
        ".pt",
        ".pth",
        ".gguf",
        ".json",
        ".jinja",
        ".model",
        ".txt",
        ".py",
    }
)
"""Weights, config, tokenizer, chat template, code; not a model's README and pictures.
"""


def teacher_identity(config: TeacherConfig, store_dir: Path) -> str:
    """Return the teacher's identity, which never holds a path or a URL.

    Reads weights the first time, and asks the Hub or the endpoint where `store_dir` has
    not met it; neither for a recorded teacher. Raises ConfigError where there is no
    such model, TeacherError where neither can be reached.
    """
    if config.endpoints:
        known = load_known(store_dir).endpoints.get(teacher_name(config))
        return endpoint_identity(config, known or run_async(_first_look(config)))
    if config.recorded is not None:
        return config.recorded
    if config.model == "scripted":
        dials: dict[str, JsonValue] = config.scripted.model_dump(mode="json")
        return f"scripted:{digest('scripted', dials)}"
    absent = load_known(store_dir).folders.get(config.model)
    if absent is not None and not Path(config.model).expanduser().is_dir():
        return f"local:{absent}"  # of a release that was pulled: what its teacher said is known without the weights
    return model_identity(config.model, lambda: _commit(config, store_dir))


def model_identity(model: str, commit: Callable[[], str], role: str = "teacher") -> str:
    """The identity of a model that is read here: embedded, a folder, or a Hub id, whose
    commit is asked for.

    `role`: teacher or student, as errors and flags name it.
    """
    if model == "embedded":
        return f"embedded:{embedded_digest()}"
    if is_folder(model, role):
        return f"local:{folder_digest(Path(model).expanduser(), cache_dir(), role)}"
    return f"hub:{model}@{commit()}"


def remember(config: TeacherConfig, identity: str, store_dir: Path) -> None:
    """Keep in teacher.json what `teacher_identity` had to ask for, if anything; raises
    StoreError.
    """
    known, name = load_known(store_dir), teacher_name(config)
    if identity.startswith("endpoint:"):
        new = known.model_copy(
            update={"endpoints": {name: tokens_in(identity), **known.endpoints}}
        )
    elif identity.startswith("hub:"):
        new = known.model_copy(
            update={"hub": {name: hub_commit(identity), **known.hub}}
        )
    else:
        return
    if new != known:
        save_known(store_dir, new)


def refuse_recorded(config: TeacherConfig) -> None:
    """Raise ConfigError where the teacher is known by its recorded identity alone, and
    something is to be asked.
    """
    if config.recorded is not None and not config.endpoints:
        raise ConfigError(
            f"teacher: requests are left to ask, and {config.model!r} came with a pulled release, which does not say "
            "how to reach it. Add --teacher MODEL to load one here, or --endpoint URL of a server that has it."
        )


def teacher_name(config: TeacherConfig) -> str:
    """Model and stated revision. Not the URL: the same service may move."""
    return f"{config.model}@{config.revision or (UNSTATED if config.endpoints else 'main')}"


def folder_digest(folder: Path, cache: Path, role: str = "teacher") -> str:
    """Digest of a local model's files by name and content, wherever the folder stands."""
    if not (folder / "config.json").is_file():
        raise ConfigError(
            f"{role}: {str(folder)!r} has no config.json. Pass a folder in transformers' format."
        )
    files = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if (
            path.suffix in MODEL_SUFFIXES
            and path.is_file()
            and not any(part.startswith(".") for part in name.parts)
        ):
            files[name.as_posix()] = cached_sha256(path, cache)
    return digest("model folder", files)


# -- endpoints -----------------------------------------------------------------------------------------------------


def endpoint_identity(config: TeacherConfig, tokens: str) -> str:
    """`tokens`: the digest of what /tokenize makes of the fixed conversations, or
    untokenized.
    """
    return f"endpoint:{teacher_name(config)}#{tokens}"


def tokens_in(identity: str) -> str:
    """The part of an endpoint's identity that says how it tokenizes."""
    return identity.rpartition("#")[2]


def compare_tokens(identity: str, found: str | None, endpoint: str) -> None:
    """Raise TeacherError where a server that now tokenizes as `found` is not the one of
    `identity`.
    """
    stored = tokens_in(identity)
    # A server that has learnt /tokenize since has not shown to be another one.
    if stored not in (found or UNTOKENIZED, UNTOKENIZED):
        raise TeacherError(
            f"{endpoint}: its tokenizer is {(found or UNTOKENIZED)[:12]!r}, at first use it was {stored[:12]!r}. "
            "A build needs one model. State the new model's revision, or build into another folder."
        )


async def _first_look(config: TeacherConfig) -> str:
    """How the first endpoint that can be reached tokenizes; raises TeacherError where
    none can be.
    """
    # Here, since aiohttp takes a quarter of a second.
    from cotbuild.builder.teachers.http.client import (
        LOOK_TIMEOUT_S,
        EndpointClient,
        Unreachable,
    )

    key, timeout_s = (
        os.environ.get("OPENAI_API_KEY"),
        min(LOOK_TIMEOUT_S, config.stall_s),
    )
    faults = []
    for url in config.endpoints:
        async with EndpointClient(
            url, config.model, api_key=key, look_timeout_s=timeout_s
        ) as client:
            try:
                return await client.tokenize_digest() or UNTOKENIZED
            except Unreachable as fault:
                faults.append(fault)
    raise TeacherError(" ".join(map(str, faults)))


# -- the Hub -------------------------------------------------------------------------------------------------------


def _commit(config: TeacherConfig, store_dir: Path) -> str:
    revision = config.revision or "main"
    if COMMIT.fullmatch(revision):
        return revision
    return load_known(store_dir).hub.get(teacher_name(config)) or model_commit(
        config.model, revision
    )


def model_commit(repo: str, revision: str, role: str = "teacher") -> str:
    """The commit that `revision` means now, from the Hub, or from its local cache where
    the Hub is out of reach.
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
