"""Rules: what a field of a request may hold, and what the command gets in its place."""

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from cotbuild.builder.hub.names import HUB_ID
from cotbuild.builder.service.requests.endpoints import check_endpoint
from cotbuild.builder.service.requests.fields import Field, resolve_inside
from cotbuild.builder.service.requests.uploads import find_reference, read_reference
from cotbuild.builder.sources.datasets import KNOWN_DATASETS
from cotbuild.builder.sources.files import may_be_file_name
from cotbuild.schemas.config import BUNDLED
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.record import short_repr
from cotbuild.schemas.service.references import (
    Reference,
    TargetRef,
    UploadRef,
    is_reference,
)
from cotbuild.schemas.teacher_config import TeacherConfig
from cotbuild.schemas.training import TrainConfig

WORK_FOLDER = "empty"
"""Folder of the service in which the processes of jobs start. It is empty, so that no
name in a request, such as the Hub id `alice/mine`, is a path there."""
SCORES = "scores.parquet"
"""File in the folder of a run with the scores that were attributed with it."""
MODELS = frozenset({"embedded", "scripted"})
_REVISION = re.compile(r"[\w][\w./+-]{0,199}", re.ASCII)
_PINNED = re.compile(rf"{HUB_ID.pattern}@[0-9a-f]{{40}}", re.ASCII)
_TEMPLATE = re.compile(r"[\w.-]{1,100}(@\d{1,9})?", re.ASCII)
_WORD = re.compile(r"[A-Za-z0-9_]{1,40}")


def as_it_is(value: Any, field: Field) -> Any:
    """Numbers, choices, and texts that open, start and contact nothing."""
    return resolve_inside(value, field)


def refused(value: Any, field: Field) -> Any:
    """A field for the machine's own users: only its default passes."""
    info = type(field.record).model_fields[field.place.rpartition(".")[2]]
    if value == info.get_default(call_default_factory=True):
        return value
    raise ConfigError(
        f"{field.place} is {short_repr(value)}, which the service does not take. "
        "Leave it out."
    )


def file(value: str, field: Field) -> str:
    """The text of a reference, as the path of what it names."""
    reference = read_reference(value, field.place)
    if reference is None:
        raise _no_path(field, value)
    return _find(reference, field)


def optional_file(value: str | None, field: Field) -> str | None:
    """The same, where there may be none."""
    return None if value is None else file(value, field)


def folder(value: str | None, field: Field) -> str | None:
    """A listed folder or a folder below one; None for none."""
    if value is None:
        return None
    path = file(value, field)
    if isinstance(read_reference(value, field.place), UploadRef):
        raise ConfigError(
            f"{field.place} is {short_repr(value)}, a file. Name a folder that the server "
            "lists: folder:NAME/PATH."
        )
    return path


def source(value: str | None, field: Field) -> str | None:
    """Questions: a name that ships, a Hub id, a file, or files side by side."""
    if value is None or value in BUNDLED or value in KNOWN_DATASETS:
        return value
    if is_reference(value):
        return file(value, field)
    if HUB_ID.fullmatch(value) and not may_be_file_name(Path(value)):
        return value
    parts = [part.partition("=") for part in value.split(",")]
    if all(_WORD.fullmatch(name) and is_reference(text) for name, _, text in parts):
        return ",".join(f"{name}={file(text, field)}" for name, _, text in parts)
    raise _no_path(field, value, "a known dataset, a Hub id, ")


def imported_files(value: tuple[str, ...], field: Field) -> tuple[str, ...]:
    """Files of rationales, or datasets on the Hub at a commit."""
    return tuple(
        name if _PINNED.fullmatch(name) else file(name, field) for name in value
    )


def teacher_model(value: str, field: Field) -> str | None:
    """A model that is loaded here, or any name that an endpoint serves."""
    assert isinstance(field.record, TeacherConfig)
    return value if field.record.endpoints else model(value, field)


def model(value: str | None, field: Field) -> str | None:
    """A model that is loaded on this machine: by a Hub id, or in a listed folder."""
    if value is None or value in MODELS or HUB_ID.fullmatch(value):
        return value
    if value.startswith("folder:"):
        return folder(value, field)
    raise ConfigError(
        f"{field.place} is {short_repr(value)}. Name embedded, a Hub id, or a folder that "
        "the server lists: folder:NAME/PATH."
    )


def models(value: tuple[str, ...], field: Field) -> tuple[str | None, ...]:
    """Several models."""
    return tuple(model(name, field) for name in value)


def tokenizer(value: str | None, field: Field) -> str | None:
    """The embedded tokenizer, or one in a listed folder."""
    return value if value in (None, "embedded") else folder(value, field)


def endpoints(value: tuple[str, ...], field: Field) -> tuple[str, ...]:
    """Addresses of servers, each of which the service must allow."""
    for url in value:
        check_endpoint(url, field.settings.allow_endpoints, field.place)
    return value


def templates(value: tuple[str, ...], field: Field) -> tuple[str, ...]:
    """Templates that ship, or files."""
    return tuple(
        file(name, field)
        if is_reference(name) or not _TEMPLATE.fullmatch(name)
        else _shipped(name, field)
        for name in value
    )


def revision(value: str | None, field: Field) -> str | None:
    """A branch, tag or commit."""
    if value is None or (_REVISION.fullmatch(value) and ".." not in value):
        return value
    raise ConfigError(
        f"{field.place} is {short_repr(value)}, which is no branch, tag or commit. "
        "Correct it."
    )


def word(value: str | None, field: Field) -> str | None:
    """A name of letters, digits and _, which is an argument of a server."""
    if value is None or _WORD.fullmatch(value):
        return value
    raise ConfigError(
        f"{field.place} is {short_repr(value)}. Expected letters, digits and _."
    )


def fetches(value: bool, field: Field) -> bool:
    """Whether addresses in the questions are contacted."""
    if value and not field.settings.fetch_images:
        raise ConfigError(
            f"{field.place} is on, and this service fetches no pictures. Upload questions "
            "that hold them, or ask who runs it to start it with --fetch-images."
        )
    return value


def target(value: str | None, field: Field) -> str | None:
    """The name of a folder under the root, which the job reads."""
    return None if value is None else _find(TargetRef(value), field)


def variant_files(value: Mapping[str, str], field: Field) -> dict[str, str]:
    """Files that variants refer to; of a run, the scores that were attributed with it."""
    files = {}
    for name, text in value.items():
        path = file(text, field)
        is_run = isinstance(read_reference(text, field.place), TargetRef)
        files[name] = f"{path}/{SCORES}" if is_run else path
    return files


def repo(value: str, field: Field) -> str:
    """A repo that jobs may publish to."""
    owner = field.context.owner
    if not any(_is_repo(value, pattern) for pattern in field.settings.allow_repos):
        raise ConfigError(
            f"{field.place} is {short_repr(value)}, which this service does not publish "
            "to. Use one that it lists, or ask who runs it for --allow-repo."
        )
    if owner not in field.settings.hub_tokens:
        raise ConfigError(
            f"{field.place} is {short_repr(value)}, and the service has no Hub token of "
            f"{owner!r}. Ask who runs it to make your token again, by `cotbuild serve "
            f"token add {owner} --hub-token-env VARIABLE`."
        )
    return value


def _is_repo(name: str, pattern: str) -> bool:
    """Whether a pattern allows a repo; its `*` stands for letters of one part."""
    parts = [re.escape(part) for part in pattern.split("*")]
    return re.fullmatch("[^/]*".join(parts), name) is not None


def secret(value: str | None, field: Field) -> str | None:
    """The name of a variable that requests may use the value of."""
    if value is None or value in field.settings.secret_variables:
        return value
    raise ConfigError(
        f"{field.place} is {short_repr(value)}, which is no variable that requests may "
        "use. Ask who runs the service for --secret-env."
    )


def training_settings(value: Mapping[str, Any], field: Field) -> Mapping[str, Any]:
    """Settings of `cotbuild train`, each by the rule that it has there."""
    for name in value:
        if field.context.rules[TrainConfig].get(name) is not as_it_is:
            raise ConfigError(
                f"{field.place}.{name}: the service does not take it. Leave it out."
            )
    return value


def _find(reference: Reference, field: Field) -> str:
    """Return the place of a reference as a path for a process in WORK_FOLDER."""
    if isinstance(reference, TargetRef) and not field.context.is_starting:
        return root_path(reference.name)
    place = find_reference(reference, field.settings, field.place)
    return str(place) if place.is_absolute() else root_path(str(place))


def root_path(place: str) -> str:
    """Return a place below the root as a path for a process in WORK_FOLDER."""
    return str(PurePosixPath("../..", place))


def _shipped(name: str, field: Field) -> str:
    if name.endswith((".yaml", ".yml")):
        raise _no_path(field, name)
    return name


def _no_path(field: Field, value: str, names: str = "") -> ConfigError:
    return ConfigError(
        f"{field.place} is {short_repr(value)}. The service reads no path: name {names}"
        "upload:SHA256/NAME, or folder:NAME/PATH in a folder that it lists."
    )
