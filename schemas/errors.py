"""The exception tree.

A message is one line: where, what happened with the value, then what to do.
"""

from typing import Literal

MAX_MESSAGE_CHARS = 8_000
"""Longest message; of a longer one the middle is left out, and the advice at its end
stays.
"""
_MAX_END_CHARS = 1_000


class CotbuildError(Exception):
    """Base class of every error that a user can act on.

    The command line prints it without a traceback.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(_shorten(message))


class ConfigError(CotbuildError, ValueError):
    """A configuration, template or flag is wrong.

    No request was sent and nothing was written.
    """


class DivergedError(ConfigError):
    """The loss of a training run is no longer finite; its learning rate is too high."""


class DataError(CotbuildError, ValueError):
    """A source row or a published file is malformed."""


class TeacherError(CotbuildError, RuntimeError):
    """The teacher cannot continue.

    Every answer received before it is in the answer store.
    """


class StoreError(CotbuildError, OSError):
    """The answer store, a build directory or a run folder cannot be read or written."""


PauseReason = Literal["budget", "drained", "no_workers"]
"""Why a run paused: its budget is spent, it was asked to, or no worker was left."""


class PausedError(CotbuildError, RuntimeError):
    """A run stopped on purpose before its end, and the next one continues.

    Every answer received before it is in the answer store; nothing was built.
    """

    def __init__(self, message: str = "", reason: PauseReason = "budget") -> None:
        super().__init__(message)
        self.reason: PauseReason = reason
        """Why it stopped."""


class OtherVersionError(CotbuildError, RuntimeError):
    """The rows of a build were derived by rules that this version of cotbuild has not.

    Everything else in the build was checked.
    """


class PublishError(CotbuildError, RuntimeError):
    """A release could not be published or read back."""


class ServiceError(CotbuildError, RuntimeError):
    """A service cannot be reached, or refuses what a client asks for."""

    def __init__(self, message: str = "", status: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        """HTTP status of its answer; None where none came."""


def _shorten(message: str) -> str:
    """Leave out the middle of a message that quotes too much."""
    if len(message) <= MAX_MESSAGE_CHARS:
        return message
    start = message[: MAX_MESSAGE_CHARS - _MAX_END_CHARS - 5]
    return f"{start} ... {message[-_MAX_END_CHARS:]}"
