"""URLs of places on object stores. Pure; imports no client of one.

A URL never holds credentials. One that might is refused without a word of it in the
error, since errors reach logs and screens.
"""

import re
from pathlib import Path
from typing import NamedTuple, Self

from cotbuild.schemas.errors import ConfigError

MAX_PREFIX_BYTES = 512
"""Longest prefix; keys have 1,024 bytes, and files of a build come below it."""

_URL = re.compile(r"(s3|gs|az):(//?)(.*)", re.DOTALL)
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+=-]{0,254}", re.ASCII)
_MAY_HOLD_SECRETS = re.compile(r"[@?#:%]")
_CREDENTIALS = (
    "Keep credentials out of it: they are read from the environment, such as "
    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
)


class StoreUrl(NamedTuple):
    """A place on an object store."""

    scheme: str
    bucket: str
    """The bucket, or the container on Azure."""
    prefix: str
    """The folder of the place in it, without a slash at either end; may be empty."""

    def __str__(self) -> str:
        path = f"/{self.prefix}" if self.prefix else ""
        return f"{self.scheme}://{self.bucket}{path}"

    def child(self, path: str) -> Self:
        """Return the place of a folder below this one."""
        prefix = f"{self.prefix}/{path}" if self.prefix else path
        return self._replace(prefix=prefix)


def find_store_url(place: str | Path) -> StoreUrl | None:
    """Return the place that a text names; None for one that is no URL of a store.

    A Path of the text will do, in which two slashes became one. Raises ConfigError if
    bucket or prefix cannot be, if it might hold credentials, or for gs://.
    """
    match = _URL.fullmatch(str(place))
    is_collapsed = isinstance(place, Path)
    if match is None or (match[2] != "//" and not is_collapsed):
        return None
    scheme, _, rest = match.groups()
    _refuse_secrets(scheme, rest)
    if scheme == "gs":
        raise ConfigError(
            f"gs://{rest!r}: Google Cloud Storage is not supported, since no server was "
            "found to test its create-only writes with. Use s3:// or az://."
        )
    bucket, _, prefix = rest.partition("/")
    prefix = prefix.rstrip("/")
    _check_bucket(scheme, bucket)
    _check_prefix(scheme, bucket, prefix)
    return StoreUrl(scheme, bucket, prefix)


def split_store_revision(text: str) -> tuple[str, str | None] | None:
    """Split `s3://BUCKET/PATH@REVISION`; None for a text that is no URL of a store.

    The revision is None if none is given. Raises ConfigError if nothing follows the @,
    or it stands before the path.
    """
    match = _URL.fullmatch(text)
    if match is None or match[2] != "//":
        return None
    scheme, _, rest = match.groups()
    bucket, slash, path = rest.partition("/")
    _refuse_secrets(scheme, bucket)
    path, at, revision = path.partition("@")
    _refuse_secrets(scheme, path + revision)
    if at and not revision:
        raise ConfigError(
            f"{text!r} ends with an @. Add a tag or a commit, or leave out the @."
        )
    return f"{scheme}://{bucket}{slash}{path}", revision or None


def _refuse_secrets(scheme: str, text: str) -> None:
    if _MAY_HOLD_SECRETS.search(text):
        raise ConfigError(
            f"a URL {scheme}://… holds one of @ ? # : %, and only a bucket and a path "
            f"belong there. {_CREDENTIALS}"
        )


def _check_bucket(scheme: str, bucket: str) -> None:
    if not _BUCKET.fullmatch(bucket):
        raise ConfigError(
            f"{scheme}://…: the bucket is {bucket[:80]!r}. Write "
            f"{scheme}://BUCKET/PATH, with 3 to 63 lower-case letters, digits, '-' and "
            "'.' as BUCKET."
        )


def _check_prefix(scheme: str, bucket: str, prefix: str) -> None:
    where = f"{scheme}://{bucket}/…"
    if len(prefix) > MAX_PREFIX_BYTES:
        raise ConfigError(
            f"{where}: the path has {len(prefix)} characters, more than "
            f"{MAX_PREFIX_BYTES}. Shorten it."
        )
    for part in prefix.split("/") if prefix else ():
        if not _PART.fullmatch(part):
            raise ConfigError(
                f"{where}: the path has the part {part[:80]!r}. Use ASCII letters, digits, "
                "'_', '-', '.', '+' and '=', and begin no part with a dot."
            )
