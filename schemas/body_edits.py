"""Checks of what a user leaves out of, renames in or adds to the body of a request.

Pure. The settings are published in build.json, so nothing secret may be among them.
"""

import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from cotbuild.schemas.completion import Sampling
from cotbuild.schemas.fingerprint import canonical_json
from cotbuild.schemas.record import MAX_INT, Record

SENT_FIELDS = (*Sampling.model_fields, "seed", "response_format")
"""Fields of a body that may be left out or renamed."""
OWNED_FIELDS = frozenset(
    {
        "model",
        "messages",
        "prompt",
        "input",
        "stream",
        "stream_options",
        "n",
        "best_of",
        "echo",
        "tools",
        "tool_choice",
        "functions",
        "function_call",
        "parallel_tool_calls",
        "modalities",
        "audio",
    }
)
"""Fields that cotbuild sets, or that would change what it reads in an answer."""
MAX_EXTRA_BYTES = 16_384
"""Longest extra_body, as JSON in UTF-8; it is part of every request."""
MAX_EXTRA_DEPTH = 8

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SECRET_WORDS = frozenset(
    {
        "auth",
        "authentication",
        "authorization",
        "bearer",
        "cookie",
        "cookies",
        "credential",
        "credentials",
        "jwt",
        "passphrase",
        "passwd",
        "password",
        "pwd",
        "secret",
        "secrets",
    }
)
_PLAIN_KEYS = frozenset({"cache", "group", "json", "object", "partition", "sort"})
"""Words before `key` in names that hold no credential, such as prompt_cache_key."""
_JOINED_SECRET = re.compile(
    r"(?:api|access|auth|client|private|secret)(?:key|secret|token)s?"
)
_SECRET_VALUE = re.compile(
    r"\b(?:bearer|basic)\s+[\w.~+/=-]{8,}|\b(?:sk|pk|rk|gsk|hf|xai|nvapi)[-_][\w-]{16,}"
    r"|\bgh[pousr]_\w{16,}|\bAKIA[0-9A-Z]{12,}|\bAIza[\w-]{20,}|\bxox[abeprs]-[\w-]{8,}"
    r"|\bey[\w-]{8,}\.[\w-]{8,}\.",
    re.IGNORECASE,
)


def check_body_settings(
    omit: Iterable[str], rename: Mapping[str, str], extra_body: Mapping[str, Any]
) -> None:
    """Raise ValueError unless each of the settings holds by itself.

    Whether names meet in a body depends on the profile too: see `check_body_names`.
    """
    check_omitted(omit)
    check_renamed(rename)
    check_added(extra_body)
    for name in omit:
        if name in rename:
            raise ValueError(
                f"{name!r} is in omit and in rename; remove it from one of them"
            )


def check_omitted(names: Iterable[str]) -> None:
    """Raise ValueError unless every name is of a field that may be left out."""
    for name in names:
        _check_sent_field("omit", name)


def check_renamed(renamed: Mapping[str, str]) -> None:
    """Raise ValueError unless every field may be renamed, and to a plain free name."""
    for field, name in renamed.items():
        _check_sent_field("rename", field)
        if _NAME.fullmatch(name) is None:
            raise ValueError(
                f"rename: {field} cannot be sent as {name!r}. Use letters, digits and _"
            )
        if name.casefold() in OWNED_FIELDS:
            raise ValueError(
                f"rename: {field} cannot be sent as {name!r}, which cotbuild sets "
                "itself. Choose another name"
            )


def check_added(added: Mapping[str, Any]) -> None:
    """Raise ValueError unless the fields may be added, and published in build.json.

    No value is shown in an error: it may be a secret.
    """
    for name in added:
        if _NAME.fullmatch(name) is None:
            raise ValueError(
                f"extra_body: {name!r} is no name of a field. Use letters, digits and _"
            )
        if name.casefold() in OWNED_FIELDS:
            raise ValueError(
                f"extra_body has {name!r}, which cotbuild sets itself. Remove it"
            )
    for path, value in _walk(added):
        _check_value(path, value)
    num_bytes = len(canonical_json(dict(added)).encode())
    if num_bytes > MAX_EXTRA_BYTES:
        raise ValueError(
            f"extra_body is {num_bytes:,} bytes of JSON, expected at most "
            f"{MAX_EXTRA_BYTES:,}. Shorten it"
        )


def check_body_names(
    omitted: Iterable[str], renamed: Mapping[str, str], added: Iterable[str]
) -> None:
    """Raise ValueError where two fields of a body would have the same name.

    Names are compared without case, since some servers read them so.
    """
    left_out = set(omitted)
    sources: dict[str, str] = {}
    for field in SENT_FIELDS:
        if field not in left_out:
            name = renamed.get(field, field)
            if (other := sources.setdefault(name.casefold(), field)) != field:
                raise ValueError(
                    f"teacher.rename: {other} and {field} would both be sent as {name!r}. "
                    "Choose another name, or leave one of them out"
                )
    for name in added:
        present = sources.get(name.casefold())
        if present is not None:
            raise ValueError(
                f"teacher.extra_body has {name!r}, but {present} is sent under that name "
                f"already. Change {setting_of(present)}, or set it to off to leave it out"
            )


def setting_of(field: str) -> str:
    """Return the name of the setting that decides a field of the body."""
    return f"sampling.{field}" if field in Sampling.model_fields else field


def _check_sent_field(setting: str, name: str) -> None:
    if name in SENT_FIELDS:
        return
    if name.casefold() in OWNED_FIELDS:
        raise ValueError(
            f"{setting} names {name!r}, which cotbuild sets itself. Remove it"
        )
    raise ValueError(
        f"{setting} names {name!r}, which no request has. Choose from "
        f"{', '.join(SENT_FIELDS)}"
    )


# -- fields that are not sent ----------------------------------------------------------


def is_off(value: object) -> bool:
    """Return whether a setting says that a field is not sent; YAML reads off as False."""
    return value is False or (isinstance(value, str) and value.lower() == "off")


def move_off_to_omit(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return settings in which a field that is off is listed in `teacher.omit`.

    Its own setting keeps the default, so that numbers stay numbers.
    """
    sampling, teacher = values.get("sampling"), values.get("teacher", {})
    off: list[str] = []
    if isinstance(sampling, Mapping):
        off = [name for name in SENT_FIELDS if is_off(sampling.get(name))]
        sampling = {name: value for name, value in sampling.items() if name not in off}
    rest = {name: value for name, value in values.items() if name != "sampling"}
    if is_off(values.get("seed")):
        off.append("seed")
        del rest["seed"]
    if not off:
        return values
    if isinstance(teacher, Record):
        teacher = dict(teacher)
    listed = teacher.get("omit", ()) if isinstance(teacher, Mapping) else None
    if not isinstance(listed, list | tuple):  # left to the field's own validation
        return values
    omitted = [*listed, *off]
    rest["teacher"] = {**teacher, "omit": tuple(dict.fromkeys(omitted))}
    return rest if sampling is None else {**rest, "sampling": sampling}


def send_again(teacher: dict[str, Any], settings: Collection[str]) -> None:
    """Take fields out of `teacher.omit` whose own setting is set anew, in place.

    Args:
        teacher: Settings of the teacher as a file holds them.
        settings: Dotted names of the settings that were set since, such as
            `sampling.top_k`; one that is off is left out again later.
    """
    omitted = teacher.get("omit")
    if isinstance(omitted, list | tuple):
        teacher["omit"] = [
            name
            for name in omitted
            if not (isinstance(name, str) and setting_of(name) in settings)
        ]


# -- what an added field may hold ------------------------------------------------------


def _walk(added: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield every value, and every key as a value, with its path; no recursion.

    Raises ValueError where values are nested too deeply.
    """
    pending: list[tuple[str, Any, int]] = [("extra_body", dict(added), 0)]
    while pending:
        path, value, depth = pending.pop()
        if depth > MAX_EXTRA_DEPTH:
            raise ValueError(
                f"extra_body is nested more than {MAX_EXTRA_DEPTH} deep. Flatten it"
            )
        yield path, value
        if isinstance(value, dict):
            pending += [
                (f"{path}.{key}", item, depth + 1) for key, item in value.items()
            ]
        elif isinstance(value, list | tuple):
            pending += [
                (f"{path}[{i}]", item, depth + 1) for i, item in enumerate(value)
            ]


def _check_value(path: str, value: object) -> None:
    name = path.rpartition(".")[2]
    if path != "extra_body" and names_credential(name):
        raise ValueError(
            f"{path} looks like a credential, and build.json is published. Set "
            "OPENAI_API_KEY instead, which is sent as the Authorization header"
        )
    if isinstance(value, str):
        _check_text(path, value)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{path} is {value!r}, which JSON cannot hold. Remove it")
    elif isinstance(value, int) and abs(value) > MAX_INT:
        raise ValueError(f"{path} is above 2^63 - 1. Use a smaller number")


def _check_text(path: str, value: str) -> None:
    if len(value) > MAX_EXTRA_BYTES:  # before any search through it
        raise ValueError(
            f"{path} is {len(value):,} characters long, expected at most "
            f"{MAX_EXTRA_BYTES:,}. Shorten it"
        )
    if _SECRET_VALUE.search(value):
        raise ValueError(
            f"{path} looks like a credential, and build.json is published. Remove it; "
            "OPENAI_API_KEY is sent as the Authorization header"
        )
    if "://" in value:
        raise ValueError(
            f"{path} holds an address, and build.json is published. Remove it; "
            "--endpoint says which server is asked"
        )


def names_credential(name: str) -> bool:
    """Return whether a field's name says that it holds a credential.

    Read word by word, in any writing: `x-api-key`, `apiKey` and `access_token` do,
    `max_tokens`, `stop_token_ids` and `prompt_cache_key` do not.
    """
    words: list[str] = [word.lower() for word in _WORD.findall(name)]
    if not words:
        return False
    if not _SECRET_WORDS.isdisjoint(words) or _JOINED_SECRET.search("".join(words)):
        return True
    *before, last = words
    if last in ("key", "keys"):
        return not before or before[-1] not in _PLAIN_KEYS
    return last == "token"
