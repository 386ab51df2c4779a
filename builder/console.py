"""The only way to standard output and standard error.

Text of a teacher, a server or a file may hold sequences that move the cursor, rename
the window or reverse the reading order. Everything printed goes through here, where
invisible characters are escaped; only the sequences that this module writes itself
reach a terminal. What the stream's encoding does not know is escaped too.
"""

import contextlib
import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TextIO, cast

from cotbuild.builder.visible import escape_hidden
from cotbuild.schemas.errors import StoreError

_CLEAR_LINE = "\r\x1b[2K"
_ASCII_SHAPES = str.maketrans(
    {
        "─": "-",
        "│": "|",
        "·": "|",
        "→": "->",
        "–": "-",
        "−": "-",
        "×": "x",
        "…": "...",
    }
)
"""What our own layout becomes where the encoding lacks it, as ASCII does."""


_receiver: ContextVar[Callable[[str], None] | None] = ContextVar(
    "receiver", default=None
)


@contextmanager
def copy_lines_to(receive: Callable[[str], None]) -> Iterator[None]:
    """Pass every line that `print_line` prints to `receive` too."""
    token = _receiver.set(receive)
    try:
        yield
    finally:
        _receiver.reset(token)


def print_line(text: str) -> None:
    """Print one line on standard output, at once; a line break inside it is escaped.

    Raises BrokenPipeError if the reader is gone, StoreError if the output is a file
    that cannot be written.
    """
    receive = _receiver.get()
    if receive is not None:
        receive(text)
    shown = escape_hidden(text, keep="\t")
    _write_output(_unfiltered(sys.stdout), shown + "\n")


def print_message(text: str) -> None:
    """Print one line on standard error, at once; a line break inside it is escaped."""
    shown = escape_hidden(text, keep="\t")
    _write_message(_unfiltered(sys.stderr), shown + "\n")


def print_status(text: str, width: int, *, last: bool) -> None:
    """Replace the line at the cursor of a terminal by up to `width` characters.

    `last` ends the line.
    """
    shown = escape_hidden(text)[:width]
    end = "\n" if last else ""
    _write_message(_unfiltered(sys.stderr), f"{_CLEAR_LINE}{shown}{end}")


def is_terminal() -> bool:
    """Return whether standard error is a terminal, where a line can be replaced."""
    return sys.stderr is not None and sys.stderr.isatty()


def _write_output(stream: TextIO | None, text: str) -> None:
    try:
        _write(stream, text)
    except BrokenPipeError:
        _discard_output()
        raise
    except OSError as error:
        _discard_output()
        raise StoreError(
            f"standard output: cannot be written: {error.strerror}. Free space, or send "
            "it elsewhere."
        ) from error


def _discard_output() -> None:
    """Send what is still buffered for standard output nowhere.

    Python would write it when it exits, and report that this fails.
    """
    try:
        descriptor = sys.stdout.fileno()
    except (AttributeError, OSError, ValueError):
        return  # closed, or no file
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


def _write_message(stream: TextIO | None, text: str) -> None:
    # A message that nobody can read is no reason to end a run.
    with contextlib.suppress(OSError):
        _write(stream, text)


def _write(stream: TextIO | None, text: str) -> None:
    # None: closed by the shell. Click probes a stream by writing nothing to it.
    if stream is not None and text:
        stream.write(_encodable(text, stream.encoding))
        stream.flush()


def _encodable(text: str, encoding: str | None) -> str:
    """Return `text` in characters that `encoding` has."""
    encoding = encoding or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        plain = text.translate(_ASCII_SHAPES)
        return plain.encode(encoding, "backslashreplace").decode(encoding)
    return text


# -- what others print -------------------------------------------------------------------


def filter_streams() -> None:
    """Have all that is printed by others escaped too: libraries, warnings, tracebacks.

    Called once, by the program and not by the library, since it replaces the streams
    of the process.
    """
    if sys.stdout is not None and not isinstance(sys.stdout, _Filter):
        sys.stdout = cast(TextIO, _Filter(sys.stdout, _write_output))
    if sys.stderr is not None and not isinstance(sys.stderr, _Filter):
        sys.stderr = cast(TextIO, _Filter(sys.stderr, _write_message))


def _unfiltered(stream: TextIO | None) -> TextIO | None:
    return stream.unfiltered if isinstance(stream, _Filter) else stream


class _Filter(io.TextIOBase):
    """A stream that escapes what is written to it, line breaks and tabs aside.

    It has no `buffer`, through which bytes would pass unseen.
    """

    encoding = "utf-8"
    errors: str | None = None

    def __init__(
        self, unfiltered: TextIO, write: Callable[[TextIO, str], None]
    ) -> None:
        self.unfiltered = unfiltered
        self._write = write
        self.encoding = unfiltered.encoding
        self.errors = unfiltered.errors

    def write(self, text: str, /) -> int:
        self._write(self.unfiltered, escape_hidden(text, keep="\n\t"))
        return len(text)

    def flush(self) -> None:
        self.unfiltered.flush()

    def fileno(self) -> int:
        return self.unfiltered.fileno()

    def isatty(self) -> bool:
        return self.unfiltered.isatty()

    def writable(self) -> bool:
        return True
