"""Exit codes and error lines.

| Code | Meaning |
|---|---|
| 0 | Done. |
| 1 | Failed: an error, or a fault that was found. |
| 2 | Wrong usage: an option or a setting. |
| 3 | Built, but some rationales are unscored because requests failed. Or nothing was |
|   | built, since no worker was left; the same command continues. |
| 4 | Paused: a budget is spent, or the run was asked to drain; the next one continues. |
| 5 | Not verified as a whole: the rows need the rules of another version of cotbuild. |
| 130 | Interrupted by Ctrl-C or SIGTERM. |

An error that the user can act on is one line on stderr; any other exception is a bug
and keeps its traceback.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer

from cotbuild.builder.cli.reporting import run_notes
from cotbuild.builder.console import print_message
from cotbuild.builder.exit_codes import ExitCode, exit_code_of
from cotbuild.builder.visible import shell_join
from cotbuild.schemas.errors import (
    ConfigError,
    CotbuildError,
    DataError,
    PausedError,
)

EXIT_CODES = """\b
Exit codes:
  0    done
  1    failed
  2    wrong usage
  3    built, but some rationales are unscored because requests failed; or no
       worker was left to ask: run the command again to resume
  4    paused: a budget is spent, or the run was drained; run it again to resume
  5    not verified as a whole: the rows need another version of cotbuild
  130  interrupted
"""
"""The table in the form of an epilog; \\b keeps click from refilling it."""


@contextmanager
def errors(
    resume: bool | Callable[[], bool] = False,
    kept: str = "every answer received is kept",
) -> Iterator[None]:
    """Print a CotbuildError or an interrupt as one line, and exit with its code.

    `resume` says, or finds out once it matters, that the same command continues; `kept`
    says what is not lost.
    """
    try:
        yield
    except PausedError as error:
        run_notes().record_error(error)
        print_message(f"paused: {error}. {_continue_hint(error)}")
        raise typer.Exit(exit_code_of(error)) from None
    except CotbuildError as error:
        run_notes().record_error(error)
        print_message(f"error: {error}")
        if not isinstance(error, (ConfigError, DataError)) and _is_true(resume):
            print_message(f"{kept}. To resume: {_resume_command()}")
        raise typer.Exit(exit_code_of(error)) from None
    except KeyboardInterrupt:
        hint = f"; {kept}. To resume: {_resume_command()}" if _is_true(resume) else ""
        print_message(f"stopped{hint}")
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    except BrokenPipeError:  # `cotbuild inspect … | head`
        raise typer.Exit(ExitCode.FAILED) from None
    except OSError as error:  # a path too long, a disk full, a limit of the system
        where = f"{error.filename}: " if error.filename else ""
        message = (
            f"{where}{error.strerror or error}. Check the path, its permissions and the "
            "free space."
        )
        run_notes().message = message
        print_message(f"error: {message}")
        raise typer.Exit(ExitCode.FAILED) from None


def _is_true(resume: bool | Callable[[], bool]) -> bool:
    return resume if isinstance(resume, bool) else resume()


def _continue_hint(error: PausedError) -> str:
    raised = "Raise it to resume" if error.reason == "budget" else "To resume"
    return f"{raised}: {_resume_command()}"


def _resume_command() -> str:
    """Return this command without --fresh, which would start over."""
    words = [word for word in sys.argv[1:] if word != "--fresh"]
    return shell_join(["cotbuild", *words])
