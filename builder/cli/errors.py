"""Exit codes: 0 done, 1 failed, 2 usage, 130 Ctrl-C; a fault that a user can act on is
one line on stderr.
"""

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from cotbuild.schemas.errors import ConfigError, CotbuildError, DataError


@contextmanager
def errors(
    resume: bool = False, kept: str = "every answer had so far is kept"
) -> Iterator[None]:
    """One line and an exit code for what a user can act on; any other fault is ours and
    keeps its traceback.

    `resume`: the same command goes on, and nothing is lost of what `kept` says.
    """
    try:
        yield
    except CotbuildError as error:
        _complain(f"error: {error}")
        if resume and not isinstance(error, (ConfigError, DataError)):
            _complain(f"{kept}. To go on: {_go_on()}")
        raise typer.Exit(2 if isinstance(error, ConfigError) else 1) from None
    except KeyboardInterrupt:
        _complain(f"stopped; {kept}. To go on: {_go_on()}" if resume else "stopped")
        raise typer.Exit(130) from None
    except BrokenPipeError:  # `cotbuild inspect … | head`
        sys.stderr.close()
        raise typer.Exit(1) from None


def _complain(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _go_on() -> str:
    """The same command, without the flag that would begin anew."""
    return shlex.join(
        ["cotbuild", *(word for word in sys.argv[1:] if word != "--fresh")]
    )
