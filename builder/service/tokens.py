"""Tokens of the API, kept as digests in ROOT/.service/tokens.json.

`cotbuild serve token` and a running service share the file: it is read again where it
changed, so that a token counts, or counts no more, from the next request on.
"""

import hashlib
import hmac
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cotbuild.builder.service.folders import write_private_text
from cotbuild.schemas.errors import ConfigError, StoreError
from cotbuild.schemas.files import file_lock, read_record, write_error
from cotbuild.schemas.service.principal import LOCAL, Principal
from cotbuild.schemas.service.tokens import (
    MadeToken,
    NewToken,
    TokenEntry,
    TokenFile,
    TokenView,
)

TOKEN_BYTES: Final = 32
TOKEN_PREFIX: Final = "cot_"
"""Tells people and scanners of secrets what a token is for."""
MAX_TOKEN_CHARS: Final = 200
MAX_TOKENS: Final = 1_000
_REMEDY: Final = "Delete the file and add the tokens again."

FileState = tuple[int, int, int] | None
"""Inode, size and mtime_ns; None if there is no file."""


class TokenStore:
    """The tokens in a file. It may be used from several threads.

    `on_removed` is called with the name of each token that is there no longer.
    """

    def __init__(
        self, path: Path, on_removed: Callable[[str], None] = lambda _: None
    ) -> None:
        self.path = path
        self.on_removed = on_removed
        self._lock = threading.Lock()
        self._state: FileState = None
        self._entries: tuple[TokenEntry, ...] = ()

    def find(self, token: str) -> Principal | None:
        """Return who a token stands for; None if there is no such token.

        Every entry is compared, in the same time whether or not it fits. Raises
        StoreError if the file cannot be read.
        """
        if len(token) > MAX_TOKEN_CHARS:
            return None
        sha256 = _sha256(token)
        found = None
        for entry in self.entries():
            if hmac.compare_digest(entry.sha256, sha256):
                found = entry.principal
        return found

    def entries(self) -> tuple[TokenEntry, ...]:
        """Return all tokens by name, read again if the file changed. Raises StoreError."""
        state = self._file_state()
        with self._lock:
            if state == self._state:
                return self._entries
            before = self._entries
            entries = self._entries = _read_entries(self.path)
            self._state = state
        for entry in before:
            if entry not in entries:
                self.on_removed(entry.name)
        return entries

    def add(self, new: NewToken) -> MadeToken:
        """Make a token and keep its digest.

        Raises ConfigError if the name is taken, StoreError if the file cannot be
        written.
        """
        if new.name == LOCAL:
            raise ConfigError(
                f"token {new.name!r} is the name of sessions that the printed address "
                "opens. Choose another name."
            )
        token = TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
        created_at = datetime.now(UTC).isoformat(timespec="seconds")
        values = new.model_dump() | {"created_at": created_at}
        with self._held():
            entries = self.entries()
            if any(entry.name == new.name for entry in entries):
                raise ConfigError(
                    f"token {new.name!r} is there already. Remove it first, or choose "
                    "another name."
                )
            if len(entries) >= MAX_TOKENS:
                raise ConfigError(
                    f"token {new.name!r}: there are {MAX_TOKENS} tokens. Remove one first."
                )
            added = TokenEntry.model_validate(values | {"sha256": _sha256(token)})
            self._write((*entries, added))
        return MadeToken.model_validate(values | {"token": token})

    def remove(self, name: str) -> None:
        """Delete a token. Raises ConfigError if there is none of this name."""
        with self._held():
            entries = self.entries()
            kept = tuple(entry for entry in entries if entry.name != name)
            if len(kept) == len(entries):
                raise ConfigError(
                    f"token {name!r}: there is none of this name. `cotbuild serve token "
                    "list` shows them."
                )
            self._write(kept)

    def views(self) -> list[TokenView]:
        """Return all tokens without their digests, by name."""
        return [entry.view for entry in self.entries()]

    @property
    def hub_variables(self) -> Mapping[str, str]:
        """The variable with the Hub token of each owner that has one, always current."""
        return _HubVariables(self)

    def _held(self) -> AbstractContextManager[bool]:
        """Hold the file against other processes that change it."""
        return file_lock(self.path.with_name(".tokens.lock"), wait=True)

    def _write(self, entries: tuple[TokenEntry, ...]) -> None:
        ordered = tuple(sorted(entries, key=lambda entry: entry.name))
        text = TokenFile(tokens=ordered).model_dump_json(indent=2) + "\n"
        write_private_text(self.path, text)

    def _file_state(self) -> FileState:
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise write_error(self.path, error) from error
        return status.st_ino, status.st_size, status.st_mtime_ns


class _HubVariables(Mapping[str, str]):
    """Owner to the name of the variable with their Hub token."""

    def __init__(self, tokens: TokenStore) -> None:
        self._tokens = tokens

    def _values(self) -> dict[str, str]:
        return {
            entry.name: entry.hub_token_env
            for entry in self._tokens.entries()
            if entry.hub_token_env is not None
        }

    def __getitem__(self, owner: str) -> str:
        return self._values()[owner]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values())

    def __len__(self) -> int:
        return len(self._values())


def _read_entries(path: Path) -> tuple[TokenEntry, ...]:
    record = read_record(path, TokenFile, remedy=_REMEDY, error=StoreError)
    return () if record is None else record.tokens


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
