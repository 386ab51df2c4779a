"""The exit codes of all commands; builder/cli/errors.py has the table for users."""

from enum import IntEnum

from cotbuild.schemas.errors import (
    ConfigError,
    OtherVersionError,
    PausedError,
)


class ExitCode(IntEnum):
    """The exit codes of all commands."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    UNSCORED = 3
    """Also where no worker was left to ask."""
    PAUSED = 4
    OTHER_VERSION = 5
    INTERRUPTED = 130


def exit_code_of(error: BaseException) -> ExitCode:
    """Return the exit code of a command that ends with `error`."""
    if isinstance(error, ConfigError):
        return ExitCode.USAGE
    if isinstance(error, OtherVersionError):
        return ExitCode.OTHER_VERSION
    if isinstance(error, PausedError):
        has_no_workers = error.reason == "no_workers"
        return ExitCode.UNSCORED if has_no_workers else ExitCode.PAUSED
    if isinstance(error, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    return ExitCode.FAILED
