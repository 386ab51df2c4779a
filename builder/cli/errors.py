"""Exit codes and error lines.

0 done, 1 failed, 2 wrong usage, 130 interrupted. An error that the user can act on is
one line on stderr; any other exception is a bug and keeps its traceback.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from cotbuild.builder.console import print_message
from cotbuild.builder.visible import shell_join
from cotbuild.schemas.errors import ConfigError, CotbuildError, DataError


@contextmanager
def errors(
    resume: bool = False, kept: str = "every answer received is kept"
) -> Iterator[None]:
    """Print a CotbuildError or an interrupt as one line, and exit with its code.

    `resume` says that the same command continues; `kept` says what is not lost.
    """
    try:
        yield
    except CotbuildError as error:
        print_message(f"error: {error}")
        if resume and not isinstance(error, (ConfigError, DataError)):
            print_message(f"{kept}. To resume: {_resume_command()}")
        raise typer.Exit(2 if isinstance(error, ConfigError) else 1) from None
    except KeyboardInterrupt:
        hint = f"; {kept}. To resume: {_resume_command()}" if resume else ""
        print_message(f"stopped{hint}")
        raise typer.Exit(130) from None
    except BrokenPipeError:  # `cotbuild inspect … | head`
        raise typer.Exit(1) from None


def _resume_command() -> str:
    """Return this command without --fresh, which would start over."""
    words = [word for word in sys.argv[1:] if word != "--fresh"]
    return shell_join(["cotbuild", *words])
