"""The exception tree.

Every message reads: where: what, with the value. What was expected. What to do.
"""


class CotbuildError(Exception):
    """Base of every error a user can act on; the command line prints it without a
    traceback.
    """


class ConfigError(CotbuildError, ValueError):
    """The configuration, a template or a flag is wrong; nothing was asked and nothing
    written.
    """


class DataError(CotbuildError, ValueError):
    """A row of a source, or a published file, is not what it should be."""


class TeacherError(CotbuildError, RuntimeError):
    """The teacher cannot go on; what it answered before stands in the store."""


class StoreError(CotbuildError, OSError):
    """The answer store or a build directory cannot be read or written."""


class PublishError(CotbuildError, RuntimeError):
    """A release could not be made or read back."""
