"""The exception tree.

A message is one line: where, what happened with the value, then what to do.
"""

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


class DataError(CotbuildError, ValueError):
    """A source row or a published file is malformed."""


class TeacherError(CotbuildError, RuntimeError):
    """The teacher cannot continue.

    Every answer received before it is in the answer store.
    """


class StoreError(CotbuildError, OSError):
    """The answer store, a build directory or a run folder cannot be read or written."""


class OtherVersionError(CotbuildError, RuntimeError):
    """The rows of a build were derived by rules that this version of cotbuild has not.

    Everything else in the build was checked.
    """


class PublishError(CotbuildError, RuntimeError):
    """A release could not be published or read back."""


def _shorten(message: str) -> str:
    """Leave out the middle of a message that quotes too much."""
    if len(message) <= MAX_MESSAGE_CHARS:
        return message
    start = message[: MAX_MESSAGE_CHARS - _MAX_END_CHARS - 5]
    return f"{start} ... {message[-_MAX_END_CHARS:]}"
