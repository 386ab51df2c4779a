"""The exception tree.

A message is one line: where, what happened with the value, then what to do.
"""


class CotbuildError(Exception):
    """Base class of every error that a user can act on.

    The command line prints it without a traceback.
    """


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


class PublishError(CotbuildError, RuntimeError):
    """A release could not be published or read back."""
